"""Tests of what processes on nodes take."""

from __future__ import annotations

import pytest

from asynctask.manager.launching import Usage
from asynctask.manager.remote.usage import CPUMeter, Look

pytestmark = pytest.mark.one_loop("there is no loop in it")


def _row(pid: int, group: int, ticks: int, pages: int, start: int = 1000) -> list[str]:
    row = ["0"] * 30
    row[0], row[3], row[12], row[13], row[20], row[22] = map(str, (pid, group, ticks, 0, start, pages))
    return row


def _look(uptime: float, *rows: list[str]) -> Look:
    return Look(uptime, list(rows), 100, 4096)


def test_it_is_per_cent_since_the_last_look() -> None:
    """At first since the start; children that came or went do not make it wrong."""
    meter = CPUMeter()
    assert meter.usage(_look(20.0, _row(5, 5, 100, 10), _row(9, 9, 1, 1)), 5) == Usage(10.0, 40960, 1)
    assert meter.usage(_look(22.0, _row(5, 5, 200, 10), _row(6, 5, 50, 5, 2100)), 5) == Usage(75.0, 61440, 2)
    assert meter.usage(_look(23.0, _row(5, 5, 210, 10)), 5) == Usage(10.0, 40960, 1)
    assert meter.usage(_look(23.0, _row(5, 5, 210, 10)), 5) == Usage(0.0, 40960, 1)


def test_a_group_that_is_gone_takes_nothing() -> None:
    """Nor does a line that was cut off say anything."""
    assert CPUMeter().usage(_look(20.0, _row(5, 5, 100, 10), ["7", "S", "1", "7"]), 7) is None
