"""Brings facts to the disk in few writes: what comes while one is being written goes into the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from asynctask.cli.past.records import Batch, End

__all__ = ("PATIENCE", "Journal", "SlowDiskError")

#: How long the disk may take for one thing, in seconds; whoever waits for it goes on then.
PATIENCE = 10.0
#: How long ends wait for more to be written together, in seconds.
TOGETHER = 0.05
#: How many nodes go on in one turn of the loop: what they do then takes its time, and others want their turn.
_A_TURN = 8


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
        self._started: list[asyncio.Future[None]] = []  # of those whose start is in the batch
        self._starting: list[asyncio.Future[None]] = []  # of those whose start is being written
        self._free: deque[asyncio.Future[None]] = deque()  # of those who go on now, a few a turn
        self._writing: asyncio.Future[Any] | None = None
        self._next: asyncio.Handle | None = None  # brings the next write
        self._hurried = False  # it comes in the next turn of the loop
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
        waiter = self._loop.create_future()
        self._started.append(waiter)
        self._soon()
        await waiter

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
        self._release([*self._starting, *self._started])
        self._starting, self._started = [], []
        self._idle.set()
        self._failed(reason)

    def _soon(self) -> None:
        """Write in the next turn of the loop, so that all that begin in this one are in it."""
        self._idle.clear()
        if self._writing is not None or self._hurried:
            return
        if self._next is not None:
            self._next.cancel()
        self._next = self._loop.call_soon(self._go)
        self._hurried = True

    def _go(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        self._hurried = False
        batch, self._batch = self._batch, Batch()
        self._starting, self._started = self._started, []
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
        self._release(self._starting)
        self._starting = []
        if self._batch.starts:
            self._go()
        elif self._batch.ends:
            self._next = self._loop.call_later(TOGETHER, self._go)
        else:
            self._idle.set()

    def _release(self, waiters: Iterable[asyncio.Future[None]]) -> None:
        """Let nodes go on; those that were stopped meanwhile do not."""
        busy = bool(self._free)
        self._free += [waiter for waiter in waiters if not waiter.done()]
        if not busy:
            self._release_some()

    def _release_some(self) -> None:
        for _ in range(min(_A_TURN, len(self._free))):
            waiter = self._free.popleft()
            if not waiter.done():
                waiter.set_result(None)
        if self._free:
            self._loop.call_soon(self._release_some)
