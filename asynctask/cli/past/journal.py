"""Brings facts to the disk in few writes: what comes while one is being written goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asynctask.cli.past.records import Batch, End

__all__ = ("PATIENCE", "Journal", "SlowDiskError")

#: How long the disk may take for one thing, in seconds; whoever waits for it goes on then.
PATIENCE = 10.0
#: How long ends wait for more to be written together, in seconds.
TOGETHER = 0.05


class SlowDiskError(Exception):
    """The disk takes too long."""

    def __str__(self) -> str:
        return f"the disk has not answered for {PATIENCE:g} s"


class Journal:
    """Collects what has begun and what has ended, and has it written.

    Args:
        write: has a batch written, elsewhere.
        failed: called with the reason, once, when something could not be written. Nothing is from then on.
    """

    def __init__(
        self, write: Callable[[Batch], asyncio.Future[Any]], failed: Callable[[BaseException], object]
    ) -> None:
        self._write = write
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._batch = Batch()
        self._started: asyncio.Future[None] | None = None  # for those whose start is in the batch
        self._starting: asyncio.Future[None] | None = None  # for those whose start is being written
        self._writing: asyncio.Future[Any] | None = None
        self._next: asyncio.Handle | None = None  # brings the next write
        self._late: asyncio.Handle | None = None  # brings the end of all patience
        self._idle = asyncio.Event()
        self._idle.set()
        self.waiting = 0
        """Bytes of output that are not written yet."""
        self.broken = False
        """Whether nothing is written any more."""

    async def start(self, when: float, place: int) -> None:
        """A node's command is about to be started; returns when that is written, or nothing can be."""
        if self.broken:
            return
        self._batch.starts.append((when, place))
        if self._started is None:
            self._started = self._loop.create_future()
        waiter = self._started
        self._soon()
        await asyncio.shield(waiter)

    def end(self, end: End) -> None:
        """A node has ended. Does not wait."""
        if self.broken:
            return
        self._batch.ends.append(end)
        self.waiting += end.size
        if self._writing is None and self._next is None:
            self._next = self._loop.call_later(TOGETHER, self._go)
        self._idle.clear()

    async def flush(self) -> None:
        """Wait until all is written, or nothing can be."""
        if self._writing is None and self._batch:
            self._go()
        await self._idle.wait()

    def give_up(self, reason: BaseException) -> None:
        """Write nothing any more; nobody waits for the disk."""
        if self.broken:
            return
        self.broken = True
        self._batch = Batch()
        for handle in (self._next, self._late):
            if handle is not None:
                handle.cancel()
        for waiter in (self._started, self._starting):
            _release(waiter)
        self._idle.set()
        self._failed(reason)

    def _soon(self) -> None:
        """Write in the next turn of the loop, so that all that begin in this one are in it."""
        self._idle.clear()
        if self._writing is not None:
            return
        if isinstance(self._next, asyncio.TimerHandle):
            self._next.cancel()
            self._next = None
        if self._next is None:
            self._next = self._loop.call_soon(self._go)

    def _go(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        batch, self._batch = self._batch, Batch()
        self._starting, self._started = self._started, None
        self._late = self._loop.call_later(PATIENCE, self.give_up, SlowDiskError())
        self._writing = self._write(batch)
        self._writing.add_done_callback(lambda done: self._gone(done, batch))

    def _gone(self, done: asyncio.Future[Any], batch: Batch) -> None:
        self._writing = None
        self.waiting -= sum(end.size for end in batch.ends)
        assert self._late is not None
        self._late.cancel()
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self.give_up(error)
        _release(self._starting)
        if self._batch.starts:
            self._go()
        elif self._batch.ends:
            self._next = self._loop.call_later(TOGETHER, self._go)
        else:
            self._idle.set()


def _release(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
