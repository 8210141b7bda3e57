"""Tests of asynctask.cli.control.quorum."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.control.quorum import QuorumWatch
from asynctask.cli.control.shares import Share
from asynctask.outcome import Outcome
from tests.cli.control.results import ended
from tests.support import refused

pytestmark = pytest.mark.one_loop("no loop takes part")

GOOD, BAD = ended(Outcome.OK), ended(Outcome.FAILED)


def watch(text: str, total: int) -> QuorumWatch:
    """One for an option."""
    return QuorumWatch(Share.parse(text), total)


def test_reached() -> None:
    """As soon as so many nodes have ended well; what others do matters no more."""
    quorum = watch("2", 5)
    assert [quorum.hear(each) for each in (GOOD, BAD, GOOD)] == [None, None, "reached"]
    assert quorum.decision == "reached"
    assert quorum.reason == "enough: 2 of 5 nodes ended well (--quorum 2)"


def test_missed() -> None:
    """As soon as there are too few left."""
    quorum = watch("80%", 5)
    assert [quorum.hear(each) for each in (BAD, GOOD, BAD)] == [None, None, "missed"]
    assert (quorum.decision, quorum.reason) == (
        "missed",
        "only 3 of 5 nodes can still end well: --quorum 80%",
    )


def test_it_tells_once() -> None:
    """Whoever hears it acts on it."""
    quorum = watch("1", 3)
    assert [quorum.hear(each) for each in (GOOD, GOOD, BAD)] == ["reached", None, None]


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_every_other_outcome_counts_against_it(outcome: Outcome) -> None:
    """Also a node that never started: it has not ended well."""
    assert watch("1", 1).hear(ended(outcome)) == "missed"


def test_a_percentage_is_rounded_up() -> None:
    """Else nobody could rely on it."""
    assert [watch("95%", total).needed for total in (1, 10, 20, 21, 5000)] == [1, 10, 19, 20, 4750]


def test_more_than_there_are() -> None:
    """That is an error of usage."""
    refused(click.UsageError, "--quorum 6: there are only 5 nodes", lambda: watch("6", 5))


def test_none() -> None:
    """Nothing is decided."""
    quorum = QuorumWatch(None, 1)
    assert (quorum.hear(BAD), quorum.decision, quorum.reason) == (None, None, None)


@given(good=st.lists(st.booleans(), min_size=1, max_size=40), data=st.data())
def test_at_the_end_it_is_decided_and_right(good: list[bool], data: st.DataObject) -> None:
    """Whatever the order."""
    quorum = watch(str(data.draw(st.integers(1, len(good)))), len(good))
    told = [quorum.hear(GOOD if each else BAD) for each in good]
    assert quorum.decision == ("reached" if sum(good) >= quorum.needed else "missed")
    assert [each for each in told if each] == [quorum.decision]
