"""One node of the test cluster: a listening socket, its SSH connections and its fault."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

import asyncssh

from asynctask.testing.census import Census
from asynctask.testing.clientfiles import Endpoint, generate_key
from asynctask.testing.command import Command
from asynctask.testing.faults import Fault
from asynctask.testing.loopback import bind

__all__ = ("Access", "Node", "server_options")

_BACKLOG = 128
# For how many seconds a node accepts nothing after this process ran out of descriptors.
_EXHAUSTED_PAUSE = 0.1
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Access:
    """What all nodes of a cluster share: who may log in, and what commands find there."""

    user: str
    client_key: asyncssh.SSHKey
    wrong_host_key: asyncssh.SSHKey
    environment: Mapping[str, str]
    options: asyncssh.SSHServerConnectionOptions


class _Abortable(Protocol):
    def abort(self) -> None:
        """Close at once, without a goodbye."""


def server_options(host_key: asyncssh.SSHKey) -> asyncssh.SSHServerConnectionOptions:
    """Build the options that every connection starts from; each node puts in its own host key."""
    return asyncssh.SSHServerConnectionOptions(
        server_host_keys=[host_key],
        encoding=None,
        line_editor=False,
        allow_pty=False,
        agent_forwarding=False,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        compression_algs=None,
    )


class Node:
    """Serves SSH on ``listener``, which is bound and does not listen yet."""

    def __init__(self, name: str, listener: socket.socket, *, homes: Path, census: Census) -> None:
        self.name = name
        self.census = census
        self._tasks: set[asyncio.Task[None]] = set()
        self._homes = homes
        self._listener = listener
        self._listening = False
        self._retry: asyncio.TimerHandle | None = None
        self._access: Access | None = None
        self._fault: Fault | None = None
        self._connections: set[_Abortable] = set()
        self._closed = False

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the node now."""
        return self._fault

    @cached_property
    def endpoint(self) -> Endpoint:
        """Where the node listens; its host key is made when this is first asked for."""
        address, port = self._listener.getsockname()
        return Endpoint(address, port, generate_key(f"asynctask test node {self.name}"))

    @cached_property
    def home(self) -> Path:
        """The directory that commands start in, made when it is first asked for."""
        home = self._homes / self.name
        home.mkdir(parents=True)
        return home

    def open(self, access: Access) -> None:
        """Start to serve.

        Raises:
            OSError: the port cannot be listened on.
        """
        self._access = access
        if self._fault is not Fault.REFUSED:
            self._listen()

    def set_fault(self, fault: Fault | None) -> None:
        """Change what is wrong with the node; before it is opened too.

        Raises:
            OSError: the port could not be taken or listened on again.
        """
        self._fault = fault
        if self._access is None:
            return
        if fault is Fault.REFUSED:
            self._refuse()
        elif not self._listening:
            self._listen()

    def disconnect(self) -> int:
        """Cut all open connections without a goodbye; returns how many there were."""
        connections = tuple(self._connections)
        for connection in connections:
            connection.abort()
        return len(connections)

    def close(self) -> None:
        """Stop serving and cut what is connected; the census tells when all of it is gone."""
        self._closed = True
        self._deafen()
        self._listener.close()
        self.disconnect()

    def abandon(self) -> None:
        """Wait no longer for connections that did not end after :meth:`close`."""
        for task in tuple(self._tasks):
            task.cancel()

    def environment(self, connection: asyncssh.SSHServerConnection) -> dict[str, str]:
        """What commands of this connection find in their environment."""
        assert self._access is not None
        peer = connection.get_extra_info("peername")[:2]
        here = connection.get_extra_info("sockname")[:2]
        return {
            **self._access.environment,
            "ASYNCTASK_NODE": self.name,
            "HOME": str(self.home),
            "SSH_CONNECTION": " ".join(map(str, (*peer, *here))),
        }

    def admits(self, user: str, key: asyncssh.SSHKey) -> bool:
        """Whether this key of this user may log in now."""
        access = self._access
        assert access is not None
        known = user == access.user and key.public_data == access.client_key.public_data
        return known and self._fault is not Fault.AUTH

    def joined(self, connection: _Abortable) -> None:
        """A connection is up."""
        self._connections.add(connection)
        if self._closed:
            connection.abort()

    def left(self, connection: _Abortable) -> None:
        """It is down."""
        self._connections.discard(connection)

    # -- the listener -----------------------------------------------------------------------

    def _listen(self) -> None:
        self._retry = None
        self._listener.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(self._listener, self._accept)
        self._listening = True

    def _deafen(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._listening:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listening = False

    def _refuse(self) -> None:
        # A socket that is bound and does not listen keeps the port and refuses connections.
        self._deafen()
        self._listener.close()
        self._listener = bind(self.endpoint.address, self.endpoint.port)

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as exc:
            if exc.errno not in _EXHAUSTED:
                raise
            self._deafen()
            self._retry = asyncio.get_running_loop().call_later(_EXHAUSTED_PAUSE, self._listen)
            return
        sock.setblocking(False)
        self.census.connection_opened()
        task = asyncio.create_task(self._serve(sock), name=f"{self.name}: connection")
        self._tasks.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.census.connection_closed()

    # -- one connection ---------------------------------------------------------------------

    async def _serve(self, sock: socket.socket) -> None:
        if self._closed or self._fault is Fault.RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.close()
        elif self._fault is Fault.SILENT:
            await self._serve_silence(sock)
        else:
            await self._serve_ssh(sock)

    async def _serve_silence(self, sock: socket.socket) -> None:
        silence = _Silence(self)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: silence, sock)
        await silence.over.wait()

    async def _serve_ssh(self, sock: socket.socket) -> None:
        access = self._access
        assert access is not None
        server = _Server(self)
        changed = self._fault is Fault.HOST_KEY_CHANGED
        host_key = access.wrong_host_key if changed else self.endpoint.host_key
        try:
            with suppress(OSError, asyncssh.Error):  # the client's business, it has its own error
                connection = await asyncssh.run_server(
                    sock,
                    options=access.options,
                    server_factory=lambda: server,
                    server_host_keys=[host_key],
                )
                await connection.wait_closed()
        finally:
            if server.connection is None:
                sock.close()


class _Silence(asyncio.Protocol):
    """A connection on which nothing is ever said."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of another class
        self._node.joined(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._node.left(self._transport)
        self.over.set()


class _Server(asyncssh.SSHServer):
    """What the node says to one connection's requests."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        self._node.joined(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self.connection is not None
        self._node.left(self.connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._node.admits(username, key)

    def session_requested(self) -> Command:
        return Command(self._node)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        # A jump to another node of the cluster, never to the world outside.
        try:
            return ipaddress.ip_address(dest_host).is_loopback
        except ValueError:
            return False
