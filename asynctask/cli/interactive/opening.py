"""Chooses where typed lines come from: an editor where the terminal can have one, else the terminal."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from asynctask.cli.interactive.completion import Completion
from asynctask.cli.interactive.lines import Lines, PlainLines
from asynctask.cli.terminal import STDERR, STDOUT, is_terminal

__all__ = ("open_lines",)


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
