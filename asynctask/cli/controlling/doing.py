"""Has a manager do something to templates, and tells how they do after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asynctask.cli.controlling.states import label, not_running, table, template_rows
from asynctask.cli.past.printing import put
from asynctask.errors import ManagerError

if TYPE_CHECKING:
    from asynctask.manager.control.client import Client

__all__ = ("EXIT_NOT_RUNNING", "processes_named", "show", "tell")

#: What was asked for was done, and there are processes that do not run.
EXIT_NOT_RUNNING = 1

#: After an exit that was expected nothing has to run.
_WELL = frozenset({"running", "exited"})


def tell(client: Client, names: Sequence[str], *, as_json: bool, running: bool) -> int:
    """Show how templates do now; the exit status.

    Args:
        client: asks.
        names: which.
        as_json: as "ps" answers.
        running: whether their processes are to run.
    """
    answer = client.call("ps", {"names": list(names), "usage": False}) if names else _NONE
    show(answer, template_rows(answer), as_json=as_json)
    bad = [each for each in not_running(answer) if each["state"] not in _WELL]
    return EXIT_NOT_RUNNING if running and bad else 0


def show(answer: Mapping[str, Any], rows: Sequence[Sequence[str]], *, as_json: bool) -> None:
    """An answer, as it is or in columns."""
    put([json.dumps(answer)] if as_json else table(rows))


def processes_named(client: Client, words: Sequence[str]) -> tuple[list[str], list[Mapping[str, Any]]]:
    """What words mean: names and patterns of templates, which are left as they are, and single processes.

    A process is called as it is shown: ``web.1``, ``web.1@n3``; ``web.1`` is this place on each node.

    Raises:
        ManagerError: a place where no process runs.
    """
    if not any("." in word or "#" in word for word in words):
        return list(words), []
    answer = client.call("ps", {"usage": False})
    processes = answer["processes"]
    names: list[str] = []
    found: list[Mapping[str, Any]] = []
    for word in words:
        here = [each for each in processes if each["pid"] is not None and _is_called(each, word)]
        found += here
        if not here:
            if _is_place(word, answer["templates"]):
                raise ManagerError(f"{word}: no such process runs; 'asynctask ps' lists them")
            names.append(word)
    return names, found


def _is_place(word: str, templates: Sequence[Mapping[str, Any]]) -> bool:
    name, dot, number = word.partition("@")[0].rpartition(".")
    return bool(dot) and number.isdecimal() and any(each["name"] == name for each in templates)


def _is_called(process: Mapping[str, Any], word: str) -> bool:
    full = label(process)
    return word in (full, full.partition("@")[0])


_NONE: Mapping[str, Any] = {"templates": [], "processes": []}
