"""What tests of the history need: runs, ends and results, made with little ado."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.reading import read_nodes
from asynctask.cli.past.records import NO_OUTPUT, Batch, End, NewRun, Node, Output
from asynctask.cli.past.store import Store
from asynctask.errors import NodeError
from asynctask.messages import EMPTY, Message, MsgTree
from asynctask.outcome import NodeResult, Outcome, Times

__all__ = ("GONE", "end", "message", "new_run", "nodes_of", "opened", "output", "recorded", "result")

#: A process of this machine that is no more: its number was never that old.
GONE = Controller(pid=1, host=Controller.me().host, boot="an earlier one", space="", birth=1)


def new_run(targets: Sequence[str] = ("web1", "web2"), **fields: Any) -> NewRun:
    """A run that begins; by a process that is gone."""
    values: dict[str, Any] = {
        "command": "uname -r",
        "plain": {},
        "variables": (),
        "input": False,
        "cwd": str(Path.cwd()),
        "controller": GONE,
        "began": 1_700_000_000.0,
    }
    return NewRun(targets=tuple(targets), **{**values, **fields})


def output(data: bytes) -> Output:
    """All that a node printed."""
    return Output(data, len(data))


def end(place: int, outcome: Outcome = Outcome.OK, *, out: Output = NO_OUTPUT, **fields: Any) -> End:
    """The end of a node: it took one and a half seconds."""
    values: dict[str, Any] = {
        "began": 1_700_000_001.0,
        "started": 1_700_000_001.5,
        "ended": 1_700_000_002.5,
        "attempts": 1,
        "rc": 0 if outcome is Outcome.OK else None,
        "signal": None,
        "reason": None,
        "hint": None,
    }
    return End(place=place, outcome=outcome.value, out=out, **{**values, **fields})


@contextmanager
def opened(path: Path) -> Iterator[Store]:
    """The history, until the block ends."""
    store = Store(path)
    try:
        yield store
    finally:
        store.close()


def recorded(
    path: Path, *ends: End, starts: Sequence[int] = (), status: int | None = 0, **fields: Any
) -> int:
    """Write a run down; its number. Without a status it was not completed."""
    with opened(path) as store:
        run = new_run(**fields)
        number = store.begin(run)
        store.record(number, Batch(starts=[(1_700_000_001.5, place) for place in starts], ends=list(ends)))
        if status is not None:
            store.finish(number, 1_700_000_003.0, status, "web[1-2]")
    return number


def nodes_of(path: Path, number: int) -> list[Node]:
    """What is on record of the nodes of a run."""
    with opened(path) as store:
        return read_nodes(store.connection, number, output=True)


def message(data: bytes) -> Message:
    """A gathered output."""
    if not data:
        return EMPTY
    tree = MsgTree()
    cursor = tree.cursor()
    tree.add(cursor, data)
    return tree.message(cursor)


def result(node: str, outcome: Outcome = Outcome.OK, *, out: bytes = b"", err: bytes = b"") -> NodeResult:
    """How a node ended, as a run has it."""
    return NodeResult(
        node=node,
        outcome=outcome,
        rc=0 if outcome is Outcome.OK else None,
        signal=None,
        error=None if outcome is Outcome.OK else NodeError(node, "no answer", "try again"),
        times=Times(queued=1.0, began=2.0, started=3.0, ended=4.0),
        out=message(out),
        err=message(err),
    )
