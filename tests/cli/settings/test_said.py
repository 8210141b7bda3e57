"""Values as they are found."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.settings.keys import KEYS
from asynctask.cli.settings.said import Said, understood
from asynctask.errors import UsageError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("name", "said", "meant"),
    [
        ("fanout", Said(7, "file"), 7),
        ("fanout", Said("7", "file", is_text=True), 7),
        ("maxrc", Said("yes", "file", is_text=True), True),
        ("ssh_user", Said("7", "file", is_text=True), "7"),
    ],
)
def test_a_value_is_understood(name: str, said: Said, meant: Any) -> None:
    """Of its type, or as text."""
    assert understood(KEYS[name], said) == meant


@pytest.mark.parametrize(
    ("name", "meant"), [("color", "auto"), ("ssh_user", None), ("connect_timeout", None), ("worker", "ssh")]
)
@pytest.mark.parametrize("is_text", [True, False])
def test_empty_text_is_the_default(name: str, meant: Any, is_text: bool) -> None:
    """So that one file can take back what another has set."""
    assert understood(KEYS[name], Said("", "file", is_text=is_text)) == meant


@pytest.mark.parametrize(
    ("name", "said", "message"),
    [
        ("fanout", Said("7", "file"), 'file: fanout = "7"; it takes a whole number from 1'),
        ("fanout", Said("", "file", is_text=True), 'file: fanout = ""; it takes a whole number from 1'),
        (
            "color",
            Said("blue", "f, mode m"),
            'f, mode m: color = "blue"; it takes one of auto, always, never',
        ),
    ],
)
def test_a_value_that_makes_no_sense(name: str, said: Said, message: str) -> None:
    """The error has all that is needed to mend it."""
    with pytest.raises(UsageError) as error:
        understood(KEYS[name], said)

    assert str(error.value) == message


def test_a_better_place() -> None:
    """One that knows the line may say so."""
    with pytest.raises(UsageError, match=r"^file:3: fanout"):
        understood(KEYS["fanout"], Said(0, "file"), "file:3")
