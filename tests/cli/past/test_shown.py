"""The history in words."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.reading import open_history, read_counts, read_runs
from asynctask.cli.past.records import Output, Run
from asynctask.cli.past.shown import described, details, plain_run, results_of, table
from asynctask.cli.request import Copying, Request
from asynctask.outcome import Outcome
from tests.cli.past.support import GONE, end, nodes_of, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are the same everywhere."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def runs_of(path: Path) -> list[Run]:
    """All that are on record."""
    with open_history(path) as history:
        return read_runs(history)


def tabled(path: Path, sets: dict[int, str], columns: int | None = None) -> list[str]:
    """The table of all runs."""
    with open_history(path) as history:
        return table(read_runs(history), read_counts(history, 1), sets, columns)


def test_the_table(history: Path) -> None:
    """The columns are as wide as they have to be."""
    recorded(history, end(0), end(1, Outcome.TIMED_OUT), status=3)
    recorded(history, end(0), status=None, command="long\ncommand")
    recorded(history, status=None, controller=Controller.me(), starts=[1])
    recorded(history, status=None, controller=replace(GONE, host="login2"))

    assert tabled(history, {1: "web[1-2]", 2: "a", 3: "b", 4: "c"}) == [
        "id  when              status      nodes     ended                 command",
        " 1  2023-11-14 22:13  3           web[1-2]  1 ok, 1 timed out     uname -r",
        " 2  2023-11-14 22:13  broken off  a         1 ok, 1 waiting       long^Jcommand",
        " 3  2023-11-14 22:13  running     b         1 started, 1 waiting  uname -r",
        " 4  2023-11-14 22:13  on login2   c         2 waiting             uname -r",
    ]


def test_a_table_for_a_narrow_screen(history: Path) -> None:
    """Long node sets and long commands are cut off."""
    recorded(history, end(0), end(1), command="x" * 100)

    _, line = tabled(history, {1: "n" * 100}, 80)

    assert line == f" 1  2023-11-14 22:13  0       {'n' * 29}…  2 ok   {'x' * 10}…"
    assert len(line) == 80


def test_a_run_as_json_has_it(history: Path) -> None:
    """Times are seconds since 1970."""
    recorded(history, status=3, retry_of=9, cwd="/srv")
    (run,) = runs_of(history)

    assert plain_run(run, {"ok": 2}, "web[1-2]") == {
        "v": 1,
        "type": "run",
        "id": 1,
        "retry_of": 9,
        "state": "ended",
        "status": 3,
        "began": 1_700_000_000.0,
        "ended": 1_700_000_003.0,
        "command": "uname -r",
        "nodes": "web[1-2]",
        "count": 2,
        "outcomes": {"ok": 2},
        "cwd": "/srv",
        "pid": 1,
        "host": GONE.host,
    }


def test_a_run_in_detail(history: Path) -> None:
    """Who ended how, and how long they took; the first and the last of each end."""
    recorded(
        history,
        end(0),
        end(1, ended=1_700_000_009.0),
        end(2, Outcome.FAILED, rc=3),
        end(3, Outcome.SIGNALLED, rc=137, signal=9),
        end(4, Outcome.UNREACHABLE, reason="no answer", began=None),
        end(5, Outcome.FAILED, rc=1),
        targets=[f"web{place}" for place in range(6)],
        status=3,
        retry_of=7,
        cwd="/srv",
    )
    (run,) = runs_of(history)

    assert list(details(run, nodes_of(history, 1))) == [
        "run:      1, a retry of 7",
        "command:  uname -r",
        "began:    2023-11-14 22:13:20",
        "ended:    2023-11-14 22:13:23, exit status 3",
        f"from:     /srv on {GONE.host}",
        "nodes:    web[0-5] (6)",
        "  ok: web[0-1] (2), 1.5 to 8.0 s",
        "  failed (rc 1): web5, 1.5 s",
        "  failed (rc 3): web2, 1.5 s",
        "  signalled (signal 9): web3, 1.5 s",
        "  unreachable (no answer): web4",
    ]


@pytest.mark.parametrize(
    ("controller", "ended", "ends"),
    [
        (
            GONE,
            "not on record, and process 1 is gone; asynctask resume 1 runs the 1 left",
            ["started, and not known how it ended: web2", "never started: web1"],
        ),
        (Controller.me(), f"not yet: process {os.getpid()}", ["started: web2", "waiting: web1"]),
        (
            replace(GONE, host="login2"),
            "not known here: process 1 on login2",
            ["started, and not known how it ended: web2", "never started: web1"],
        ),
    ],
)
def test_a_run_that_is_not_over(history: Path, controller: Controller, ended: str, ends: list[str]) -> None:
    """Whether it goes on, and what can be done."""
    recorded(history, status=None, controller=controller, starts=[1])
    (run,) = runs_of(history)

    lines = list(details(run, nodes_of(history, 1)))

    assert lines[3] == f"ended:    {ended}"
    assert sorted(lines[6:]) == sorted(f"  {end}" for end in ends)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"command": "a\nb"}, "a^Jb"),
        ({"command": "id", "prefix": "sudo -S"}, "sudo -S id"),
        ({"copying": Copying(sources=("a", "b"), dest="/etc")}, "copy a b to /etc"),
        ({"copying": Copying(sources=("a",))}, "copy a"),
        ({"copying": Copying(sources=("a",), dest="logs", back=True)}, "rcopy a to logs"),
    ],
)
def test_what_was_run(history: Path, fields: dict[str, Any], text: str) -> None:
    """On one line."""
    plain = Request(targets=(), **fields).plain()
    recorded(history, command=fields.get("command", ""), plain=plain)
    (run,) = runs_of(history)

    assert described(run) == text


def test_results_as_a_run_has_them(history: Path) -> None:
    """For displays; a node without an end has none."""
    number = recorded(
        history,
        end(0, out=output(b"a\n"), err=Output(b"", 5)),
        end(1, Outcome.HOST_KEY, reason="changed", hint="remove it"),
        targets=["web1", "web2", "web3"],
    )

    one, two = results_of(nodes_of(history, number))

    assert (one.node, one.outcome, one.rc, one.stdout) == ("web1", Outcome.OK, 0, b"a\n")
    assert one.stderr == b"[5 bytes were not kept]\n"
    assert one.times.duration == 1.5
    assert (two.outcome, str(two.error), two.stdout) == (Outcome.HOST_KEY, "web2: changed; remove it", b"")
