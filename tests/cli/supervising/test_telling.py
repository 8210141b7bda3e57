"""Events in words."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.supervising.telling import ended, told

pytestmark = pytest.mark.one_loop("nothing waits")


@pytest.mark.parametrize(
    ("event", "message", "text"),
    [
        ("spawn", {}, "web.1 started (pid 7)"),
        ("ready", {}, "web.1 is ready"),
        ("exit", {"exit_code": 3, "term_signal": None}, "web.1 exited with code 3"),
        ("exit", {"exit_code": None, "term_signal": 15}, "web.1 ended by SIGTERM"),
        (
            "backoff",
            {"reason": "no such program", "retry_in": 1.04},
            "web.1 failed to start: no such program; it is started again in 1.0 s",
        ),
        (
            "flap",
            {"reason": "it exited with 1", "retry_in": 7.0},
            "web.1 ends again and again: it exited with 1; it is started again in 7.0 s",
        ),
        ("flap", {"reason": "x", "retry_in": None}, "web.1 ends again and again: x"),
        ("fatal", {"reason": "no such program"}, "web.1 is given up: no such program"),
        ("lost", {"reason": "reset"}, "web.1: the connection is lost: reset; the process may go on"),
        ("lost", {"reason": "connection lost"}, "web.1: the connection is lost; the process may go on"),
        ("found", {}, "web.1 is found again, and still runs"),
        ("warning", {"text": "disk full"}, "web.1: disk full"),
        ("reap", {}, None),
        ("stop_pid", {}, None),
    ],
)
def test_events(event: str, message: dict[str, Any], text: str | None) -> None:
    """Each in one line, or not at all."""
    assert told(event, message, "web.1", os_pid=7) == text


def test_a_process_without_a_number() -> None:
    """It was gone before anybody could ask."""
    assert told("spawn", {}, "web#3") == "web#3 started"


@pytest.mark.parametrize(
    ("code", "number", "text"),
    [
        (None, None, "ended, nobody knows how"),
        (0, None, "exited with code 0"),
        (None, 9, "ended by SIGKILL"),
        (None, 40, "ended by signal 40"),
    ],
)
def test_ends(code: int | None, number: int | None, text: str) -> None:
    """Also those that have no name."""
    assert ended(code, number) == text
