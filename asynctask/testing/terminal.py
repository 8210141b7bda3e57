"""A pseudo-terminal for a command of a test node."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO

import asyncssh

__all__ = ("TerminalInput", "TerminalRequest", "open_terminal", "taking")

# The flags that clients send as numbers of their own (RFC 4254, section 8): where termios has them.
_IFLAG, _OFLAG, _LFLAG = 0, 1, 3
_FLAGS = {
    asyncssh.PTY_ICRNL: (_IFLAG, termios.ICRNL),
    asyncssh.PTY_OPOST: (_OFLAG, termios.OPOST),
    asyncssh.PTY_ONLCR: (_OFLAG, termios.ONLCR),
    asyncssh.PTY_ISIG: (_LFLAG, termios.ISIG),
    asyncssh.PTY_ICANON: (_LFLAG, termios.ICANON),
    asyncssh.PTY_ECHO: (_LFLAG, termios.ECHO),
}
# A session's leader that has no terminal gets the first that it opens. To do that between fork and exec
# would not be safe in a process with threads.
_TAKE = 'tty=$1; shift; exec <"$tty" >"$tty" 2>&1; exec "$@"'


# Bytes of input above which no more is wanted.
_HIGH_WATER = 64 * 1024


@dataclass(frozen=True, slots=True)
class TerminalRequest:
    """What terminal a client wants."""

    kind: str
    columns: int
    rows: int
    modes: Mapping[int, int]


def open_terminal(request: TerminalRequest) -> tuple[BinaryIO, BinaryIO, BinaryIO]:
    """Make a terminal: our end to read, our end to write, and the end of the process.

    Raises:
        OSError: none is to be had.
    """
    with ExitStack() as undo:
        ours, theirs = (undo.enter_context(os.fdopen(fd, "r+b", buffering=0)) for fd in pty.openpty())
        writer = undo.enter_context(os.fdopen(os.dup(ours.fileno()), "wb", buffering=0))
        _resize(theirs.fileno(), request.columns, request.rows)
        _set_modes(theirs.fileno(), request.modes)
        undo.pop_all()
    return ours, writer, theirs


def taking(terminal: BinaryIO, *argv: str) -> tuple[str, ...]:
    """A command that takes a terminal as its controlling one and goes on as ``argv``."""
    return "/bin/sh", "-c", _TAKE, "sh", os.ttyname(terminal.fileno()), *argv


class TerminalInput:
    """Writes to a terminal.

    It stands in for the loop's own transport: uvloop's reads from what it writes to, to learn of its end,
    and that would take the output away.

    Args:
        end: where to write; closed with this.
        protocol: told when to pause, when to go on, and when it is closed.
    """

    def __init__(self, end: BinaryIO, protocol: asyncio.Protocol) -> None:
        self._end = end
        self._fd = end.fileno()
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._paused = False
        self._closing = False
        os.set_blocking(self._fd, False)

    def is_closing(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """How many bytes wait."""
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        """Write as soon as there is room."""
        if not self._closing:
            self._waiting += data
            self._flush()

    def resize(self, columns: int, rows: int) -> None:
        """Tell the terminal its size."""
        if not self._closing:
            _resize(self._fd, columns, rows)

    def abort(self) -> None:
        """Close at once."""
        if not self._closing:
            self._closing = True
            self._waiting.clear()
            self._loop.remove_writer(self._fd)
            self._end.close()
            self._loop.call_soon(self._protocol.connection_lost, None)

    close = abort

    def _flush(self) -> None:
        try:
            written = os.write(self._fd, self._waiting)
        except BlockingIOError:
            written = 0
        except OSError:  # nobody has the other end any more
            self.abort()
            return
        del self._waiting[:written]
        if self._waiting:
            self._loop.add_writer(self._fd, self._flush)
        else:
            self._loop.remove_writer(self._fd)
        self._tell()

    def _tell(self) -> None:
        if not self._paused and len(self._waiting) > _HIGH_WATER:
            self._paused = True
            self._protocol.pause_writing()
        elif self._paused and not self._waiting:
            self._paused = False
            self._protocol.resume_writing()


def _resize(fd: int, columns: int, rows: int) -> None:
    """Set the size; the foreground job hears of it by SIGWINCH."""
    termios.tcsetwinsize(fd, (min(rows, 0xFFFF), min(columns, 0xFFFF)))


def _set_modes(fd: int, modes: Mapping[int, int]) -> None:
    attributes = termios.tcgetattr(fd)
    for number, (field, flag) in _FLAGS.items():
        if number in modes:
            attributes[field] = attributes[field] | flag if modes[number] else attributes[field] & ~flag
    termios.tcsetattr(fd, termios.TCSANOW, attributes)
