"""Serves a manager over HTTP, beside everything else that runs in the loop."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from asynctask.errors import UsageError
from asynctask.manager.control import encoding
from asynctask.manager.control.listening import UnixListener
from asynctask.manager.control.operations import Reread, stream
from asynctask.manager.messages import PROCESS_EVENTS, TEMPLATE_EVENTS
from asynctask.manager.web.access import Token, is_loopback
from asynctask.manager.web.feeds import Feed
from asynctask.manager.web.listening import tcp_listeners
from asynctask.manager.web.sampling import Sampler
from asynctask.waiting import wait_out

if TYPE_CHECKING:
    from asynctask.emitter import Subscription
    from asynctask.manager.manager import Manager
    from asynctask.manager.web.server import Server

__all__ = ("WebServer",)

_log = logging.getLogger(__name__)

#: Events that are kept for clients that come back.
_EVENTS_KEPT = 2000
#: Topics of a manager; ``proc.<name>.<event>`` are below the first.
_TOPICS = ("proc", *TEMPLATE_EVENTS, *PROCESS_EVENTS)


class WebServer:
    """A manager over HTTP: REST, server-sent events, metrics, a page. Use it in an ``async with`` block.

    Args:
        manager: what is shown and steered; it outlives the server.
        host: the name or address to listen at; by default only this machine can connect.
        port: 0: one that is free; see :attr:`port`.
        token: what callers have to know; needed unless ``uds`` is given.
        uds: listen on a Unix socket here instead, for our own user and root alone.
        hosts: names that browsers may call us by, besides ``localhost`` and ``host``. Addresses always work.
        reread: reads the file of the templates again; ``None``: there is none.

    Raises:
        UsageError: without a token anybody who can connect could run programs; or the extra ``web`` is not
            installed.
    """

    def __init__(
        self,
        manager: Manager,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: Token | str | None = None,
        uds: str | os.PathLike[str] | None = None,
        hosts: Collection[str] = (),
        reread: Reread | None = None,
    ) -> None:
        if token is None and uds is None:
            raise UsageError("HTTP needs a token: whoever can connect could run programs")
        self._manager = manager
        self._host = host
        self.port = port
        """Where it listens; 0 until it does, and on a Unix socket."""
        self._token = Token(token) if isinstance(token, str) else token
        self._uds = None if uds is None else Path(uds).absolute()
        self._hosts = (
            None if uds is not None else frozenset(each.lower().rstrip(".") for each in (host, *hosts))
        )
        self._events: Feed[dict[str, Any]] = Feed(_EVENTS_KEPT)
        self._sampler = Sampler(lambda: stream(manager, "monitor"))
        self._reread = reread
        self._server = self._new_server()
        self._serving: asyncio.Task[None] | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._hearing: list[Subscription] = []
        self._unix: UnixListener | None = None

    @property
    def url(self) -> str:
        """What a browser takes; without the token, which it asks for."""
        if self._uds is not None:
            return f"unix:{self._uds}"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self.port}/" if ":" in host else f"http://{host}:{self.port}/"

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect; else the token goes over the network as it is."""
        return self._uds is not None or is_loopback(self._host)

    def _new_server(self) -> Server:
        try:
            from asynctask.manager.web.app import application
            from asynctask.manager.web.routes import Routes
            from asynctask.manager.web.server import Server
        except ModuleNotFoundError as exc:
            if (exc.name or "").partition(".")[0] not in {"starlette", "uvicorn", "h11"}:
                raise
            raise UsageError(f"HTTP needs {exc.name}: pip install 'asynctask[web]'") from exc
        routes = Routes(self._manager, self._events, self._sampler, secrets.token_hex(4), self._reread)
        return Server(application(routes, token=self._token, hosts=self._hosts))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listen.

        Raises:
            ManagerError: nothing can listen there, and why.
        """
        listeners = await self._listeners()
        self._hearing = [self._manager.subscribe(topic, self._heard) for topic in _TOPICS]
        loop = asyncio.get_running_loop()
        self._sampling = loop.create_task(self._sampler.run(), name="asynctask web sampler")
        self._serving = loop.create_task(self._server.serve(listeners), name="asynctask web server")
        try:
            await self._server.wait_ready(self._serving)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Listen no more: streams end now, other requests have a second. Closing again does nothing.

        Takes 3 seconds at most, also when it is cancelled.
        """
        for subscription in self._hearing:
            subscription.cancel()
        self._hearing = []
        self._events.close()
        self._sampler.feed.close()
        self._server.finish()
        if self._sampling is not None:
            self._sampling.cancel()
        tasks = [task for task in (self._serving, self._sampling) if task is not None]
        self._serving = self._sampling = None
        try:
            await _ended(tasks)
        finally:
            if self._unix is not None:
                self._unix.remove()
                self._unix = None

    async def _listeners(self) -> list[socket.socket]:
        if self._uds is None:
            listeners = await tcp_listeners(self._host, self.port)
            self.port = listeners[0].getsockname()[1]
            return listeners
        self._unix = UnixListener(self._uds)
        return [self._unix.sock]

    def _heard(self, topic: str, *args: Any, **kwargs: Any) -> None:
        self._events.put(encoding.event(topic, args))


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """Wait until tasks that have been told to end have done so."""
    over = asyncio.Event()
    left = len(tasks)

    def ended(task: asyncio.Task[None]) -> None:
        nonlocal left
        left -= 1
        if not task.cancelled() and (problem := task.exception()) is not None:
            _log.error("%s broke off", task.get_name(), exc_info=problem)
        if not left:
            over.set()

    for task in tasks:
        task.add_done_callback(ended)
    if tasks:
        await wait_out(over)
