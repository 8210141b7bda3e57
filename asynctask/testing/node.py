"""One node of the test cluster: a listening socket, its connections and its fault."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import asyncssh

from asynctask.testing.census import Census
from asynctask.testing.clientfiles import Endpoint, generate_key
from asynctask.testing.faults import Fault
from asynctask.testing.loopback import bind
from asynctask.testing.server import Access, Server
from asynctask.testing.wire import Abortable, Talk, talk_for

__all__ = ("Node",)

_BACKLOG = 128
# For how many seconds a node accepts nothing after this process ran out of descriptors.
_EXHAUSTED_PAUSE = 0.1
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_DROPS = {Fault.RESET, Fault.DROP_KEX, Fault.DROP_HALF, Fault.MAX_STARTUPS, Fault.PENALTY}


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
        self._seen_with_fault = 0
        self._connections: set[Abortable] = set()
        self._cuts = 0
        self._closed = False

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the node now."""
        return self._fault

    @property
    def access(self) -> Access:
        """Who may do what on the node; known once it is open."""
        assert self._access is not None
        return self._access

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
        self._seen_with_fault = 0
        if self._access is None:
            return
        if fault is Fault.REFUSED:
            self._refuse()
        elif not self._listening:
            self._listen()

    def disconnect(self) -> int:
        """Cut all open connections without a goodbye; returns how many there were."""
        self._cuts += 1
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

    @property
    def accept_env(self) -> tuple[str, ...]:
        """Patterns of the variables that clients may set."""
        return self.access.accept_env

    def environment(self, connection: asyncssh.SSHServerConnection) -> dict[str, str]:
        """What commands of this connection find in their environment, whatever the client has set."""
        peer = connection.get_extra_info("peername")[:2]
        here = connection.get_extra_info("sockname")[:2]
        return {
            **self.access.environment,
            "ASYNCTASK_NODE": self.name,
            "HOME": str(self.home),
            "SSH_CONNECTION": " ".join(map(str, (*peer, *here))),
        }

    def joined(self, connection: Abortable) -> None:
        """A connection is up."""
        self._connections.add(connection)
        if self._closed:
            connection.abort()

    def left(self, connection: Abortable) -> None:
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
        task = asyncio.create_task(self._serve(sock, self._next_fault()), name=f"{self.name}: connection")
        self._tasks.add(task)
        task.add_done_callback(self._served)

    def _next_fault(self) -> Fault | None:
        """The fault that the connection made just now meets."""
        self._seen_with_fault += 1
        if self._fault is Fault.DROP_HALF and self._seen_with_fault % 2 == 0:
            return None
        return self._fault

    def _served(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.census.connection_closed()

    # -- one connection ---------------------------------------------------------------------

    async def _serve(self, sock: socket.socket, fault: Fault | None) -> None:
        if fault in _DROPS:
            self.census.connection_dropped()
        talk = talk_for(fault)
        if self._closed or fault is Fault.RESET:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.close()
        elif talk is not None:
            await self._serve_talk(sock, talk)
        elif fault is Fault.NEVER_CLOSES:
            await self._serve_for_ever(sock)
        else:
            await self._serve_ssh(sock, fault)

    async def _serve_talk(self, sock: socket.socket, talk: Callable[[Node], Talk]) -> None:
        protocol = talk(self)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, sock)
        await protocol.over.wait()

    async def _serve_for_ever(self, sock: socket.socket) -> None:
        cuts = self._cuts
        with sock.dup():  # TCP knows no end of a connection while somebody holds it
            await self._serve_ssh(sock, None)
            if self._cuts == cuts:
                held = _Held()
                self.joined(held)
                await held.over.wait()
                self.left(held)

    async def _serve_ssh(self, sock: socket.socket, fault: Fault | None) -> None:
        server = Server(self)
        changed = fault is Fault.HOST_KEY_CHANGED
        host_key = self.access.wrong_host_key if changed else self.endpoint.host_key
        try:
            with suppress(OSError, asyncssh.Error):  # the client's business, it has its own error
                connection = await asyncssh.run_server(
                    sock,
                    options=self.access.options,
                    server_factory=lambda: server,
                    server_host_keys=[host_key],
                )
                await connection.wait_closed()
        finally:
            if server.connection is None:
                sock.close()


class _Held:
    """A connection that is over for the client alone."""

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def abort(self) -> None:
        """Let go."""
        self.over.set()
