"""One command on a connection, through asyncssh's session callbacks.

No reader object stands between the wire and the sink: what a channel delivers goes straight on.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import anyio
import asyncssh
from asyncssh.packet import String

from asynctask.ssh.environment import Request, Variables, with_variables
from asynctask.ssh.groups import FIND_WAIT, KILL_WAIT, GroupEnd, Signaller, end_group
from asynctask.waiting import Grace

__all__ = ("Announce", "RemoteCommand", "start")

#: How long after its exit a command's output may stay open, silent, because something else holds
#: it, in seconds; and how long altogether. Longer than for local processes: the network is between, and
#: where it is slow, the end of the output may wait for room in the channel's window.
OUTPUT_GRACE = 1.0
OUTPUT_GRACE_TOTAL = 30.0
#: The same in times that it took to start the command, which are two trips to the node and back.
OUTPUT_GRACE_STARTS = 4
#: How long ending a command may take beyond its grace, in seconds.
END_WAIT = FIND_WAIT + 2 * KILL_WAIT
#: Bytes of input that are written at a time; asyncssh copies what waits.
_PIECE = 64 * 1024
_NEWLINE = 10
#: What ends the input of a terminal, at the beginning of a line.
_END_OF_FILE = b"\x04"
#: A terminal that echoes nothing and leaves the output as it is.
_MODES = {asyncssh.PTY_ECHO: 0, asyncssh.PTY_OPOST: 0, asyncssh.PTY_ONLCR: 0}
_WITH_TERMINAL: dict[str, Any] = {"request_pty": "force", "term_type": "dumb", "term_modes": _MODES}
_WITHOUT_TERMINAL: dict[str, Any] = {"request_pty": False}

#: Bytes that a command may have.
_MOST_COMMAND = 255 * 1024

Receive = Callable[[str, bytes], None]
#: Awaited right before a command starts.
Announce = Callable[[], Awaitable[None]]


class RemoteCommand(asyncssh.SSHClientSession[bytes]):
    """A command that runs on a node.

    Args:
        receive: called with ``"stdout"`` or ``"stderr"`` and some bytes.
        separate_stderr: else standard error is part of standard output.
        no_input: it reads nothing, so the end of its input goes out with the request to run it.
        pty: it has a terminal.
        mark: tells it from the others on its connection.
    """

    gone = False
    """Whether nothing of it is known to be left on the node."""
    prepare: Callable[[asyncssh.SSHClientChannel[bytes]], None] | None = None
    """Called with the channel before the request to run it; then calls :meth:`requested` after it."""
    escalate: Signaller | None = None
    """What reaches those of its processes that the login user cannot signal."""
    _line_begun = False

    def __init__(
        self,
        receive: Receive,
        *,
        separate_stderr: bool,
        no_input: bool = False,
        pty: bool = False,
        mark: str | None = None,
    ) -> None:
        self._receive = receive
        self._stderr = "stderr" if separate_stderr else "stdout"
        self._no_input = no_input
        self._pty = pty
        self._mark = mark
        self._loop = asyncio.get_running_loop()
        self._exit = asyncio.Event()
        self._over = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._paused = False
        self._hangup: asyncio.TimerHandle | None = None
        self._hang_up_by = 0.0
        self.output_grace = OUTPUT_GRACE
        self.exit_status: int | None = None
        self.exit_signal: str | None = None
        self.lost: Exception | None = None
        """Why the connection broke, if it did."""

    # -- called by asyncssh -------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan
        if self.prepare is not None:
            self.prepare(chan)
        elif self._no_input:
            self._loop.call_soon(self.close)

    def requested(self) -> None:
        """The request to run it is sent, after what was prepared."""
        if self._no_input:
            self.close()

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
        self.gone = exc is None and self.has_exited
        self._take_the_rest()
        if self._hangup is not None:
            self._hangup.cancel()
        self._room.set()
        self._exit.set()
        self._over.set()

    # -- the end ------------------------------------------------------------------------------

    def _exited(self) -> None:
        self._exit.set()
        self._hang_up_by = self._loop.time() + OUTPUT_GRACE_TOTAL
        self._await_output_end()

    def _await_output_end(self) -> None:
        if self._hangup is not None:
            self._hangup.cancel()
        when = min(self._loop.time() + self.output_grace, self._hang_up_by)
        self._hangup = self._loop.call_at(when, self._hang_up)

    def _hang_up(self) -> None:
        if self._paused:  # a slow consumer: look again later
            self._exited()
        elif self._channel is not None:
            self._channel.close()
            self.gone = True
            self._over.set()  # whether the server answers or not

    @property
    def has_exited(self) -> bool:
        """Whether the node has told how it ended."""
        return self.exit_status is not None or self.exit_signal is not None

    async def wait(self) -> None:
        """Wait until the channel is closed. Cancelling leaves the command as it is."""
        await self._over.wait()

    async def end(self, grace: Grace) -> bool:
        """End the command and its process group: TERM, the grace, KILL, close.

        Whether all of it is known to be gone, as :attr:`gone` says afterwards.

        Returns at most ``END_WAIT`` seconds after the grace. What a slow consumer has not taken stays
        in the channel until the command has ended, so that there is not more and more of it.
        """
        if self._over.is_set() or self._channel is None:
            return self.gone
        connection = cast("asyncssh.SSHClientConnection", self._channel.get_connection())
        found = await end_group(
            connection, grace, self._mark, escalate=self.escalate, has_ended=self._exit.is_set
        )
        ended = bool(found) or await self._end_by_signals(grace)
        self._take_the_rest()
        if ended:
            with anyio.move_on_after(KILL_WAIT):
                await self._over.wait()
        if not self._over.is_set():
            self.gone = False
            self._channel.abort()  # a terminal hangs up by that
        elif found is GroupEnd.LEFT:
            self.gone = False
        return self.gone

    async def _end_by_signals(self, grace: Grace) -> bool:
        """Where the group was not found. OpenSSH passes signals on since 7.9, but none to root's commands."""
        self._signal("TERM")
        with grace.period():
            await self._exit.wait()
        if not self._exit.is_set():
            self._signal("KILL")
            with anyio.move_on_after(KILL_WAIT):
                await self._exit.wait()
        return self._exit.is_set()

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
        if self._paused:
            if self._hangup is not None:
                self._exited()  # the time in which nobody took anything does not count
            self._take_the_rest()

    def _take_the_rest(self) -> None:
        """What the channel holds is delivered now or never, be it paused or just being started."""
        self._paused = False
        if self._channel is not None:
            with suppress(OSError, asyncssh.Error):
                self._channel.resume_reading()

    async def write(self, data: bytes | memoryview) -> None:
        """Send input, waiting for room before each piece.

        Raises:
            BrokenPipeError: the channel is closed.
        """
        for start in range(0, len(data), _PIECE):
            await self._room.wait()
            if self._over.is_set() or self._channel is None:
                raise BrokenPipeError("standard input is closed")
            try:
                self._channel.write(bytes(data[start : start + _PIECE]))
            except OSError as exc:
                raise BrokenPipeError("standard input is closed") from exc
        if data:
            self._line_begun = data[-1] != _NEWLINE

    def close(self) -> None:
        """End the input; that of a terminal as ``^D`` does."""
        if self._channel is not None and not self._over.is_set():
            with suppress(OSError):
                if self._pty:
                    self._channel.write(_END_OF_FILE * (2 if self._line_begun else 1))
                else:
                    self._channel.write_eof()


