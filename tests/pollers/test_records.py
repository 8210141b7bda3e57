"""Tests of asynctask.pollers.records."""

from __future__ import annotations

import logging

import pytest

from asynctask.errors import PollerError
from asynctask.pollers.changes import Change
from asynctask.pollers.records import PollerStatistics, Records


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Records:
    """Of a poller that has done nothing."""
    caplog.set_level(logging.INFO, "asynctask.pollers")
    return Records("test://host")


def test_the_counters(records: Records) -> None:
    """What was looked at, delivered and given back, and what failed."""
    for _ in range(3):
        records.begins()
    records.failed(PollerError("test://host", "is away"))
    records.failed(PollerError("test://host", "is still away"))
    changes = [Change("a", "created"), Change("b", "created"), Change("c", "deleted")]
    records.delivered(changes)
    records.delivered(changes[:1], -1)
    assert records.statistics(7, 2) == PollerStatistics(
        entries=7,
        pending=2,
        delivered={"created": 1, "modified": 0, "deleted": 1},
        looks=3,
        failures=2,
        failing=2,
        last_error="test://host: is still away",
        unreadable=0,
    )


def test_being_well_again_is_recorded(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    """Once; what is well all the time is not worth a word."""
    records.went_well()
    records.failed(PollerError("test://host", "is away"))
    records.went_well()
    records.went_well()
    assert caplog.messages == ["test://host: well again after 1 failures"]
    assert records.statistics(0, 0).failing == 0


def test_an_unreadable_place_is_recorded_once(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    """And when it can be seen again."""
    for reasons in ({"d": "Permission denied"}, {"d": "Permission denied"}, {}):
        records.unreadable(reasons, lambda name: f"test://host/{name}")
    assert caplog.messages == [
        "test://host/d cannot be seen (Permission denied): what was known there is kept",
        "test://host: 1 places can be seen again, or are gone",
    ]


def test_many_unreadable_places_do_not_fill_the_log(
    records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten are named."""
    records.unreadable({f"{number}": "EIO" for number in range(15)}, str)
    assert len(caplog.messages) == 11
    assert caplog.messages[-1] == "test://host: 5 more places cannot be seen"
    assert records.statistics(0, 0).unreadable == 15
