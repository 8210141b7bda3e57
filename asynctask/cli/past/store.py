"""Writes the history. Everything here blocks: see :mod:`asynctask.cli.past.database`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import connect, told, transaction
from asynctask.cli.past.planning import mark, plan_of
from asynctask.cli.past.records import Batch, End, NewRun, Output, Plan
from asynctask.cli.terminal import encoded

__all__ = ("RUN_LIMIT", "Store")

#: Bytes of output that are kept of one run.
RUN_LIMIT = 64 << 20


class Store:
    """The history, open for writing.

    Args:
        path: of the database, which is made if there is none.

    Raises:
        HistoryError: it cannot be opened.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self.connection = connect(path, create=create)
        self._texts: dict[bytes, int] = {}  # of this run: the same output is kept once
        self._room = RUN_LIMIT

    def close(self) -> None:
        self.connection.close()

    def begin(self, run: NewRun) -> int:
        """Write down a run with all its nodes waiting; its number."""
        with self._transaction():
            row = self.connection.execute(
                "INSERT INTO runs"
                " (retry_of, command, request, variables, input, cwd, count, controller, began)"
                " VALUES (?, CAST(? AS TEXT), ?, ?, ?, CAST(? AS TEXT), ?, ?, ?) RETURNING id",
                (
                    run.retry_of,
                    encoded(run.command),
                    json.dumps(run.plain),
                    json.dumps(run.variables),
                    run.input,
                    encoded(run.cwd),
                    len(run.targets),
                    run.controller.text(),
                    run.began,
                ),
            ).fetchone()
            number: int = row[0]
            self.connection.executemany(
                "INSERT INTO nodes (run, place, node) VALUES (?, ?, CAST(? AS TEXT))",
                ((number, place, encoded(node)) for place, node in enumerate(run.targets)),
            )
            mark(self.path, number).touch(0o600)
        return number

    def places(self, run: int) -> dict[str, int]:
        """The place of each node of a run that is on record."""
        return dict(self.connection.execute("SELECT node, place FROM nodes WHERE run = ?", (run,)))

    def record(self, run: int, batch: Batch) -> None:
        """Write down what has begun and what has ended since the last time."""
        with self._transaction():
            self.connection.executemany(
                "UPDATE nodes SET started = ?, ended = NULL, outcome = NULL WHERE run = ? AND place = ?",
                ((when, run, place) for when, place in batch.starts),
            )
            self.connection.executemany(
                "UPDATE nodes SET began = ?, started = coalesce(started, ?), ended = ?, attempts = ?,"
                " outcome = ?, rc = ?, signal = ?, reason = CAST(? AS TEXT), hint = CAST(? AS TEXT),"
                " out = ?, out_size = ?, err = ?, err_size = ? WHERE run = ? AND place = ?",
                [self._row(run, end) for end in batch.ends],
            )

    def finish(self, run: int, ended: float, status: int, targets: str) -> None:
        """Write down that a run is over."""
        with self._transaction():
            self.connection.execute(
                "UPDATE runs SET ended = ?, status = ?, targets = coalesce(targets, CAST(? AS TEXT))"
                " WHERE id = ?",
                (ended, status, encoded(targets), run),
            )

        self.lose(run)

    def lose(self, run: int) -> None:
        """Who was started is not on record from now on. Works also on a disk that is full."""
        with suppress(OSError):
            mark(self.path, run).unlink()

    def take_over(self, number: int, me: Controller, *, again: bool, force: bool = False) -> Plan:
        """Make a run that was not completed this process's; what is left of it to do.

        Of two processes that try, one gets it.

        Args:
            number: of the run.
            me: this process.
            again: also the nodes of which nobody knows how they ended.
            force: also if it cannot be told whether the run still goes on.

        Raises:
            HistoryError: there is no such run, or it still goes on.
        """
        with self._transaction():
            plan = plan_of(self.connection, self.path, number, again=again, force=force)
            if plan.left:
                self._make_ours(plan, me)
        return plan

    def _make_ours(self, plan: Plan, me: Controller) -> None:
        number = plan.run.id
        self.connection.execute(
            "UPDATE runs SET controller = ?, ended = NULL, status = NULL WHERE id = ?", (me.text(), number)
        )
        self.connection.executemany(
            "UPDATE nodes SET ended = NULL, outcome = NULL WHERE run = ? AND place = ?",
            [(number, node.place) for node in plan.left],
        )
        if plan.exact:
            mark(self.path, number).touch(0o600)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with told(self.path), transaction(self.connection):
            yield

    def _row(self, run: int, end: End) -> tuple[object, ...]:
        return (
            end.began,
            end.started,
            end.ended,
            end.attempts,
            end.outcome,
            end.rc,
            end.signal,
            None if end.reason is None else encoded(end.reason),
            None if end.hint is None else encoded(end.hint),
            self._text(run, end.out),
            end.out.size,
            self._text(run, end.err),
            end.err.size,
            run,
            end.place,
        )

    def _text(self, run: int, output: Output) -> int | None:
        """Keep an output, unless the run has no more room for it."""
        if not output.data:
            return None
        digest = hashlib.blake2b(output.data, digest_size=16, salt=(output.cut or 0).to_bytes(8)).digest()
        known = self._texts.get(digest)
        if known is not None or len(output.data) > self._room:
            return known
        self._room -= len(output.data)
        row = self.connection.execute(
            "INSERT INTO texts (run, cut, data) VALUES (?, ?, ?) RETURNING id", (run, output.cut, output.data)
        ).fetchone()
        number: int = row[0]
        self._texts[digest] = number
        return number
