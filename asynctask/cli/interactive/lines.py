"""Where typed lines come from, and the terminal itself as such a place."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol

from asynctask.cli.prompting import read_line

__all__ = ("PROMPT", "LineClearedError", "Lines", "PlainLines")

PROMPT = "asynctask> "
STDIN = 0


class LineClearedError(Exception):
    """Ctrl-C: the line does not count."""


class Lines(Protocol):
    """A source of lines."""

    async def read(self) -> str:
        """The next line. Cancelling leaves the terminal as it was.

        Raises:
            LineClearedError: Ctrl-C was pressed.
            EOFError: there are no more.
        """


class PlainLines:
    """Lines as the terminal itself hands them over: no editor, no completion. Ctrl-C comes as a signal.

    Args:
        out: where the prompt goes; ``None``: nowhere.
        fd: the terminal.
    """

    def __init__(self, out: int | None, fd: int = STDIN) -> None:
        self._out = out
        self._fd = fd

    async def read(self) -> str:
        if self._out is not None:
            with suppress(OSError):
                os.write(self._out, PROMPT.encode())
        try:
            line = await read_line(self._fd)
        except OSError as exc:  # hung up
            raise EOFError from exc
        if not line:
            raise EOFError
        return line.removesuffix(b"\n").decode(errors="surrogateescape")
