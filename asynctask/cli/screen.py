"""The two output streams and, on a terminal, the status line below what they show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from asynctask.cli.terminal import is_terminal
from asynctask.cli.writer import STDERR, STDOUT, Writer

__all__ = ("Screen",)

_ERASE = b"\r\x1b[K"
#: Seconds before the status line appears, and between two of its states.
_FIRST, _EVERY = 1.0, 0.25


class Screen:
    """Writes output; keeps the status line, if there is one, out of its way.

    Args:
        status: says what the line shows; ``None`` for no line.
        on_broken: called when nobody reads standard output any more.
    """

    def __init__(self, status: Callable[[], str] | None, on_broken: Callable[[], None]) -> None:
        self._writer = Writer(on_broken)
        self._terminals = {fd: is_terminal(fd) for fd in (STDOUT, STDERR)}
        self._status = status if self._terminals[STDERR] else None
        self._shown = ""
        self._timer: asyncio.TimerHandle | None = None
        if self._status is not None:
            self._timer = asyncio.get_running_loop().call_later(_FIRST, self._refresh)

    @property
    def broken(self) -> bool:
        """Whether standard output has lost its reader."""
        return self._writer.broken

    def is_terminal(self, fd: int) -> bool:
        """Whether a stream is shown to somebody on a terminal."""
        return self._terminals[fd]

    async def write(self, fd: int, data: bytes) -> None:
        """Show ``data``; waits while the reader is far behind."""
        if self._shown and self._terminals[fd]:
            self._erase()
        await self._writer.write(fd, data)

    def say(self, text: str) -> None:
        """A line for the user, on standard error. Never waits."""
        self._erase()
        self._writer.put(STDERR, text.encode(errors="replace") + b"\n")

    def end_status(self) -> None:
        """No status line any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._status = None
        self._erase()

    async def close(self) -> None:
        """Wait until all is written."""
        self.end_status()
        await self._writer.close()

    def _refresh(self) -> None:
        assert self._status is not None
        self._timer = asyncio.get_running_loop().call_later(_EVERY, self._refresh)
        text = self._status()
        if text != self._shown:
            self._shown = text
            self._writer.put(STDERR, _ERASE + text.encode(errors="replace"))

    def _erase(self) -> None:
        if self._shown:
            self._shown = ""
            self._writer.put(STDERR, _ERASE)
