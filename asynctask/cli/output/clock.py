"""The time of day in records: from one base, so that order and differences are right."""

from __future__ import annotations

import time
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from functools import lru_cache

__all__ = ("Clock", "RecordClock", "moment_of", "stamp")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Clock:
    """Tells the time of day in microseconds since 1970, UTC.

    The system's clock is asked once; a clock that is set while a run goes on makes no gap in its record.
    """

    def __init__(self) -> None:
        self._base = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        """Now."""
        return (self._base + time.monotonic_ns()) // 1000

    def at(self, moment: float) -> int:
        """When a moment of the monotonic clock, in seconds, was."""
        return (self._base + round(moment * 1e9)) // 1000


class RecordClock(Clock):
    """The time in a record that is replayed: what it says, and times in seconds since 1970."""

    def __init__(self) -> None:
        self.time = 0
        """What time it is, in microseconds since 1970."""

    def now(self) -> int:
        return self.time

    def at(self, moment: float) -> int:
        return round(moment * 1e6)


def stamp(moment: int) -> str:
    """As in ISO 8601, with microseconds: ``2026-03-01T12:00:00.000250Z``."""
    return (_EPOCH + moment * _MICROSECOND).isoformat(timespec="microseconds")[:-6] + "Z"


@lru_cache(8)  # lines that came together have the same
def moment_of(text: str) -> int:
    """What :func:`stamp` was asked of, or any other time in ISO 8601.

    Raises:
        ValueError: it is none, has no zone, or is in the first or last year that there is.
    """
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    if not MINYEAR < found.year < MAXYEAR:
        raise ValueError(f"{text!r} leaves no room for other zones")
    return (found - _EPOCH) // _MICROSECOND
