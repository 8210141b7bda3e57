"""Questions to whoever sits at the terminal, wherever the standard streams go."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from asynctask.cli.terminal import encoded, visible

__all__ = ("Prompt",)

_TERMINAL = "/dev/tty"
_MOST_ANSWER = 4096


class Prompt:
    """Asks on the terminal of this process.

    Attributes:
        asking: whether an answer is awaited right now, so that nobody else may read the terminal.
    """

    def __init__(self) -> None:
        self.asking = False

    def ask(self, question: str) -> str | None:
        """Ask, and wait; not where an event loop runs.

        Returns:
            The answer without blanks round it; ``None`` if nobody can be asked: there is no terminal, or
            we are in the background.
        """
        with self._asked(question) as fd:
            return None if fd is None else _answer(fd)

    async def ask_aside(self, question: str) -> str | None:
        """Ask while the event loop goes on. Cancelling takes it back; else as :meth:`ask`."""
        with self._asked(question) as fd:
            if fd is None:
                return None
            await _readable(fd)
            return _answer(fd)

    @contextmanager
    def _asked(self, question: str) -> Iterator[int | None]:
        """The terminal, with the question on it. What was typed before is no answer to it, and dropped."""
        try:
            fd = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            yield None
            return
        self.asking = True
        try:
            if _is_foreground(fd):
                termios.tcflush(fd, termios.TCIFLUSH)
                os.write(fd, visible(encoded(question)))
                yield fd
            else:
                yield None
        finally:
            self.asking = False
            os.close(fd)


def _is_foreground(fd: int) -> bool:
    """In the background, reading would stop us, or fail."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    except asyncio.CancelledError:
        with suppress(OSError):  # what comes next begins on a line of its own
            os.write(fd, b"\n")
        raise
    finally:
        loop.remove_reader(fd)


def _answer(fd: int) -> str:
    """A line; the end of the input, or a terminal that is gone, is an empty one."""
    try:
        line = os.read(fd, _MOST_ANSWER)
    except OSError:
        line = b""
    if not line.endswith(b"\n"):
        with suppress(OSError):
            os.write(fd, b"\n")
    return line.decode(errors="replace").strip()
