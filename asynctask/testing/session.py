"""One channel of a connection to a test node: it becomes a command or an SFTP session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import asyncssh
from asyncssh.packet import SSHPacket, String

from asynctask.testing.command import Host
from asynctask.testing.environment import is_accepted
from asynctask.testing.faults import Fault
from asynctask.testing.misbehaving import command_for
from asynctask.testing.sftp import sftp_session

__all__ = ("Session",)


class Session(asyncssh.SSHServerSession[bytes]):
    """Waits for the request that says what it is for, and passes everything on to that.

    Args:
        host: the node.
        ended: called when the channel is gone.
    """

    def __init__(self, host: Host, ended: Callable[[Session], None]) -> None:
        self._host = host
        self._ended = ended
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._work: asyncssh.SSHServerSession[bytes] | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan
        _limit_environment(chan, self._host.accept_env)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._work is not None:
            self._work.connection_lost(exc)
        self._ended(self)

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed the channel; also before it is there."""
        return self._channel is None or not self._channel.is_closing()

    # -- requests ---------------------------------------------------------------------------

    def pty_requested(self, term_type: str, term_size: Any, term_modes: Any) -> bool:
        return True  # asked only where the cluster has terminals

    def shell_requested(self) -> bool:
        return self._begin(lambda: command_for(self._host, None))

    def exec_requested(self, command: str) -> bool:
        return self._begin(lambda: command_for(self._host, command))

    def subsystem_requested(self, subsystem: str) -> bool:
        return subsystem == "sftp" and self._begin(self._sftp)

    def _sftp(self) -> asyncssh.SSHServerSession[bytes]:
        self._host.census.sftp_started()
        return sftp_session(self._host.home)

    def _begin(self, make: Callable[[], asyncssh.SSHServerSession[bytes]]) -> bool:
        if self._work is not None or self._host.fault is Fault.NO_EXEC:
            return False
        if self._host.fault is Fault.EXEC_HANGS:
            return cast(bool, None)  # which asyncssh takes for: to be answered later
        assert self._channel is not None
        self._work = make()
        self._work.connection_made(self._channel)
        return True

    # -- passed on; asyncssh calls none of this before a request was granted, but for signals ------

    def session_started(self) -> None:
        assert self._work is not None
        self._work.session_started()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        assert self._work is not None
        self._work.data_received(data, datatype)

    def eof_received(self) -> bool:
        return self._work is None or bool(self._work.eof_received())

    def pause_writing(self) -> None:
        assert self._work is not None
        self._work.pause_writing()

    def resume_writing(self) -> None:
        assert self._work is not None
        self._work.resume_writing()

    def break_received(self, msec: int) -> bool:
        return self._work is not None and self._work.break_received(msec)

    def signal_received(self, signal: str) -> None:
        if self._work is not None:
            self._work.signal_received(signal)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._work is not None:
            self._work.terminal_size_changed(width, height, pixwidth, pixheight)


def _limit_environment(channel: asyncssh.SSHServerChannel[bytes], patterns: tuple[str, ...]) -> None:
    """Have requests for other variables refused: asyncssh grants all of them."""
    grant = channel._process_env_request

    def process(packet: SSHPacket) -> bool:
        name, value = packet.get_string(), packet.get_string()
        packet.check_end()
        if not is_accepted(name.decode(errors="replace"), patterns):
            return False
        return grant(SSHPacket(String(name) + String(value)))

    channel._process_env_request = process  # type: ignore[method-assign]
