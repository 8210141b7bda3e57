"""uvicorn in a loop that is somebody else's: no signal handlers, no log of requests, a bounded end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.h11_impl import H11Protocol

from asynctask.manager.control.peer import may_command, peer_uid

__all__ = ("Server",)

_log = logging.getLogger(__name__)

#: Connections at once; of more the idlest is closed, and when none is idle the newest is told so.
_MOST_CONNECTIONS = 256
#: Seconds in which a whole request has to come: after the connection, and after the answer to the one before.
_IDLE = 60
#: Seconds that a client may take to read what the buffers do not hold.
_SLOWEST = 30.0
#: Seconds that requests have to come to their end when the server ends.
_FINISHING = 1.0


class _Log(logging.LoggerAdapter[logging.Logger]):
    """What uvicorn says: its warnings are of what clients send, who could fill a log with them."""

    level = logging.INFO

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.debug(msg, *args, **kwargs)


class _Protocol(H11Protocol):
    """A connection. Nothing that a client sends, or does not send, keeps it for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Else it is on as soon as any logger has a handler; turning it off in uvicorn's way would do so for
        # every server in the program.
        self.access_log = False
        self.logger = _Log(_log)  # type: ignore[assignment]
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {"broken_off": transport.is_closing}
        sock = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX and not may_command(peer_uid(sock)):
            _log.warning("HTTP: a client of another user is refused")
            transport.abort()
            return
        if len(self.connections) > _MOST_CONNECTIONS:
            self._make_room()
        self.timeout_keep_alive_task = self.loop.call_later(_IDLE, self.timeout_keep_alive_handler)

    def _make_room(self) -> None:
        """Whoever only holds connections open does not keep others out."""
        idle = [
            (each.timeout_keep_alive_task.when(), id(each), each)
            for each in self.connections
            if isinstance(each, H11Protocol) and each.timeout_keep_alive_task is not None
        ]
        if not idle:
            self.app = service_unavailable
            return
        oldest = min(idle)[2]
        self.connections.discard(oldest)
        oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        # The time goes on until there is a whole request: uvicorn would stop it at the first byte.
        self.conn.receive_data(data)
        self.handle_events()

    def timeout_keep_alive_handler(self) -> None:
        # To close it would be to wait until the client has read what is left.
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_SLOWEST, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reads()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._reads()

    def _reads(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class Server(uvicorn.Server):
    """Serves an application until :meth:`finish`.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            workers=1,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_IDLE,
        )
        super().__init__(config)
        self._ready = asyncio.Event()
        self._finish = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the loop."""
        yield

    async def main_loop(self) -> None:
        """Wait for the end, without looking ten times a second."""
        await self.on_tick(0)
        self._ready.set()
        await self._finish.wait()

    async def wait_ready(self, serving: asyncio.Task[None]) -> None:
        """Wait until it listens, or raise what ended its task before."""
        serving.add_done_callback(lambda _: self._ready.set())
        await self._ready.wait()
        if serving.done():
            serving.result()

    def finish(self) -> None:
        """Take no more connections, and end; bounded."""
        self._finish.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests come to their end for a second, then break off what is left."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()  # uvloop has listened on a copy
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = self.server_state.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=_FINISHING)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # they hear of it
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_FINISHING)
        with anyio.move_on_after(_FINISHING):
            for server in self.servers:
                await server.wait_closed()
