"""Plain data of records, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.schema import RunStart, plain_outcomes, plain_result, result_from
from asynctask.cli.request import Copying, Request
from asynctask.outcome import NodeResult, Outcome, Times
from tests.cli.output.recorded import check, failed, ok, unreachable
from tests.support import node_result

pytestmark = pytest.mark.one_loop("no loop is in it")

KILLED = node_result("a", Outcome.SIGNALLED, 137, signal=9, unwritten=17)


@pytest.mark.parametrize("result", [ok("a"), failed("a"), unreachable("n\udcff"), KILLED])
def test_a_result_there_and_back_again(result: NodeResult) -> None:
    """All of it but the output."""
    fields = plain_result(result, 2, RecordClock())
    check({"type": "attempt_ended", "time": "2026-03-01T12:00:00.000000Z", **fields})
    found = result_from(fields)
    assert str(found.error) == str(result.error)
    again = dataclasses.replace(found, error=result.error, out=result.out, err=result.err)
    assert again == result
    assert plain_result(found, 2, RecordClock()) == fields


def test_what_times_say() -> None:
    """When each phase began, and how long things took, in seconds."""
    times = Times(queued=0.0, began=0.25, connected=0.75, started=1.0, first_output=1.000_001, ended=3.5)
    fields = plain_result(node_result("a", times=times), 1, RecordClock())["times"]
    assert fields == {
        "queued": "1970-01-01T00:00:00.000000Z",
        "began": "1970-01-01T00:00:00.250000Z",
        "connected": "1970-01-01T00:00:00.750000Z",
        "started": "1970-01-01T00:00:01.000000Z",
        "first_output": "1970-01-01T00:00:01.000001Z",
        "ended": "1970-01-01T00:00:03.500000Z",
        "waiting": 0.25,
        "connecting": 0.5,
        "running": 2.5,
        "duration": 3.25,
    }
    never = plain_result(node_result("a"), 1, RecordClock())["times"]
    assert [name for name, value in never.items() if value is not None] == ["queued"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node", 1),
        ("outcome", "fine"),
        ("rc", "0"),
        ("rc", True),
        ("signal", 1.5),
        ("error", {"reason": "x"}),
        ("error", {"reason": 1, "hint": ""}),
        ("times", {"began": "noon"}),
        ("times", None),
    ],
)
def test_what_makes_no_result(name: str, value: Any) -> None:
    """It is refused."""
    fields = {**plain_result(ok("a"), 1, RecordClock()), name: value}
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        result_from(fields)


@pytest.mark.parametrize(
    "run",
    [
        RunStart(nodes=("b", "a"), command="uname -r", worker="exec", program="9.9"),
        RunStart(nodes=("a",), copying=Copying(sources=("x", "y"), dest="/tmp", back=True)),
        RunStart(nodes=("a",), copying=Copying(sources=("x",))),
    ],
)
def test_a_start_there_and_back_again(run: RunStart) -> None:
    """What is run, and where."""
    assert RunStart.from_plain({**run.plain(), "nodes": list(run.nodes or ())}) == run


def test_the_start_of_a_request() -> None:
    """Its targets, command and worker; nothing of how one gets in, nor of the environment."""
    request = Request(targets=("a",), command="id", worker="exec", user="me", env=(("TOKEN", "secret"),))
    assert RunStart.of(request).plain().keys() == {"asynctask", "command", "copying", "worker"}
    assert RunStart.of(request).nodes == ("a",)


def test_all_outcomes() -> None:
    """How many, and which, ready to paste."""
    assert plain_outcomes([ok("n1"), failed("x"), ok("n2")]) == {
        "targets": 3,
        "outcomes": {"ok": 2, "failed": 1},
        "nodes": {"ok": "n[1-2]", "failed": "x"},
    }


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_is_in_the_schema(outcome: Outcome) -> None:
    """By its own name."""
    fields = plain_result(node_result("a", outcome, None), 1, RecordClock())
    check({"type": "node_ended", "time": "2026-03-01T12:00:00.000000Z", **fields})
