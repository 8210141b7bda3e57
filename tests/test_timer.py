"""Tests of asynctask.timer."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.errors import TaskStateError, UsageError
from asynctask.timer import EPSILON, Timer
from tests.support import refused

HANDLER = SimpleNamespace(ev_timer=print)


class Clock:
    """A clock that a test sets, and what a run hears of a timer on it."""

    def __init__(self, time: float = 1000.0) -> None:
        self.time = time
        self.changes: list[tuple[float | None, bool]] = []

    def timer(self, fire: float, interval: float = -1, handler: object = HANDLER) -> Timer:
        """A timer that goes by this clock."""
        return Timer(fire, handler, interval, now=lambda: self.time, changed=self._changed)

    def _changed(self, timer: Timer) -> None:
        self.changes.append((timer.due, timer.is_valid()))

    def fire(self, timer: Timer, time: float) -> None:
        """What a run does at a time, with a handler that does nothing."""
        self.time = time
        timer.strike(time)
        timer.fired()


def test_a_timer_is_due_in_so_many_seconds() -> None:
    """From the moment at which it was made; nobody is told, for who made it knows."""
    clock = Clock()
    timer = clock.timer(2.5)
    clock.time += 100
    assert (timer.due, timer.is_valid(), clock.changes) == (1002.5, True, [])
    assert (timer.handler, timer.autoclose, timer.now()) == (HANDLER, False, 1100.0)


def test_a_timer_may_be_due_at_once() -> None:
    """Zero seconds are some."""
    assert Clock().timer(0).due == 1000.0


# -- once -------------------------------------------------------------------------------------------


def test_a_timer_that_fires_once_is_over_then() -> None:
    """It is valid while its handler runs, and not due."""
    clock = Clock()
    timer = clock.timer(1)
    timer.strike(1001.0)
    assert (timer.due, timer.is_valid(), clock.changes) == (None, True, [])
    timer.fired()
    assert (timer.due, timer.is_valid(), clock.changes) == (None, False, [(None, False)])


@pytest.mark.parametrize("interval", [-1, -1.0, 0, 0.0005, EPSILON])
def test_an_interval_up_to_a_millisecond_is_none(interval: float) -> None:
    """ClusterShell's figure."""
    clock = Clock()
    timer = clock.timer(1, interval)
    clock.fire(timer, 1001)
    assert not timer.is_valid()


def test_a_timer_that_fires_once_can_be_set_again_by_its_handler() -> None:
    """Then it is not over."""
    clock = Clock()
    timer = clock.timer(1)
    clock.time = 1001.5
    timer.strike(1001.5)
    timer.set_nextfire(2)
    timer.fired()
    assert (timer.due, timer.is_valid(), clock.changes) == (1003.5, True, [(1003.5, True)])
    clock.fire(timer, 1003.5)
    assert not timer.is_valid()


# -- again and again --------------------------------------------------------------------------------


def test_repeating_does_not_drift() -> None:
    """However late each firing is, the dates lie an interval apart."""
    clock = Clock()
    timer = clock.timer(1, 0.5)
    dues = []
    for late in (0.0, 0.1, 0.4, 0.25):
        assert timer.due is not None
        dues.append(timer.due)
        clock.fire(timer, timer.due + late)
    assert (dues, timer.due) == ([1001.0, 1001.5, 1002.0, 1002.5], 1003.0)
    assert (timer.is_valid(), clock.changes) == (True, [])


@pytest.mark.parametrize(
    ("now", "due"),
    [(1001.0, 1003.0), (1002.9, 1003.0), (1003.0, 1005.0), (1010.5, 1011.0), (1011.0, 1013.0)],
)
def test_dates_that_were_missed_are_over_with_one_firing(now: float, due: float) -> None:
    """The next is the first that lies ahead, and one of the old row."""
    clock = Clock()
    timer = clock.timer(1, 2)
    clock.fire(timer, now)
    assert timer.due == due


def test_a_firing_that_comes_early_counts_for_its_date() -> None:
    """A loop's timer may be a millisecond early; the date does not come twice."""
    clock = Clock()
    timer = clock.timer(1, 2)
    clock.fire(timer, 1000.999)
    assert timer.due == 1003.0


@given(
    fire=st.floats(0, 1e6),
    interval=st.floats(0.002, 1e5),
    lates=st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    start=st.floats(0, 1e7),
)
def test_the_dates_of_a_timer(fire: float, interval: float, lates: list[float], start: float) -> None:
    """Each lies after the firing before it, at most an interval; all lie in one row."""
    clock = Clock(start)
    timer = clock.timer(fire, interval)
    first = timer.due
    assert first == start + fire
    for late in lates:
        assert timer.due is not None
        now = timer.due + late
        clock.fire(timer, now)
        fuzz = 8 * math.ulp(now)
        assert now < timer.due <= now + interval + fuzz
        steps = round((timer.due - first) / interval)
        assert timer.due == pytest.approx(first + steps * interval, rel=1e-12, abs=0)
    assert (timer.is_valid(), clock.changes) == (True, [])


