"""Which manager is meant, and the connection to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

if TYPE_CHECKING:
    from asynctask.manager.control.client import Client

__all__ = ("CONTEXT", "connect", "place_options")

Command: TypeAlias = Callable[..., Any]

#: Settings of each of these commands.
CONTEXT = {"help_option_names": ["--help", "-h"]}


def place_options(command: Command, *, short: tuple[str, ...] = ("-f",)) -> Command:
    """The options that say which manager is meant; they arrive as ``file`` and ``socket``.

    Args:
        command: gets them.
        short: more names of ``--file``.
    """
    file = click.option(
        *short,
        "--file",
        metavar="FILE",
        callback=_not_empty,
        help="The manager that 'asynctask up -f FILE' is; or its directory. [default: the one here]",
    )
    socket = click.option(
        "--socket",
        metavar="PATH",
        callback=_not_empty,
        help="Its control socket. [default: $ASYNCTASK_SOCKET]",
    )
    return file(socket(command))


def connect(file: str | None, socket: str | None) -> Client:
    """A connection to the manager that is meant.

    Raises:
        NoManagerError: it does not run.
        ManagerError: it cannot be talked to, and why.
    """
    from asynctask.manager.control.client import Client
    from asynctask.manager.control.place import ENVIRONMENT_VARIABLE, socket_path

    path = Path(file if file is not None else ".")
    if path.is_dir():
        path /= "asynctask.toml"  # a Procfile says nothing of a socket
    environ = dict(os.environ)
    if file is not None:
        environ.pop(ENVIRONMENT_VARIABLE, None)
    return Client(socket_path(path.parent, socket, environ, configured=_configured(path)))


def _configured(path: Path) -> Path | None:
    """The socket that a file names. Whatever else is wrong with it may be mended while its manager runs."""
    if path.suffix != ".toml" or not path.is_file():
        return None
    import tomllib

    try:
        socket = tomllib.loads(path.read_text("utf-8-sig"))["manager"]["socket"]
        return path.parent.absolute() / Path(socket).expanduser()
    except (OSError, ValueError, LookupError, TypeError, RuntimeError):
        return None


def _not_empty(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "":  # most likely an unset variable
        raise click.BadParameter("it is empty", ctx, param)
    return value
