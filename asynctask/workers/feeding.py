"""Standard input of a target, written beside the wait for its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import anyio

from asynctask.errors import NodeError

__all__ = ("Writer", "wait_feeding")

T = TypeVar("T")


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
    result: list[T] = []

    async def feed() -> None:
        nonlocal failure
        try:
            with suppress(BrokenPipeError):
                if isinstance(data, bytes):
                    await writer.write(data)
                else:
                    async for chunk in data:
                        await writer.write(chunk)
            writer.close()
        except Exception as exc:  # the stream is the caller's code
            failure = exc
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(feed)
        result.append(await wait())
        group.cancel_scope.cancel()
    if failure is not None:
        raise NodeError(node, f"its input raised {failure!r}", "the command was stopped") from failure
    return result[0]
