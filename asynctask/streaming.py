"""Output while it comes: ``async with asynctask.stream(...) as output``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self, TypeAlias, Unpack

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from asynctask.results import Result
from asynctask.settings import ShellSettings
from asynctask.task import Task
from asynctask.workers.base import Worker

__all__ = ("Line", "OutputStream", "stream")

#: A line: the node that printed it, ``"stdout"`` or ``"stderr"``, and the line without its end.
Line: TypeAlias = tuple[str, str, bytes]

#: How many chunks of lines, of at most 64 KiB each, wait for the reader before nodes are paused.
_CHUNKS = 64


class _Feed:
    """The handler that puts lines into the stream; waiting for room pauses the node."""

    def __init__(self, send: MemoryObjectSendStream[Iterator[Line]]) -> None:
        self._send = send

    async def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        await self._send.send((node, sname, line) for line in lines)


class OutputStream(AsyncIterator[Line]):
    """Lines from all nodes as they come. Made by :func:`stream`.

    Iterating ends when every node is over and raises then what :meth:`Task.run` would. Leaving
    the block earlier stops the nodes. Cancelling ``__anext__`` loses no line.
    """

    def __init__(self, command: str, deadline: float | None, settings: ShellSettings) -> None:
        self._task = Task(gather=False)
        self._deadline = deadline
        send, receive = anyio.create_memory_object_stream[Iterator[Line]](_CHUNKS)
        self._send: MemoryObjectSendStream[Iterator[Line]] = send
        self._receive: MemoryObjectReceiveStream[Iterator[Line]] = receive
        self._lines: Iterator[Line] = iter(())
        try:
            settings["handler"] = _Feed(send)
            self._task.shell(command, **settings)
        except BaseException:
            self._close()
            raise

    @property
    def result(self) -> Result:
        """How the nodes ended, so far; complete after the iteration. The output is not kept."""
        return self._task.result

    async def __aenter__(self) -> Self:
        await self._task.__aenter__()
        self._background = self._task._in_background(self._go())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receive.close()  # nobody reads any more: a handler that waits for room is let go
        try:
            await self._task.__aexit__(kind, exc, trace)
        finally:
            self._close()

    async def __anext__(self) -> Line:
        while True:
            for line in self._lines:
                return line
            try:
                self._lines = await self._receive.receive()
            except anyio.EndOfStream:
                await self._background.over.wait()
                self._background.tell()
                raise StopAsyncIteration from None

    async def _go(self) -> Result:
        try:
            return await self._task.run(self._deadline)
        finally:
            self._send.close()

    def _close(self) -> None:
        self._send.close()
        self._receive.close()


def stream(
    command: str,
    *,
    deadline: float | None = None,
    **settings: Unpack[ShellSettings],
) -> OutputStream:
    """Run a command and iterate over what the nodes print, line by line, as it comes.

    ::

        async with asynctask.stream("journalctl -f", nodes="web[1-4]") as output:
            async for node, stream, line in output:
                ...

    The arguments are those of :func:`asynctask.run`; a ``handler`` is of no use here. A reader that
    falls behind pauses the nodes; nothing is dropped. The output is not kept unless
    ``gather=True``.

    Raises:
        UsageError: something in it can never work; nothing was run.
    """
    return OutputStream(command, deadline, settings)
