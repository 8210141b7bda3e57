"""Tests of asynctask.rules.letters."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asynctask.errors import ConnectionFailedError
from asynctask.outcome import NodeResult, Outcome
from asynctask.rules.happening import Happening
from asynctask.rules.letters import DeadLetters, Letter
from tests.rules.support import happening
from tests.support import node_result


def _letter(**settings: object) -> Letter:
    return Letter(**{"rule": "r", "batch": [happening("\udcff")], "attempts": 2, "reason": "why", **settings})  # type: ignore[arg-type]


def _failed(node: str, outcome: Outcome, rc: int | None = None) -> NodeResult:
    return node_result(node, outcome, rc)


def test_what_is_in_a_letter() -> None:
    """When, what, how often, how each node ended and what it printed last."""
    failed = [_failed("a", Outcome.FAILED, 3), _failed("b", Outcome.TIMED_OUT)]

    line = _letter(failed=failed, output={"a": b"no \xff\n"}).line(datetime(2024, 5, 1, tzinfo=UTC))

    assert line.endswith(b"}\n")
    assert line.isascii()
    assert json.loads(line) == {
        "time": "2024-05-01T00:00:00.000+00:00",
        "rule": "r",
        "events": [{"topic": "poller.inbox.created", "event": "created", "url": "file:///inbox/%FF"}],
        "more_events": 0,
        "attempts": 2,
        "reason": "why",
        "nodes": {
            "a": {"outcome": "failed", "rc": 3, "error": "", "output": "no \ufffd\n"},
            "b": {"outcome": "timed out", "rc": None, "error": "", "output": ""},
        },
    }


def test_a_letter_is_bounded() -> None:
    """However large the batch."""
    record = json.loads(_letter(batch=[Happening(topic="t")] * 1234).line(datetime.now(UTC)))
    assert (len(record["events"]), record["more_events"]) == (1000, 234)


async def test_letters_are_added_to_a_file(tmp_path: Path) -> None:
    """A line each."""
    letters = DeadLetters(tmp_path / "dead")
    await letters.add(_letter(reason="1"))
    await letters.add(_letter(reason="2"))
    lines = (tmp_path / "dead").read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["1", "2"]
    assert (letters.written, letters.lost) == (2, 0)


async def test_without_a_file_the_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    """As it has with one."""
    await DeadLetters(None).add(_letter())
    assert caplog.messages == ["rule r: gave up on file:///inbox/%FF: why"]


async def test_a_file_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, until it is well again, and stops nothing."""
    caplog.set_level(logging.ERROR)
    path = tmp_path / "none" / "dead"
    letters = DeadLetters(path)
    complaint = f"dead letters: {path} cannot be written: No such file or directory"
    complaint += "; what failed does not count as handled"
    for _ in range(2):
        assert not await letters.add(_letter())
    assert (caplog.messages, letters.lost) == ([complaint], 2)
    path.parent.mkdir()
    assert await letters.add(_letter())
    path.unlink()
    path.parent.rmdir()
    await letters.add(_letter())
    assert (caplog.messages, letters.written) == ([complaint] * 2, 1)


def test_an_error_is_told_in_words() -> None:
    """Why there is no exit status."""
    error = ConnectionFailedError("a", "no route")
    failed = NodeResult("a", Outcome.UNREACHABLE, None, None, error, _failed("a", Outcome.OK).times)
    assert json.loads(_letter(failed=[failed]).line(datetime.now(UTC)))["nodes"]["a"]["error"] == "no route"
