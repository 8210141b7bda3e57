"""Argument list and environment of a template's processes. Pure: nothing is run, or looked up."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from asynctask.errors import LaunchError
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.words import Variable, Word, filled, split, word

__all__ = ("SHELL", "argv_of", "environment_of", "port_of", "shell_text_of")

#: What runs the commands of templates that ask for a shell.
SHELL = "/bin/sh"
#: They are told to the manager alone: a child that had them would speak in its name.
_OURS = frozenset(
    (
        "ASYNCTASK_INDEX",
        "LISTEN_FDNAMES",
        "LISTEN_FDS",
        "LISTEN_PID",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
    )
)


def environment_of(
    template: ProcessTemplate,
    os_environ: Mapping[str, str],
    extra: Mapping[str, str] | None = None,
    *,
    index: int | None = None,
) -> dict[str, str]:
    """The whole environment of a process.

    Args:
        template: its ``env`` goes before what is inherited.
        os_environ: what is inherited, if the template says so; ``{}`` for a process on a node.
        extra: goes before that of the template.
        index: the place of the process; ``None``: it is run once.
    """
    inherited = os_environ if template.inherit_env else {}
    env = {name: value for name, value in inherited.items() if name not in _OURS}
    port = port_of(template, index)
    if port is not None:
        env["PORT"] = str(port)
    env |= {**template.env, **(extra or {}), "ASYNCTASK_NAME": template.name}
    if index is not None:
        env["ASYNCTASK_INDEX"] = str(index)
    return env


def port_of(template: ProcessTemplate, index: int | None) -> int | None:
    """The ``PORT`` of a process; ``None``: its template gives none."""
    return None if template.port is None else template.port + (index or 0)


def argv_of(template: ProcessTemplate, env: Mapping[str, str]) -> list[str]:
    """The program and its arguments.

    Args:
        template: whose command it is.
        env: the environment of the process, for the variables in the command.

    Raises:
        LaunchError: a variable is not set.
    """
    try:
        args = [filled(word(each), env) for each in template.args]
        if template.shell:
            assert isinstance(template.command, str)
            return [SHELL, "-c", template.command, template.name, *args]
        argv = [filled(each, env) for each in _words(template)]
    except KeyError as exc:
        name = exc.args[0]
        raise LaunchError(
            template.name, f"${name} is in its command, and is not set: set it in env, or write $$ for a $"
        ) from None
    if not argv[0]:
        raise LaunchError(template.name, "the name of its program is empty")
    return [*argv, *args]


def shell_text_of(template: ProcessTemplate) -> str:
    """The command as one line for ``sh`` on a node: it knows the variables there, and we do not.

    A variable that is not set ends that shell with a message.
    """
    args = [_quoted(word(each)) for each in template.args]
    if template.shell:
        assert isinstance(template.command, str)
        start = [SHELL, "-c", shlex.quote(template.command), template.name]
        return " ".join([*start, *args])
    return " ".join([*(_quoted(each) for each in _words(template)), *args])


def _words(template: ProcessTemplate) -> list[Word]:
    if isinstance(template.command, str):
        return split(template.command)
    return [word(each) for each in template.command]


def _quoted(parts: Word) -> str:
    return "".join(
        f'"${{{part.name}?is not set}}"' if isinstance(part, Variable) else shlex.quote(part)
        for part in parts
    )
