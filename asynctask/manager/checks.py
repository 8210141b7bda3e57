"""Checks of the values in a template. Each returns the value as it is kept, or says what is wrong with it."""

from __future__ import annotations

import math
import re
import resource
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Final

from asynctask.errors import TemplateError, UsageError
from asynctask.workers.arguments import check_env, fault_of

__all__ = (
    "MISSING",
    "OWN_PORT",
    "FieldError",
    "address",
    "choice",
    "dotted",
    "environment",
    "flag",
    "limits",
    "name",
    "nearest",
    "needed",
    "number",
    "pattern",
    "probe",
    "probe_address",
    "seconds",
    "text",
    "texts",
    "whole",
)

MISSING: Final = object()
#: Stands for the ``PORT`` of a process.
OWN_PORT: Final = "$PORT"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_LONGEST_NAME = 100
#: The longest time that makes sense, in seconds: thirty years.
_LONGEST = 1e9
_MOST_SHOWN = 60
_OWN = re.compile(r"(?:(.*):)?\$(?:PORT|\{PORT\})")
_HOST = re.compile(r"\[[0-9A-Fa-f:.%\w]+\]|[^\s:$\[\]/]+")
#: What the manager itself tells each process.
RESERVED = ("ASYNCTASK_NAME", "ASYNCTASK_INDEX")
RESOURCES: Final = tuple(
    sorted(each.removeprefix("RLIMIT_").lower() for each in dir(resource) if each.startswith("RLIMIT_"))
)


class FieldError(TemplateError):
    """A field of a template that can never work.

    Args:
        path: the field, and the field in it.
        reason: what is wrong, and what to do.
        value: what it is, if it may be shown.
        where: what the field belongs to.
    """

    def __init__(self, path: Sequence[str], reason: str, value: object = MISSING, where: str = "") -> None:
        super().__init__(path, reason, where)
        self.path = tuple(path)
        self.reason = reason
        self.value = value
        self.where = where

    def __str__(self) -> str:
        shown = "" if self.value is MISSING else f" {_short(self.value)}"
        field = f"{dotted(self.path)}{shown}: " if self.path else ""
        return f"{self.where}{': ' if self.where else ''}{field}{self.reason}"

    def inside(self, where: str, *path: str, instead: int = 0) -> FieldError:
        """The same, seen from outside.

        Args:
            where: what the field belongs to.
            path: goes before its path,
            instead: and stands for so many parts of that.
        """
        return FieldError((*path, *self.path[instead:]), self.reason, self.value, where)


def dotted(path: Sequence[str]) -> str:
    """A path as one writes it; what is not to be printed is made visible."""
    return ".".join(each if each.isprintable() else repr(each) for each in path)


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[: _MOST_SHOWN - 1]}…"


