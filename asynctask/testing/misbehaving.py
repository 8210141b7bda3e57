"""Commands of ill nodes, each with its fault."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable
from functools import partial

from asynctask.testing.command import Command, Host
from asynctask.testing.faults import Fault

__all__ = ("NOT_UTF8", "command_for")

#: A line that is not UTF-8: two bytes that never are, a sequence cut short, a surrogate.
NOT_UTF8 = b"\xff\xfe \xc3( \xed\xa0\x80\n"

_FLOOD = {1: "exec yes flood", 2: "exec yes flood >&2"}


class _Chatty(Command):
    """Something comes before the output."""

    def session_started(self) -> None:
        self._channel.write(f"*** {self._host.name} ***\n".encode())
        super().session_started()


class _NotUTF8(Command):
    def session_started(self) -> None:
        self._channel.write(NOT_UTF8)
        super().session_started()


class _Dropped(Command):
    """The connection is cut in the middle."""

    def output(self, fd: int, data: bytes) -> None:
        if not self._closed:
            super().output(fd, data)
            self._connection.abort()

    def exited(self, returncode: int) -> None:
        if not self._closed:
            self._connection.abort()


class _Killed(Command):
    """It dies in the middle."""

    _struck = False

    def output(self, fd: int, data: bytes) -> None:
        if not self._struck:
            self._struck = True
            super().output(fd, data)
            self._signal(signal.SIGKILL)

    def exited(self, returncode: int) -> None:
        super().exited(-signal.SIGKILL)


class _WithoutStatus(Command):
    def exited(self, returncode: int) -> None:
        """Nobody is told."""


class _Lingering(Command):
    def ended(self) -> None:
        """The channel is the client's to close."""


class _Flood(Command):
    """Its process is a real one: the channel's window and signals do to it what they do to any."""

    def __init__(self, host: Host, line: str | None, fd: int) -> None:
        super().__init__(host, _FLOOD[fd])


class _Paced(Command):
    """Sends its output in pieces of ``size`` bytes, one every ``interval`` seconds.

    The process is not read before the last piece of what it wrote has left, so that it blocks like one
    behind a slow line, and no more is held than its pipes give at once.
    """

    def __init__(self, host: Host, line: str | None, *, size: int, interval: float) -> None:
        super().__init__(host, line)
        self._size = size
        self._interval = interval
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._channel_full = False
        self._returncode: int | None = None
        self._output_ended = False

    def output(self, fd: int, data: bytes) -> None:
        if self._process is None or self._closed:
            return
        self._process.pause_output()
        self._waiting.append((fd, data))
        if self._timer is None:
            self._send()

    def exited(self, returncode: int) -> None:
        self._returncode = returncode

    def ended(self) -> None:
        self._output_ended = True
        self._finish_when_sent()

    def pause_writing(self) -> None:
        self._channel_full = True

    def resume_writing(self) -> None:
        self._channel_full = False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        super().connection_lost(exc)

    def _send(self) -> None:
        self._timer = None
        if self._waiting and not self._channel_full:
            fd, data = self._waiting.popleft()
            if len(data) > self._size:
                self._waiting.appendleft((fd, data[self._size :]))
            super().output(fd, data[: self._size])
        if self._closed:
            return
        if self._waiting:
            self._timer = asyncio.get_running_loop().call_later(self._interval, self._send)
        else:
            self._pause_once()

    def _pause_once(self) -> None:
        """After the last piece too, or a process that writes often would be quicker."""
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._read_on)

    def _read_on(self) -> None:
        self._timer = None
        if self._process is not None:
            self._process.resume_output()
        self._finish_when_sent()

    def _finish_when_sent(self) -> None:
        if self._output_ended and self._timer is None and not self._closed:
            assert self._returncode is not None
            super().exited(self._returncode)
            super().ended()


_COMMANDS: dict[Fault | None, Callable[[Host, str | None], Command]] = {
    Fault.CHATTY: _Chatty,
    Fault.INVALID_UTF8: _NotUTF8,
    Fault.DROP: _Dropped,
    Fault.KILLED: _Killed,
    Fault.NO_STATUS: _WithoutStatus,
    Fault.LINGERS: _Lingering,
    Fault.FLOOD_STDOUT: partial(_Flood, fd=1),
    Fault.FLOOD_STDERR: partial(_Flood, fd=2),
    Fault.DRIPS: partial(_Paced, size=1, interval=1.0),
    Fault.THROTTLED: partial(_Paced, size=128, interval=0.125),
}


def command_for(host: Host, line: str | None) -> Command:
    """Make the command for a node as it is now: well, or with its fault."""
    return _COMMANDS.get(host.fault, Command)(host, line)
