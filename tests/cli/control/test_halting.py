"""Tests of asynctask.cli.control.halting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from asynctask.cli.control.halting import Halt, HaltWatch, How
from asynctask.errors import UsageError
from asynctask.outcome import Ended, NodeResult, Outcome
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.cli.control.results import ended
from tests.support import OK, Recorder, Scripted, refused

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

FORMS = "never, or now|soon,fail|timeout=N|N%, such as now,fail=1 or soon,timeout=10%"


# -- what is written --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "how", "cause", "share"),
    [
        ("now,fail=1", "now", "fail", "1"),
        ("soon,fail=10%", "soon", "fail", "10%"),
        ("soon,timeout=2", "soon", "timeout", "2"),
        ("Now, Fail = 1", "now", "fail", "1"),
    ],
)
def test_the_forms(text: str, how: str, cause: str, share: str) -> None:
    """Blanks and capital letters are no matter."""
    halt = Halt.parse(text)
    assert halt is not None
    assert (halt.how, halt.cause, str(halt.share), str(halt)) == (how, cause, share, f"{how},{cause}={share}")


def test_never() -> None:
    """As GNU parallel has it: for who has something else in the configuration."""
    assert Halt.parse("never") is None


@pytest.mark.parametrize(
    "text",
    ["", "now", "fail=1", "now,fail", "later,fail=1", "now,done=1", "now;fail=1", "2", "now,fail=1\nx"],
)
def test_what_is_no_form(text: str) -> None:
    """The message says which there are."""
    if text.endswith("x"):
        message = f"{text!r}: '1x' is neither a number of nodes nor a percentage; {FORMS}"
    else:
        message = f"{text!r}: {FORMS}"
    refused(UsageError, message, lambda: Halt.parse(text))


@pytest.mark.parametrize("amount", ["0", "0%", "x", "", "101%", "-1"])
def test_what_is_no_amount(amount: str) -> None:
    """The message names it."""
    message = f"'now,fail={amount}': '{amount}' is neither a number of nodes nor a percentage; {FORMS}"
    refused(UsageError, message, lambda: Halt.parse(f"now,fail={amount}"))


# -- what is heard ----------------------------------------------------------------------------------


def heard(text: str, total: int, *results: NodeResult) -> list[How | None]:
    """What a watch says to each."""
    watch = HaltWatch(Halt.parse(text), total)
    return [watch.hear(result) for result in results]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_counts_as_failed(outcome: Outcome) -> None:
    """All but good ones, and those that were stopped with the run: that is none of their fault."""
    fine = outcome in (Outcome.OK, Outcome.ABORTED, Outcome.NEVER_STARTED)
    assert heard("now,fail=1", 10, ended(outcome)) == [None if fine else "now"]


def test_what_was_stopped_for_a_fault_of_its_own_counts() -> None:
    """As a node whose input could not be made."""
    assert heard("now,fail=1", 10, ended(Outcome.ABORTED, "its input raised")) == ["now"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_what_counts_as_timed_out(outcome: Outcome) -> None:
    """That alone."""
    expected = "soon" if outcome is Outcome.TIMED_OUT else None
    assert heard("soon,timeout=1", 10, ended(outcome)) == [expected]


def test_it_strikes_once() -> None:
    """When there are enough, and says why."""
    watch = HaltWatch(Halt.parse("soon,fail=2"), 10)
    outcomes = (Outcome.FAILED, Outcome.OK, Outcome.REFUSED, Outcome.FAILED)
    said = [(watch.hear(ended(outcome)), watch.reason) for outcome in outcomes]
    reason = "2 of 10 nodes failed: --halt soon,fail=2"
    assert said == [(None, None), (None, None), ("soon", reason), (None, reason)]


@pytest.mark.parametrize(
    ("total", "needed"), [(1, 1), (5, 1), (10, 1), (11, 2), (100, 10), (105, 11), (5000, 500)]
)
def test_a_percentage_is_of_all_nodes_and_one_at_least(total: int, needed: int) -> None:
    """Not of those that are over so far: the first failure would be all of them."""
    said = heard("now,fail=10%", total, *[ended(Outcome.FAILED)] * needed)
    assert said == [None] * (needed - 1) + ["now"]


def test_no_halt() -> None:
    """Whatever happens."""
    watch = HaltWatch(None, 1)
    assert (watch.hear(ended(Outcome.FAILED)), watch.reason) == (None, None)


# -- together with a task ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fanout", "outcomes"),
    [
        ("now,fail=1", 2, [Outcome.FAILED, Outcome.ABORTED, Outcome.NEVER_STARTED]),
        ("soon,fail=1", 2, [Outcome.FAILED, Outcome.OK, Outcome.NEVER_STARTED]),
        ("soon,fail=1", 1, [Outcome.FAILED, Outcome.NEVER_STARTED, Outcome.NEVER_STARTED]),
        ("soon,fail=2", 1, [Outcome.FAILED, Outcome.OK, Outcome.OK]),
    ],
)
async def test_a_run_that_is_halted(text: str, fanout: int, outcomes: list[Outcome]) -> None:
    """Told when an outcome is known, no node starts in the place of the one too many."""
    watch, task, over = HaltWatch(Halt.parse(text), 3), Task(fanout=fanout), asyncio.Event()

    async def play(node: str, sink: Sink) -> Ended:
        sink.started()
        if node == "a":
            return Ended(Outcome.FAILED, rc=1)
        await over.wait()
        return OK

    def hear(results: Sequence[NodeResult]) -> None:
        for how in map(watch.hear, results):
            if how is not None:
                (task.abort if how == "now" else task.halt)()
        asyncio.get_running_loop().call_soon(over.set)

    task._on_ends.append(hear)
    task.schedule(Scripted(play, ["a", "b", "c"], handler=Recorder()))
    result = await task.run()
    assert [each.outcome for each in result.values()] == outcomes
