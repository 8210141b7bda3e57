"""What a line that is typed may go on with: nodes and groups, programs, words of the shell itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from asynctask.errors import AsyncTaskError

__all__ = ("Completion", "complete", "group_names", "programs")

_OWN_WORDS = ("help", "quit")
#: The part of a node set that is being typed: what follows a comma or an operator outside of brackets.
_LAST_PART = re.compile(r"[^,!&^\s]*$")
#: Candidates are for reading.
_MOST = 500


class Completion(NamedTuple):
    """What may stand in place of the end of a line."""

    text: str
    replaces: int
    """How many characters before the cursor it replaces."""


def complete(
    line: str,
    *,
    nodes: Callable[[], Iterable[str]],
    chosen: Callable[[], Iterable[str]],
    groups: Callable[[], Iterable[str]],
    commands: Callable[[], Iterable[str]],
) -> list[Completion]:
    """How a line may go on, sorted; the line is what stands before the cursor.

    Args:
        line: it.
        nodes: names of nodes.
        chosen: those that are chosen now, of which ``-`` takes some away.
        groups: names of groups, as ``@web``.
        commands: names of programs.
    """
    sign = line[:1]
    if sign and sign in "@+-":
        part = _last_part(line[1:])
        if part.startswith("@"):
            found: Iterable[str] = groups()
        elif "[" in part:
            return []
        else:
            found = chosen() if sign == "-" else nodes()
        return _fitting(part, found)
    word = line.removeprefix("!").lstrip()
    if " " in word or sign == "=" or sign == "?":
        return []
    return _fitting(word, commands() if sign == "!" else (*_OWN_WORDS, *commands())) if word else []


def _last_part(text: str) -> str:
    """Where a comma stands in brackets it ends nothing."""
    closed = re.sub(r"\[[^\]]*\]", lambda found: "_" * len(found[0]), text)
    opened = closed.find("[")
    if opened >= 0:
        return text[opened - len(_LAST_PART.search(closed[:opened])[0]) :]  # type: ignore[index]
    return text[len(text) - len(_LAST_PART.search(closed)[0]) :]  # type: ignore[index]


def _fitting(start: str, candidates: Iterable[str]) -> list[Completion]:
    found = sorted({each for each in candidates if each.startswith(start) and each != start})
    return [Completion(text, len(start)) for text in found[:_MOST]]


def group_names(source: str | None = None) -> list[str]:
    """Names of groups with their ``@``; none where the source does not tell."""
    from asynctask import nodes

    try:
        return list(nodes.groups(source))
    except AsyncTaskError:
        return []


def programs(path: str | None = None) -> list[str]:
    """Names of the programs on the search path, here: the nodes' are mostly the same."""
    names: set[str] = set()
    for directory in (os.environ.get("PATH", "") if path is None else path).split(os.pathsep):
        try:
            with os.scandir(directory or ".") as entries:
                names.update(entry.name for entry in entries if os.access(entry.path, os.X_OK))
        except OSError:
            continue
    return sorted(names)
