"""What values may be, and how they are written."""

from __future__ import annotations

import datetime
import math
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from asynctask.cli.settings.kinds import (
    COUNT,
    SECONDS,
    SHARE,
    STOP,
    SWITCH,
    TEXT,
    WAIT,
    Kind,
    choice,
    shown,
    whole,
    written,
)

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

COLOR = choice("auto", "never")


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        (COUNT, 0, 0),
        (whole(1, 3), 3, 3),
        (SECONDS, 10, 10.0),
        (SECONDS, 0, math.inf),
        (SECONDS, "5m", 300.0),
        (SECONDS, "0s", math.inf),
        (SECONDS, math.inf, math.inf),
        (WAIT, 0, 0.0),
        (WAIT, 0.5, 0.5),
        (SWITCH, False, False),
        (TEXT, "a b", "a b"),
        (COLOR, "never", "never"),
        (STOP, "soon,fail=10%", "soon,fail=10%"),
        (STOP, "never", "never"),
        (SHARE, "10%", "10%"),
        (SHARE, 5, "5"),
    ],
)
def test_a_value_is_checked(kind: Kind, value: Any, meant: Any) -> None:
    """What fits is taken as a request has it."""
    found = kind.check(value)

    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (COUNT, -1),
        (COUNT, True),
        (COUNT, 1.0),
        (COUNT, "1"),
        (whole(1, 3), 4),
        (SECONDS, -0.5),
        (SECONDS, math.nan),
        (SECONDS, True),
        (SECONDS, "soon"),
        pytest.param(SECONDS, 10**400, id="enormous"),
        (WAIT, None),
        (WAIT, math.inf),
        (SWITCH, 1),
        (SWITCH, "yes"),
        (TEXT, 3),
        (TEXT, "a\0b"),
        (COLOR, "blue"),
        (COLOR, ["auto"]),
        (STOP, "now"),
        (STOP, 3),
        (SHARE, "0"),
        (SHARE, "101%"),
        (SHARE, True),
        (SHARE, 0),
    ],
)
def test_a_value_that_does_not_fit(kind: Kind, value: Any) -> None:
    """Is an error, also if it is of a type that Python takes for another."""
    assert not _fits(kind.check, value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (COUNT, "7", 7),
        (SECONDS, "1.5", 1.5),
        (SECONDS, "2h", 7200.0),
        (SWITCH, "Yes", True),
        (SWITCH, "on", True),
        (SWITCH, "0", False),
        (SWITCH, "FALSE", False),
        (COLOR, "auto", "auto"),
    ],
)
def test_text_is_read(kind: Kind, text: str, value: Any) -> None:
    """As clush.conf has it."""
    assert kind.parse(text) == value


@pytest.mark.parametrize(("kind", "text"), [(COUNT, "many"), (SECONDS, ""), (SWITCH, "maybe")])
def test_text_that_is_none_of_the_kind(kind: Kind, text: str) -> None:
    """Is an error."""
    assert not _fits(kind.parse, text)


def _fits(read: Callable[[Any], object], value: Any) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (64, "64"),
        (math.inf, "0"),
        (15.0, "15"),
        (0.5, "0.5"),
        (1e6, "1000000"),
        ("", '""'),
        ('a"b\n', '"a\\"b\\n"'),
        ("ü\x7f", '"ü\\u007f"'),
    ],
)
def test_written(value: object, text: str) -> None:
    """As a TOML file has it."""
    assert written(value) == text
    assert value is None or value == math.inf or tomllib.loads(f"a = {text}")["a"] == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        ([1], "[1]"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        ("x" * 99, '"' + "x" * 58 + "…"),
    ],
)
def test_shown_in_a_message(value: object, text: str) -> None:
    """Whatever a file may have; not at any length."""
    assert shown(value) == text
