"""Tests of asynctask.dispatch.event."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from asynctask.dispatch import ErrorEvent, Event, PrintEventHandler
from asynctask.dispatch.event import shown


class Odd:
    """Cannot be shown."""

    def __repr__(self) -> str:
        raise ValueError("no")


def test_an_event_keeps_its_three_references() -> None:
    """The very objects, whatever they are."""
    originator, handler, data = object(), PrintEventHandler(), [1]
    event = Event(originator, handler, data)
    assert event.originator is originator
    assert event.handler is handler
    assert event.data is data
    assert Event(originator, handler, None).data is None


def test_timestamps_never_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when the clock of the machine does; the wall time does so then."""
    stamps = [Event(None, None).timestamp for _ in range(100)]
    assert all(before <= after for before, after in pairwise(stamps))
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    event = Event(None, None)
    assert event.wall_time == 1000.0
    assert event.timestamp >= stamps[-1]


def test_an_event_as_text_tells_all_three() -> None:
    """And when it was made."""
    event = Event("door", PrintEventHandler(), {"open": True})
    event.wall_time = 0.0
    moment, _, text = str(event).partition(" ")
    assert moment[:4] in {"1969", "1970"}
    assert text == "from 'door' for PrintEventHandler(file='stdout'): {'open': True}"
    assert repr(event) == f"<Event {text}>"


def test_odd_data_does_not_fail_the_text() -> None:
    """It is named by its type."""
    assert str(Event(Odd(), Odd(), Odd())).endswith(
        "from <Odd that cannot be shown> for <Odd that cannot be shown>: <Odd that cannot be shown>"
    )


def test_an_event_that_holds_itself_has_a_text() -> None:
    """It ends."""
    event = Event("a", "b")
    event.data = [event]
    assert str(event).endswith("from 'a' for 'b': [<Event ...>]")


def test_an_error_event_holds_what_was_raised_and_the_event() -> None:
    """As a pair, and by name."""
    error, event = ValueError("x"), Event("a", "b", 1)
    errors = ErrorEvent("c", None, error, event)
    assert errors.data == (error, event)
    assert (errors.error, errors.event) == (error, event)
    assert "ValueError('x'), <Event from 'a' for 'b': 1>" in str(errors)


@pytest.mark.parametrize(
    ("thing", "text"),
    [(1, "1"), ("a\x1b[m", r"'a\x1b[m'"), (b"a", "b'a'"), (Odd(), "<Odd that cannot be shown>")],
)
def test_shown(thing: object, text: str) -> None:
    """Text is quoted, so that it drives no terminal."""
    assert shown(thing) == text
