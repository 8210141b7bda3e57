"""Commands as words: split as a shell would, with the variables in them. Nothing is run here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from asynctask.errors import UsageError

__all__ = ("Variable", "Word", "filled", "split", "word")


@dataclass(frozen=True, slots=True)
class Variable:
    """Stands for the value of a variable."""

    name: str


#: One argument: text and variables, one after the other.
Word: TypeAlias = tuple["str | Variable", ...]

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_DOLLAR = re.compile(rf"\$(?:(?P<name>{_NAME})|\{{(?P<braced>[^}}]*)(?P<closed>\}}?)|(?P<dollar>\$)|)")
_BLANK = " \t\r\n"
_PLAIN = re.compile(r"""[^\s\\'"$|&;<>`]+|[^\S \t\r\n]""")
_QUOTED = re.compile(r'[^\\"$`]+')
_ASSIGNMENT = re.compile(rf"{_NAME}=")


def word(text: str) -> Word:
    """An argument: ``$NAME`` and ``${NAME}`` are variables, ``$$`` is a dollar sign, all else is itself.

    Raises:
        UsageError: a ``${`` has no end, or holds something else than a name.
    """
    parts: list[str | Variable] = []
    at = 0
    for found in _DOLLAR.finditer(text):
        parts += [text[at : found.start()], _variable(found)]
        at = found.end()
    return _joined([*parts, text[at:]])


def split(text: str) -> list[Word]:
    """The words of a command. What is in single quotes, or behind a backslash, is no variable.

    Raises:
        UsageError: a quotation mark is not closed, or it needs a shell.
    """
    words = [_joined(parts) for parts in _Splitter(text).words()]
    if words and isinstance(start := words[0][0], str) and _ASSIGNMENT.match(start):
        name = start.partition("=")[0]
        raise UsageError(f"it begins with {name}=, which needs a shell: set {name} in env, or shell = true")
    return words


def filled(parts: Word, values: Mapping[str, str]) -> str:
    """The text of a word.

    Raises:
        KeyError: a variable has no value.
    """
    return "".join(values[part.name] if isinstance(part, Variable) else part for part in parts)


class _Splitter:
    """Goes through a command from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def words(self) -> Iterator[list[str | Variable]]:
        word: list[str | Variable] | None = None
        while self._at < len(self._text):
            char = self._text[self._at]
            if char in _BLANK:
                self._at += 1
                if word is not None:
                    yield word
                word = None
            elif self._text.startswith("\\\n", self._at):
                self._at += 2  # the command goes on in the next line
            else:
                word = word or []
                word += self._piece(char)
        if word is not None:
            yield word

    def _piece(self, char: str) -> list[str | Variable]:
        """What comes next in a word."""
        if char == "'":
            return [self._until_quote()]
        if char == '"':
            return self._in_double_quotes()
        if char == "\\":
            return [self._escaped()]
        if char == "$":
            return [self._dollar()]
        plain = _PLAIN.match(self._text, self._at)
        if plain is None:
            raise UsageError(f"{char!r} needs a shell: put it into quotes, or set shell = true")
        self._at = plain.end()
        return [plain[0]]

    def _until_quote(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise UsageError("a quotation mark ' is not closed")
        text, self._at = self._text[self._at + 1 : end], end + 1
        return text

    def _in_double_quotes(self) -> list[str | Variable]:
        parts: list[str | Variable] = [""]
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == '"':
                self._at += 1
                return parts
            if char == "$":
                parts.append(self._dollar())
            elif char == "`":
                raise UsageError("'`' needs a shell: put it into single quotes, or set shell = true")
            elif char == "\\" and self._text[self._at + 1 : self._at + 2] in ("$", "`", '"', "\\", "\n"):
                escaped = self._escaped()
                parts.append("" if escaped == "\n" else escaped)
            elif char == "\\":
                parts.append(char)
                self._at += 1
            else:
                plain = _QUOTED.match(self._text, self._at)
                assert plain is not None
                parts.append(plain[0])
                self._at = plain.end()
        raise UsageError('a quotation mark " is not closed')

    def _escaped(self) -> str:
        char = self._text[self._at + 1 : self._at + 2]
        if not char:
            raise UsageError("it ends with a backslash")
        self._at += 2
        return char

    def _dollar(self) -> str | Variable:
        found = _DOLLAR.match(self._text, self._at)
        assert found is not None
        if self._text.startswith("(", found.end()) and found[0] == "$":
            raise UsageError("'$(' needs a shell: put it into single quotes, or set shell = true")
        self._at = found.end()
        return _variable(found)


def _variable(found: re.Match[str]) -> str | Variable:
    if found["name"]:
        return Variable(found["name"])
    if found["braced"] is None:
        return "$"
    if not found["closed"]:
        raise UsageError("${ has no }; $$ stands for a dollar sign")
    if not re.fullmatch(_NAME, found["braced"]):
        raise UsageError(f"{found[0]} is no variable: only ${{NAME}} is known here, a shell knows more")
    return Variable(found["braced"])


def _joined(parts: list[str | Variable]) -> Word:
    """The same with text that is in one piece; there is at least one part."""
    result: list[str | Variable] = []
    for part in parts:
        if isinstance(part, str) and result and isinstance(result[-1], str):
            result[-1] += part
        elif part or not result:
            result.append(part)
    return tuple(part for part in result if part) or ("",)
