"""N SSH nodes in this process, each with a real shell: for tests and for the demo."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import anyio

from asynctask.errors import TaskStateError, UsageError
from asynctask.nodes import expand
from asynctask.testing.census import Census, ClusterStatistics
from asynctask.testing.clientfiles import ClientFiles, generate_key, write_client_files
from asynctask.testing.environment import login_environment, write_scripts
from asynctask.testing.faults import Fault
from asynctask.testing.loopback import bind_nodes
from asynctask.testing.node import Node
from asynctask.testing.server import Access, server_options

if TYPE_CHECKING:
    from asynctask.nodes import NodeSet

__all__ = ("Cluster",)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# How long, in seconds, closing waits for killed commands to be reaped and tasks to end.
_CLOSE_TIMEOUT = 10.0
# How many nodes are made, or closed, before others have their turn on the loop.
_BATCH = 64


class Cluster:
    """SSH nodes on the loopback network; they serve from ``async with`` until it is left.

    Every node runs what is asked of it with ``/bin/sh``, as the user of this process and in a
    home directory of its own, and knows its name: ``ASYNCTASK_NODE`` is set, and ``hostname``
    and ``uname -n`` answer with it, because two small scripts come first in its ``PATH``. The
    rest of the environment is that of a login and does not hold this process's variables.
    SFTP shows the same files, with relative paths in the node's home, though absolute ones are those
    of this machine. A node forwards TCP to loopback addresses, so that it can be a jump host.

    ``ssh_config`` has the way to every node, for asynctask as for ``ssh -F``. The host keys, the
    client's key and that file are made anew for each cluster, in a private temporary directory.

    On Linux each node has an address of its own in 127.0.0.0/8, elsewhere a port of its own on
    127.0.0.1. A node costs one descriptor, and one more for each connection to it; each running
    command costs three. No thread and no task belongs to a node that nobody talks to.

    Args:
        nodes: how many (``node1``, ``node2``, …), or their names: a node set, or an iterable of them.
        faults: what is wrong with which node from the start.
        user: the name that clients log in with; another one is refused.
        password: what else than the key lets a client in, as a password and as the answer to
            keyboard-interactive; None: nothing else.
        keys: whether the client's key lets it in.
        accept_env: which environment variables a client may set for its commands, as patterns with
            ``*`` and ``?``; others are passed over. By default those that Debian's sshd takes.
        pty: whether a client that asks for a terminal gets one; else the request is refused.
        max_sessions: how many commands and SFTP sessions may be open at a time on one connection; more
            are refused, as by OpenSSH's ``MaxSessions``.
        jump: a node that ``ssh_config`` has as ``ProxyJump`` for all others.

    Raises:
        EmptyTargetsError: no nodes.
        UsageError: a name that no host can have, a fault of an unknown node or an unknown jump, no way to
            log in, no sessions.
        OSError: on entering: no free port, or too few descriptors (``ulimit -n``).
        TaskStateError: entered twice, used while not open, or left in another event loop.
    """

    def __init__(
        self,
        nodes: int | str | NodeSet | Iterable[str] = 8,
        *,
        faults: Mapping[str, Fault] | None = None,
        user: str = "asynctask",
        password: str | None = None,
        keys: bool = True,
        accept_env: Iterable[str] = ("LANG", "LC_*"),
        pty: bool = False,
        max_sessions: int = 10,
        jump: str | None = None,
    ) -> None:
        if not keys and password is None:
            raise UsageError("keys=False and no password: nobody could log in")
        if max_sessions < 1:
            raise UsageError(f"max_sessions={max_sessions!r}: 1 or more")
        self.nodes = _names(nodes)
        self.user = user
        self._password = password
        self._keys = keys
        self._accept_env = (accept_env,) if isinstance(accept_env, str) else tuple(accept_env)
        self._pty = pty
        self._max_sessions = max_sessions
        self._faults: dict[str, Fault | None] = dict.fromkeys(self.nodes)
        for node, fault in (faults or {}).items():
            self._faults[self._known(node)] = fault
        self._jump = jump if jump is None else self._known(jump)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._directory: Path | None = None
        self._served: dict[str, Node] = {}
        self._files: ClientFiles | None = None
        self._census = Census(self.nodes)

    async def __aenter__(self) -> Cluster:
        if self._loop is not None:
            raise TaskStateError("a cluster is opened once; make another one")
        self._loop = asyncio.get_running_loop()
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill what still runs, cut what is still connected, remove the files.

        Cancelling does not stop this; it takes 10 seconds at most.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise TaskStateError("a cluster must be left in the event loop that it was entered in")
        await self._close()

    @property
    def ssh_config(self) -> Path:
        """The configuration file with the way to every node."""
        return self._opened.ssh_config

    @property
    def known_hosts(self) -> Path:
        """The file with the nodes' host keys, by node name."""
        return self._opened.known_hosts

    @property
    def key_file(self) -> Path:
        """The private key that the nodes accept."""
        return self._opened.key_file

    def address(self, node: str) -> tuple[str, int]:
        """Where a node listens: address and port."""
        endpoint = self._node(node).endpoint
        return endpoint.address, endpoint.port

    def home(self, node: str) -> Path:
        """The directory that commands on a node start in; removed with the cluster."""
        return self._node(node).home

    def fault(self, node: str, fault: Fault | None) -> None:
        """Change what is wrong with a node; None makes it well.

        Connections made and commands started before are left alone: see :meth:`disconnect`.
        """
        served = self._node(node)
        files = self._opened
        served.set_fault(fault)
        if fault is Fault.HOST_KEY_UNKNOWN:
            files.forget_host(node)
        elif self._faults[node] is Fault.HOST_KEY_UNKNOWN:
            files.remember_host(node, served.endpoint)
        self._faults[node] = fault

    def disconnect(self, node: str) -> int:
        """Cut a node's open connections as a pulled cable would; returns how many there were."""
        return self._node(node).disconnect()

    def statistics(self) -> ClusterStatistics:
        """What the nodes did so far and are doing now; after closing too."""
        return self._census.snapshot()

    async def wait_idle(self, timeout: float = 5.0, *, connections: bool = True) -> None:
        """Wait until no connection is open and no command runs.

        A client is told that its command or connection has ended shortly before the node has
        cleared it away; so wait here before asserting that nothing is left.

        Args:
            timeout: seconds.
            connections: false: until no command runs. A task keeps its connections until its block is left.

        Raises:
            TimeoutError: something still goes on after ``timeout`` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                await (self._census.idle if connections else self._census.quiet).wait()
        except TimeoutError as exc:
            now = self.statistics()
            still = f"{now.open_connections} connections open, {now.running} commands running"
            raise TimeoutError(f"not idle after {timeout:g} s: {still}") from exc

    # -- inside -----------------------------------------------------------------------------

    @property
    def _opened(self) -> ClientFiles:
        if self._files is None:
            raise TaskStateError("the cluster is not open")
        return self._files

    def _known(self, node: str) -> str:
        if node not in self._faults:
            raise UsageError(f"the cluster has no node {node!r}")
        return node

    def _node(self, node: str) -> Node:
        self._known(node)
        if node not in self._served:
            raise TaskStateError("the cluster is not open")
        return self._served[node]

    async def _open(self) -> None:
        directory = self._directory = Path(tempfile.mkdtemp(prefix="asynctask-"))
        listeners = await bind_nodes(len(self.nodes))
        for name, listener in zip(self.nodes, listeners, strict=True):
            self._served[name] = Node(name, listener, homes=directory / "home", census=self._census)
        endpoints = {}
        for name, node in self._served.items():
            endpoints[name] = node.endpoint
            if len(endpoints) % _BATCH == 0:
                await asyncio.sleep(0)
        self._files = write_client_files(
            directory,
            user=self.user,
            endpoints=endpoints,
            jump=self._jump,
            questions=self._password is not None,
        )
        access = self._access(self._files, write_scripts(directory / "bin"))
        for name, node in self._served.items():
            self.fault(name, self._faults[name])
            node.open(access)

    def _access(self, files: ClientFiles, scripts: Path) -> Access:
        wrong_host_key = generate_key("asynctask test node, changed")
        options = server_options(wrong_host_key, pty=self._pty, password=self._password is not None)
        return Access(
            user=self.user,
            client_key=files.key if self._keys else None,
            password=self._password,
            wrong_host_key=wrong_host_key,
            environment=login_environment(self.user, scripts),
            accept_env=self._accept_env,
            max_sessions=self._max_sessions,
            options=options,
        )

    async def _close(self) -> None:
        nodes, self._served = self._served, {}
        self._files = None
        with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
            try:
                await _close_all(list(nodes.values()))
                await self._census.idle.wait()
            finally:
                for node in nodes.values():
                    node.abandon()
                if self._directory is not None:
                    await asyncio.to_thread(shutil.rmtree, self._directory, ignore_errors=True)


async def _close_all(nodes: list[Node]) -> None:
    """Close some nodes in one turn of the loop, for each costs it 0.1 ms; cancelled, all that are left."""
    try:
        while len(nodes) > _BATCH:
            for node in nodes[-_BATCH:]:
                node.close()
            del nodes[-_BATCH:]
            await asyncio.sleep(0)
    finally:
        for node in nodes:
            node.close()


def _names(nodes: int | str | NodeSet | Iterable[str]) -> tuple[str, ...]:
    if isinstance(nodes, int):
        nodes = [f"node{number}" for number in range(1, nodes + 1)]
    names = expand(nodes)
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot be the name of a node")
    return names
