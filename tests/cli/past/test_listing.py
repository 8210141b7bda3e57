"""Lists the runs of the history, and forgets old ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.listing import list_runs, prune_runs
from tests.cli.past.support import end, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Capture = pytest.CaptureFixture[bytes]


def test_the_newest_runs(history: Path, capfdbinary: Capture) -> None:
    """The newest comes last; a node set that nobody wrote down is made."""
    for _ in range(3):
        recorded(history, end(0), status=None)

    list_runs(2, as_json=False)

    lines = capfdbinary.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [b"id", b"2", b"3"]
    assert b"  web[1-2]  1 ok, 1 waiting  uname -r" in lines[2]


def test_as_json(history: Path, capfdbinary: Capture) -> None:
    """One object a line."""
    recorded(history, end(0))

    list_runs(2, as_json=True)

    (line,) = capfdbinary.readouterr().out.splitlines()
    run = json.loads(line)
    assert (run["id"], run["nodes"], run["outcomes"]) == (1, "web[1-2]", {"ok": 1, "waiting": 1})


def test_none(history: Path, capfdbinary: Capture) -> None:
    """There is nothing to list: no history, or none in it; JSON of nothing is nothing."""
    with pytest.raises(HistoryError, match="no runs are recorded yet"):
        list_runs(2, as_json=False)
    recorded(history)
    prune_runs(0, None)
    with pytest.raises(HistoryError, match="no runs are recorded yet"):
        list_runs(2, as_json=False)

    list_runs(2, as_json=True)
    assert capfdbinary.readouterr().out == b""


def test_runs_are_forgotten(history: Path, capfdbinary: Capture) -> None:
    """How many is said."""
    for _ in range(5):
        recorded(history)

    prune_runs(None, None)
    prune_runs(4, None)
    prune_runs(None, 3600.0)
    prune_runs(None, 3600.0)

    said = [line.decode() for line in capfdbinary.readouterr().err.splitlines()]
    assert said == [f"asynctask: forgot {what}" for what in ("no run", "1 run", "4 runs", "no run")]
