"""Runs what is in the history once more: the request as it was, for some of its nodes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from asynctask.cli.launching import changed
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.records import Node, Run
from asynctask.cli.request import Request
from asynctask.errors import UsageError
from asynctask.outcome import Outcome

__all__ = ("FAILED", "TIMED_OUT", "UNREACHABLE", "chosen", "request_of", "variables_of")

FAILED = frozenset({Outcome.FAILED, Outcome.SIGNALLED, Outcome.SPAWN_FAILED})
TIMED_OUT = frozenset({Outcome.TIMED_OUT})
UNREACHABLE = frozenset({Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.AUTH_FAILED, Outcome.HOST_KEY})

#: Of these one is in force: saying another one takes them all back.
_DISPLAYS = frozenset({"gather", "gather_both", "by_node", "diff", "similar", "json", "events"})


def chosen(nodes: Sequence[Node], outcomes: Collection[Outcome]) -> tuple[str, ...]:
    """The nodes that ended in one of these ways; without any, all that are not known to have ended well."""
    return tuple(node.node for node in nodes if (node.outcome in outcomes if outcomes else not node.ok))


def variables_of(words: Sequence[str], environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that ``NAME=VALUE``, or ``NAME`` for one that is set here, mean.

    Raises:
        UsageError: one is not set here.
    """
    found = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given:
            if name not in environ:
                raise UsageError(f"--env {name}: it is not set here; give it as {name}=VALUE")
            value = environ[name]
        found[name] = value
    return found


def request_of(
    run: Run,
    targets: tuple[str, ...],
    *,
    said: Mapping[str, Any],
    variables: Mapping[str, str],
    input_given: bool,
) -> Request:
    """The request of a run, for other targets.

    Args:
        run: which.
        targets: the nodes to run on.
        said: the parameters that were written on the command line; they count in place of what was.
        variables: the values of what the run set; they are not kept.
        input_given: whether there is something to read now; what the run read is not kept.

    Raises:
        HistoryError: something that was not kept is not given again.
        click.UsageError: options do not go together.
    """
    missing = [name for name in run.variables if name not in variables]
    if missing:
        raise HistoryError(
            f"run {run.id} set {', '.join(missing)}, and values are not kept:"
            f" give them again with {' '.join(f'--env {name}=VALUE' for name in missing)}"
        )
    if run.input and not input_given and not said.get("nostdin"):
        raise HistoryError(
            f"run {run.id} was given something to read, which is not kept: give it again with < FILE,"
            " or -n for nothing"
        )
    plain = {**run.plain, "command": run.command, "targets": targets, "env": tuple(variables.items())}
    request = Request.from_plain(plain)
    if any(said.get(name) for name in _DISPLAYS):
        defaults: dict[str, Any] = {field.name: field.default for field in fields(Request)}
        request = replace(request, **{name: defaults[name] for name in _DISPLAYS})
    return changed(request, said)
