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
from uvicorn.protocols.http.h11_impl import H11Protocol

from asynctask.manager.control.peer import may_command, peer_uid

__all__ = ("Server",)

_log = logging.getLogger(__name__)

#: Connections at once; whoever comes then is told so.
_MOST_CONNECTIONS = 256
#: Seconds that a connection may be silent: before its first request, and between two.
_IDLE = 60
#: Seconds that requests have to come to their end when the server ends.
_FINISHING = 1.0


class _Protocol(H11Protocol):
    """A connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Else it is on as soon as any logger has a handler; turning it off in uvicorn's way would do so for
        # every server in the program.
        self.access_log = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {"abort": transport.abort, "broken_off": transport.is_closing}
        sock = transport.get_extra_info("socket")
        if sock.family == socket.AF_UNIX and not may_command(peer_uid(sock)):
            _log.warning("HTTP: a client of another user is refused")
            transport.abort()
            return
        self.timeout_keep_alive_task = self.loop.call_later(_IDLE, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()


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
            limit_concurrency=_MOST_CONNECTIONS,
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
