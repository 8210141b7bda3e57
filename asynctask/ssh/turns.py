"""What many connections have to do at the same moment is done in turns, for others are on the loop, too."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic

__all__ = ("A_TURN", "Turns")

#: For how many seconds connections are served in one turn of the loop. One has about 0.1 ms of work; a system
#: call that wakes up a server on the same machine can take ten times that.
A_TURN = 0.01


class Turns:
    """The turns of the connections of one loop.

    Args:
        clock: a monotonic one, in seconds.
    """

    __slots__ = ("_clock", "_until", "_waiting")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until = 0.0  # when this turn is over; 0 before anything was done in it
        self._waiting: deque[Callable[[], None]] = deque()

    def take(self, serve: Callable[[], None]) -> bool:
        """Whether it may be served now; else ``serve`` is called when its turn comes."""
        now = self._clock()
        if not self._until:
            self._begin(now)
        elif self._waiting or now >= self._until:
            self._waiting.append(serve)
            return False
        return True

    def _begin(self, now: float) -> None:
        self._until = now + A_TURN
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """A new turn: first those who have waited."""
        self._until = 0.0
        if self._waiting:
            self._begin(self._clock())
            while self._waiting and self._clock() < self._until:
                self._waiting.popleft()()