def nearest(wrong: object, known: Collection[str]) -> str:
    """A hint at the word that may have been meant, if there is one."""
    close = get_close_matches(str(wrong), list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def needed(path: Sequence[str], what: str, value: object) -> FieldError:
    """The error for a value of another kind."""
    kinds = {bool: "true or false", str: "text", int: "a number", float: "a number", list: "a list"}
    kinds |= {dict: "a table", type(None): "nothing"}
    return FieldError(path, f"{what} is needed, not {kinds.get(type(value), type(value).__name__)}")


def text(path: Sequence[str], value: object) -> str:
    """Text that is not empty."""
    if not isinstance(value, str):
        raise needed(path, "text", value)
    if not value.strip():
        raise FieldError(path, "it is empty")
    return _possible(path, value)


def _possible(path: Sequence[str], value: str) -> str:
    if (fault := fault_of(value)) is not None:
        raise FieldError(path, fault)
    return value


def texts(path: Sequence[str], value: object) -> tuple[str, ...]:
    """Several texts, which may be empty."""
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise needed(path, "a list of texts", value)
    found = tuple(value)
    for each in found:
        if not isinstance(each, str):
            raise needed(path, "a list of texts", each)
        _possible(path, each)
    return found


def name(path: Sequence[str], value: object) -> str:
    """A name, which is a part of topics and paths."""
    found = text(path, value)
    if not _NAME.fullmatch(found):
        raise FieldError(path, "a name has letters, digits, _ and -, and does not begin with -", found)
    if len(found) > _LONGEST_NAME:
        raise FieldError(path, f"a name has {_LONGEST_NAME} characters at most", found)
    return found


def flag(path: Sequence[str], value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise needed(path, "true or false", value)
    return value


def whole(path: Sequence[str], value: object, least: int | None = None, most: int | None = None) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise needed(path, "a whole number", value)
    if least is not None and value < least:
        raise FieldError(path, f"{least} or more is needed", value)
    if most is not None and value > most:
        raise FieldError(path, f"{most} or less is needed", value)
    return value


def number(path: Sequence[str], value: object, least: float, most: float = math.inf) -> float:
    """A number that is finite."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise needed(path, "a number", value)
    if not least <= value <= most or math.isinf(value):
        bounds = f"{least:g} or more" if math.isinf(most) else f"a number from {least:g} to {most:g}"
        raise FieldError(path, f"{bounds} is needed", value)
    return value


def seconds(path: Sequence[str], value: object, *, more_than_0: bool = False) -> float:
    """A time."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise needed(path, "a number of seconds", value)
    if not 0 <= value <= _LONGEST or (more_than_0 and not value):
        least = "more than 0" if more_than_0 else "0 or more"
        raise FieldError(path, f"{least} seconds are needed, and thirty years at most", value)
    return value


def choice(path: Sequence[str], value: object, choices: Sequence[str]) -> str:
    """One of several words."""
    if not isinstance(value, str) or value not in choices:
        reason = f"one of {', '.join(choices)} is needed{nearest(value, choices)}"
        raise FieldError(path, reason, value)
    return value


def environment(path: Sequence[str], value: object) -> Mapping[str, str]:
    """Variables. Their values are in no message."""
    if not isinstance(value, Mapping):
        raise needed(path, "a table of variables", value)
    found: dict[str, str] = {}
    for each, one in value.items():
        try:
            found |= check_env({each: one}) or {}
        except UsageError as exc:
            reason = str(exc).removeprefix("env: ").removeprefix(f"{each}: ")
            raise FieldError((*path, str(each)), reason) from exc
        if each in RESERVED:
            raise FieldError((*path, each), "the manager sets it")
    return MappingProxyType(found)


def limits(path: Sequence[str], value: object) -> Mapping[str, int | tuple[int, int]]:
    """Resource limits."""
    if not isinstance(value, Mapping):
        raise needed(path, "a table of limits", value)
    found: dict[str, int | tuple[int, int]] = {}
    for key, limit in value.items():
        if key not in RESOURCES:
            raise FieldError(path, f"there is no limit {key!r}{nearest(key, RESOURCES)}")
        found[key] = _limit((*path, key), limit)
    return MappingProxyType(found)


def _limit(path: Sequence[str], limit: Any) -> int | tuple[int, int]:
    if isinstance(limit, int):
        return whole(path, limit, -1)
    if not isinstance(limit, Sequence) or isinstance(limit, str | bytes) or len(limit) != 2:
        raise needed(path, "a number, or soft and hard,", limit)
    soft, hard = (whole(path, each, -1) for each in limit)
    if hard != -1 and (soft == -1 or soft > hard):
        raise FieldError(path, "the soft limit, which comes first, is more than the hard one", (soft, hard))
    return soft, hard


def address(path: Sequence[str], value: object) -> str:
    """``"port"`` or ``"host:port"``; the host may be an IPv6 address in brackets."""
    found = str(value) if isinstance(value, int) and not isinstance(value, bool) else text(path, value)
    host, colon, port = found.rpartition(":")
    good = port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536
    if not good or (colon and not _HOST.fullmatch(host)):
        raise FieldError(path, 'a port from 1 to 65535 is needed, or "host:port"', found)
    return found


def probe_address(path: Sequence[str], value: object) -> str:
    """An address to look at; the port may be ``$PORT``, which is the process's own."""
    own = _OWN.fullmatch(value) if isinstance(value, str) else None
    if own is None:
        return address(path, value)
    if own[1] is None:
        return OWN_PORT
    if not _HOST.fullmatch(own[1]):
        raise FieldError(path, f'{OWN_PORT} or "host:{OWN_PORT}" is needed', value)
    return f"{own[1]}:{OWN_PORT}"


def pattern(path: Sequence[str], value: object) -> str:
    """A regular expression."""
    found = text(path, value)
    try:
        re.compile(found)
    except (re.error, RecursionError, OverflowError) as exc:
        raise FieldError(path, f"this is no regular expression: {exc}", found) from exc
    return found


def probe(path: Sequence[str], value: object) -> str | tuple[str, ...]:
    """A command that is run to look at a process."""
    if isinstance(value, str):
        return text(path, value)
    words = texts(path, value)
    if not words or not words[0].strip():
        raise FieldError(path, "it is empty")
    return words
