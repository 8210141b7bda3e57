"""Open files and directories of this machine, worked on in threads: a disk may be slow, the loop may not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio

__all__ = ("Descriptor", "in_thread")

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds that a cancelled operation may take to end by itself.
_CANCEL_WAIT = 2.0


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread. Cancelling waits for it, since it has effects: ``_CANCEL_WAIT`` seconds."""
    return await _waited_for(_start(partial(function, *args, **kwargs)))


def _start(work: Callable[[], T]) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(None, work)


async def _waited_for(future: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if not future.done():
            with anyio.move_on_after(_CANCEL_WAIT, shield=True):
                await asyncio.wait([future])
        raise


class Descriptor:
    """A descriptor that is closed when it is let go of and no thread is at work with it any more.

    A thread goes on when its caller is cancelled. Were the descriptor closed then, its number could be
    another file's by the time that the thread uses it.
    """

    __slots__ = ("_closing", "_fd", "_users")

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._users = 0
        self._closing = False

    async def call(self, function: Callable[Concatenate[int, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function(fd, ...)`` in a thread; see :func:`in_thread`."""
        return await _run((self,), partial(function, self._fd, *args, **kwargs))

    async def call_with(
        self,
        other: Descriptor,
        function: Callable[Concatenate[int, int, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``function(fd, other_fd, ...)`` in a thread."""
        return await _run((self, other), partial(function, self._fd, other._fd, *args, **kwargs))

    def close(self) -> None:
        """Let go of it. Doing it again is fine."""
        self._closing = True
        if not self._users and self._fd >= 0:
            fd, self._fd = self._fd, -1
            with suppress(OSError):  # what was written is complete before
                os.close(fd)

    def _hold(self) -> None:
        if self._closing:
            raise ValueError("the descriptor is closed")
        self._users += 1

    def _unhold(self, future: asyncio.Future[Any]) -> None:
        self._users -= 1
        if self._closing:
            self.close()

    def __del__(self) -> None:
        # A thread may have opened it for a caller that was cancelled meanwhile.
        if self._fd >= 0:
            self.close()


async def _run(used: Sequence[Descriptor], work: Callable[[], T]) -> T:
    for each in used:
        each._hold()
    future = _start(work)
    for each in used:
        future.add_done_callback(each._unhold)
    return await _waited_for(future)
