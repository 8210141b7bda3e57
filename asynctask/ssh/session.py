"""One command on a connection, through asyncssh's session callbacks.

No reader object stands between the wire and the sink: what a channel delivers goes straight on.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

import anyio
import asyncssh

from asynctask.waiting import Grace

__all__ = ("RemoteCommand", "start")

#: How long after its exit a command's output may stay open, silent, because something else holds
#: it, in seconds; and how long altogether. Longer than for local processes: the network is between.
OUTPUT_GRACE = 1.0
OUTPUT_GRACE_TOTAL = 10.0
#: How long a channel may take to close after KILL, in seconds.
KILL_WAIT = 2.0

Receive = Callable[[str, bytes], None]


class RemoteCommand(asyncssh.SSHClientSession[bytes]):
    """A command that runs on a node.

    Args:
        receive: called with ``"stdout"`` or ``"stderr"`` and some bytes.
        separate_stderr: else standard error is part of standard output.
    """

    def __init__(self, receive: Receive, *, separate_stderr: bool) -> None:
        self._receive = receive
        self._stderr = "stderr" if separate_stderr else "stdout"
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._paused = False
        self._hangup: asyncio.TimerHandle | None = None
        self._hang_up_by = 0.0
        self.exit_status: int | None = None
        self.exit_signal: str | None = None
        self.lost: Exception | None = None
        """Why the connection broke, if it did."""

    # -- called by asyncssh -------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._receive("stdout" if datatype is None else self._stderr, data)
        if self._hangup is not None:
            self._await_output_end()

    def eof_received(self) -> bool:
        return True  # the command may close its output and go on; we hear of its exit

    def exit_status_received(self, status: int) -> None:
        self.exit_status = status
        self._exited()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self.exit_signal = signal
        self._exited()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc
        if self._hangup is not None:
            self._hangup.cancel()
        if self._paused:
            self.resume_reading()  # what the channel still holds is delivered now or never
        self._room.set()
        self._over.set()

    # -- the end ------------------------------------------------------------------------------

    def _exited(self) -> None:
        self._hang_up_by = self._loop.time() + OUTPUT_GRACE_TOTAL
        self._await_output_end()

    def _await_output_end(self) -> None:
        if self._hangup is not None:
            self._hangup.cancel()
        when = min(self._loop.time() + OUTPUT_GRACE, self._hang_up_by)
        self._hangup = self._loop.call_at(when, self._hang_up)

    def _hang_up(self) -> None:
        if self._paused:  # a slow consumer: look again later
            self._exited()
        elif self._channel is not None:
            self._channel.close()

    async def wait(self) -> None:
        """Wait until the channel is closed. Cancelling leaves the command as it is."""
        await self._over.wait()

    async def end(self, grace: Grace) -> None:
        """End the command and its process group: TERM, the grace, KILL, close.

        OpenSSH passes signals on since 7.9. Returns at most ``KILL_WAIT`` seconds after KILL.
        """
        self.resume_reading()
        self._signal("TERM")
        with grace.period():
            await self._over.wait()
        self._signal("KILL")
        with anyio.move_on_after(KILL_WAIT):
            await self._over.wait()
        if not self._over.is_set() and self._channel is not None:
            self._channel.abort()

    def _signal(self, name: str) -> None:
        if not self._over.is_set() and self._channel is not None:
            with suppress(OSError):
                self._channel.send_signal(name)

    # -- flow control and input -----------------------------------------------------------------

    def pause_reading(self) -> None:
        """Take no more output; the node stops sending when the channel's window is full."""
        if not self._paused and self._channel is not None and not self._over.is_set():
            self._paused = True
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        """Take output again."""
        if self._paused and self._channel is not None:
            self._paused = False
            with suppress(OSError, asyncssh.Error):
                self._channel.resume_reading()

    async def write(self, data: bytes) -> None:
        """Send input, waiting for room before each piece.

        Raises:
            BrokenPipeError: the channel is closed.
        """
        await self._room.wait()
        if self._over.is_set() or self._channel is None:
            raise BrokenPipeError("standard input is closed")
        try:
            self._channel.write(data)
        except OSError as exc:
            raise BrokenPipeError("standard input is closed") from exc

    def close(self) -> None:
        """End the input."""
        if self._channel is not None and not self._over.is_set():
            with suppress(OSError):
                self._channel.write_eof()


async def start(
    connection: asyncssh.SSHClientConnection, command: str, receive: Receive, *, separate_stderr: bool
) -> RemoteCommand:
    """Start a command.

    Raises:
        asyncssh.Error: the node did not open a channel or refused to run it.

    Cancelling may leave a channel that is being opened: close the connection then.
    """
    session = RemoteCommand(receive, separate_stderr=separate_stderr)
    await connection.create_session(
        lambda: session,
        command,
        encoding=None,
        request_pty=False,
    )
    return session


def signal_number(name: str) -> int:
    """The number of a signal that SSH names without ``SIG``; 0 for one that is not known here."""
    try:
        return signal.Signals[f"SIG{name}"].value
    except KeyError:
        return 0
