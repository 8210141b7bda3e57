"""A terminal that shows what a user would see: ``asynctask`` in a pseudo-terminal, read by an emulator."""

from __future__ import annotations

import fcntl
import re
import struct
import termios
import time
from collections.abc import Mapping
from typing import Self

import pyte
from pyte.modes import LNM

from tests.cli.programs import PATIENCE, Terminal

__all__ = ("Emulator",)


class Emulator(Terminal):
    """A :class:`Terminal` with a screen.

    Args:
        words: the command line.
        columns, rows: the size of the window.
        stdin, stdout, stderr: descriptors to use instead of the terminal.
        env: variables to add.
    """

    def __init__(
        self,
        *words: str,
        columns: int = 80,
        rows: int = 24,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._screen.set_mode(LNM)  # no line discipline puts the return in front of a newline
        self._stream = pyte.ByteStream(self._screen)
        self._fed = 0
        super().__init__(*words, stdin=stdin, stdout=stdout, stderr=stderr, columns=columns, env=env)

    def __enter__(self) -> Self:
        return self

    @property
    def rows(self) -> list[str]:
        """What is on the screen, without what is blank to the right and below."""
        rows = [row.rstrip() for row in self._screen.display]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def cursor(self) -> tuple[int, int]:
        """Its column and its row, from 0."""
        return self._screen.cursor.x, self._screen.cursor.y

    def wait_until(self, pattern: str) -> re.Match[str]:
        """Wait until the rows, joined with newlines, have something that matches; the match."""
        give_up = time.monotonic() + PATIENCE
        while (found := re.search(pattern, "\n".join(self.rows))) is None:
            assert time.monotonic() < give_up, f"{pattern!r} is not shown, but {self.rows}"
            assert self._more(), f"the end came before {pattern!r}: {self.rows}"
        return found

    def resize(self, columns: int, rows: int = 24) -> None:
        """Drag the window: the program is told by a signal."""
        self._screen.resize(rows, columns)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _more(self) -> bool:
        before = len(self.shown)
        alive = super()._more()
        self._stream.feed(self.shown[before:])
        return alive

    def modes(self) -> list[object]:
        """What a program could change about the terminal."""
        return termios.tcgetattr(self._ours)
