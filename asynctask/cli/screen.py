"""The two output streams and, on a terminal, the status line below what they show."""

from __future__ import annotations

import asyncio
import os
import time
import unicodedata
from collections.abc import Callable

from asynctask.cli.terminal import STDERR, STDOUT, encoded, is_terminal, visible
from asynctask.cli.writer import Writer

__all__ = ("Screen", "columns", "fitting")

_ERASE = b"\r\x1b[K"
#: Seconds before the status line appears, and between two of its states.
_FIRST, _EVERY = 1.0, 0.25
#: Who was not refreshed for so many seconds was stopped, and somebody else has written since.
_STOPPED = 2 * _EVERY
#: The width of a terminal that does not tell.
_COLUMNS = 80
#: How long a prompt waits for what was said before it, in seconds.
_PAUSING = 1.0


class Screen:
    """Writes output; keeps the status line, if there is one, out of its way.

    Only a terminal ever has a status line, and only while the program is in its foreground.

    Args:
        status: says what the line shows; ``None`` for no line. It is cut where the terminal ends.
        on_broken: called when nothing can be written to standard output any more.
    """

    def __init__(self, status: Callable[[], str] | None, on_broken: Callable[[], None]) -> None:
        self._writer = Writer(on_broken)
        self._terminals = {fd: is_terminal(fd) for fd in (STDOUT, STDERR)}
        can_erase = self._terminals[STDERR] and os.environ.get("TERM") != "dumb"
        self._status = status if can_erase else None
        self._shown = ""
        self._refreshed = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._going_on = asyncio.Event()  # cleared while somebody else has the terminal
        self._going_on.set()
        self._held: list[bytes] = []  # what was said meanwhile
        if self._status is not None:
            self._timer = asyncio.get_running_loop().call_later(_FIRST, self._refresh)

    @property
    def error(self) -> OSError | None:
        """Why nothing can be written to standard output any more."""
        return self._writer.error

    def is_terminal(self, fd: int) -> bool:
        """Whether a stream is shown to somebody on a terminal."""
        return self._terminals[fd]

    async def write(self, fd: int, data: bytes) -> None:
        """Show ``data``; waits while the reader is far behind, or a prompt has the terminal."""
        if not self._going_on.is_set() and self._terminals[fd]:
            await self._going_on.wait()
        if self._shown and self._terminals[fd]:
            self._erase()
        await self._writer.write(fd, data)

    def say(self, text: str) -> None:
        """A line for the user, on standard error. Never waits."""
        line = visible(encoded(text)) + b"\n"
        if self.paused and self._terminals[STDERR]:
            self._held.append(line)
            return
        self._erase()
        self._writer.put(STDERR, line)

    async def pause(self) -> None:
        """Leave the terminal to a prompt: no status line, and what was said so far is shown."""
        self._erase()
        self._going_on.clear()
        give_up = time.monotonic() + _PAUSING
        while self._writer.behind and time.monotonic() < give_up:  # noqa: ASYNC110 (it has no such event)
            await asyncio.sleep(0.005)

    def resume(self) -> None:
        """The prompt is answered."""
        self._going_on.set()
        if self._held:
            self._writer.put(STDERR, b"".join(self._held))
            self._held.clear()

    @property
    def paused(self) -> bool:
        """Whether somebody else has the terminal."""
        return not self._going_on.is_set()

    def end_status(self) -> None:
        """No status line any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._status = None
        self._erase()

    async def close(self) -> None:
        """Wait until all is written, or nobody reads any more, or it is given up."""
        self.end_status()
        await self._writer.close()

    @property
    def behind(self) -> bool:
        """Whether something waits to be written."""
        return self._writer.behind

    @property
    def progress(self) -> int:
        """How many bytes were written, or could not be."""
        return self._writer.progress

    def give_up(self) -> None:
        """Wait for nobody to read any more; what is not shown yet is lost."""
        self._writer.give_up()

    def _refresh(self) -> None:
        assert self._status is not None
        self._timer = asyncio.get_running_loop().call_later(_EVERY, self._refresh)
        if self._writer.behind or self.paused or not _in_foreground():
            return
        now = time.monotonic()
        was_stopped, self._refreshed = now - self._refreshed > _STOPPED, now
        text = fitting(visible(encoded(self._status())).decode(), columns() - 1)
        if text != self._shown or was_stopped:
            self._shown = text
            self._writer.put(STDERR, _ERASE + text.encode())

    def _erase(self) -> None:
        if self._shown:
            self._shown = ""
            self._writer.put(STDERR, _ERASE)


def columns() -> int:
    """The width of the terminal, now: a line that is wider could not be erased."""
    try:
        found = os.get_terminal_size(STDERR).columns
    except OSError:
        found = 0
    return found or _COLUMNS


def fitting(text: str, width: int) -> str:
    """As much of a text as takes ``width`` columns at most: some characters take two, some none."""
    if len(text) <= width and text.isascii():
        return text
    for place, character in enumerate(text):
        width -= _width(character)
        if width < 0:
            return text[:place]
    return text


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _in_foreground() -> bool:
    """Whether the terminal is ours: in the background the shell has it, and its prompt."""
    try:
        return os.tcgetpgrp(STDERR) == os.getpgrp()
    except OSError:  # it is not the terminal that controls us
        return True
