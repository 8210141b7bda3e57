"""Where the keys of a TOML text stand: the parser of the standard library does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence

__all__ = ("line_of", "places_of")

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*""")
_STRING = re.compile(
    r"""
    \"{3} (?: [^\\] | \\. )*? \"{3} (?!\")
    | '{3} .*? '{3} (?!')
    | " (?: [^"\\\n] | \\. )* "
    | ' [^'\n]* '
    """,
    re.DOTALL | re.VERBOSE,
)
_OTHER = re.compile(r"[^\[\]{}\"'#\n]+")
_COMMENT = re.compile(r"#[^\n]*")
_OPEN = re.compile(r"\[*")
_LINE = re.compile(r"[^\n]*")

Path = tuple[str, ...]


def places_of(text: str) -> dict[Path, int]:
    """The line, from 1, of each table and key that is written out; of those in inline tables there is none.

    Args:
        text: TOML, which the parser has found to be right.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    at, line, counted = 0, 1, 0
    while (at := _skip(_BLANK, text, at)) < len(text):
        line, counted = line + text.count("\n", counted, at), at
        is_table = text[at] == "["
        path, at = _path(text, _skip(_OPEN, text, at))
        if not path:
            break  # nothing that the parser lets through
        if is_table:
            table = ()
        for depth in range(1, len(path) + 1):
            found.setdefault((*table, *path[:depth]), line)
        table = path if is_table else table
        at = _skip(_LINE, text, at) if is_table else _after_value(text, at)
    return found


def line_of(places: Mapping[Path, int], path: Sequence[str]) -> int | None:
    """The line of a key, or of what it is in; ``None``: neither is to be found."""
    for length in range(len(path), 0, -1):
        if (line := places.get(tuple(path[:length]))) is not None:
            return line
    return None


def _skip(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _path(text: str, at: int) -> tuple[Path, int]:
    """The parts of a key, and where it ends."""
    parts: list[str] = []
    while (found := _KEY.match(text, at)) is not None:
        name, at = found[1], found.end()
        parts.append(tomllib.loads(f"name = {name}")["name"] if name[0] in "\"'" else name)
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), at


def _after_value(text: str, at: int) -> int:
    """Where the line ends in which a value does."""
    depth = 0
    while at < len(text):
        char = text[at]
        if char == "\n" and not depth:
            break
        depth += (char in "[{") - (char in "]}")
        for pattern in (_STRING, _COMMENT, _OTHER):
            if (found := pattern.match(text, at)) is not None:
                at = found.end()
                break
        else:
            at += 1
    return at
