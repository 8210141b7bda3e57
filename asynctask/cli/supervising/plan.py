"""What ``asynctask up --dry-run`` shows: what would run, and how it would be kept."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from asynctask.cli.output.labels import Titles
from asynctask.cli.terminal import encoded, visible
from asynctask.errors import UsageError
from asynctask.manager.template import LogFile, ProcessTemplate, Readiness, Redirect
from asynctask.nodes import expand

__all__ = ("plan",)


def plan(templates: Mapping[str, ProcessTemplate]) -> bytes:
    """Templates in words, in the order of their start.

    Raises:
        UsageError: nodes that make no sense, or are none; and of which template.
    """
    ordered = sorted(templates.values(), key=lambda template: template.order)
    lines = [line for template in ordered for line in _template(template)]
    return visible(encoded("\n".join(lines))) + b"\n"


def _template(template: ProcessTemplate) -> Iterator[str]:
    count = template.numprocesses
    many = f"{count} process{'' if count == 1 else 'es'}"
    where = "here"
    if template.nodes is not None:
        nodes = _nodes(template, template.nodes)
        where = f"on {Titles().of(nodes)}" if len(nodes) == 1 else f"on each of {Titles().of(nodes)}"
    order = f", order {template.order}" if template.order else ""
    later = "" if template.autostart else ", not started by itself"
    yield f"{template.name}: {many} {where}{order}{later}"
    yield f"  runs: {_command(template)}"
    if template.cwd is not None:
        yield f"  in: {template.cwd}"
    if template.port is not None:
        last = template.port + max(1, template.numprocesses) - 1
        yield f"  PORT: {template.port}" + (f" to {last}" if last > template.port else "")
    if template.env:  # their values may be secret
        yield f"  variables: {', '.join(template.env)}"
    yield f"  {', '.join(_keeping(template))}"
    yield from _output(template)


def _nodes(template: ProcessTemplate, text: str) -> Sequence[str]:
    try:
        return expand(text)
    except UsageError as exc:
        raise UsageError(f"template {template.name!r}: {exc}") from exc


def _command(template: ProcessTemplate) -> str:
    command = template.command if isinstance(template.command, str) else shlex.join(template.command)
    words = " ".join((command, *map(_word, template.args)))
    return f"{words} (by a shell)" if template.shell else words


def _word(text: str) -> str:
    """Quoted where a shell would need it, but for variables, which are replaced."""
    return text if "$" in text and not any(each.isspace() for each in text) else shlex.quote(text)


def _keeping(template: ProcessTemplate) -> Iterator[str]:
    match template.restart:
        case "always":
            yield "started again when it ends"
        case "unexpected":
            codes = ", ".join(map(str, sorted(template.exit_codes)))
            yield f"started again unless it exits with {codes}"
        case _:
            yield "not started again"
    yield from _ready(template.readiness)
    alive = template.liveness
    if alive is not None:
        what = f"port {alive.tcp}" if alive.tcp is not None else "a command"
        yield f"looked at by {what} every {alive.interval:g} s"
    if template.max_age is not None:
        yield f"replaced after {template.max_age:g} s"
    yield f"stopped by {template.stop_signal}, KILL after {template.graceful_timeout:g} s"
    if template.detach:
        yield "outlives the manager"


def _ready(readiness: Readiness) -> Iterator[str]:
    if readiness.line is not None:
        yield f"ready when it prints {readiness.line!r}"
    elif readiness.tcp is not None:
        yield f"ready when port {readiness.tcp} takes connections"
    elif readiness.command is not None:
        yield "ready when a command says so"
    if readiness.seconds:
        yield f"ready after {readiness.seconds:g} s at the earliest"


def _output(template: ProcessTemplate) -> Iterator[str]:
    for name, redirect in (("stdout", template.stdout), ("stderr", template.stderr)):
        if (where := _redirect(redirect)) is not None:
            yield f"  {name}: {where}"


def _redirect(redirect: Redirect) -> str | None:
    if isinstance(redirect, LogFile):
        return f"to {redirect.path}"
    return None if redirect == "pipe" else redirect
