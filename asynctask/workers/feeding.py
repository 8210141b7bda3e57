"""Standard input of a target, written beside the wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import anyio

from asynctask.errors import NodeError
from asynctask.workers.base import Sink
from asynctask.workers.writing import InputReader

__all__ = ("Writer", "wait_feeding")

T = TypeVar("T")

#: How long a stream may be written on without others having a turn, in seconds.
_SLICE = 0.01
#: Bytes that are written at a time, and told of.
_PIECE = 64 * 1024
_STREAM = "stdin"


class Writer(Protocol):
    """Where input is written."""

    async def write(self, data: memoryview) -> None:
        """Write all of ``data``; ``BrokenPipeError`` when nobody reads any more."""

    def close(self) -> None:
        """End the input."""


async def wait_feeding(
    node: str,
    wait: Callable[[], Awaitable[T]],
    writer: Writer,
    data: AsyncIterator[bytes] | bytes,
    sink: Sink,
) -> T:
    """Write ``data`` to ``writer`` while waiting; stop writing when the wait is over.

    The sink hears what was written, and of input that the target did not take.

    Raises:
        NodeError: the stream of data raised. The input is then incomplete and the command is
            not left to work on it: the caller ends it.
    """
    failure: BaseException | None = None
    lost: Exception | None = None
    result: list[T] = []
    feeding = _Feeding(writer, data, sink)

    async def feed() -> None:
        nonlocal failure
        try:
            await feeding.write_all()
            writer.close()
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as exc:  # the stream is the caller's code
            failure = exc
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(feed)
        try:
            result.append(await wait())
        except Exception as exc:  # raised below, out of the group that would wrap it
            lost = exc
        group.cancel_scope.cancel()
    if failure is not None and not isinstance(failure, Exception):
        raise failure  # it ends the program: the run stops first
    if failure is not None:
        raise NodeError(node, f"its input raised {failure!r}", "the command was stopped") from failure
    if lost is not None:
        raise lost
    feeding.tell_rest()
    return result[0]


class _Feeding:
    """Writes one target's input and knows what of it is left."""

    def __init__(self, writer: Writer, data: AsyncIterator[bytes] | bytes, sink: Sink) -> None:
        self._writer = writer
        self._data = data
        self._sink = sink
        self._left = 0  # bytes in hand that were not written

    async def write_all(self) -> None:
        """Write until the end of the data, or until nobody reads any more."""
        data = self._data
        if isinstance(data, bytes):
            await self._write(data)
            return
        clock = asyncio.get_running_loop().time
        until = clock() + _SLICE
        try:
            async for chunk in data:
                if not await self._write(chunk):
                    break
                if clock() >= until:  # neither the stream nor the reader need have made us wait
                    await asyncio.sleep(0)
                    until = clock() + _SLICE
        finally:
            if isinstance(data, AsyncGenerator | InputReader):
                await data.aclose()  # its own cleanup is done before the target ends

    async def _write(self, chunk: bytes) -> bool:
        """Write a chunk, telling of each piece; whether somebody reads it."""
        view = memoryview(chunk)
        self._left = len(view)
        for start in range(0, len(view), _PIECE):
            piece = view[start : start + _PIECE]
            try:
                await self._writer.write(piece)
            except BrokenPipeError:
                self.tell_rest()
                return False
            self._left -= len(piece)
            self._sink.written(_STREAM, len(piece))
        return True

    def tell_rest(self) -> None:
        """What is left will not be written."""
        if self._left:
            self._sink.unwritten(_STREAM, self._left)
            self._left = 0
