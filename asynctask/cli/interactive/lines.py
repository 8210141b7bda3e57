"""Where typed lines come from: an editor on a terminal that can have one, else the terminal itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from asynctask.cli.interactive.completion import Completion
from asynctask.cli.prompting import read_line
from asynctask.cli.terminal import is_terminal
from asynctask.cli.writer import STDERR, STDOUT

__all__ = ("PROMPT", "LineClearedError", "Lines", "PlainLines", "open_lines")

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


def open_lines(
    past: Sequence[str],
    complete: Callable[[str], Sequence[Completion]],
    environ: Mapping[str, str] = os.environ,
) -> Lines:
    """The best source that the terminal allows.

    Args:
        past: lines of earlier sessions, oldest first.
        complete: how what stands before the cursor may go on.
        environ: the environment, for ``TERM``.
    """
    out = next((fd for fd in (STDERR, STDOUT) if is_terminal(fd)), None)
    if out is None or environ.get("TERM", "dumb") == "dumb":
        return PlainLines(out)
    from asynctask.cli.interactive.editing import EditedLines

    return EditedLines(past, complete, out)
