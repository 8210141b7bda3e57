"""Where in a command event data may stand.

A placeholder becomes one word, in single quotes where that is needed. Inside quotes of the command's own, in
a comment, a here-document or arithmetic those quotes would mean something else, and a file's name could
become a command. Such a command is refused; there is always the environment: ``"$ASYNCTASK_PATH"``.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from asynctask.errors import PlaceholderError
from asynctask.nodes import Template

__all__ = ("check_places",)

_PLACE = re.compile(r"%(?:%|\{([A-Za-z_][A-Za-z0-9_]*)\})")
_VARIABLE = re.compile(r"\$\{\w+\}")
_WORD_ENDS = " \t\n;&|()<>"


def check_places(command: str, names: Collection[str], plain: Collection[str] = ()) -> frozenset[str]:
    """Make sure that the data a command names is one word wherever it stands.

    Args:
        command: for a shell, with placeholders.
        names: those of the event data.
        plain: names of what never needs a quote, and so may stand anywhere.

    Returns:
        Which of the names occur.

    Raises:
        PlaceholderError: a placeholder is unknown, or stands where its quotes would not protect.
    """
    template = Template(command, {*names, *plain})
    if template.needs_all:
        raise PlaceholderError("%hosts is for one command for all nodes; a rule has one for each: use %h")
    if not template.names.isdisjoint(names):
        _scan(command, names)
    return template.names


def _scan(command: str, names: Collection[str]) -> None:
    """Go through the command as a shell reads it, as far as that matters here."""
    inside = ""  # the quote, or what else it is inside of
    place = 0
    while place < len(command):
        char = command[place]
        data = _PLACE.match(command, place)
        if data is not None:
            if inside and data[1] in names:
                raise _refusal(data[0], inside)
            place = data.end()
        elif inside == "a comment":
            inside = "" if char == "\n" else inside
            place += 1
        elif inside == "single quotes":
            inside = "" if char == "'" else inside
            place += 1
        elif char == "\\":
            following = _PLACE.match(command, place + 1)
            if following is not None and following[1] in names:
                raise _refusal(following[0], "a backslash's reach")
            place = place + 2 if following is None else following.end()
        elif inside == "double quotes":
            inside = "" if char == '"' else inside
            place += 1
        elif inside:  # for good: to find its end, one would have to be a shell
            place += 1
        else:
            inside, place = _opened(command, place)


def _opened(command: str, place: int) -> tuple[str, int]:
    """What begins here, and where to go on."""
    char, pair = command[place], command[place : place + 2]
    if char == "'":
        return "single quotes", place + 1
    if char == '"':
        return "double quotes", place + 1
    if char == "`":
        return "backquotes", place + 1
    if pair in {"$'", '$"'}:
        return f"{pair} quotes", place + 2
    if pair == "<<":
        return "a here-document", place + 2
    if pair == "((":
        return "arithmetic", place + 2
    variable = _VARIABLE.match(command, place)
    if variable is not None:
        return "", variable.end()
    if pair in {"$[", "${"}:
        return pair, place + 2
    if char == "#" and (place == 0 or command[place - 1] in _WORD_ENDS):
        return "a comment", place + 1
    return "", place + 1


def _refusal(placeholder: str, inside: str) -> PlaceholderError:
    variable = "ASYNCTASK_" + placeholder.strip("%{}").upper()
    return PlaceholderError(
        f"{placeholder} stands inside {inside}, where its own quotes would not protect: leave the"
        f' quotes out, {placeholder} is one word whatever is in it; or use "${variable}"'
    )
