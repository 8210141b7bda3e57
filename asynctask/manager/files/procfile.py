"""Reads Procfiles: ``name: command``, one a line. A shell runs the commands, as foreman does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from asynctask.errors import TemplateError
from asynctask.manager.checks import FieldError
from asynctask.manager.files.text import at
from asynctask.manager.template import ProcessTemplate

__all__ = ("DEFAULT_PORT", "PORT_STEP", "parse_procfile")

#: ``PORT`` of the first process unless told otherwise; that of the next is ``PORT_STEP`` more. As foreman.
DEFAULT_PORT = 5000
PORT_STEP = 100

_LINE = re.compile(r"\s*([^\s:]+)\s*:\s*(.*?)\s*")


def parse_procfile(
    text: str,
    *,
    source: str = "Procfile",
    directory: Path,
    env: Mapping[str, str] | None = None,
    port: int = DEFAULT_PORT,
) -> dict[str, ProcessTemplate]:
    """The templates of a Procfile, in its order.

    Args:
        text: what is in the file.
        source: what it is called in messages.
        directory: where the processes run.
        env: variables for all of them.
        port: ``PORT`` of the first; each process of a template has one more than that before it.

    Raises:
        TemplateError: a line makes no sense, or two have the same name; the message has its number.
    """
    templates: dict[str, ProcessTemplate] = {}
    lines: dict[str, int] = {}
    variables = {name: value for name, value in (env or {}).items() if name != "PORT"}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise at(source, number, "a line is NAME: COMMAND")
        name, command = found.groups()
        if name in lines:
            raise at(source, number, f"{name!r} is in line {lines[name]} already: give it another name")
        lines[name] = number
        try:
            templates[name] = ProcessTemplate(  # noqa: S604 - a Procfile is written for a shell
                name,
                command,
                shell=True,
                env=variables,
                cwd=str(directory),
                port=port + PORT_STEP * len(templates),
            )
        except FieldError as exc:
            raise exc.inside(f"{source}:{number}: {name}", *exc.path, instead=len(exc.path)) from exc
    if not templates:
        raise TemplateError(f"{source}: there is no process in it: a line is NAME: COMMAND")
    return templates