@given(
    interval=st.integers(1, 50),
    delays=st.lists(st.integers(0, 500), max_size=40),
)
def test_a_timer_fires_once_for_each_look_that_is_late_enough(interval: int, delays: list[int]) -> None:
    """A run that looks now and then sees as many firings as there are stretches with a date in them."""
    clock = Clock(0)
    timer = clock.timer(interval, interval)
    fired = []
    for delay in delays:
        clock.time += delay
        if timer.due is not None and timer.due <= clock.time:
            clock.fire(timer, clock.time)
            fired.append(clock.time)
    times = [0, *(sum(delays[: count + 1]) for count in range(len(delays)))]
    expected = [now for before, now in pairwise(times) if now // interval > before // interval]
    assert fired == expected


# -- set to another time ----------------------------------------------------------------------------


def test_a_timer_can_be_set_to_another_time() -> None:
    """It counts from now, and the old date is gone; without an interval it fires once."""
    clock = Clock()
    timer = clock.timer(10, 5)
    clock.time = 1001.0
    timer.set_nextfire(0.5)
    assert (timer.due, clock.changes) == (1001.5, [(1001.5, True)])
    clock.fire(timer, 1001.5)
    assert not timer.is_valid()


def test_a_timer_can_be_set_to_repeat() -> None:
    """Also one that would have fired once."""
    clock = Clock()
    timer = clock.timer(10)
    timer.set_nextfire(1, interval=3)
    clock.fire(timer, 1001)
    assert (timer.due, timer.is_valid()) == (1004.0, True)


@pytest.mark.parametrize("args", [(-1,), (1, -2)])
def test_a_time_that_is_none_changes_nothing(args: tuple[float, ...]) -> None:
    """The timer goes on as it was, and nobody is told."""
    clock = Clock()
    timer = clock.timer(1, 2)
    with pytest.raises(UsageError):
        timer.set_nextfire(*args)
    assert (timer.due, repr(timer), clock.changes) == (1001.0, "<Timer every 2 s>", [])


# -- its end ----------------------------------------------------------------------------------------


def test_an_invalid_timer_is_not_due() -> None:
    """Whoever holds it is told once, however often it is invalidated."""
    clock = Clock()
    timer = clock.timer(1, 2)
    for _ in range(3):
        timer.invalidate()
    assert (timer.due, timer.is_valid(), clock.changes) == (None, False, [(None, False)])


def test_a_timer_can_be_invalidated_by_its_handler() -> None:
    """A repeating one fires no more then."""
    clock = Clock()
    timer = clock.timer(1, 2)
    timer.strike(1001.0)
    timer.invalidate()
    timer.fired()
    assert (timer.due, timer.is_valid(), clock.changes) == (None, False, [(None, False)])


@pytest.mark.parametrize("fires", [True, False])
def test_an_invalid_timer_cannot_be_set_again(fires: bool) -> None:
    """Whether it has fired its only time or was invalidated."""
    clock = Clock()
    timer = clock.timer(1)
    if fires:
        clock.fire(timer, 1001)
    else:
        timer.invalidate()
    refused(
        TaskStateError,
        "the timer is not valid any more: make a new one",
        lambda: timer.set_nextfire(1),
    )
    assert (timer.due, len(clock.changes)) == (None, 1)


# -- misuse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-1, -0.001, math.inf, math.nan, "1", None, True])
def test_the_first_firing_is_in_some_seconds(seconds: Any) -> None:
    """Not before now, and not never."""
    refused(
        UsageError,
        f"timer: fire={seconds!r}: a number of seconds, 0 or more",
        lambda: Clock().timer(seconds),
    )


@pytest.mark.parametrize("seconds", [-2, -0.5, math.inf, math.nan, "1", None, False])
def test_an_interval_is_some_seconds(seconds: Any) -> None:
    """-1 alone stands for none."""
    refused(
        UsageError,
        f"timer: interval={seconds!r}: a number of seconds, 0 or more",
        lambda: Clock().timer(1, seconds),
    )


@pytest.mark.parametrize("handler", [None, object(), SimpleNamespace(ev_timer=5)], ids=["no", "object", "5"])
def test_a_handler_of_a_timer_has_to_hear_it(handler: object) -> None:
    """A timer that nobody hears does nothing."""
    refused(
        UsageError,
        f"the handler of a timer needs a method ev_timer: {type(handler).__name__}",
        lambda: Clock().timer(1, handler=handler),
    )


def test_the_representation_tells_how_often_it_fires() -> None:
    """Or that it does not."""
    clock = Clock()
    once, often = clock.timer(1), clock.timer(1, 0.25)
    assert (repr(once), repr(often)) == ("<Timer once>", "<Timer every 0.25 s>")
    often.invalidate()
    assert repr(often) == "<Timer invalid>"
