"""Forgets old runs. Everything here blocks: see :mod:`asynctask.cli.past.database`."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import told, transaction
from asynctask.cli.past.planning import mark

__all__ = ("KEEP_BYTES", "KEEP_RUNS", "prune", "prune_by_size")

#: How many runs are kept, and how large the file becomes, unless a command of the user says otherwise.
KEEP_RUNS = 1000
KEEP_BYTES = 500 << 20
#: Pages that are given back to the file system at a time.
_PAGES = 4096


def prune(
    connection: sqlite3.Connection, path: Path, *, keep: int | None = None, older_than: float | None = None
) -> list[int]:
    """Forget runs, but none that still goes on, or may; their numbers.

    Args:
        connection: to the database.
        path: of it.
        keep: so many of the newest of these stay. ``None``: none.
        older_than: seconds; what began later stays. ``None``: runs of any age.
    """
    with told(path):
        rows = connection.execute(
            "SELECT id, ended, controller FROM runs WHERE began < ? ORDER BY id DESC LIMIT -1 OFFSET ?",
            (time.time() - older_than if older_than is not None else math.inf, keep or 0),
        ).fetchall()
        numbers = [
            number
            for number, ended, controller in reversed(rows)
            if ended is not None or Controller.from_text(controller).lives() is False
        ]
        _forget(connection, path, numbers)
    return numbers


def prune_by_size(connection: sqlite3.Connection, path: Path, most: int = KEEP_BYTES) -> None:
    """Forget the oldest runs until the rest takes ``most`` bytes; the newest stays whatever it takes."""
    with told(path):
        while _size(connection) > most:
            row = connection.execute(
                "SELECT id FROM runs WHERE ended IS NOT NULL AND id < (SELECT max(id) FROM runs)"
                " ORDER BY id LIMIT 1"
            ).fetchone()
            if row is None:
                return
            _forget(connection, path, [row[0]])


def _size(connection: sqlite3.Connection) -> int:
    """Bytes that are in use."""
    page, count, free = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    size: int = page * (count - free)
    return size


def _forget(connection: sqlite3.Connection, path: Path, numbers: Sequence[int]) -> None:
    """One run after the other, so that others who write need not wait for long."""
    for number in numbers:
        with transaction(connection):
            for table, column in (("texts", "run"), ("nodes", "run"), ("runs", "id")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))  # noqa: S608
        with suppress(OSError):
            mark(path, number).unlink()
    if numbers:
        connection.executescript(f"PRAGMA incremental_vacuum({_PAGES})")  # execute() would free one page
