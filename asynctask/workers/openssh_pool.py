"""Where the ``openssh`` workers of a run get their connections: an ``ssh`` each, in a private directory."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import anyio
import asyncssh

from asynctask.errors import (
    ConnectionFailedError,
    ConnectionLostError,
    NoCapacityError,
    NodeError,
    SpawnError,
)
from asynctask.processes import Spawner
from asynctask.ssh.answers import Answers
from asynctask.ssh.client import visible
from asynctask.ssh.dialling import Call, Dialler
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.throttle import Throttle
from asynctask.transfer.descriptors import in_thread
from asynctask.waiting import Patience
from asynctask.workers.openssh_command import Resolved, common, master, query, read_query, target_of
from asynctask.workers.openssh_log import failure
from asynctask.workers.openssh_master import Master, output_of
from asynctask.workers.openssh_mux import MuxConnection, base_options, connect
from asynctask.workers.resources import Resources

__all__ = ("OpenSSHLease", "OpenSSHPool", "pool_through")

_NO_CAPACITY = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}
#: Bytes of a directory's name: a socket's has 107 at most; ours adds 31, and ssh 17 for a moment.
_SHORT = 55
#: Seconds that closing a connection, or removing the directory, may take on our side.
_CLOSE_WAIT = 1.0

T = TypeVar("T")


class OpenSSHLease:
    """A connection to a node, for one command or copy.

    Attributes:
        connection: asyncssh's, over ``ssh``.
        environment: what the configuration wants to have sent, if the server takes it.
        mark: always ``None``: nobody else has sessions on it.
        answers: nobody can be asked: ``ssh`` logs in.
    """

    def __init__(
        self,
        node: str,
        connection: MuxConnection,
        ssh: Master,
        patience: Patience,
        environment: Mapping[str, str],
    ) -> None:
        self.node = node
        self.environment = environment
        self.connection: asyncssh.SSHClientConnection = connection
        self.mark: str | None = None
        self.answers: Answers | None = None
        self._ssh = ssh
        self._patience = patience

    async def open(self, start: Callable[[asyncssh.SSHClientConnection], Awaitable[T]]) -> T:
        """Start something on the connection, within what is left of the time.

        Raises:
            NodeError: it did not start.
        """
        try:
            with self._patience.running():
                return await start(self.connection)
        except TimeoutError as exc:
            raise ConnectionFailedError(
                self.node, f"logged in, but the command did not start within {self._patience.given:g} s"
            ) from exc
        except asyncssh.Error as exc:
            if self.connection.is_closed():
                raise ConnectionLostError(
                    self.node, f"connection lost before the command ran ({visible(str(exc))})"
                ) from exc
            reason = f"the server did not run the command: {visible(str(exc))}"
            raise SpawnError(self.node, reason) from exc

    def paused(self) -> AbstractContextManager[None]:
        """Time within :meth:`open` that does not count as connecting."""
        return self._patience.paused()

    def discard(self) -> None:
        """It is not kept anyway."""

    async def release(self) -> None:
        """Close the connection and end its ``ssh``; also when cancelled."""
        try:
            self.connection.abort()
            with anyio.move_on_after(_CLOSE_WAIT, shield=True):
                await self.connection.wait_closed()
        finally:
            await self._ssh.end()


class OpenSSHPool:
    """Connects by the system's ``ssh``.

    Args:
        spawner: starts the processes; it is closed after the pool.
        ssh_path: the program.
        ssh_options: more arguments for it.
    """

    def __init__(self, spawner: Spawner, ssh_path: str = "ssh", ssh_options: Sequence[str] = ()) -> None:
        self._spawner = spawner
        self._ssh_path = ssh_path
        self._ssh_options = tuple(ssh_options)
        self._options: asyncssh.SSHClientConnectionOptions | None = None
        self._directory: Path | None = None
        self._numbers = itertools.count()
        self._dialler = Dialler(Throttle())

    async def lease(self, node: str, ssh: SSHOptions, timeout: float | None) -> OpenSSHLease:
        """A connection to a node. What was started is ended on failure and when cancelled.

        Args:
            node: a target, as ``user@host:port`` or a part of it.
            ssh: how to connect.
            timeout: seconds for the login and, in the lease's ``open``, for the start; waiting for other
                nodes' logins does not count.

        Raises:
            NodeError: it cannot be reached.
        """
        patience = Patience(timeout)
        try:
            return await self._connect(node, ssh, patience)
        except TimeoutError as exc:
            raise ConnectionFailedError(
                node, f"no login within {timeout:g} s", "is it up and reachable?"
            ) from exc

    async def _connect(self, node: str, ssh: SSHOptions, patience: Patience) -> OpenSSHLease:
        target = target_of(node)
        arguments = common(ssh, target, self._ssh_options)
        with patience.running():
            resolved = await self._resolve(node, ssh, query(self._ssh_path, arguments, target))

        async def connect() -> tuple[MuxConnection, Master]:
            log, socket = self._paths()
            argv = master(self._ssh_path, arguments, target, resolved.keepalive, log, socket)
            return await self._log_in(node, argv, log, socket, resolved)

        call = Call(node, resolved.place[:2], None, patience, ssh.retries)
        connection, process = await self._dialler.dial(call, connect)
        return OpenSSHLease(node, connection, process, patience, resolved.environment)

    async def _resolve(self, node: str, ssh: SSHOptions, argv: Sequence[str]) -> Resolved:
        """Ask ``ssh`` what its configuration says."""
        try:
            rc, text, complaint = await output_of(argv, self._spawner)
        except (OSError, ValueError) as exc:
            raise _not_started(node, self._ssh_path, exc) from exc
        try:
            return read_query(ssh, text, os.environ)
        except ValueError as exc:
            said = complaint.strip().splitlines() or [f"exit code {rc}"]
            raise ConnectionFailedError(
                node, f"{self._ssh_path} does not take its configuration ({said[0].strip()})"
            ) from exc

    async def _log_in(
        self, node: str, argv: Sequence[str], log: str, socket: str, resolved: Resolved
    ) -> tuple[MuxConnection, Master]:
        try:
            ssh = Master(argv, log, self._spawner)
        except (OSError, ValueError) as exc:
            raise _not_started(node, self._ssh_path, exc) from exc
        try:
            if not await ssh.wait_ready():
                raise failure(node, resolved.place, ssh.log, ssh.noise)
            return await self._open(node, ssh, socket, resolved), ssh
        except BaseException:
            await ssh.end()
            raise

    async def _open(self, node: str, ssh: Master, socket: str, resolved: Resolved) -> MuxConnection:
        if self._options is None:
            self._options = base_options()
        try:
            return await connect(
                socket,
                self._options,
                why_lost=ssh.why_lost,
                forward_agent=resolved.forward_agent,
                username=resolved.place.user,
                server_version=ssh.log.version,
            )
        except asyncssh.Error as exc:
            raise ConnectionLostError(node, f"connection lost before the command ran ({exc})") from exc
        except OSError as exc:
            if exc.errno in _NO_CAPACITY:
                raise _not_started(node, self._ssh_path, exc) from exc
            ssh.read_log()
            reason = ssh.log.last or exc.strerror or str(exc)
            raise ConnectionFailedError(
                node, f"{self._ssh_path} does not share its connection ({reason})"
            ) from exc

    def _paths(self) -> tuple[str, str]:
        """New names for a log and a control socket; nobody else can look there."""
        if self._directory is None:
            parent = tempfile.gettempdir()
            self._directory = Path(
                tempfile.mkdtemp(prefix="asynctask-mux-", dir=parent if len(parent) < _SHORT else "/tmp")  # noqa: S108
            )
        number = next(self._numbers)
        return str(self._directory / f"{number}.log"), str(self._directory / str(number))

    async def aclose(self) -> None:
        """Remove the directory, also when cancelled. The leases have been released before."""
        if self._directory is not None:
            directory, self._directory = self._directory, None
            with anyio.move_on_after(_CLOSE_WAIT, shield=True):
                await in_thread(shutil.rmtree, directory, ignore_errors=True)


def pool_through(resources: Resources, ssh_path: str, ssh_options: Sequence[str]) -> OpenSSHPool:
    """The connections of a run by the system's ``ssh``."""
    spawner = resources.get(Spawner, Spawner)  # made before the pool, so closed after it
    key = (OpenSSHPool, ssh_path, tuple(ssh_options))
    return resources.get(key, lambda: OpenSSHPool(spawner, ssh_path, ssh_options))


def _not_started(node: str, ssh_path: str, exc: Exception) -> NodeError:
    number = exc.errno if isinstance(exc, OSError) else None
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    kind = NoCapacityError if number in _NO_CAPACITY else SpawnError
    hint = "is OpenSSH's client installed? ssh_path= says where" if number == errno.ENOENT else ""
    return kind(node, f"could not start {ssh_path}: {reason}", hint)
