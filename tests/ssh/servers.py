"""SSH servers that do what a test says, and TCP servers that do not speak SSH at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import asyncssh

from asynctask import SSHOptions
from asynctask.testing.clientfiles import generate_key

__all__ = ("NODE", "ScriptedFactory", "ScriptedServer", "Session", "raw_server", "reset", "say")

#: Where the servers are.
NODE = "127.0.0.1"

_HOST_KEY = generate_key("scripted server")
_CLIENT_KEY = generate_key("its client")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Hook = Callable[["Session"], object]


class ScriptedServer:
    """An SSH server on a port of 127.0.0.1, from ``async with`` until it is left. Any key may log in.

    Args:
        directory: for the client's key.
        on_session: called when a session is asked for; it is refused unless this returns something true.
        on_exec: called when a command is asked for, likewise.
        on_start: called when the command is to start.
        on_signal: called with the name of a signal that came.
        settings: for asyncssh's server.

    Attributes:
        connections: those that were made, in order.
        sessions: those that were opened, in order.
        options: the way to the server.
    """

    def __init__(
        self,
        directory: Path,
        *,
        on_session: Callable[[asyncssh.SSHServerConnection], object] = lambda connection: True,
        on_exec: Hook = lambda session: True,
        on_start: Hook = lambda session: None,
        on_signal: Callable[[Session, str], object] = lambda session, name: None,
        **settings: Any,
    ) -> None:
        self.on_session = on_session
        self.on_exec = on_exec
        self.on_start = on_start
        self.on_signal = on_signal
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.sessions: list[Session] = []
        self._settings = {"server_host_keys": [_HOST_KEY], "encoding": None, "line_editor": False, **settings}
        self._key_file = directory / "scripted_key"
        self._key_file.write_bytes(_CLIENT_KEY.export_private_key("openssh"))

    async def __aenter__(self) -> ScriptedServer:
        self._server = await asyncssh.create_server(lambda: _Server(self), NODE, 0, **self._settings)
        self.port: int = self._server.get_port()
        self.options = self.options_with()
        return self

    def options_with(self, **changes: Any) -> SSHOptions:
        """The way to the server, with changes."""
        settings: dict[str, Any] = {
            "config": False,
            "port": self.port,
            "user": "tester",
            "identity_files": [self._key_file],
            "host_keys": "off",
            "agent": False,
            **changes,
        }
        return SSHOptions(**settings)

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self.connections:
            connection.abort()
            await connection.wait_closed()
        await self._server.wait_closed()


class ScriptedFactory(Protocol):
    """What the fixture ``scripted`` is."""

    async def __call__(self, **hooks: Any) -> ScriptedServer:
        """Start a server; it is stopped after the test. See :class:`ScriptedServer`."""


class _Server(asyncssh.SSHServer):
    def __init__(self, script: ScriptedServer) -> None:
        self._script = script

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._script.connections.append(conn)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return True

    def session_requested(self) -> Any:
        return Session(self._script, self._connection) if self._script.on_session(self._connection) else False


class Session(asyncssh.SSHServerSession[bytes]):
    """One session, and what it was sent.

    Attributes:
        connection: whose session it is.
        channel: asyncssh's.
        command: what it was asked to run.
        received: the input.
        signals: the signals.
        closed: set when the channel is closed.
    """

    channel: asyncssh.SSHServerChannel[bytes]

    def __init__(self, script: ScriptedServer, connection: asyncssh.SSHServerConnection) -> None:
        self._script = script
        self.connection = connection
        self.command = ""
        self.received = b""
        self.signals: list[str] = []
        self.closed = asyncio.Event()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.channel = chan
        self._script.sessions.append(self)

    def exec_requested(self, command: str) -> bool:
        self.command = command
        return bool(self._script.on_exec(self))

    def session_started(self) -> None:
        self._script.on_start(self)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self.received += data

    def eof_received(self) -> bool:
        return True

    def signal_received(self, signal: str) -> None:
        self.signals.append(signal)
        self._script.on_signal(self, signal)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def exit_status(self, status: int) -> None:
        """Tell the status and leave the channel open, as OpenSSH does while somebody holds the output."""
        self.channel._send_request(b"exit-status", struct.pack(">I", status))

    def packet(self, kind: int, *fields: bytes) -> None:
        """Send a raw packet on the channel."""
        self.channel.send_packet(kind, *fields)


def say(text: bytes, then: Hook) -> Hook:
    """A hook that prints something first."""

    def both(session: Session) -> object:
        session.channel.write(text)
        return then(session)

    return both


def reset(connection: asyncssh.SSHServerConnection) -> None:
    """Break a connection with a TCP reset."""
    assert connection._transport is not None
    sock: socket.socket = connection._transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection._transport.abort()


@asynccontextmanager
async def raw_server(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[SSHOptions]:
    """A TCP server whose connections are served by ``talk`` and closed after it; gives the way to it."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            pass
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, NODE, 0)
    try:
        port = server.sockets[0].getsockname()[1]
        yield SSHOptions(
            config=False, port=port, user="tester", identity_files=(), host_keys="off", agent=False
        )
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
