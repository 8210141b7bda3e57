"""A poller of what a test says, in a time that the test makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asynctask.errors import PollerError
from asynctask.pollers.base import SnapshotPoller
from asynctask.pollers.changes import Listing
from asynctask.pollers.watching import Watch

__all__ = ("Clock", "FakePoller", "failure")


class Clock:
    """Time goes on only while somebody sleeps, and then at once."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self._plans: list[tuple[float, Callable[[], object]]] = []

    def __call__(self) -> float:
        return self.now

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something when so many seconds from the beginning are over."""
        self._plans.append((100.0 + seconds, action))

    async def sleep(self, seconds: float) -> None:
        """Sleep, and let happen what is planned for that time."""
        self.slept.append(round(seconds, 6))
        self.now += seconds
        for plan in [plan for plan in self._plans if plan[0] <= self.now + 1e-9]:
            self._plans.remove(plan)
            plan[1]()
        await asyncio.sleep(0)


class FakePoller(SnapshotPoller):
    """Lists what a test puts into ``listing``, or raises ``error``; waits for ``gate`` if there is one."""

    def __init__(self, url: str = "test://host", **settings: Any) -> None:
        super().__init__(url, **settings)
        self.listing: Listing = {}
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.clock = Clock()
        self.listed = 0
        self.ended = 0

    async def _list(self) -> Listing:
        self.listed += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return dict(self.listing)

    def _subject(self, name: str) -> str:
        return f"{self.url}/{name}"

    async def _sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def _close(self) -> None:
        self.ended += 1

    def put(self, **stamps: int | None) -> None:
        """Set the version of entries; ``None`` takes one away."""
        for name, version in stamps.items():
            if version is None:
                del self.listing[name]
            else:
                self.listing[name] = ("file", version)

    def observe(self, *, interval: float = 1.0, debounce: float = 0.0, chance: float = 1.0) -> Watch:
        """Watch in the time of the clock."""
        return Watch(self, interval=interval, debounce=debounce, clock=self.clock, chance=lambda: chance)


def failure(reason: str = "is away", *, temporary: bool = True) -> PollerError:
    """What a look can end with."""
    return PollerError("test://host", reason, temporary=temporary)
