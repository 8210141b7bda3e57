"""Standard input of a target, written beside the wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import anyio

from asynctask.errors import NodeError

__all__ = ("Writer", "wait_feeding")

T = TypeVar("T")

#: How long a stream may be written on without others having a turn, in seconds.
_SLICE = 0.01


class Writer(Protocol):
    """Where input is written."""

    async def write(self, data: bytes) -> None:
        """Write all of ``data``; ``BrokenPipeError`` when nobody reads any more."""

    def close(self) -> None:
        """End the input."""


async def wait_feeding(
    node: str, wait: Callable[[], Awaitable[T]], writer: Writer, data: AsyncIterator[bytes] | bytes
) -> T:
    """Write ``data`` to ``writer`` while waiting; stop writing when the wait is over.

    Raises:
        NodeError: the stream of data raised. The input is then incomplete and the command is
            not left to work on it: the caller ends it.
    """
    failure: Exception | None = None
    lost: Exception | None = None
    result: list[T] = []

    async def feed() -> None:
        nonlocal failure
        try:
            await _write_all(writer, data)
            writer.close()
        except Exception as exc:  # the stream is the caller's code
            failure = exc
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(feed)
        try:
            result.append(await wait())
        except Exception as exc:  # raised below, out of the group that would wrap it
            lost = exc
        group.cancel_scope.cancel()
    if failure is not None:
        raise NodeError(node, f"its input raised {failure!r}", "the command was stopped") from failure
    if lost is not None:
        raise lost
    return result[0]


async def _write_all(writer: Writer, data: AsyncIterator[bytes] | bytes) -> None:
    """Write until the end of the data, or until nobody reads any more."""
    if isinstance(data, bytes):
        with suppress(BrokenPipeError):
            await writer.write(data)
        return
    clock = asyncio.get_running_loop().time
    until = clock() + _SLICE
    try:
        async for chunk in data:
            try:
                await writer.write(chunk)
            except BrokenPipeError:
                break
            if clock() >= until:  # neither the stream nor the reader need have made us wait
                await asyncio.sleep(0)
                until = clock() + _SLICE
    finally:
        if isinstance(data, AsyncGenerator):
            await data.aclose()  # its own cleanup is done before the target ends
