"""Reads ``.env`` files: variables, one a line.

A value is taken as it is: nothing in it is replaced. No message shows one, for it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from asynctask.manager.checks import RESERVED
from asynctask.manager.files.text import at, text_of

__all__ = ("parse_dotenv", "read_dotenv")

_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_START = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPE = re.compile(r'\\([nrt"\\$])')
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def read_dotenv(paths: Iterable[Path]) -> dict[str, str]:
    """The variables of several files; where two have one, the later file counts. It blocks.

    Raises:
        TemplateError: one cannot be read, or has a line that makes no sense.
    """
    found: dict[str, str] = {}
    for path in paths:
        found |= parse_dotenv(text_of(path), str(path))
    return found


def parse_dotenv(text: str, source: str = ".env") -> dict[str, str]:
    r"""The variables of a text; the last one of a name counts.

    ``NAME=value``, with or without ``export``; ``# comment``. A value may stand in single quotes, where all
    is as it is, or in double quotes, where ``\n``, ``\r``, ``\t``, ``\"``, ``\$`` and a double backslash
    are replaced; both may go over several lines.

    Args:
        text: what is in the file.
        source: what it is called in messages.

    Raises:
        TemplateError: a line makes no sense; the message has its number.
    """
    text = text.replace("\r\n", "\n")
    found: dict[str, str] = {}
    here, line, counted = 0, 1, 0
    while here < len(text):
        if nothing := _NOTHING.match(text, here):
            here = nothing.end()
            continue
        line, counted = line + text.count("\n", counted, here), here
        start = _START.match(text, here)
        if start is None:
            raise at(source, line, "a line is NAME=value; a name has ASCII letters, digits and _")
        name = start[1]
        if name in RESERVED:
            raise at(source, line, f"{name}: the manager sets it")
        found[name], here = _value(text, start.end(), f"{source}:{line}: {name}")
    return found


def _value(text: str, begin: int, where: str) -> tuple[str, int]:
    """The value that begins there, and where the next line begins."""
    quote = text[begin : begin + 1]
    if quote in ("'", '"'):
        quoted = (_SINGLE if quote == "'" else _DOUBLE).match(text, begin)
        if quoted is None:
            raise at(where, None, f"a quotation mark {quote} is not closed")
        rest = _NOTHING.match(text, quoted.end())
        if rest is None:
            raise at(where, None, "something comes after the closing quotation mark")
        value, end = quoted[1], rest.end()
        if quote == '"':
            value = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value)
    else:
        bare = _BARE.match(text, begin)
        assert bare is not None
        value, end = _COMMENT.sub("", bare[0]).strip(), bare.end() + 1
    if "\0" in value:
        raise at(where, None, "a value cannot hold a NUL character")
    return value, end
