"""Writes lines where there is no loop."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from asynctask.cli.terminal import STDOUT, encoded, is_terminal, visible

__all__ = ("columns", "put", "put_bytes", "say")


def put_bytes(parts: Iterable[bytes]) -> None:
    """Bytes for standard output, as they are: what may not go to a terminal is out of them."""
    for part in parts:
        click.echo(part, nl=False)


def put(lines: Iterable[str]) -> None:
    """Lines for standard output; nothing in them can drive a terminal."""
    data = encoded("".join(f"{line}\n" for line in lines))
    click.echo(visible(data) if is_terminal(STDOUT) else data, nl=False)


def say(text: str) -> None:
    """A line for the user, on standard error."""
    click.echo(visible(encoded(f"asynctask: {text}")), err=True)


def columns() -> int | None:
    """How wide the terminal is; ``None`` if standard output goes to none."""
    if not is_terminal(STDOUT):
        return None
    try:
        return os.get_terminal_size(STDOUT).columns or None
    except OSError:
        return None
