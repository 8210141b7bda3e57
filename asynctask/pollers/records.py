"""What a poller has done, counted, and what there is to say about it, once, in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from asynctask.errors import PollerError
from asynctask.pollers.changes import Change, Kind

__all__ = ("PollerStatistics", "Records")

_log = logging.getLogger(__name__)

#: So many places that cannot be seen are named one by one; of more there is the number.
_NAMED = 10


@dataclass(frozen=True, slots=True)
class PollerStatistics:
    """A look at a poller."""

    entries: int
    """How many entries there are, as far as it knows."""
    pending: int
    """Of how many it has something to tell that was not yet delivered."""
    delivered: Mapping[Kind, int]
    """How many changes of each kind were delivered, ever."""
    looks: int
    """How often it has looked, ever."""
    failures: int
    """How many of these failed, ever."""
    failing: int
    """How many have failed since it last worked."""
    last_error: str
    """What the last failure was; empty if there was none."""
    unreadable: int
    """How many entries it cannot look into now."""


class Records:
    """Counts for a poller.

    Args:
        url: of the poller.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._delivered: dict[Kind, int] = {"created": 0, "modified": 0, "deleted": 0}
        self._looks = 0
        self._failures = 0
        self._failing = 0
        self._last_error = ""
        self._unreadable: frozenset[str] = frozenset()

    def begins(self) -> None:
        """It begins a look."""
        self._looks += 1

    def failed(self, error: PollerError) -> None:
        """The look has failed. Who gets the error says so; here it is counted."""
        self._failures += 1
        self._failing += 1
        self._last_error = str(error)

    def went_well(self) -> None:
        """The look has worked."""
        if self._failing:
            _log.info("%s: well again after %d failures", self._url, self._failing)
            self._failing = 0

    def delivered(self, changes: Iterable[Change], times: int = 1) -> None:
        """Changes were delivered; with -1 they came back."""
        for change in changes:
            self._delivered[change.event] += times

    def unreadable(self, reasons: Mapping[str, str], subject: Callable[[str], str]) -> None:
        """Places that cannot be looked into; each is named once, as long as it is so.

        Args:
            reasons: all of them now, and why.
            subject: what to call one.
        """
        new = sorted(reasons.keys() - self._unreadable)
        for name in new[:_NAMED]:
            _log.warning("%s cannot be seen (%s): what was known there is kept", subject(name), reasons[name])
        if len(new) > _NAMED:
            _log.warning("%s: %d more places cannot be seen", self._url, len(new) - _NAMED)
        if healed := len(self._unreadable - reasons.keys()):
            _log.info("%s: %d places can be seen again, or are gone", self._url, healed)
        self._unreadable = frozenset(reasons)

    def statistics(self, entries: int, pending: int) -> PollerStatistics:
        """Counters, now."""
        return PollerStatistics(
            entries=entries,
            pending=pending,
            delivered=dict(self._delivered),
            looks=self._looks,
            failures=self._failures,
            failing=self._failing,
            last_error=self._last_error,
            unreadable=len(self._unreadable),
        )
