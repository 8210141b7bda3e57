"""Reads the history. Everything here blocks: see :mod:`asynctask.cli.past.database`."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import HistoryError, connect, default_path, told
from asynctask.cli.past.records import Node, Output, Run
from asynctask.outcome import Outcome

__all__ = ("find", "open_history", "read_counts", "read_nodes", "read_run", "read_runs")

_WORD = re.compile(r"(?P<name>last)(-(?P<back>[1-9][0-9]{,17}))?|(?P<number>[0-9]{1,18})", re.ASCII)
_RUN = (
    "id, retry_of, command, request, variables, input, cwd, count, targets, controller, began, ended, status"
)
_NODE = (
    "place, node, began, started, ended, attempts, outcome, rc, signal, reason, hint,"
    " out_size, o.data, o.cut, err_size, e.data, e.cut"
)


@contextmanager
def open_history(path: Path | None = None) -> Iterator[sqlite3.Connection]:
    """The history, for a command that reads it.

    Raises:
        HistoryError: there is none, or it cannot be read; also for errors inside of the block.
    """
    path = path or default_path()
    with closing(connect(path, create=False)) as connection, told(path):
        yield connection


def find(connection: sqlite3.Connection, word: str) -> int:
    """The number of the run that a word means: a number, ``last``, or ``last-2`` for the last but one.

    Raises:
        HistoryError: there is no such run.
    """
    name, number = _split(word)
    if name == "":
        return read_run(connection, number).id
    row = connection.execute(
        "SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET ?", (number - 1,)
    ).fetchone()
    if row is None:
        raise HistoryError(_missing(connection, word.removeprefix("last")))
    found: int = row[0]
    return found


def read_run(connection: sqlite3.Connection, number: int) -> Run:
    """A run.

    Raises:
        HistoryError: there is none of that number.
    """
    row = connection.execute(f"SELECT {_RUN} FROM runs WHERE id = ?", (number,)).fetchone()  # noqa: S608
    if row is None:
        raise HistoryError(_missing(connection, str(number)))
    return _run(row)


def read_runs(connection: sqlite3.Connection, most: int | None = None) -> list[Run]:
    """The newest runs, the newest last."""
    limit = -1 if most is None else most
    rows = connection.execute(f"SELECT {_RUN} FROM runs ORDER BY id DESC LIMIT ?", (limit,))  # noqa: S608
    return [_run(row) for row in rows][::-1]


def read_counts(connection: sqlite3.Connection, first: int) -> dict[int, dict[str, int]]:
    """For each run from a number on: how many of its nodes ended how, or are ``waiting`` or ``started``."""
    found: dict[int, dict[str, int]] = {}
    rows = connection.execute(
        "SELECT run, coalesce(outcome, iif(started IS NULL, 'waiting', 'started')) AS how, count(*)"
        " FROM nodes WHERE run >= ? GROUP BY run, how",
        (first,),
    )
    for run, how, count in rows:
        found.setdefault(run, {})[how] = count
    return found


def read_nodes(connection: sqlite3.Connection, number: int, *, output: bool = False) -> list[Node]:
    """The nodes of a run in the order of its targets; with what they printed if ``output``."""
    wanted = _NODE if output else _NODE.replace("o.data", "x''").replace("e.data", "x''")
    rows = connection.execute(
        f"SELECT {wanted} FROM nodes"  # noqa: S608
        " LEFT JOIN texts AS o ON o.id = nodes.out LEFT JOIN texts AS e ON e.id = nodes.err"
        " WHERE nodes.run = ? ORDER BY place",
        (number,),
    )
    return [_node(row) for row in rows]


def _split(word: str) -> tuple[str, int]:
    """``last`` and how far from the end, from 1; or nothing and the number of a run."""
    found = _WORD.fullmatch(word)
    if found is None:
        raise HistoryError(f"{word!r} is no run: give its number as asynctask history shows it, last, or -2")
    return found["name"] or "", int(found["back"] or found["number"] or 1)


def _missing(connection: sqlite3.Connection, word: str) -> str:
    oldest, newest = connection.execute("SELECT min(id), max(id) FROM runs").fetchone()
    if oldest is None:
        return "history: no runs are recorded yet"
    kept = f"there are {oldest} to {newest}" if newest > oldest else f"there is only {oldest}"
    return f"no run {word} is in the history; {kept}"


def _run(row: tuple[Any, ...]) -> Run:
    number, retry_of, command, request, variables, given, cwd, count, targets, controller, *times = row
    began, ended, status = times
    return Run(
        id=number,
        retry_of=retry_of,
        command=command,
        plain=json.loads(request),
        variables=tuple(json.loads(variables)),
        input=bool(given),
        cwd=cwd,
        count=count,
        targets=targets,
        controller=Controller.from_text(controller),
        began=began,
        ended=ended,
        status=status,
    )


def _node(row: tuple[Any, ...]) -> Node:
    place, name, began, started, ended, attempts, outcome, rc, signal, reason, hint, *streams = row
    out_size, out, out_cut, err_size, err, err_cut = streams
    return Node(
        place=place,
        node=name,
        began=began,
        started=started,
        ended=ended,
        attempts=attempts,
        outcome=None if outcome is None else Outcome(outcome),
        rc=rc,
        signal=signal,
        reason=reason,
        hint=hint,
        out=Output(out or b"", out_size, out_cut),
        err=Output(err or b"", err_size, err_cut),
    )
