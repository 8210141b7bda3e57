"""Tests of asynctask.cli.control.retrying."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.control.retrying import RETRIED, Retrying, pause
from asynctask.outcome import Outcome
from tests.cli.control.results import ended

pytestmark = pytest.mark.one_loop("no loop takes part")


def test_which_are_tried_again() -> None:
    """All outcomes are in the table; what another attempt cannot change is not tried."""
    assert RETRIED.keys() == set(Outcome)
    assert {outcome for outcome, again in RETRIED.items() if not again} == {
        Outcome.OK,
        Outcome.AUTH_FAILED,
        Outcome.HOST_KEY,
        Outcome.ABORTED,
        Outcome.NEVER_STARTED,
    }


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_table_is_followed(outcome: Outcome) -> None:
    """After the first attempt."""
    retrying = Retrying(1, lambda: 0.0)
    assert retrying.pause_after(ended(outcome), 1) == (1.0 if RETRIED[outcome] else None)


def test_not_more_often_than_asked_for() -> None:
    """Two retries are three attempts."""
    retrying = Retrying(2, lambda: 0.0)
    assert [retrying.pause_after(ended(Outcome.FAILED), attempt) for attempt in (1, 2, 3)] == [1.0, 2.0, None]
    assert Retrying(0).pause_after(ended(Outcome.FAILED), 1) is None


def test_pauses_double_up_to_a_minute() -> None:
    """However many there are."""
    pauses = [pause(attempt, lambda: 0.0) for attempt in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert pause(100_000, lambda: 0.0) == 60


@given(attempt=st.integers(1, 50), drawn=st.floats(0, 1))
def test_a_part_of_the_pause_is_left_to_chance(attempt: int, drawn: float) -> None:
    """Never more than all of it, nor less than half."""
    longest = pause(attempt, lambda: 0.0)
    assert longest / 2 <= pause(attempt, lambda: drawn) <= longest
