"""Processes in words and columns."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.controlling.states import (
    at_fault,
    exit_text,
    label,
    not_running,
    process_rows,
    size,
    span,
    summary,
    table,
    template_rows,
)

pytestmark = pytest.mark.one_loop("pure functions")


def process(**said: Any) -> dict[str, Any]:
    """A process as a manager tells of it."""
    return {
        "name": "web",
        "index": 0,
        "node": None,
        "state": "running",
        "pid": 7,
        "os_pid": 4711,
        "uptime": 65.0,
        "restarts": 2,
        "connected": True,
        "last_exit": None,
        "reason": None,
        "retry_in": None,
        "cpu": 12.34,
        "memory": 3 << 20,
        **said,
    }


def template(**said: Any) -> dict[str, Any]:
    """A template as a manager tells of it."""
    return {
        "name": "web",
        "numprocesses": 1,
        "wanted": True,
        "autostart": True,
        "active": 1,
        "nodes": None,
        **said,
    }


BACKOFF = process(state="backoff", reason="it exited with 1", retry_in=3.6, pid=None, os_pid=None, index=1)


@pytest.mark.parametrize(
    ("said", "called"),
    [({}, "web.1"), ({"index": 2, "node": "n1"}, "web.3@n1"), ({"index": None}, "web#7")],
)
def test_what_a_process_is_called(said: dict[str, Any], called: str) -> None:
    """As its output is labelled."""
    assert label(process(**said)) == called


def test_the_columns_of_processes() -> None:
    """What is not known is a dash; nodes have a column when there are any."""
    gone = process(state="stopped", os_pid=None, uptime=None, cpu=None, memory=None)
    assert process_rows([process(), gone]) == [
        ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY", ""],
        ["web.1", "running", "4711", "1m05s", "2", "12.3%", "3.0 MiB", ""],
        ["web.1", "stopped", "-", "-", "2", "-", "-", ""],
    ]
    lost = process(node="n1", connected=False)
    assert [row[1:3] + row[-1:] for row in process_rows([process(), lost])] == [
        ["NODE", "STATE", ""],
        ["-", "running", ""],
        ["n1", "running?", "connection lost"],
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"reason": "an old one"}, ""),
        (
            {"state": "backoff", "reason": "it exited with 1", "retry_in": 3.6},
            "it exited with 1, again in 4 s",
        ),
        ({"state": "fatal", "reason": "too often"}, "too often"),
        ({"state": "exited", "last_exit": {"code": 0, "signal": None}}, "exit 0"),
        ({"state": "exited", "last_exit": None}, ""),
        ({"state": "stopped", "last_exit": {"code": 0, "signal": None}}, ""),
    ],
)
def test_why_a_process_is_in_its_state(said: dict[str, Any], why: str) -> None:
    """Where the state does not say it."""
    assert process_rows([process(**said)])[1][-1] == why


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        ({"code": 3, "signal": None}, "exit 3"),
        ({"code": None, "signal": 9}, "signal 9"),
        ({"code": None, "signal": None}, "exit unknown"),
    ],
)
def test_how_a_process_ended(ended: dict[str, int | None], text: str) -> None:
    """By itself, by a signal, or nobody knows."""
    assert exit_text(ended) == text


def test_how_a_template_does() -> None:
    """Those that run, and each that does not; what is run once and others' do not count."""
    others = [process(index=None, state="fatal"), process(name="db", state="fatal")]
    assert summary(template(), [process(), BACKOFF, *others]) == (
        "1 of 2 running; web.2: backoff (it exited with 1, again in 4 s)"
    )
    assert summary(template(wanted=False), [process(state="stopped")]) == "stopped"
    assert summary(template(wanted=False), [process(state="stopping")]) == "0 of 1 running; web.1: stopping"
    assert summary(template(numprocesses=0), []) == "0 of 0 running"
    lost = process(connected=False)
    assert summary(template(), [lost]) == "1 of 1 running; web.1: running (connection lost)"


def test_how_a_large_template_does() -> None:
    """Those in one state are told together, and not all of them."""
    starting = [process(state="starting", index=index) for index in range(1, 300)]
    backoff = [process(state="backoff", index=400 + index, retry_in=index) for index in range(20)]
    told = summary(template(), [process(), *starting, *backoff])
    head, *states, last = told.split("; ")
    assert head == "1 of 320 running"
    assert states[0] == "web.2, web.3, web.4, web.5 and 295 more: starting"
    assert states[1] == "web.401: backoff (again in 0 s)"
    assert (len(states), last) == (8, "13 more states")


def test_the_rows_of_templates() -> None:
    """One for each."""
    answer = {"templates": [template()], "processes": [process()]}
    assert template_rows(answer) == [["web", "1 of 1 running"]]


def test_what_does_not_run() -> None:
    """Also what nobody is connected to; what is run once does not count."""
    lost, once = process(connected=False), process(state="stopping", index=None)
    assert not_running({"processes": [process(), BACKOFF, lost, once]}) == [BACKOFF, lost]


def test_what_should_run_and_does_not() -> None:
    """A template that nobody has started yet should not, nor one that has done its work."""
    done = process(state="exited", last_exit={"code": 0, "signal": None})
    failed = process(state="exited", last_exit={"code": 3, "signal": None})
    other = process(name="db", state="stopped")
    answer = {
        "templates": [template(), template(name="db", wanted=False, autostart=False)],
        "processes": [process(), BACKOFF, done, failed, other],
    }
    assert at_fault(answer) == [BACKOFF, failed]


def test_a_table() -> None:
    """Columns are as wide as they must be, lines have no blanks at their ends."""
    assert table([["a", "bb", ""], ["ccc", "d", "long text"]]) == ["a    bb", "ccc  d   long text"]
    assert table([]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (3599, "59m59s"),
        (7260, "2h01m"),
        (93600, "1d02h"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    """Two units are enough."""
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 << 30, "3.0 GiB"), (5 << 50, "5120.0 TiB")],
)
def test_sizes(count: int, text: str) -> None:
    """In units of 1024."""
    assert size(count) == text
