"""The history in words: its table, and what is on record of one run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from asynctask.cli.output.labels import fold
from asynctask.cli.past.records import Node, Run
from asynctask.cli.screen import fitting
from asynctask.cli.terminal import encoded, visible
from asynctask.errors import NodeError
from asynctask.messages import EMPTY, Message, MsgTree
from asynctask.outcome import NodeResult, Outcome, Times

__all__ = ("details", "plain_run", "results_of", "table")

#: How wide a node set may be in the table, where that is shown to somebody.
_NODES_WIDTH = 30
_HEADINGS = ("id", "when", "status", "nodes", "ended", "command")
_WAITING, _STARTED = "waiting", "started"


def table(
    runs: Sequence[Run],
    counts: Mapping[int, Mapping[str, int]],
    sets: Mapping[int, str],
    columns: int | None = None,
) -> list[str]:
    """A line for each run, below headings.

    Args:
        runs: in the order in which they are shown.
        counts: for each, how many of its nodes ended how.
        sets: for each, its nodes.
        columns: how wide the screen is. ``None``: nothing is cut off.
    """
    rows = [_HEADINGS, *(_row(run, counts.get(run.id, {}), sets[run.id], columns) for run in runs)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADINGS) - 1)]
    aligns = [str.rjust, *[str.ljust] * (len(widths) - 1)]
    lines = []
    for row in rows:
        cells = [align(cell, width) for align, cell, width in zip(aligns, row[:-1], widths, strict=True)]
        line = "  ".join([*cells, row[-1]])
        lines.append(line if columns is None else _cut(visible(encoded(line)).decode(), columns))
    return lines


def plain_run(run: Run, counts: Mapping[str, int], nodes: str) -> dict[str, Any]:
    """A run as JSON has it. Times are seconds since 1970."""
    return {
        "v": 1,
        "type": "run",
        "id": run.id,
        "retry_of": run.retry_of,
        "state": run.state(),
        "status": run.status,
        "began": run.began,
        "ended": run.ended,
        "command": described(run),
        "nodes": nodes,
        "count": run.count,
        "outcomes": dict(counts),
        "cwd": run.cwd,
        "pid": run.controller.pid,
        "host": run.controller.host,
    }


def details(run: Run, nodes: Sequence[Node]) -> Iterator[str]:
    """What is on record of a run: lines of names and values."""
    yield f"run:      {run.id}" + (f", a retry of {run.retry_of}" if run.retry_of is not None else "")
    yield f"command:  {described(run)}"
    yield f"began:    {_when(run.began, seconds=True)}"
    yield f"ended:    {_how_it_ended(run, nodes)}"
    yield f"from:     {run.cwd} on {run.controller.host}"
    yield f"nodes:    {_title([node.node for node in nodes])}"
    for how, alike in _by_end(nodes, running=run.state() == "running").items():
        yield f"  {how}: {_title([node.node for node in alike])}{_how_long(alike)}"


def described(run: Run) -> str:
    """What was run, on one line."""
    copying = run.plain.get("copying")
    if copying is None:
        text = " ".join(filter(None, (run.plain.get("prefix", ""), run.command)))
    else:
        sources = " ".join(copying["sources"])
        text = f"{'rcopy' if copying['back'] else 'copy'} {sources}"
        text += f" to {copying['dest']}" if copying["dest"] else ""
    return text.replace("\n", "^J")


def results_of(nodes: Iterable[Node]) -> list[NodeResult]:
    """The results of nodes that are over, as a run has them; times in seconds since 1970."""
    out, err = MsgTree(), MsgTree()
    return [
        NodeResult(
            node=node.node,
            outcome=node.outcome,
            rc=node.rc,
            signal=node.signal,
            error=None if node.reason is None else NodeError(node.node, node.reason, node.hint or ""),
            times=Times(queued=node.began or 0.0, began=node.began, started=node.started, ended=node.ended),
            out=_message(out, node.out.shown),
            err=_message(err, node.err.shown),
        )
        for node in nodes
        if node.outcome is not None
    ]


def _message(tree: MsgTree, data: bytes) -> Message:
    if not data:
        return EMPTY
    cursor = tree.cursor()
    tree.add(cursor, data)
    return tree.message(cursor)


def _row(run: Run, counts: Mapping[str, int], nodes: str, columns: int | None) -> tuple[str, ...]:
    status = str(run.status) if run.ended is not None else run.state()
    shown = nodes if columns is None else _cut(nodes, _NODES_WIDTH)
    return (str(run.id), _when(run.began), status, shown, _counted(counts), described(run))


def _counted(counts: Mapping[str, int]) -> str:
    """``97 ok, 2 failed``."""
    order = [str(outcome) for outcome in Outcome] + [_STARTED, _WAITING]
    known = sorted(counts.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
    return ", ".join(f"{count} {how}" for how, count in known)


def _by_end(nodes: Sequence[Node], *, running: bool) -> dict[str, list[Node]]:
    """The nodes of each end, in the order of outcomes; those without one come last."""
    found: dict[str, list[Node]] = {}
    order = {outcome: place for place, outcome in enumerate(Outcome)}
    for node in sorted(nodes, key=lambda node: (order.get(node.outcome, len(order)), node.rc or 0)):  # type: ignore[arg-type]
        found.setdefault(_end_of(node, running=running), []).append(node)
    return found


def _end_of(node: Node, *, running: bool) -> str:
    match node.outcome:
        case None if node.started is None:
            return _WAITING if running else str(Outcome.NEVER_STARTED)
        case None:
            return _STARTED if running else "started, and not known how it ended"
        case Outcome.FAILED:
            return f"{node.outcome} (rc {node.rc})"
        case Outcome.SIGNALLED:
            return f"{node.outcome} (signal {node.signal})"
    return f"{node.outcome} ({node.reason})" if node.reason else str(node.outcome)


def _how_long(nodes: Sequence[Node]) -> str:
    """How long they took: the first and the last of them."""
    times = [node.ended - node.began for node in nodes if node.ended is not None and node.began is not None]
    if not times:
        return ""
    least, most = f"{min(times):.1f}", f"{max(times):.1f}"
    return f", {least} s" if least == most else f", {least} to {most} s"


def _how_it_ended(run: Run, nodes: Sequence[Node]) -> str:
    if run.ended is not None:
        return f"{_when(run.ended, seconds=True)}, exit status {run.status}"
    state = run.state()
    if state == "running":
        return f"not yet: process {run.controller.pid}"
    if state == "broken off":
        left = sum(1 for node in nodes if node.untouched)
        return f"not on record, and process {run.controller.pid} is gone" + (
            f"; asynctask resume {run.id} runs the {left} left" if left else ""
        )
    return f"not known here: process {run.controller.pid} on {run.controller.host}"


def _title(names: Sequence[str]) -> str:
    return fold(names) + (f" ({len(names)})" if len(names) > 1 else "")


def _when(moment: float, *, seconds: bool = False) -> str:
    local = datetime.fromtimestamp(moment).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def _cut(text: str, width: int) -> str:
    if fitting(text, width) == text:
        return text
    return fitting(text, width - 1) + "…"


def dumped(fields: Mapping[str, Any]) -> str:
    """One JSON object on one line."""
    return json.dumps(fields, separators=(",", ":"))
