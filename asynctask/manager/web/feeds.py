"""The last things that happened, numbered, for any number of readers. Nobody's slowness costs memory.

A reader has no queue of its own, only the number of what it has read. Who comes back with that number goes
on from there; who was away, or slow, for too long is told how much was missed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import Generic, TypeVar

__all__ = ("Feed",)

#: So many are handed out in one turn of the loop.
_AT_ONCE = 200

T = TypeVar("T")


class Feed(Generic[T]):
    """A numbered history with a bound; it belongs to one loop.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._items: deque[T] = deque(maxlen=size)
        self._news = asyncio.Event()
        self._closed = False
        self.last = 0
        """The number of the newest; the first has 1."""

    def put(self, item: T) -> None:
        """Add one. Waits for nobody."""
        self._items.append(item)
        self.last += 1
        self._wake()

    def after(self, number: int) -> tuple[list[tuple[int, T]], int]:
        """What came after ``number``, each with its own; and how many of these are not kept any more.

        It is not all at once when it is much: ask again with the number of the last.
        """
        new = self.last - number
        kept = min(new, len(self._items))
        found = list(islice(reversed(self._items), kept))[::-1][:_AT_ONCE]
        return list(enumerate(found, self.last - kept + 1)), new - kept

    async def beyond(self, number: int) -> bool:
        """Wait until there is something after ``number``; false: there never will be, for it was closed."""
        while self.last <= number and not self._closed:
            await self._news.wait()
        return self.last > number

    def close(self) -> None:
        """Nothing more will come. What is kept can still be read."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
