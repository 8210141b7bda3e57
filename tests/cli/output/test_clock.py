"""The time of day in records."""

from __future__ import annotations

import time

import pytest

from asynctask.cli.output.clock import Clock, RecordClock, moment_of, stamp

pytestmark = pytest.mark.one_loop("no loop is in it")


def test_one_base_for_all_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system clock that is set makes no gap; times of a run are on the same line."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5_000_000_000)
    clock = Clock()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5_000_250_999)
    assert clock.now() == 1_700_000_000_000_250
    assert clock.at(6.5) == 1_700_000_001_500_000


def test_the_time_in_a_record() -> None:
    """It is what the record says; a result's times are seconds since 1970."""
    clock = RecordClock()
    clock.time = 7
    assert (clock.now(), clock.at(1_700_000_000.000_251)) == (7, 1_700_000_000_000_251)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1_772_366_400_000_250, "2026-03-01T12:00:00.000250Z"),
        (999_999, "1970-01-01T00:00:00.999999Z"),
    ],
)
def test_moments_as_text(moment: int, text: str) -> None:
    """There and back again."""
    assert stamp(moment) == text
    assert moment_of(text) == moment


def test_other_ways_to_write_a_moment() -> None:
    """What ISO 8601 allows; but a time without a zone may be any."""
    assert moment_of("1970-01-01T01:00:00+01:00") == 0
    with pytest.raises(ValueError, match="no time zone"):
        moment_of("1970-01-01T00:00:00")


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00"])
def test_a_moment_that_other_zones_do_not_have(text: str) -> None:
    """It is none."""
    with pytest.raises(ValueError, match="no room for other zones"):
        moment_of(text)
