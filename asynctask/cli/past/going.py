"""What ``retry`` and ``resume`` do: look up what there was, and run some of it again."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from asynctask.cli.launching import Launch, consent, launch
from asynctask.cli.output.labels import fold
from asynctask.cli.past.again import chosen, request_of, variables_of
from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import HistoryError, default_path
from asynctask.cli.past.planning import plan_of
from asynctask.cli.past.printing import say
from asynctask.cli.past.reading import find, open_history, read_nodes, read_run
from asynctask.cli.past.records import Node, Plan, Run
from asynctask.cli.past.store import Store
from asynctask.cli.request import Request
from asynctask.outcome import Outcome

__all__ = ("resume", "retry")


def retry(word: str, outcomes: Collection[Outcome], said: Mapping[str, Any], variables: Sequence[str]) -> int:
    """Run a command again where it ended in one of these ways; without any, where not well.

    Raises:
        HistoryError: there is no such run, it goes on, or what it needs was not kept.
    """
    with open_history() as history:
        run = read_run(history, find(history, word))
        nodes = chosen(read_nodes(history, run.id), outcomes)
    if run.state() == "running":
        raise HistoryError(f"run {run.id} still goes on: process {run.controller.pid}")
    if not nodes:
        say(f"run {run.id}: " + ("no node of it ended so" if outcomes else "all of its nodes ended well"))
        return 0
    request = _request(run, nodes, said, variables)
    _enter_directory(run)
    if said.get("dry_run"):
        return launch(Launch(request=request, dry_run=True))
    consent(request, _most(said))
    from asynctask.cli.runner import execute

    return execute(request, retry_of=run.id)


def resume(word: str, said: Mapping[str, Any], variables: Sequence[str], *, again: bool, force: bool) -> int:
    """Run a command where it was never started, as part of the same run.

    Raises:
        HistoryError: there is no such run, it goes on, or what it needs was not kept.
    """
    path = default_path()
    with open_history(path) as history:
        plan = plan_of(history, path, find(history, word), again=again, force=force)
    run = plan.run
    _tell(plan)
    if not plan.left:
        return 0
    request = _request(run, _names(plan.left), said, variables)
    _enter_directory(run)
    if said.get("dry_run"):
        return launch(Launch(request=request, dry_run=True))
    consent(request, _most(said))
    with closing(Store(path, create=False)) as store:  # somebody may have come before us
        plan = store.take_over(run.id, Controller.me(), again=again, force=force)
    if not plan.left:
        return 0
    from asynctask.cli.runner import execute

    return execute(replace(request, targets=_names(plan.left)), resuming=run.id)


def _tell(plan: Plan) -> None:
    """Say what is left to be run, and what is left out."""
    number, count = plan.run.id, len(plan.unknown)
    if plan.unknown:
        started = "was started there" if plan.exact else "may have been started there, which is not on record"
        say(
            f"run {number}: left out, for it {started}, and nobody knows whether to its end:"
            f" {_title(plan.unknown)}; --again runs {'it' if count == 1 else 'them'}, too"
        )
    say(
        f"run {number}: "
        + (f"left to be run: {_title(plan.left)}" if plan.left else "nothing is left to be run")
    )


def _most(said: Mapping[str, Any]) -> int | None:
    """Above how many nodes to ask; ``None``: never."""
    if said.get("yes"):
        return None
    if "confirm" in said:
        return int(said["confirm"])
    from asynctask.cli.settings.loading import load

    most: int | None = load().get("confirm")
    return most


def _request(run: Run, nodes: tuple[str, ...], said: Mapping[str, Any], variables: Sequence[str]) -> Request:
    return request_of(run, nodes, said=said, variables=variables_of(variables), input_given=_input_given())


def _names(nodes: Sequence[Node]) -> tuple[str, ...]:
    return tuple(node.node for node in nodes)


def _title(nodes: Sequence[Node]) -> str:
    return fold(_names(nodes)) + (f" ({len(nodes)})" if len(nodes) > 1 else "")


def _input_given() -> bool:
    """Whether there is something to read on standard input."""
    from asynctask.cli.stdin import piped

    return piped()


def _enter_directory(run: Run) -> None:
    """Go where the run was: paths in its command line begin there.

    Raises:
        HistoryError: the directory is gone.
    """
    try:
        os.chdir(run.cwd)
    except OSError as exc:
        raise HistoryError(f"run {run.id} was in {run.cwd}: {exc.strerror}") from exc
