"""Tests of asynctask.transfer.meter."""

from __future__ import annotations

from asynctask.events import Progress
from asynctask.transfer.meter import INTERVAL, Meter


class Clock:
    """Stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_at_most_so_often() -> None:
    """Between two reports there is an interval, and the last one always comes."""
    told: list[Progress] = []
    clock = Clock()
    meter = Meter(told.append, clock)
    meter.begin_file(b"/a/f", 40)
    meter.add(b"/a/f", 10)
    clock.now += INTERVAL
    meter.add(b"/a/f", 10)
    meter.add(b"/a/f", 10)
    meter.add(b"/a/f", 10)
    meter.complete(b"/a/f")
    meter.finish()
    assert told == [Progress("/a/f", 20, 40, 0), Progress("/a/f", 40, 40, 1)]


def test_a_tree() -> None:
    """Its paths begin at its root; what was identical counts."""
    told: list[Progress] = []
    meter = Meter(told.append, Clock())
    meter.begin_tree(b"/a/tree/")
    meter.finish()
    meter.complete(b"/a/tree/sub/x\n", identical=7)
    meter.finish()
    assert told == [Progress("tree", 0, None, 0), Progress(r"tree/sub/x\n", 7, None, 1)]


def test_nobody_listens() -> None:
    """Then it just counts."""
    meter = Meter(None)
    meter.complete(b"f", 3)
    meter.finish()
    assert (meter.done, meter.files) == (3, 1)
