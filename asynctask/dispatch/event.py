"""Events: what happened, who says so, who is to deal with it."""

from __future__ import annotations

import reprlib
import time
from datetime import datetime
from typing import Any

__all__ = ("ErrorEvent", "Event", "shown")


class Event:
    """Something that has happened.

    Args:
        originator: the object that says so.
        handler: an object with ``process_event(event)``, plain or async; it is called with this event.
        data: whatever the handler needs.
    """

    def __init__(self, originator: Any, handler: Any, data: Any = None) -> None:
        self.originator = originator
        self.handler = handler
        self.data = data
        self.timestamp = time.monotonic()
        """When it was made, on the monotonic clock, in seconds: it never goes back, also when the clock of
        the machine is set. Good for order and intervals."""
        self.wall_time = time.time()
        """When it was made, in seconds since 1970. Good for people and logs."""

    def __str__(self) -> str:
        made = datetime.fromtimestamp(self.wall_time).astimezone()
        return f"{made.isoformat(timespec='milliseconds')} {self._text()}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._text()}>"

    @reprlib.recursive_repr()
    def _text(self) -> str:
        return f"from {shown(self.originator)} for {shown(self.handler)}: {_quoted(self.data)}"


class ErrorEvent(Event):
    """Something went wrong; the error handler hears it. ``data`` is ``(error, event)``.

    Args:
        originator: the processor, or the generator that failed.
        handler: the error handler; ``None``: the one that is set when it is processed.
        error: what was raised.
        event: the event in whose handler; ``None``: not in a handler, but in a generator.
    """

    def __init__(self, originator: Any, handler: Any, error: BaseException, event: Any = None) -> None:
        super().__init__(originator, handler, (error, event))

    @property
    def error(self) -> BaseException:
        """What was raised."""
        error: BaseException = self.data[0]
        return error

    @property
    def event(self) -> Any:
        """The event whose handler raised it; ``None`` if a generator did."""
        return self.data[1]


def shown(thing: Any) -> str:
    """An object as text; nothing that it does can fail this. Text itself is quoted."""
    if isinstance(thing, str | bytes):
        return _quoted(thing)
    try:
        return str(thing)
    except Exception:
        return _nameless(thing)


def _quoted(thing: Any) -> str:
    try:
        return repr(thing)
    except Exception:
        return _nameless(thing)


def _nameless(thing: Any) -> str:
    return f"<{type(thing).__name__} that cannot be shown>"
