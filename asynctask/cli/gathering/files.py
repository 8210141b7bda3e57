"""Writes what each node has printed to a file of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asynctask.cli.output.directories import file_name
from asynctask.errors import UsageError
from asynctask.messages import Message

__all__ = ("require_directory", "write_files")


def require_directory(directory: str, *, create: bool) -> None:
    """See that there is a directory to write to; make it, and those above it, if that is asked for.

    Raises:
        UsageError: there is none, or none can be made.
    """
    path = Path(directory)
    try:
        if create:
            path.mkdir(parents=True, exist_ok=True)
        elif not path.is_dir():
            raise UsageError(
                f"-d {directory}: no such directory; -f makes it (clubak's -d, which says more, is --debug)"
            )
    except OSError as exc:
        raise UsageError(f"-d {directory}: {exc.strerror or exc}") from exc


def write_files(directory: str, messages: Mapping[str, Message]) -> None:
    """Write a file for each node. What was in it is lost.

    Raises:
        OSError: a file cannot be written.
    """
    for name, message in messages.items():
        Path(directory, file_name(name)).write_bytes(message.raw)
