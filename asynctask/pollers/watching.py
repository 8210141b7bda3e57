"""Watches with a poller: looks again and again, holds changes back while more come, and endures failures."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from asynctask.errors import PollerError, TaskStateError, UsageError

if TYPE_CHECKING:
    from asynctask.pollers.base import Poller
    from asynctask.pollers.changes import Change

__all__ = ("Watch",)

_log = logging.getLogger(__name__)

#: A batch is held back for at most so many times the debounce.
_LONGEST = 10
#: Loops have clocks that go in milliseconds: so much too early is no reason to look once more.
_SLACK = 0.002
#: The pause after the first failure, in seconds; each further one doubles it.
_FIRST_PAUSE = 1.0


class Watch(AsyncIterator[tuple["Change", ...]]):
    """Batches of changes, one after the other, none empty. Made by :meth:`Poller.watch`.

    It holds nothing: a watch that is not used any more needs no closing, and one that was cancelled, or has
    raised, goes on when it is asked again.

    Args:
        poller: what to look with.
        interval: seconds from one look to the next.
        debounce: seconds without a change before a batch is handed out.
        clock: monotonic seconds.
        chance: something from 0 to 1, so that not all try again at the same moment.
    """

    def __init__(
        self,
        poller: Poller,
        *,
        interval: float = 1.0,
        debounce: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not interval > 0:
            raise UsageError(f"interval: more than 0 seconds, not {interval}")
        if not debounce >= 0:
            raise UsageError(f"debounce: 0 seconds or more, not {debounce}")
        self._poller = poller
        self._interval = interval
        self._debounce = debounce
        self._clock = clock
        self._chance = chance
        self._looked: float | None = None  # when the last look ended
        self._failing = 0
        self._first: float | None = None  # when the first change of the next batch was seen
        self._last = 0.0  # when the last one was
        self._news = -1  # of the ledger at that time
        self._names: list[str] = []
        self._batch: list[Change] = []  # what was handed out last

    async def __anext__(self) -> tuple[Change, ...]:
        """The next batch; wait for one. Cancelling loses nothing.

        Raises:
            PollerError: trying again cannot help.
        """
        poller = self._poller
        batch: list[Change] = []
        while not batch:
            try:
                with poller._period():
                    await self._pause()
                    async with poller._turn:
                        if await self._look_is_enough():
                            batch = await self._hand_out()
            except TaskStateError:
                if poller.closed:
                    raise StopAsyncIteration from None
                raise
        return tuple(batch)

    def give_back(self, count: int) -> None:
        """The last ``count`` changes of the last batch were not dealt with: they come again.

        What happens to these files until then counts, too: one that was created, and is deleted before the
        next look, does not come again.

        Raises:
            UsageError: there are not so many.
        """
        if not 0 <= count <= len(self._batch):
            raise UsageError(f"give_back: 0 to {len(self._batch)} changes, not {count}")
        kept = len(self._batch) - count
        self._poller._take_back(self._names[kept:], self._batch[kept:])
        self._names, self._batch = self._names[:kept], self._batch[:kept]

    async def _pause(self) -> None:
        """Wait until it is time for the next look."""
        if self._looked is None:
            return
        since = self._clock() - self._looked
        if self._failing:
            await self._poller._sleep(max(0.0, self._back_off() - since))
            return
        seconds = self._interval - since
        if self._first is not None:
            seconds = min(seconds, self._due(self._first) - self._clock())
        await self._poller._wait(max(0.0, seconds))

    async def _look_is_enough(self) -> bool:
        """Look, and say whether there is something to hand out now."""
        poller = self._poller
        try:
            await poller._look()
        except PollerError as exc:
            if not exc.temporary:
                raise
            self._endure(exc)
            # What is known is not held back by what is not.
            return poller._started and poller._ledger.open > 0
        finally:
            self._looked = self._clock()
        self._failing = 0
        if poller._ledger.open:
            return not self._is_held_back(self._looked)
        self._first = None
        return False

    async def _hand_out(self) -> list[Change]:
        """What there is to tell; nothing if that fails, and then it is tried again."""
        try:
            batch = await self._poller._deliver()
        except PollerError as exc:
            self._endure(exc)
            return []
        self._names, self._batch = self._poller._names, batch
        self._first = None
        return batch

    def _is_held_back(self, now: float) -> bool:
        news = self._poller._ledger.news
        if self._first is None:
            self._first = now
        if news != self._news:
            self._last, self._news = now, news
        return now < self._due(self._first) - _SLACK

    def _due(self, first: float) -> float:
        return min(self._last + self._debounce, first + _LONGEST * self._debounce)

    def _endure(self, error: PollerError) -> None:
        self._failing += 1
        if self._failing == 1:
            _log.warning("%s; tried again", error)
        else:
            _log.debug("%s; tried again, %d failures so far", error, self._failing)

    def _back_off(self) -> float:
        longest = min(self._poller.longest_pause, _FIRST_PAUSE * 2.0 ** min(self._failing - 1, 30))
        return longest * (0.5 + 0.5 * self._chance())
