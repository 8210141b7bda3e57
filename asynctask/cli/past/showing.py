"""Shows one run of the history: what is on record, or its output as when it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from asynctask.cli.loop import run_loop
from asynctask.cli.output.by_node import ByNodeView
from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.diff import DiffView
from asynctask.cli.output.gathered import GatheredView
from asynctask.cli.output.records import JsonView
from asynctask.cli.output.schema import RunStart
from asynctask.cli.output.similar import SimilarView
from asynctask.cli.output.style import Style
from asynctask.cli.output.summary import failure_lines
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.printing import put
from asynctask.cli.past.reading import find, open_history, read_nodes, read_run
from asynctask.cli.past.records import Node, Run
from asynctask.cli.past.shown import details, results_of
from asynctask.cli.request import Request
from asynctask.cli.screen import Screen
from asynctask.cli.view import View

__all__ = ("show_run",)


def show_run(word: str, wanted: Sequence[str], said: Mapping[str, Any]) -> int:
    """Show a run; the exit status.

    Args:
        word: which run.
        wanted: node sets; empty for all nodes.
        said: options of the display; without any that shows output the run is described.

    Raises:
        HistoryError: there is no such run, or it has no such node.
    """
    known = {field.name for field in fields(Request)}
    request = Request(
        targets=(),
        verbosity=0 if said.get("quiet") else 2 if said.get("verbose") else 1,
        **{name: value for name, value in said.items() if name in known},
    )
    shows = request.at_end or request.similar or bool(request.outliers) or request.json
    with open_history() as history:
        run = read_run(history, find(history, word))
        nodes = _only(read_nodes(history, run.id, output=shows), wanted, run)
    if not shows:
        put(details(run, nodes))
        return 0
    return run_loop(_show(run, nodes, request))


def _only(nodes: list[Node], wanted: Sequence[str], run: Run) -> list[Node]:
    if not wanted:
        return nodes
    from asynctask.nodes import parse

    names = dict.fromkeys(parse(wanted))
    unknown = [name for name in names if name not in {node.node for node in nodes}]
    if unknown:
        raise HistoryError(f"run {run.id} has no node {unknown[0]}")
    return [node for node in nodes if node.node in names]


async def _show(run: Run, nodes: Sequence[Node], request: Request) -> int:
    screen = Screen(None, lambda: None)
    try:
        results = results_of(nodes)
        style = Style.of(request, screen)
        if request.json:
            clock = RecordClock()
            view = JsonView(screen, clock)
            clock.time = _moment(run.began)
            await view.run_began(_start(run, nodes))
            for result, node in zip(results, (node for node in nodes if node.outcome), strict=True):
                await view.node_over(result, node.attempts)
            await view.over(results)
            clock.time = _moment(run.began if run.ended is None else run.ended)
            await view.run_ended(run.status or 0)
        else:
            await _view(request, screen, style).over(results)
            await style.ready(screen, results)
            for line in failure_lines(results, style.titles, every=request.verbose):
                screen.say(f"asynctask: {line}")
    finally:
        await screen.close()
    if screen.error is not None:
        raise screen.error
    return 0


def _view(request: Request, screen: Screen, style: Style) -> View:
    if request.by_node:
        return ByNodeView(screen, style)
    if request.similar:
        return SimilarView(screen, style, outliers=request.outliers)
    if request.diff:
        return DiffView(screen, style)
    return GatheredView(screen, style, outliers=request.outliers)


def _moment(seconds: float) -> int:
    """In microseconds."""
    return round(seconds * 1_000_000)


def _start(run: Run, nodes: Sequence[Node]) -> RunStart:
    request = Request.from_plain({**run.plain, "command": run.command, "targets": [n.node for n in nodes]})
    return RunStart.of(request)
