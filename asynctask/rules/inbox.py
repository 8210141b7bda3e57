"""What waits for a rule: bounded, collected while it should be, taken one by one or in batches."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

from asynctask.rules.happening import Happening, coalesced, portions
from asynctask.rules.model import Rule

__all__ = ("Inbox",)

#: How many times the debounce changes may go on before what is there is handled.
_PATIENCE = 10


class Inbox:
    """The events that wait for a rule.

    Args:
        rule: it says how many there may be, and how they are collected.
        clock: tells the time, in seconds.

    Attributes:
        dropped: how many there was no room for.
        covered: how many were part of a later event of the same entry.
    """

    def __init__(self, rule: Rule, clock: Callable[[], float] = monotonic) -> None:
        self._rule = rule
        self._clock = clock
        self._fresh: deque[Happening] = deque()  # what may still be collected
        self._ready: deque[list[Happening]] = deque()  # what is to be taken next
        self._waiting = 0
        self._first = self._last = 0.0
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.dropped = 0
        self.covered = 0

    def __len__(self) -> int:
        return self._waiting

    def _full(self) -> bool:
        return self._waiting >= self._rule.queue

    def offer(self, happening: Happening) -> None:
        """Take it in, or drop it or the oldest one as the rule says. Who offers does not wait."""
        if self._full():
            self.dropped += 1
            if self._rule.overflow == "drop_newest" or not self._drop_oldest():
                happening.handled()
                return
        self._add(happening)

    async def put(self, happening: Happening) -> None:
        """Take it in as soon as there is room. Cancelled, it is not in."""
        while self._full():
            self._room.clear()
            await self._room.wait()
        self._add(happening)

    async def wait(self) -> None:
        """Wait until there is something to take."""
        while not self._ready:
            left = self._seconds_left()
            if left <= 0:
                self._collect()
                continue
            self._more.clear()
            try:
                async with asyncio.timeout(left if self._fresh else None):
                    await self._more.wait()
            except TimeoutError:
                continue

    def take(self) -> list[Happening]:
        """The next, or the next batch, after :meth:`wait`."""
        batch = self._ready.popleft()
        self._gone(len(batch))
        return batch

    # -- inside -------------------------------------------------------------------------------------------

    def _add(self, happening: Happening) -> None:
        now = self._clock()
        if not self._fresh:
            self._first = now
        self._last = now
        self._fresh.append(happening)
        self._waiting += 1
        self._more.set()

    def _drop_oldest(self) -> bool:
        """Drop one that waits; those of a batch that was put together stay together."""
        if self._ready and len(self._ready[0]) == 1:
            oldest = self._ready.popleft()[0]
        elif self._fresh and not self._ready:
            oldest = self._fresh.popleft()
        else:
            return False
        self._gone(1)
        oldest.handled()
        return True

    def _gone(self, count: int) -> None:
        self._waiting -= count
        if not self._full():
            self._room.set()

    def _seconds_left(self) -> float:
        """Until what was collected is ready."""
        debounce = self._rule.debounce
        if not self._fresh:
            return 1.0
        if not debounce or self._full():  # who waits for room must not wait for quiet
            return 0.0
        return min(self._last + debounce, self._first + _PATIENCE * debounce) - self._clock()

    def _collect(self) -> None:
        happenings, covered = list(self._fresh), list[Happening]()
        self._fresh.clear()
        if self._rule.debounce:
            happenings, covered = coalesced(happenings)
        self.covered += len(covered)
        self._ready += portions(happenings) if self._rule.batches else ([each] for each in happenings)
        self._gone(len(covered))
        for each in covered:
            each.handled()
