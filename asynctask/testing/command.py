"""One command that a client runs on a test node: an SSH channel joined to a local process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import asyncssh
from asyncssh.packet import Boolean, String, UInt32

from asynctask.testing.census import Census
from asynctask.testing.faults import Fault
from asynctask.testing.shell import ShellProcess
from asynctask.testing.terminal import TerminalRequest

__all__ = ("Command", "Host")

_SHELL = "/bin/sh"
# How often, in seconds, a command with a full stdin looks whether its channel was closed.
_STALLED_CHECK = 0.05


class Host(Protocol):
    """What a command needs to know of the node that it runs on."""

    @property
    def name(self) -> str:
        """The node's name."""

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the node now."""

    @property
    def census(self) -> Census:
        """Where commands are counted."""

    @property
    def home(self) -> Path:
        """Where commands start."""

    @property
    def accept_env(self) -> tuple[str, ...]:
        """Patterns of the variables that clients may set."""

    def environment(self, connection: asyncssh.SSHServerConnection) -> dict[str, str]:
        """What commands of this connection find in their environment, whatever the client has set."""


class Command(asyncssh.SSHServerSession[bytes]):
    """A shell for one channel.

    As with OpenSSH the exit status is sent when the shell exits, and the channel is closed when
    its output has ended too: a child that keeps the pipe open keeps the channel open. Other than
    with OpenSSH, what is left of the process group is killed when the channel ends.

    Args:
        host: the node.
        line: what the shell runs; ``None``: what it is told on its input.
    """

    _channel: asyncssh.SSHServerChannel[bytes]
    _connection: asyncssh.SSHServerConnection
    _spawning: asyncio.Task[None]

    def __init__(self, host: Host, line: str | None) -> None:
        self._host = host
        self._line = line
        self._process: ShellProcess | None = None
        self._process_gone = False
        self._closed = False
        self._over = False
        self._stalled: asyncio.TimerHandle | None = None

    # -- called by asyncssh -----------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan
        self._connection = chan.get_extra_info("connection")

    def session_started(self) -> None:
        self._host.census.command_started(self._host.name)
        self._process = ShellProcess(self)
        self._spawning = asyncio.create_task(self._spawn(self._process), name=f"{self._host.name}: spawn")
        self._spawning.add_done_callback(self._spawned)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._process is not None:
            self._process.write(data)

    def eof_received(self) -> bool:
        if self._process is not None:
            self._process.write_eof()
        return True  # the channel stays open for output

    def signal_received(self, signal_name: str) -> None:
        number = getattr(signal, f"SIG{signal_name}", None)
        if isinstance(number, signal.Signals):
            self._signal(number)

    def break_received(self, msec: int) -> bool:
        self._signal(signal.SIGINT)
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._process is not None:
            self._process.resize(width, height)

    def pause_writing(self) -> None:
        if self._process is not None:
            self._process.pause_output()

    def resume_writing(self) -> None:
        if self._process is not None:
            self._process.resume_output()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._forget_stall()
        if self._process is not None:
            self._process.finish()
            self._check_over()

    # -- called by the process --------------------------------------------------------------

    def output(self, fd: int, data: bytes) -> None:
        if not self._closed:
            with suppress(OSError):  # closed by the client just now
                self._channel.write(data, asyncssh.EXTENDED_DATA_STDERR if fd == 2 else None)

    def exited(self, returncode: int) -> None:
        if self._closed:
            return
        if returncode >= 0:
            self._report(b"exit-status", UInt32(returncode))
        else:
            name = _signal_name(-returncode)
            self._report(b"exit-signal", String(name), Boolean(False), String(""), String(""))

    def ended(self) -> None:
        if not self._closed:
            self._channel.close()

    def gone(self) -> None:
        self._process_gone = True
        self._check_over()

    def stdin_full(self) -> None:
        if not self._closed:
            self._channel.pause_reading()
            self._watch_stalled()

    def stdin_ready(self) -> None:
        self._forget_stall()
        if not self._closed:
            self._channel.resume_reading()

    # -- inside -----------------------------------------------------------------------------

    async def _spawn(self, process: ShellProcess) -> None:
        arguments = () if self._line is None else ("-c", self._line)
        environment = {**self._channel.get_environment(), **self._host.environment(self._connection)}
        terminal = self._terminal()
        if terminal is not None:
            environment["TERM"] = terminal.kind
        await process.spawn(
            _SHELL, *arguments, directory=self._host.home, environment=environment, terminal=terminal
        )

    def _terminal(self) -> TerminalRequest | None:
        kind = self._channel.get_terminal_type()
        if kind is None:
            return None
        columns, rows, _, _ = self._channel.get_terminal_size()
        return TerminalRequest(kind, columns, rows, self._channel.get_terminal_modes())

    def _spawned(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self._process_gone = True
        if error is not None and not self._closed:
            reason = error.strerror if isinstance(error, OSError) else error
            self._channel.write_stderr(f"{self._host.name}: {reason}\n".encode())
            self._channel.exit(255)
        self._check_over()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.signal(number)

    def _report(self, request: bytes, *values: bytes) -> None:
        # asyncssh's own exit() closes the channel too, and would cut off output that is still to come.
        self._channel._send_request(request, *values)

    def _watch_stalled(self) -> None:
        # asyncssh reports the close of a channel only after its data, which waits for the process.
        self._forget_stall()
        if self._channel.is_closing():
            self._channel.abort()
        else:
            loop = asyncio.get_running_loop()
            self._stalled = loop.call_later(_STALLED_CHECK, self._watch_stalled)

    def _forget_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _check_over(self) -> None:
        if self._closed and self._process_gone and self._spawning.done() and not self._over:
            self._over = True
            self._host.census.command_ended()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:  # a real-time signal
        return "SIG@openssh.com"
