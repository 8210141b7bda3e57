"""Where each node is: attempts, steps, and how it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asynctask.cli.course import Again, Course, Next, Over, never_started
from asynctask.outcome import NodeResult, Outcome, Times

pytestmark = pytest.mark.one_loop("no loop at all")


def _result(node: str, rc: int) -> NodeResult:
    return NodeResult(node, Outcome.FAILED if rc else Outcome.OK, rc, None, None, Times(queued=0.0))


def _course(*nodes: str, steps: int = 1, retries: int = 0) -> Course:
    return Course(nodes, steps, lambda result, attempt: attempt * 10.0 if attempt <= retries else None)


def _broken_off(node: str) -> NodeResult:
    return replace(_result(node, 0), outcome=Outcome.ABORTED, rc=None)


def test_a_node_that_ends_well_is_over() -> None:
    """At its first attempt."""
    course, result = _course("a", "b"), _result("a", 0)

    assert course.after(result) == Over(result, 1)
    assert course.results(["b", "a"]) == [result]
    assert course.is_left()


def test_attempts_are_counted() -> None:
    """Each failure is followed by another attempt, as long as there is one."""
    course, bad, good = _course("a", retries=2), _result("a", 1), _result("a", 0)

    assert [course.after(bad), course.after(bad), course.after(good)] == [
        Again(10.0, 0),
        Again(20.0, 0),
        Over(good, 3),
    ]
    assert not course.is_left()


def test_steps_follow_each_other() -> None:
    """A step that fails is tried again, and those after it are left out if it fails for good."""
    course, bad, good = _course("a", "b", steps=2, retries=1), _result("a", 1), _result("a", 0)

    assert course.after(good) == Next(1)
    assert course.after(bad) == Again(10.0, 1)
    assert course.after(bad) == Over(bad, 2)
    assert course.after(_result("b", 0)) == Next(1)
    assert course.after(_result("b", 0)) == Over(_result("b", 0), 1)


@pytest.mark.parametrize("rc", [0, 1])
def test_another_attempt_or_step_that_never_started(rc: int) -> None:
    """What the node has done before counts."""
    course, result = _course("a", steps=2, retries=1), _result("a", rc)
    course.after(result)
    course.stopping = True

    last = result if rc else _broken_off("a")
    assert course.after(never_started("a", 1.0)) == Over(last, 1)
    assert course.results(["a"]) == [last]
    assert not course.is_left()


def test_nothing_begins_again_in_a_run_that_is_stopping() -> None:
    """Neither another attempt nor another step."""
    course = _course("a", "b", steps=2, retries=1)
    course.stopping = True

    assert course.after(_result("a", 0)) == Over(_broken_off("a"), 1)
    assert course.after(_result("b", 1)) == Over(_result("b", 1), 1)


def test_a_step_that_does_not_come() -> None:
    """Half of it is not all: the node has not ended well."""
    course = _course("a", steps=2)
    course.after(_result("a", 0))
    course.stopping = True

    assert course.unfinished(["a"], 7.0) == [Over(_broken_off("a"), 1)]


def test_what_is_left_at_the_end() -> None:
    """A node that waited for an attempt has its last result, one that never began has none of its own."""
    course, bad = _course("a", "b", "c", retries=3), _result("a", 1)
    course.after(bad)
    course.after(_result("c", 0))

    assert course.unfinished(["a", "b", "c"], 7.0) == [Over(bad, 1), Over(never_started("b", 7.0), 1)]
    assert course.unfinished(["a", "b", "c"], 8.0) == []
    assert [result.node for result in course.results(["a", "b", "c"])] == ["a", "b", "c"]


def test_the_result_of_a_node_that_never_started() -> None:
    """It was queued, and it is over."""
    result = never_started("n", 5.0)

    assert (result.outcome, result.rc, result.times) == (
        Outcome.NEVER_STARTED,
        None,
        Times(queued=5.0, ended=5.0),
    )
