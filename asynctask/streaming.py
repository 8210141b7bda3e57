"""Output while it comes: ``async with asynctask.stream(...) as output``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, Unpack

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from asynctask.background import Background
from asynctask.errors import TaskStateError
from asynctask.results import Result
from asynctask.settings import ShellSettings
from asynctask.task import Task
from asynctask.workers.base import Worker, check_seconds

if TYPE_CHECKING:
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Line", "OutputStream", "stream")

#: A line: the node that printed it, ``"stdout"`` or ``"stderr"``, and the line without its end.
Line: TypeAlias = tuple[str, str, bytes]

#: How many lines are handed over at a time: between two pieces others have their turn of the loop.
_LINES = 512
#: How many such pieces wait for the reader before nodes are paused.
_PIECES = 64


class _Feed:
    """The handler that puts lines where the reader takes them; waiting for room pauses the node."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def open(self) -> None:
        """Make room for lines; needs :meth:`end` and :meth:`close`."""
        send, receive = anyio.create_memory_object_stream[Iterator[Line]](_PIECES)
        self._send: MemoryObjectSendStream[Iterator[Line]] = send
        self._receive: MemoryObjectReceiveStream[Iterator[Line]] = receive

    async def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        with suppress(anyio.BrokenResourceError):  # closed: nobody wants them
            for start in range(0, len(lines), _LINES):
                await self._offer((node, sname, line) for line in lines[start : start + _LINES])

    async def _offer(self, lines: Iterator[Line]) -> None:
        try:
            await self._send.send(lines)
        finally:
            self._news.set()

    async def take(self) -> Iterator[Line]:
        """The next lines. Cancelling loses none, as a ``receive()`` that is cancelled might.

        Raises:
            anyio.EndOfStream: there are no more.
            anyio.ClosedResourceError: the feed was closed.
        """
        while True:
            await asyncio.sleep(0)  # the loop that reads may have no other await
            try:
                return self._receive.receive_nowait()
            except anyio.WouldBlock:
                self._news.clear()
                await self._news.wait()

    def end(self) -> None:
        """There will be no more lines."""
        self._send.close()
        self._news.set()

    def close(self) -> None:
        """Nobody reads any more; who waits for room is let go."""
        self._receive.close()
        self._news.set()


class OutputStream(AsyncIterator[Line]):
    """Lines from all nodes as they come. Made by :func:`stream`.

    Iterating ends when every node is over and raises then what :meth:`Task.run` would. Leaving
    the block earlier stops the nodes. Cancelling ``__anext__`` loses no line.
    """

    def __init__(
        self, command: str, deadline: float | None, pool: ConnectionPool | None, settings: ShellSettings
    ) -> None:
        check_seconds("deadline", deadline)
        self._task = Task(gather=False, pool=pool)
        self._task._once = True
        self._deadline = deadline
        self._feed = _Feed()
        self._lines: Iterator[Line] = iter(())
        self._background: Background | None = None
        settings["handler"] = self._feed
        self._task.shell(command, **settings)

    @property
    def result(self) -> Result:
        """How the nodes ended, so far; complete after the iteration. The output is not kept."""
        return self._task.result

    async def __aenter__(self) -> Self:
        await self._task.__aenter__()
        self._feed.open()
        self._background = self._task._in_background(self._go())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.close()
        try:
            await self._task.__aexit__(kind, exc, trace)
        finally:
            self._feed.end()

    async def __anext__(self) -> Line:
        if self._background is None:
            raise TaskStateError("output is read in a block: `async with asynctask.stream(...) as output`")
        while True:
            for line in self._lines:
                return line
            try:
                self._lines = await self._feed.take()
            except anyio.EndOfStream:
                await self._background.over.wait()
                self._background.tell()
                raise StopAsyncIteration from None
            except anyio.ClosedResourceError:
                raise TaskStateError(
                    "the block of this stream has been left: nothing reads from the nodes"
                ) from None

    async def _go(self) -> Result:
        try:
            return await self._task.run(self._deadline)
        finally:
            self._feed.end()


def stream(
    command: str,
    *,
    deadline: float | None = None,
    pool: ConnectionPool | None = None,
    **settings: Unpack[ShellSettings],
) -> OutputStream:
    """Run a command and iterate over what the nodes print, line by line, as it comes.

    ::

        async with asynctask.stream("journalctl -f", nodes="web[1-4]") as output:
            async for node, stream, line in output:
                ...

    The arguments are those of :func:`asynctask.run`; a ``handler`` is of no use here. A reader that
    falls behind pauses the nodes; nothing is dropped. The output is not kept unless
    ``gather=True``. Leaving the block, also by an exception or by cancelling, stops the nodes that
    still run and waits until they are gone.

    Raises:
        UsageError: something in it can never work; nothing was run.
    """
    return OutputStream(command, deadline, pool, settings)
