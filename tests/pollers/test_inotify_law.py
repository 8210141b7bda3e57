"""The law of pollers of files, for the one that is told."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings

from asynctask.pollers.inotify import INotifyPoller
from tests.pollers.trees import Operation, check_law, check_law_across_a_restart, operations

pytestmark = pytest.mark.one_loop


@pytest.fixture(autouse=True, scope="module")
def _asked_at_once() -> Iterator[None]:
    """A link to a file that is milliseconds old looks like a new one, which is asked for after a while."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asynctask.pollers.inotify_writing._ASK", 0.0)
        yield


@settings(max_examples=25)
@given(operations(0), operations(), operations())
def test_the_events_explain_the_difference(
    early: list[Operation], first: list[Operation], second: list[Operation]
) -> None:
    """Whatever happens between two calls."""
    check_law(INotifyPoller, [early, first, second], exact=False)


@settings(max_examples=15)
@given(operations(0), operations(), operations())
def test_the_events_explain_the_difference_with_unfinished_files(
    early: list[Operation], first: list[Operation], second: list[Operation]
) -> None:
    """Who wants files before they are whole gets nothing else, since all are closed here."""
    check_law(functools.partial(INotifyPoller, partial=True), [early, first, second], exact=False)


@settings(max_examples=15)
@given(operations(0), operations())
def test_the_events_explain_the_difference_at_the_top(early: list[Operation], later: list[Operation]) -> None:
    """Without recursion it is the top level alone."""
    check_law(INotifyPoller, [early, later], recurse=False, exact=False)


@settings(max_examples=15)
@given(operations(0), operations(), operations())
def test_the_events_explain_the_difference_across_a_restart(
    early: list[Operation], first: list[Operation], second: list[Operation]
) -> None:
    """A poller that goes on from a saved state misses nothing and repeats nothing."""
    check_law_across_a_restart(INotifyPoller, [early, first, second], exact=False)