class _Opening:
    """Sends what a command needs besides: its variables and the request for a terminal, all in one go.

    asyncssh asks for a terminal and waits, and does not ask whether a variable is accepted. So the one
    channel's way to make a request is replaced until the command is asked for.
    """

    def __init__(
        self,
        command: str,
        variables: Variables,
        requested: Callable[[], object],
        announce: Announce | None = None,
    ) -> None:
        self._command = command
        self._variables = variables
        self._requested = requested
        self._announce = announce
        self._terminal: tuple[bytes, ...] | None = None

    def take(self, channel: Any) -> None:
        """Stand between asyncssh and a channel."""
        self._channel = channel
        self._send: Request = self._channel._make_request
        self._channel._make_request = self._request

    async def _request(self, kind: bytes, *fields: bytes) -> bool | None:
        if kind == b"pty-req":
            self._terminal = fields
            return True
        del self._channel._make_request
        loop = asyncio.get_running_loop()
        terminal = (
            None if self._terminal is None else asyncio.ensure_future(self._send(b"pty-req", *self._terminal))
        )
        refused = await self._variables.send(self._channel, self._send)
        if terminal is not None and not await terminal:
            self._channel.close()
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_REQUEST_PTY_FAILED, "PTY request failed")
        try:
            raw = _raw(with_variables(self._command, refused))
            if self._announce is not None:
                await self._announce()
        except BaseException:  # nothing was started
            self._channel.close()
            raise
        loop.call_soon(self._requested)
        return await self._send(b"exec", String(raw))


