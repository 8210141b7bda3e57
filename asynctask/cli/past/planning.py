"""What is left to do of a run that was not completed. Blocks: see :mod:`asynctask.cli.past.database`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.reading import read_nodes, read_run
from asynctask.cli.past.records import Plan, Run
from asynctask.outcome import Outcome

__all__ = ("mark", "plan_of")


def mark(path: Path, run: int) -> Path:
    """A file that is there while a run goes on, or when it was killed, and all its starts are on record."""
    return path.with_name(f"run-{run}")


def plan_of(connection: sqlite3.Connection, path: Path, number: int, *, again: bool, force: bool) -> Plan:
    """What is left to do of a run.

    Args:
        connection: to the history.
        path: of it.
        number: of the run.
        again: also the nodes of which nobody knows how they ended.
        force: also if it cannot be told whether the run still goes on.

    Raises:
        HistoryError: there is no such run, or it still goes on.
    """
    run = read_run(connection, number)
    _check_over(run, force=force)
    nodes = [node for node in read_nodes(connection, number) if not node.finished]
    exact = run.ended is not None or mark(path, number).exists()
    left = tuple(
        node for node in nodes if again or node.outcome is Outcome.NEVER_STARTED or (exact and node.untouched)
    )
    chosen = {node.place for node in left}
    return Plan(run, left, tuple(node for node in nodes if node.place not in chosen), exact)


def _check_over(run: Run, *, force: bool) -> None:
    """Refuse a run that goes on, or may."""
    if run.ended is not None:
        return
    lives = run.controller.lives()
    if lives:
        raise HistoryError(f"run {run.id} still goes on: process {run.controller.pid}")
    if lives is None and not force:
        raise HistoryError(
            f"run {run.id}: it was started on {run.controller.host}, and whether it still goes on cannot be"
            " told from here; go there, or use --force if it does not"
        )
