"""What the values of keys may be, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = (
    "COUNT",
    "SECONDS",
    "SHARE",
    "STOP",
    "SWITCH",
    "TEXT",
    "WAIT",
    "Kind",
    "choice",
    "shown",
    "whole",
    "written",
)

_SWITCHES = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False}
_SWITCHES["0"] = False
#: Characters of a value in a message.
_MOST_SHOWN = 60


class Kind(NamedTuple):
    """A kind of values.

    Args:
        expected: what is expected, in words.
        parse: makes of text what a TOML file would hold. Raises ``ValueError``.
        check: makes of that what a request has. Raises ``ValueError``.
    """

    expected: str
    parse: Callable[[str], Any]
    check: Callable[[Any], Any]


def whole(least: int, most: float = math.inf) -> Kind:
    """Whole numbers."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError
        return value

    expected = f"a whole number from {least}" + ("" if most == math.inf else f" to {most}")
    return Kind(expected, int, check)


def choice(*words: str) -> Kind:
    """One of some words."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return Kind(f"one of {', '.join(words)}", str, check)


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:  # nan is not
        raise ValueError
    try:
        return float(value)
    except OverflowError as exc:
        raise ValueError from exc


def _wait(value: Any) -> float:
    seconds = _number(value)
    if seconds == math.inf:
        raise ValueError
    return seconds


def _time(value: Any) -> float:
    if not isinstance(value, str):
        return _number(value)
    try:
        return float(value)
    except ValueError:
        from asynctask.errors import UsageError
        from asynctask.rules.limits import seconds_of

        try:
            return seconds_of(value)
        except UsageError as exc:
            raise ValueError from exc


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _parse_switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise ValueError
    return _SWITCHES[text.lower()]


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def _stop(value: Any) -> str:
    from asynctask.cli.control.halting import Halt

    Halt.parse(_text(value))
    return str(value)


def _share(value: Any) -> str:
    from asynctask.cli.control.shares import Share

    text = str(COUNT.check(value)) if isinstance(value, int) else _text(value)
    Share.parse(text)
    return text


COUNT = whole(0)
SECONDS = Kind(
    'seconds, or "5m" and the like, or 0 for no limit', _time, lambda value: _time(value) or math.inf
)
WAIT = Kind("seconds", float, _wait)
SWITCH = Kind("true or false", _parse_switch, _switch)
TEXT = Kind("text", str, _text)
STOP = Kind('text such as "now,fail=1" or "soon,fail=10%"', str, _stop)
SHARE = Kind('a number such as 50, or a part such as "10%"', str, _share)


def written(value: object) -> str:
    """A value as a TOML file has it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value == math.inf:
            return "0"
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, str):
        import json

        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)


def shown(value: object) -> str:
    """A value in a message: as it was written, and not too long."""
    text = "inf" if value == math.inf else written(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 1]}…"
