"""Output as it is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asynctask.cli.controlling import following
from asynctask.cli.controlling.following import Look, follow_output
from asynctask.manager.control.client import ManagerEndedError
from tests.cli.controlling.fakes import FakeClient

pytestmark = pytest.mark.one_loop("pure functions")

PLAIN = Look(timestamps=False, label=True, color="auto", as_json=False)
JSON = Look(timestamps=False, label=True, color="auto", as_json=True)


def line(text: str, **said: Any) -> dict[str, Any]:
    """A line as a manager tells of it."""
    return {
        "name": "web",
        "index": 0,
        "node": None,
        "pid": 1,
        "stream": "stdout",
        "time": 1.5,
        "line": text,
        **said,
    }


def shown(look: Look, *items: Any, capfdbinary: pytest.CaptureFixture[bytes]) -> tuple[bytes, bytes]:
    """What goes to the two streams."""
    follow_output(FakeClient(items=items).client, {}, look)
    return capfdbinary.readouterr()


def test_lines_that_are_missing(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The user is told, once a second at most; as JSON they are an object in their place."""
    gaps = [{"missed": 3}, line("b"), {"missed": 4}, {"missed": 5}]
    out, err = shown(PLAIN, line("a"), *gaps, capfdbinary=capfdbinary)
    assert out == b"web.1  | a\nweb.1  | b\n"
    assert err == (
        b"asynctask: 3 lines are missing: they came faster than they were read\n"
        b"asynctask: 9 lines are missing: they came faster than they were read\n"
    )
    out, _ = shown(JSON, {"missed": 3}, capfdbinary=capfdbinary)
    assert json.loads(out) == {"missed": 3}


def test_a_manager_that_ends(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """What came before is shown, and that it has ended."""
    out, err = shown(PLAIN, line("a"), ManagerEndedError("gone"), capfdbinary=capfdbinary)
    assert (out, err) == (b"web.1  | a\n", b"asynctask: the manager has ended\n")


def test_bytes_are_as_they_were(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Where no terminal is."""
    out, _ = shown(PLAIN, line("\ufffd", line_base64="/w=="), line("\x1b[2J"), capfdbinary=capfdbinary)
    assert out == b"web.1  | \xff\nweb.1  | \x1b[2J\n"


def test_a_terminal_is_not_driven(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters are written out there, but for colours if there are any."""
    monkeypatch.setattr(following, "is_terminal", lambda _: True)
    for look, text in (("never", b"^[[2J^[[31mred"), ("always", b"^[[2J\x1b[31mred\x1b[0m")):
        item = line("\x1b[2J\x1b[31mred")
        out, _ = shown(Look(False, False, look, False), item, capfdbinary=capfdbinary)
        assert out == text + b"\n"


def test_what_has_come_is_written_before_more_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """And many lines in one piece, while there are more."""
    pieces: list[int] = []

    def write(waiting: list[bytes]) -> None:
        pieces.append(len(waiting))
        waiting.clear()

    monkeypatch.setattr(following, "_write", write)
    client = FakeClient(items=[line("a"), line("b")])
    follow_output(client.client, {}, PLAIN)
    client.has_more = True
    client.items = [line("x" * 40_000)] * 3
    follow_output(client.client, {}, PLAIN)
    assert pieces == [1, 1, 0, 2, 1]
