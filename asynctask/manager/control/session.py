"""One client of a control socket: its requests, in any number at once, and the answers."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, cast

import anyio
from anyio.abc import TaskGroup

from asynctask.errors import AsyncTaskError, UsageError
from asynctask.manager.control.operations import Reread, perform, stream
from asynctask.manager.control.protocol import (
    HEARTBEAT,
    MOST_REQUEST,
    Cancel,
    Request,
    decode,
    encode,
    failure,
    hello,
    request_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asynctask.manager.manager import Manager

__all__ = ("Session",)

_log = logging.getLogger(__name__)

#: Requests of one client that may go on at once.
_MOST_AT_ONCE = 64
#: Bytes that are written in one piece, more or less.
_PIECE = 1 << 16
#: Seconds for a client to take what was written before the connection is closed.
_LAST_WORDS = 1.0
#: They may wait for ever, for a process that does not read: they end with their client.
_END_WITH_CLIENT = frozenset({"send"})


class Session:
    """Talks to a client until it goes.

    What it asked to be done is done also when it is gone: half a restart would leave nothing running. What
    it follows ends with it. Cancelling breaks off everything.

    Args:
        manager: who is asked.
        reread: reads the file of the templates again; ``None``: there is no file.
        reader, writer: the connection; its lines are bounded by ``MOST_REQUEST``.
    """

    def __init__(
        self,
        manager: Manager,
        reread: Reread | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._manager = manager
        self._reread = reread
        self._reader = reader
        self._writer = writer
        self._going_on: dict[object, tuple[Request, anyio.CancelScope]] = {}
        self._unwritten: list[bytes] = []
        self._size = 0

    async def run(self) -> None:
        """Serve it."""
        try:
            await self._say(hello(self._manager.name, os.getpid()))
            async with anyio.create_task_group() as group:
                async with anyio.create_task_group() as requests:
                    group.start_soon(self._beat)
                    await self._hear(requests)
                group.cancel_scope.cancel()
        except OSError:
            return  # it is gone
        finally:
            await self._close()

    # -- requests -------------------------------------------------------------------------------

    async def _hear(self, group: TaskGroup) -> None:
        """Take requests until the client has no more."""
        while (line := await self._line()) is not None:
            key: object = None
            try:
                message = decode(line)
                key = message.get("id")
                asked = request_of(message)
                if isinstance(asked, Cancel):
                    self._cancel(asked)
                else:
                    self._begin(asked, group)
            except UsageError as exc:
                await self._answer(key if isinstance(key, int | str) else None, error=failure(exc))
        for request, scope in self._going_on.values():
            if request.follows:
                scope.cancel()

    async def _line(self) -> bytes | None:
        """The next line that says something; ``None``: there is none."""
        line = b""
        while not line.strip():
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:  # what it did not finish it does not mean
                return None
            except asyncio.LimitOverrunError:
                text = f"a line of more than {MOST_REQUEST} bytes: that is no request"
                await self._answer(None, error=failure(UsageError(text)))
                return None
            except OSError:
                return None
        return line

    def _begin(self, request: Request, group: TaskGroup) -> None:
        key = object() if request.id is None else request.id
        if key in self._going_on:
            raise UsageError(f"there is a request {request.id!r} already that goes on")
        if len(self._going_on) >= _MOST_AT_ONCE:
            raise UsageError(f"{_MOST_AT_ONCE} requests at once are enough: wait for answers")
        self._going_on[key] = request, anyio.CancelScope()
        group.start_soon(self._go_on, key)

    def _cancel(self, cancel: Cancel) -> None:
        """End a stream; what is being done goes on."""
        request, scope = self._going_on.get(cancel.id, (None, None))
        if request is not None and scope is not None and _may_end(request):
            scope.cancel()

    async def _go_on(self, key: object) -> None:
        request, scope = self._going_on[key]
        try:
            with scope:
                await (self._follow(request) if request.follows else self._do(request))
            if scope.cancelled_caught:
                await self._answer(request.id, end=True)
        finally:
            del self._going_on[key]

    async def _do(self, request: Request) -> None:
        try:
            result = await perform(self._manager, request.name, request.params, reread=self._reread)
        except Exception as exc:
            await self._failed(request, exc)
        else:
            await self._answer(request.id, result=result)

    async def _follow(self, request: Request) -> None:
        try:
            items = cast(
                "AsyncGenerator[dict[str, Any], None]", stream(self._manager, request.name, request.params)
            )
            async with aclosing(items):
                async for item in items:
                    if not await self._answer(request.id, item=item):
                        return
        except Exception as exc:
            await self._failed(request, exc)
        else:
            await self._answer(request.id, end=True)

    async def _failed(self, request: Request, exc: Exception) -> None:
        if not isinstance(exc, AsyncTaskError):
            _log.error("control: %s broke off", request.name, exc_info=exc)
        await self._answer(request.id, error=failure(exc))

    # -- answers --------------------------------------------------------------------------------

    async def _answer(self, key: object, **said: Any) -> bool:
        """Tell the client; whether it is still there. Waits while it reads too slowly."""
        try:
            await self._say({"id": key, **said})
        except OSError:
            self._gone()
            return False
        return True

    async def _say(self, message: dict[str, Any]) -> None:
        """Have it written, with all else that is said in this turn of the loop."""
        await self._writer.drain()
        if self._writer.is_closing():
            raise ConnectionResetError
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._flush)
        line = encode(message)
        self._unwritten.append(line)
        self._size += len(line)
        if self._size >= _PIECE:
            self._flush()
            await asyncio.sleep(0)  # others want a turn, too

    def _flush(self) -> None:
        if self._unwritten and not self._writer.is_closing():
            self._writer.write(b"".join(self._unwritten))
        self._unwritten.clear()
        self._size = 0

    async def _beat(self) -> None:
        """Show signs of life while something goes on, which also shows whether the client lives."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            if self._going_on and self._writer.transport.get_write_buffer_size() == 0:
                try:
                    await self._say({"alive": True})
                except OSError:
                    self._gone()
                    return

    def _gone(self) -> None:
        """Nobody hears us any more."""
        for request, scope in self._going_on.values():
            if _may_end(request):
                scope.cancel()

    async def _close(self) -> None:
        """Let the last words out, if somebody reads them."""
        self._flush()
        with anyio.move_on_after(_LAST_WORDS, shield=True), suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()
        self._writer.transport.abort()


def _may_end(request: Request) -> bool:
    return request.follows or request.name in _END_WITH_CLIENT
