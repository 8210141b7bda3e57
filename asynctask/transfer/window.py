"""Several things at a time, but not too many; and a directory that is finished when all in it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any

import anyio

__all__ = ("Branch", "Window")

#: Seconds that what was cancelled may take to clean up.
_CLEANUP_WAIT = 5.0


class Window:
    """Runs coroutines beside each other, from ``async with`` until it is left.

    Leaving waits for all. The first that fails cancels the others and is raised, in :meth:`start` or on
    leaving; so it is when the block is left by an exception. What is cancelled is waited for at most
    ``_CLEANUP_WAIT`` seconds.

    Args:
        room: how many run at once; it may be shared with other windows.
    """

    def __init__(self, room: asyncio.Semaphore) -> None:
        self._room = room
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._cancelled = False

    async def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a coroutine as soon as there is room. Those that are started begin in this order."""
        try:
            await self._room.acquire()
        except BaseException:
            work.close()
            raise
        if self._failure is not None:
            self._room.release()
            work.close()
            raise self._failure
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()
        failure = asyncio.CancelledError() if task.cancelled() else task.exception()
        if failure is not None and self._failure is None:
            self._failure = failure
            self._cancel()

    def _cancel(self) -> None:
        """Once: a second time would cut their cleanup short."""
        if not self._cancelled:
            self._cancelled = True
            for task in self._tasks:
                task.cancel()

    async def __aenter__(self) -> Window:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._tasks and exc is None and self._failure is None:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if self._tasks:
                self._failure = self._failure or asyncio.CancelledError()
                self._cancel()
                with anyio.move_on_after(_CLEANUP_WAIT, shield=True):
                    await asyncio.wait(self._tasks)
        if exc is None and self._failure is not None:
            raise self._failure


class Branch:
    """A directory that is being copied: it can be finished when everything in it is there.

    Args:
        parent: the directory that it is in.
        finish: what is left to be done then.
    """

    def __init__(self, parent: Branch | None, finish: Callable[[], Awaitable[None]]) -> None:
        self._parent = parent
        self._finish = finish
        self._left = 1  # its own listing
        if parent is not None:
            parent.grow()

    def grow(self) -> None:
        """There is one more thing in it."""
        self._left += 1

    async def shrink(self) -> None:
        """One of the things in it is done; with the last it is finished, and is done in its parent."""
        branch: Branch | None = self
        while branch is not None:
            branch._left -= 1
            if branch._left:
                return
            await branch._finish()
            branch = branch._parent
