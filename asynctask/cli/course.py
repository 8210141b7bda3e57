"""Where each node is in its run: which attempt, which step, and how it ended. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from asynctask.outcome import NodeResult, Outcome, Times

__all__ = ("Again", "Course", "Next", "Over")


@dataclass(frozen=True, slots=True)
class Again:
    """The node's next attempt at the same step, in ``pause`` seconds."""

    pause: float
    step: int


@dataclass(frozen=True, slots=True)
class Next:
    """The node's next step, at once."""

    step: int


@dataclass(frozen=True, slots=True)
class Over:
    """The node is over."""

    result: NodeResult
    attempt: int


@dataclass(slots=True)
class _Place:
    step: int = 0
    attempt: int = 1
    latest: NodeResult | None = None
    over: bool = False


class Course:
    """The books of a run.

    Args:
        targets: all nodes.
        steps: how many things are done on each, one after the other: one command, or several copies.
        pause: after an attempt (its result, and its number from 1) the seconds until the next one, or
            ``None`` if there is none.
    """

    def __init__(
        self, targets: Iterable[str], steps: int, pause: Callable[[NodeResult, int], float | None]
    ) -> None:
        self._places = {node: _Place() for node in targets}
        self._steps = steps
        self._pause = pause
        self.stopping = False
        """No node begins anything again."""

    def after(self, result: NodeResult) -> Again | Next | Over:
        """What comes after something has ended on a node."""
        place = self._places[result.node]
        if result.outcome is Outcome.NEVER_STARTED and place.latest is not None:  # but something has
            return _left(place.latest, place)
        place.latest = result
        if result.ok and place.step + 1 < self._steps:
            place.step += 1
            if not self.stopping:
                return Next(place.step)
            result = place.latest = _broken_off(result)
        pause = None if result.ok or self.stopping else self._pause(result, place.attempt)
        if pause is not None:
            place.attempt += 1
            return Again(pause, place.step)
        place.over = True
        return Over(result, place.attempt)

    def unfinished(self, nodes: Iterable[str], now: float) -> list[Over]:
        """End what is left of these nodes: what waited for its next attempt has its last result."""
        return [
            _left(place.latest or never_started(node, now), place)
            for node in nodes
            if not (place := self._places[node]).over
        ]

    def attempt(self, node: str) -> int:
        """The number of the attempt that a node is at, from 1."""
        return self._places[node].attempt

    def is_left(self) -> bool:
        """Whether a node is not over."""
        return not all(place.over for place in self._places.values())

    def results(self, nodes: Iterable[str]) -> list[NodeResult]:
        """The last results of those nodes that have one, in this order."""
        return [latest for node in nodes if (latest := self._places[node].latest) is not None]


def _left(latest: NodeResult, place: _Place) -> Over:
    """End a node that waited for its first attempt, for another one, or for its next step."""
    if latest.ok:
        latest = _broken_off(latest)
    elif place.latest is not None:
        place.attempt -= 1  # that one never began
    place.over, place.latest = True, latest
    return Over(latest, place.attempt)


def _broken_off(result: NodeResult) -> NodeResult:
    """That of a node whose last step went well, and whose next one does not come."""
    return replace(result, outcome=Outcome.ABORTED, rc=None)


def never_started(node: str, now: float) -> NodeResult:
    """The result of a node whose turn did not come."""
    return NodeResult(node, Outcome.NEVER_STARTED, None, None, None, Times(queued=now, ended=now))
