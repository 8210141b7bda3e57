"""Generators and handlers that do what a test says, and sleeps that end when it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from asynctask.dispatch import Event, EventGenerator, EventHandler

__all__ = ("PATIENCE", "Does", "DoesAsync", "Failing", "Given", "Noted", "Sleeps", "waited")

PATIENCE = 20.0  # seconds; a test that needs them has failed


class Noted(EventHandler):
    """Writes down the data of events, and tells when there are so many."""

    def __init__(self, enough: int = 1) -> None:
        self.seen: list[Any] = []
        self.events: list[Any] = []
        self.enough = asyncio.Event()
        self._number = enough

    def process_event(self, event: Any) -> bool:
        self.seen.append(event.data)
        self.events.append(event)
        if len(self.seen) >= self._number:
            self.enough.set()
        return True


class Does(EventHandler):
    """Calls a function with the event."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def process_event(self, event: Any) -> Any:
        return self.function(event)


class DoesAsync(Does):
    """The same, async: it gives way to others first."""

    async def process_event(self, event: Any) -> Any:
        await asyncio.sleep(0)
        return self.function(event)


class Failing(EventHandler):
    """Raises something."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def process_event(self, event: Any) -> Any:
        raise self._error


class Given(EventGenerator):
    """Gives what a test says, a round each: data for events, or an exception to raise; then nothing."""

    def __init__(self, handler: Any, *rounds: Any) -> None:
        self.handler = handler
        self.rounds = list(rounds)
        self.polls = 0
        self.stops = 0

    def get_events(self) -> list[Any]:
        self.polls += 1
        given: Iterable[Any] | BaseException = self.rounds.pop(0) if self.rounds else ()
        if isinstance(given, BaseException):
            raise given
        return [Event(self, self.handler, data) for data in given]

    def stop(self) -> None:
        self.stops += 1


class Sleeps:
    """Stands for the sleep between polls: it lasts until a test ends it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._begun: asyncio.Queue[None] = asyncio.Queue()
        self._may_end: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._begun.put_nowait(None)
        await self._may_end.get()

    async def asleep(self) -> None:
        """Wait until the next sleep has begun."""
        await asyncio.wait_for(self._begun.get(), PATIENCE)

    def end(self) -> None:
        """Let it end."""
        self._may_end.put_nowait(None)

    async def rounds(self, count: int) -> None:
        """Let so many rounds of polling go by, from one sleep into another."""
        for _ in range(count):
            self.end()
            await self.asleep()


async def waited(event: asyncio.Event) -> None:
    """Wait for what comes."""
    await asyncio.wait_for(event.wait(), PATIENCE)
