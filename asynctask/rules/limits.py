"""Seconds, rates and pauses: what bounds a rule in time. Nothing here waits."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic

from asynctask.errors import UsageError

__all__ = ("Rate", "TokenBucket", "pauses", "seconds_of")

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d|)", re.ASCII)
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d+(?:\.\d+)?|\.\d+)?\s*(ms|s|m|h|d|)", re.ASCII)
#: The longest time that makes sense, in seconds: thirty years.
_LONGEST = 1e9
#: The longest pause between two attempts, in seconds.
LONGEST_PAUSE = 300.0


def seconds_of(value: object) -> float:
    """A time: a number of seconds, or text such as ``"500ms"``, ``"10s"``, ``"1.5m"``, ``"2h"``, ``"1d"``.

    Raises:
        UsageError: it is none, or below 0, or more than thirty years.
    """
    seconds: float = -1
    if isinstance(value, str):
        found = _SECONDS.fullmatch(value.strip())
        seconds = float(found[1]) * _UNITS[found[2]] if found else -1
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = value
    if seconds > _LONGEST:
        raise UsageError("a time is thirty years at most")
    if not seconds >= 0:
        raise UsageError(f'a time is seconds, or text like "500ms", "10s", "5m", "2h", not {value!r}')
    return float(seconds)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds; all of them may come at once."""

    count: int
    seconds: float

    @classmethod
    def parse(cls, text: object) -> Rate:
        """A rate from text: ``"10/1m"``, ``"5/s"``, ``"100/2h"``.

        Raises:
            UsageError: it is none, or lets nothing through, or so much that it is no limit.
        """
        found = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
        seconds = float(found[2] or 1) * _UNITS[found[3]] if found else 0.0
        if found is None or int(found[1]) < 1 or not 0 < seconds <= _LONGEST:
            raise UsageError(f'a rate is text like "10/1m" or "5/s", not {text!r}')
        return cls(int(found[1]), seconds)

    def __str__(self) -> str:
        return f"{self.count}/{self.seconds:g}s"


class TokenBucket:
    """Tells when the next may go, so that a rate is kept. It is full at first.

    Args:
        rate: ``None``: everything may go at once.
        clock: tells the time, in seconds.
    """

    def __init__(self, rate: Rate | None, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = float(rate.count) if rate else 0.0
        self._when = clock()

    def take(self) -> float:
        """Take a token if there is one: then 0. Else the seconds until there is one, and nothing is taken."""
        rate = self._rate
        if rate is None:
            return 0.0
        now = self._clock()
        self._tokens = min(rate.count, self._tokens + (now - self._when) * rate.count / rate.seconds)
        self._when = now
        if self._tokens >= 1.0 - 1e-9:  # what was waited for is there, whatever the rounding
            self._tokens = max(0.0, self._tokens - 1.0)
            return 0.0
        return (1.0 - self._tokens) * rate.seconds / rate.count


def pauses(first: float, jitter: Callable[[], float] = random.random) -> Iterator[float]:
    """The seconds before each further attempt: twice as long each time, between half of that and all of it.

    Args:
        first: the longest first one.
        jitter: a number from 0 to 1, so that what failed together is not tried again together.
    """
    longest = min(first, LONGEST_PAUSE)
    while True:
        yield longest * (0.5 + jitter() / 2)
        longest = min(longest * 2, LONGEST_PAUSE)
