"""Event generators: where events come from, and how one is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from asynctask.dispatch.threads import in_thread
from asynctask.errors import UsageError

__all__ = ("EventGenerator", "Source")


class EventGenerator:
    """A source of events. Any object with the same methods is one, too.

    One that is *polled* has ``get_events()``. One that *pushes* has ``__aiter__`` (an async generator method
    will do), which gives events as they come; it is not polled.
    """

    blocking: bool = False
    """Whether its methods block: they are then called in a thread, and no other generator waits for them."""

    def get_events(self) -> Any:
        """What has happened since the last call; an empty list if nothing. May be async."""
        return []

    def stop(self) -> Any:
        """Make no more events, and release what it holds: files, sockets. Called once. May be async."""


class Source:
    """A generator of a dispatcher, and how it is doing.

    Args:
        generator: the generator.
        thread: whether its methods are called in a thread; ``None``: as its ``blocking`` says.

    Raises:
        UsageError: it is no generator, or one that pushes and cannot do so from a thread.
    """

    def __init__(self, generator: Any, thread: bool | None = None) -> None:
        self.generator = generator
        self.pushes = hasattr(type(generator), "__aiter__")
        self.thread = bool(getattr(generator, "blocking", False) if thread is None else thread)
        self.begun = False
        self.failures = 0  # one after the other
        self.left_out = 0  # so many rounds, from now on
        if not self.pushes and not callable(getattr(generator, "get_events", None)):
            raise UsageError(
                f"an event generator needs get_events() or __aiter__: {type(generator).__name__}"
            )
        if self.pushes and self.thread:
            raise UsageError(f"{type(generator).__name__} pushes its events, on the loop: no thread for it")

    @property
    def is_apart(self) -> bool:
        """Whether it has an asyncio task of its own."""
        return self.pushes or self.thread

    async def poll(self) -> tuple[list[Any], Exception | None]:
        """Ask for events; those it gave, and what went wrong before it had given all."""
        asked = await self._call(self._ask)
        return _taken(await asked) if inspect.isawaitable(asked) else asked

    def _ask(self) -> Any:
        """Called in the thread, if there is one: so is what a ``get_events()`` with ``yield`` does."""
        returned = self.generator.get_events()
        return returned if inspect.isawaitable(returned) else _taken(returned)

    async def stop(self) -> None:
        """Tell it that it is over."""
        if callable(getattr(self.generator, "stop", None)):
            outcome = await self._call(self.generator.stop)
            if inspect.isawaitable(outcome):
                await outcome

    async def _call(self, function: Callable[[], Any]) -> Any:
        if self.thread:
            return await in_thread(f"generator {type(self.generator).__name__}", function)
        return function()

    # -- what fails again and again ---------------------------------------------------------------

    def failed(self) -> None:
        """It failed: the next round asks it again; from the second time on twice as many are left out."""
        self.failures += 1
        self.left_out = rounds_left_out(self.failures)

    def went_well(self) -> bool:
        """It did not fail; whether it had before."""
        had = self.failures > 0
        self.failures = self.left_out = 0
        return had

    def is_due(self) -> bool:
        """Whether it has its turn in this round."""
        if self.left_out:
            self.left_out -= 1
            return False
        return True


def _taken(returned: Any) -> tuple[list[Any], Exception | None]:
    """The events that a poll has returned, and what went wrong before it had given all."""
    events: list[Any] = []
    if not isinstance(returned, Iterable):
        return events, TypeError(f"get_events() returned {returned!r}: a list of events is wanted")
    try:
        for event in returned:
            check_event(event)
            events.append(event)
    except Exception as exc:
        return events, exc
    return events, None


def check_event(event: Any) -> None:
    """Refuse what no processor could process.

    Raises:
        TypeError: it has no handler.
    """
    if not hasattr(event, "handler"):
        raise TypeError(f"{event!r} is no event: it has no handler")


#: How many rounds a generator that keeps failing is left out at most.
MOST_LEFT_OUT = 63


def rounds_left_out(failures: int) -> int:
    """How many rounds are left out after so many failures one after the other: 0, 1, 3, 7, …."""
    return int(min(2.0 ** min(failures - 1, 30) - 1, MOST_LEFT_OUT))
