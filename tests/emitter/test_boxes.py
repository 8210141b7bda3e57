"""Tests of asynctask.emitter.boxes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from asynctask.emitter.boxes import Box, EmittedEvent, Overflow, StreamOverflow, check_overflow, check_size
from asynctask.errors import UsageError
from tests.support import refused


def _event(number: int) -> EmittedEvent:
    return EmittedEvent("a", (number,), {})


def _put(box: Box, *numbers: int) -> list[bool]:
    return [box.put(_event(number)) for number in numbers]


def _take_all(box: Box) -> list[Any]:
    return [box.take().args[0] for _ in range(len(box))]


@pytest.mark.parametrize(
    ("overflow", "left"), [("drop_oldest", [3, 4]), ("drop_newest", [1, 2])], ids=["oldest", "newest"]
)
def test_which_events_are_dropped(overflow: StreamOverflow, left: list[int]) -> None:
    """As the policy says, and it is counted; it is told whether there is one more."""
    box = Box("box", 2, overflow)
    assert _put(box, 1, 2, 3, 4) == [True, True, False, False]
    assert (box.dropped, len(box)) == (2, 2)
    assert _take_all(box) == left
    assert not box.is_full()


def test_the_first_drop_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Once, until the box has been empty."""
    box = Box("stream of a", 1, "drop_oldest")
    _put(box, 1, 2, 3)
    box.take()
    _put(box, 4, 5)
    text = "stream of a: 1 events wait, from now on the oldest are dropped"
    assert caplog.record_tuples == [("asynctask.emitter", logging.WARNING, text)] * 2


def test_adding_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is said later, once."""
    box = Box("stream of a", 1, "drop_newest")
    assert [box.add(_event(number)) for number in range(3)] == [True, False, False]
    assert caplog.records == []
    box.complain()
    box.complain()
    assert caplog.messages == ["stream of a: 1 events wait, from now on the newest are dropped"]


@pytest.mark.parametrize("overflow", ["error", "wait"])
def test_a_strict_box_drops_nothing(overflow: StreamOverflow) -> None:
    """It is full when all its places are promised."""
    box = Box("box", 2, overflow)
    box.promised = 2
    assert box.is_full()
    assert _put(box, 1, 2) == [True, True]
    box.take()
    assert (box.promised, box.is_full(), box.dropped) == (1, False, 0)


def test_a_box_that_is_free() -> None:
    """Nobody waits for a place in it; what is in it can be taken."""
    box = Box("box", 1, "wait")
    box.promised = 1
    _put(box, 1)
    box.free()
    assert not box.is_full()
    assert _take_all(box) == [1]
    assert box.promised == 0


def test_a_cleared_box() -> None:
    """What was in it counts as dropped."""
    box = Box("box", 2, "wait")
    box.promised = 2
    _put(box, 1, 2)
    box.clear()
    assert (len(box), box.dropped, box.promised) == (0, 2, 0)


def test_an_event_is_a_tuple_with_names() -> None:
    """It can be unpacked."""
    topic, args, kwargs = event = EmittedEvent("a", (1,), {"b": 2})
    assert (topic, args, kwargs) == (event.topic, event.args, event.kwargs) == ("a", (1,), {"b": 2})


@pytest.mark.parametrize("size", [0, -1, True, 1.0, None])
def test_no_size(size: object) -> None:
    """A box holds something."""
    message = f"max_size={size!r}: how many events it holds, 1 or more"
    refused(UsageError, message, lambda: check_size("max_size", size))


def test_no_policy() -> None:
    """The choices are named; an emitter cannot wait."""
    message = "overflow='wait': one of drop_oldest, drop_newest, error"
    refused(UsageError, message, lambda: check_overflow("wait", Overflow))
    check_overflow("wait", StreamOverflow)
