"""Shows one run of the history."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.showing import show_run
from asynctask.outcome import Outcome
from tests.cli.past.support import end, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Capture = pytest.CaptureFixture[bytes]


@pytest.fixture(autouse=True)
def _recorded(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    recorded(
        history,
        end(0, out=output(b"6.1\n")),
        end(1, Outcome.FAILED, rc=3, err=output(b"oh\xff\n")),
        end(2, out=output(b"6.1\n")),
        targets=["web1", "web2", "web3", "web4"],
        status=3,
    )


def test_without_a_display_it_is_described(capfdbinary: Capture) -> None:
    """Nothing of the output is shown."""
    assert show_run("last", (), {}) == 0

    out = capfdbinary.readouterr().out
    assert out.startswith(b"run:      1\ncommand:  uname -r\n")
    assert b"  failed (rc 3): web2, 1.5 s\n" in out


@pytest.mark.parametrize(
    ("said", "out"),
    [
        ({"gather": True}, b"---------------\nweb[1,3] (2)\n---------------\n6.1\n"),
        ({"gather": True, "quiet": True}, b"---------------\nweb[1,3]\n---------------\n6.1\n"),
        ({"gather": True, "no_label": True}, b"6.1\n"),
        ({"outliers": "first"}, b"---------------\nweb[1,3] (2)\n---------------\n6.1\n"),
        ({"similar": True}, b"---------------\nweb[1,3] (2)\n---------------\n6.1\n"),
        ({"by_node": True}, b"web1: 6.1\nweb3: 6.1\n"),
        (
            {"diff": True, "no_label": True},
            b"--- web[1,3] (2)\n+++ web2\n@@ -1 +0,0 @@\n-6.1\n",
        ),
    ],
)
def test_output_as_when_it_ran(capfdbinary: Capture, said: dict[str, Any], out: bytes) -> None:
    """In any display; who did not end well is said after it."""
    assert show_run("1", (), said) == 0

    shown = capfdbinary.readouterr()
    assert shown.out == out
    assert b"oh\xff\n" in shown.err
    assert shown.err.endswith(b"asynctask: web2: failed with exit code 3\n")


def test_some_nodes(capfdbinary: Capture) -> None:
    """Of the others nothing is shown."""
    show_run("1", ("web[1-2]", "web2"), {"by_node": True})
    assert capfdbinary.readouterr().out == b"web1: 6.1\n"

    show_run("1", ("web4",), {})
    assert capfdbinary.readouterr().out.endswith(b"nodes:    web4\n  never started: web4\n")


def test_a_node_that_it_does_not_have() -> None:
    """It is named."""
    with pytest.raises(HistoryError, match=r"^run 1 has no node web9$"):
        show_run("1", ("web[1,9]",), {})


def test_json(capfdbinary: Capture) -> None:
    """As asynctask run --json has it, with the times of then."""
    show_run("1", (), {"json": True})

    *nodes, summary = map(json.loads, capfdbinary.readouterr().out.splitlines())
    assert [(node["node"], node["outcome"], node["rc"]) for node in nodes] == [
        ("web1", "ok", 0), ("web2", "failed", 3), ("web3", "ok", 0),
    ]  # fmt: skip
    assert nodes[0]["stdout"] == "6.1\n"
    assert nodes[0]["times"]["began"] == "2023-11-14T22:13:21.000000Z"
    assert (summary["type"], summary["command"], summary["status"]) == ("summary", "uname -r", 3)
    assert (summary["began"], summary["duration"]) == ("2023-11-14T22:13:20.000000Z", 3.0)
