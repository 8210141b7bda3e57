"""The law of pollers of files, for the one that looks."""

from __future__ import annotations

from hypothesis import given, settings

from asynctask.pollers.file import FilePoller
from tests.pollers.trees import Operation, check_law, check_law_across_a_restart, operations


@settings(max_examples=40)
@given(operations(0), operations(), operations())
def test_the_events_explain_the_difference(
    early: list[Operation], first: list[Operation], second: list[Operation]
) -> None:
    """Whatever happens between two calls."""
    check_law(FilePoller, [early, first, second])


@settings(max_examples=20)
@given(operations(0), operations())
def test_the_events_explain_the_difference_at_the_top(early: list[Operation], later: list[Operation]) -> None:
    """Without recursion it is the top level alone."""
    check_law(FilePoller, [early, later], recurse=False)


@settings(max_examples=20)
@given(operations(0), operations(), operations())
def test_the_events_explain_the_difference_across_a_restart(
    early: list[Operation], first: list[Operation], second: list[Operation]
) -> None:
    """A poller that goes on from a saved state misses nothing and repeats nothing."""
    check_law_across_a_restart(FilePoller, [early, first, second])
