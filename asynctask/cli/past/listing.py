"""Lists the runs of the history, and forgets old ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from asynctask.cli.output.labels import fold
from asynctask.cli.past.database import HistoryError, connect, default_path
from asynctask.cli.past.printing import columns, put, say
from asynctask.cli.past.pruning import KEEP_RUNS, prune
from asynctask.cli.past.reading import open_history, read_counts, read_nodes, read_runs
from asynctask.cli.past.records import Run
from asynctask.cli.past.shown import dumped, plain_run, table

__all__ = ("list_runs", "prune_runs")


def list_runs(most: int, *, as_json: bool) -> None:
    """Write the newest runs, the newest last.

    Raises:
        HistoryError: the history cannot be read.
    """
    with open_history() as history:
        runs = read_runs(history, most)
        counts = read_counts(history, runs[0].id) if runs else {}
        sets = {run.id: _nodes_of(history, run) for run in runs}
    if as_json:
        put([dumped(plain_run(run, counts.get(run.id, {}), sets[run.id])) for run in runs])
    elif runs:
        put(table(runs, counts, sets, columns()))
    else:
        raise HistoryError("history: no runs are recorded yet")


def prune_runs(keep: int | None, older_than: float | None) -> None:
    """Forget old runs.

    Args:
        keep: so many of the newest stay.
        older_than: seconds; what began later stays. With neither it is as at the end of each run.

    Raises:
        HistoryError: the history cannot be written.
    """
    if keep is None and older_than is None:
        keep = KEEP_RUNS
    path = default_path()
    with closing(connect(path, create=False)) as history:
        forgotten = prune(history, path, keep=keep, older_than=older_than)
    say(f"forgot {_numbered(forgotten)}")


def _nodes_of(history: sqlite3.Connection, run: Run) -> str:
    """The node set of a run; its controller writes it down at the end, and may not have come to that."""
    return run.targets if run.targets is not None else fold(node.node for node in read_nodes(history, run.id))


def _numbered(numbers: Sequence[int]) -> str:
    return "no run" if not numbers else "1 run" if len(numbers) == 1 else f"{len(numbers)} runs"
