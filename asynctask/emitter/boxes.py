"""What waits for one subscriber: bounded, with a policy, and counted."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Literal, NamedTuple, get_args

from asynctask.errors import UsageError

__all__ = ("Box", "EmittedEvent", "Overflow", "StreamOverflow", "check_overflow", "check_size")

_log = logging.getLogger("asynctask.emitter")

Overflow = Literal["drop_oldest", "drop_newest", "error"]
StreamOverflow = Literal["drop_oldest", "drop_newest", "error", "wait"]


class EmittedEvent(NamedTuple):
    """What was published, as a stream hands it out."""

    topic: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def check_size(name: str, size: object) -> None:
    """Refuse a queue that holds nothing, at the call."""
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UsageError(f"{name}={size!r}: how many events it holds, 1 or more")


def check_overflow(overflow: object, choices: object) -> None:
    """Refuse a policy that does not exist, at the call."""
    if overflow not in get_args(choices):
        raise UsageError(f"overflow={overflow!r}: one of {', '.join(get_args(choices))}")


class Box:
    """Events that wait for one subscriber.

    A strict one drops nothing: who publishes first reserves a place in it.

    Args:
        name: whose it is, for the log.
        size: how many events it holds.
        overflow: what to do with more of them.
    """

    __slots__ = (
        "_complaint",
        "_dropping",
        "_events",
        "dropped",
        "name",
        "overflow",
        "promised",
        "size",
        "strict",
    )

    def __init__(self, name: str, size: int, overflow: StreamOverflow) -> None:
        self.name = name
        self.size = size
        self.overflow = overflow
        self.strict = overflow in {"error", "wait"}
        self.dropped = 0
        self.promised = 0
        """In a strict one: the events that are in it, or on their way."""
        self._events: deque[EmittedEvent] = deque()
        self._dropping = False
        self._complaint = ""

    def __len__(self) -> int:
        return len(self._events)

    def is_full(self) -> bool:
        """Whether there is no place to promise; only a strict one ever is."""
        return self.strict and self.promised >= self.size

    def put(self, event: EmittedEvent) -> bool:
        """Take an event in, as the policy says; tell whether there is one more than before."""
        is_more = self.add(event)
        if self._complaint:
            self.complain()
        return is_more

    def add(self, event: EmittedEvent) -> bool:
        """The same without the log, which must not be written with a lock held: others' code runs there."""
        if self.strict or len(self._events) < self.size:
            self._events.append(event)
            return True
        self.dropped += 1
        if not self._dropping:
            self._dropping = True
            self._complaint = "oldest" if self.overflow == "drop_oldest" else "newest"
        if self.overflow == "drop_oldest":
            self._events.popleft()
            self._events.append(event)
        return False

    def complain(self) -> None:
        """Say in the log that events are dropped now, if that is news."""
        if self._complaint:
            which, self._complaint = self._complaint, ""
            _log.warning("%s: %d events wait, from now on the %s are dropped", self.name, self.size, which)

    def take(self) -> EmittedEvent:
        """The next event."""
        event = self._events.popleft()
        self.promised -= self.strict
        if not self._events:
            self._dropping = False
        return event

    def free(self) -> None:
        """No more events will come: nobody has to wait for a place."""
        self.strict = False
        self.promised = 0

    def clear(self) -> None:
        """Drop all of them; that counts, and is no news."""
        self.dropped += len(self._events)
        self._events.clear()
        self.promised = 0
