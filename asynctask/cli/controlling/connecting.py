"""Which manager is meant, and the connection to it."""

from __future__ import annotations

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
    from asynctask.manager.control.place import socket_path

    return Client(socket_path(_directory(file), socket, environ={} if file is not None else None))


def _directory(file: str | None) -> Path:
    path = Path(file if file is not None else ".")
    return path if path.is_dir() else path.parent


def _not_empty(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value == "":  # most likely an unset variable
        raise click.BadParameter("it is empty", ctx, param)
    return value