async def start(
    connection: asyncssh.SSHClientConnection,
    command: str,
    receive: Receive,
    *,
    separate_stderr: bool,
    no_input: bool = False,
    env: Mapping[str, str] | None = None,
    wished: Mapping[str, str] | None = None,
    pty: bool = False,
    mark: str | None = None,
    announce: Announce | None = None,
) -> RemoteCommand:
    """Start a command.

    Args:
        connection: where.
        command: what the login shell is to run.
        receive: see :class:`RemoteCommand`, as for ``separate_stderr`` and ``no_input``.
        separate_stderr: as there.
        no_input: as there.
        env: environment variables that it has, whatever the server accepts; that may take a round trip.
        wished: others, that it has if the server accepts them, as with OpenSSH's ``SetEnv``.
        pty: it has a terminal, without an echo; standard error is then part of standard output.
        mark: tells it from others on the connection, of which one may have none.
        announce: awaited when nothing but the request to run it is left; if it raises, nothing is run.

    Raises:
        UsageError: ``env`` is not an environment.
        asyncssh.Error: the node did not open a channel or refused to run it, or the connection broke.

    Cancelling ends what the node has started meanwhile; this takes a little more than ``FIND_WAIT`` at most.
    """
    settings = _WITH_TERMINAL if pty else _WITHOUT_TERMINAL
    session = RemoteCommand(receive, separate_stderr=separate_stderr, no_input=no_input, pty=pty, mark=mark)
    if env or wished or pty or mark is not None or announce is not None:
        session.prepare = _Opening(command, Variables(env, wished, mark), session.requested, announce).take
    begun = asyncio.get_running_loop().time()
    raw: Any = _raw(command)
    try:
        await connection.create_session(
            lambda: session, raw, encoding=None, env=None, send_env=None, **settings
        )
    except OSError as exc:
        raise asyncssh.ConnectionLost(str(exc)) from exc
    except asyncio.CancelledError:
        with anyio.move_on_after(FIND_WAIT + 0.5, shield=True):
            await session.end(Grace(0))
        raise
    took = asyncio.get_running_loop().time() - begun
    session.output_grace = max(OUTPUT_GRACE, OUTPUT_GRACE_STARTS * took)
    return session


def _raw(command: str) -> bytes:
    """A command as asyncssh sends it.

    OpenSSH cuts the connection, and all that runs on it, at a packet of more than 256 KiB.
    """
    data = command.encode(errors="surrogateescape")
    if len(data) > _MOST_COMMAND:
        raise asyncssh.ChannelOpenError(
            asyncssh.OPEN_REQUEST_SESSION_FAILED,
            f"it is {len(data)} bytes long, and {_MOST_COMMAND} are the most that SSH takes",
        )
    return data


def signal_number(name: str) -> int:
    """The number of a signal that SSH names without ``SIG``; 0 for one that is not known here."""
    try:
        return signal.Signals[f"SIG{name}"].value
    except KeyError:
        return 0
