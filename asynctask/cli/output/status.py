"""How a run goes: the status line, and who still runs when the user asks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from asynctask import nodes as _nodes
from asynctask.cli import screen
from asynctask.cli.view import View
from asynctask.errors import NodeSetError

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("Status", "seconds_left", "span")

#: So few running nodes are always named, and all that run when so much of the run is done.
_FEW, _NEARLY_DONE = 3, 0.9
#: Of those, so many at most: a line has no room for more.
_MOST_NAMED = 24
#: A node that runs so many times as long as others did, and so many seconds, is named earlier.
_SLOW, _SLOW_SECONDS = 2.0, 5.0
#: The time left is told when so many nodes have ended.
_ENOUGH = 5
#: In how many lines it is told who runs how long.
_MOST_LINES = 12


class Status(View):
    """Counts what happens in a run.

    Args:
        total: how many targets the run has, in all its batches.
        active: tells which nodes have begun, those too that are still connecting: ``Task.active_nodes``.
        clock: the time in seconds.
    """

    def __init__(
        self,
        total: int,
        active: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._active = active
        self._clock = clock
        self._looked = clock()
        self._running: dict[str, float] = {}  # when each began, the first first
        self._again: dict[str, None] = {}
        self._failed: list[str] = []
        self._done = 0
        self._ended, self._busy = 0, 0.0  # attempts and their seconds
        self._named: tuple[list[str], int, str] | None = None  # to fold only when it can make a difference
        self.batch: tuple[int, int] | None = None
        """The number of the batch that runs, and how many there are."""
        self.doing = ""
        """What goes on while no node runs: ``waits 8 s to try again``."""

    # -- what it hears ----------------------------------------------------------------------------

    def ev_pickup(self, worker: Worker | None, node: str) -> None:
        self._again.pop(node, None)
        self._running.setdefault(node, self._clock())

    def ev_end(self, worker: Worker | None, node: str, result: NodeResult) -> None:
        self._running.pop(node, None)
        took = result.times.duration
        if took is not None:
            self._ended += 1
            self._busy += took
        self._again[node] = None  # until it is over for good

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        self._again.pop(result.node, None)
        self._done += 1
        if not result.ok:
            self._failed.append(result.node)

    # -- what it tells ----------------------------------------------------------------------------

    def line(self, width: int | None = None) -> str:
        """The status line: the most important first, whole words only.

        ``asynctask: 120/500 done, 64 running, 3 failed, 316 waiting, 2:10 left: web[3-5] (0:45)``

        Args:
            width: columns it may take; ``None``: as many as the terminal has now.
        """
        width = screen.columns() - 1 if width is None else width
        now = self._look()
        text = f"asynctask: {self._done}/{self._total} done"
        for part in self._parts(now):
            if len(text) + 2 + len(part) > width:
                return text
            text += f", {part}"
        names = self._slowest(now, width - len(text) - 2)
        return f"{text}: {names}" if names else text

    def who_runs(self) -> Iterator[str]:
        """Lines that say who still runs, and how long, who waits, and who failed: sets ready to paste."""
        now = self._look()
        yield f"{self._done} of {self._total} done" + "".join(f", {part}" for part in self._parts(now))
        for told, nodes in _by_age([(node, now - began) for node, began in self._running.items()]):
            yield f"running for {told}: {_titled(nodes)}"
        if self._again:
            yield f"to try again: {_titled(list(self._again))}"
        if self._failed:
            yield f"failed so far: {_titled(self._failed)}"

    def _look(self) -> float:
        """Take in who began without a word since the last look; the time."""
        for node in self._active():
            if node not in self._running:
                self._running[node] = self._looked
                self._again.pop(node, None)
        self._looked = self._clock()
        return self._looked

    def _waiting(self) -> int:
        return max(self._total - self._done - len(self._running) - len(self._again), 0)

    def _parts(self, now: float) -> Iterator[str]:
        counts = (
            (len(self._running), "running"),
            (len(self._failed), "failed"),
            (self._waiting(), "waiting"),
            (len(self._again), "to try again"),
        )
        yield from (f"{count} {what}" for count, what in counts if count or what == "running")
        if self.batch is not None:
            yield "batch {}/{}".format(*self.batch)
        if self.doing:
            yield self.doing
        ages = [now - began for began in self._running.values()]
        left = seconds_left(self._ended, self._busy, ages, self._waiting() + len(self._again))
        if left is not None and left >= 1:
            yield f"{span(left)} left"

    def _slowest(self, now: float, room: int) -> str:
        """The nodes to wait for, those that run longest: as many as there is room for, and how long."""
        names = self._worth_naming(now)
        if not names:
            return ""
        age = now - self._running[names[0]]
        suffix = f" ({span(age)})" if age >= _SLOW_SECONDS else ""
        if self._named is None or self._named[:2] != (names, room - len(suffix)):
            self._named = (names, room - len(suffix), _as_many_as_fit(names, room - len(suffix)))
        text = self._named[2]
        return text and text + suffix

    def _worth_naming(self, now: float) -> list[str]:
        first = list(itertools.islice(self._running, _MOST_NAMED))
        if len(self._running) <= _FEW or self._done >= self._total * _NEARLY_DONE:
            return first
        if self._ended < _ENOUGH:
            return []
        slow = max(_SLOW_SECONDS, _SLOW * self._busy / self._ended)
        return [node for node in first if now - self._running[node] > slow]


def seconds_left(ended: int, busy: float, ages: Sequence[float], waiting: int) -> float | None:
    """How long a run still takes, if it goes on as it did; ``None`` if that is not known.

    Args:
        ended: how many nodes have ended.
        busy: how many seconds these took, together.
        ages: how long each node that runs now has run.
        waiting: how many have not begun.
    """
    if ended < _ENOUGH or not ages:
        return None
    usual = busy / ended
    late = [age for age in ages if age > usual]  # they take longer than others did; how long, nobody knows
    if len(late) == len(ages) and not waiting:
        return None
    expected = (busy + sum(late)) / (ended + len(late))
    rest = [max(expected - age, 0.0) for age in ages]
    return max((sum(rest) + waiting * expected) / len(ages), *rest)


def span(seconds: float) -> str:
    """A time in the way of a clock: ``0:45``, ``2:10``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _by_age(ages: list[tuple[str, float]]) -> Iterator[tuple[str, list[str]]]:
    """The nodes of each age, the oldest first; those of the youngest together, if there are many ages."""
    found: dict[str, list[str]] = {}
    for node, age in sorted(ages, key=lambda entry: -entry[1]):
        found.setdefault(span(age), []).append(node)
    told = list(found.items())
    cut = len(told) if len(told) <= _MOST_LINES else _MOST_LINES - 1
    yield from told[:cut]
    if cut < len(told):
        yield f"{told[cut][0]} and less", [node for _, nodes in told[cut:] for node in nodes]


def _as_many_as_fit(names: list[str], room: int) -> str:
    for count in range(len(names), 0, -1):
        text = _fold(names[:count]) + ("" if count == len(names) < _MOST_NAMED else ", …")
        if len(text) <= room:
            return text
    return ""


def _titled(names: Sequence[str]) -> str:
    return _fold(names) + (f" ({len(names)})" if len(names) > 1 else "")


def _fold(names: Sequence[str]) -> str:
    """As a node set; a single name needs none, and what is no name for one is listed."""
    if len(names) == 1:
        return names[0]
    try:
        return _nodes.fold(names)
    except NodeSetError:
        return ",".join(names)
