"""asyncssh's client connection, without what it does for each node and we do once for all.

Beside its constructor this relies on ``options.waiter``, which asyncssh resolves when the login is done or
has failed (the same since asyncssh 2.14; ``tests/ssh`` runs against the lowest and the newest version).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import anyio
import asyncssh
from asyncssh.logging import SSHLogger

from asynctask.ssh.transport import CorkedTransport
from asynctask.ssh.turns import Turns

__all__ = ("Connection", "close_connection")

_asyncssh_log = logging.getLogger("asyncssh")

_MSG_IGNORE = 2  # RFC 4253, section 12
_MSG_CHANNEL_REQUEST = 98  # RFC 4254, section 9
#: Characters of what a server says before its version that are kept, for messages.
_MOST_SAID = 200

#: Seconds that a connection may take to close.
CLOSE_TIMEOUT = 1.0


class _Silence(SSHLogger):
    """Takes asyncssh's records and drops them.

    It makes about forty a connection, the command among them, and formats each before it asks whether
    anybody wants it. Whoever does sets the logger ``asyncssh`` to ``DEBUG``.
    """

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        return

    def get_child(self, child: str = "", context: str = "") -> SSHLogger:
        return self


_SILENCE = _Silence()


class Connection(asyncssh.SSHClientConnection):
    """A connection that is made without ``asyncssh.connect``.

    That would build all options again for each node, in a thread; here they are built once for all nodes
    alike.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHClientConnectionOptions,
        turns: Turns | None = None,
    ) -> None:
        self._talks = _asyncssh_log.isEnabledFor(logging.DEBUG)
        super().__init__(loop, options, wait="auth")
        assert options.waiter is not None
        self.ready: asyncio.Future[Any] = options.waiter
        self.was_made = False
        self.requests = 0
        """How many requests were sent on its channels: before a command's, nothing has been run."""
        self.said = ""
        """What the server said instead of its version, in one line, at most; sshd says so why it hangs up."""
        self._corked_loop = loop
        self._turns = turns or Turns()
        self._received: list[bytes] = []  # while it waits for its turn

    @property
    def is_over(self) -> bool:
        """Whether it is closed, or about to be: the transport is gone a turn of the loop before the rest."""
        return self._transport is None or self.is_closed()

    @property
    def logger(self) -> SSHLogger:
        return super().logger if self._talks else _SILENCE

    def log_sent_packet(self, *args: Any, **kwargs: Any) -> None:
        if self._talks:
            super().log_sent_packet(*args, **kwargs)

    def log_received_packet(self, *args: Any, **kwargs: Any) -> None:
        if self._talks:
            super().log_received_packet(*args, **kwargs)

    def forget_login(self) -> None:
        """Nobody will ask how the login ended."""
        if not self.ready.cancel() and not self.ready.cancelled():
            self.ready.exception()

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        # asyncssh puts an empty packet before each, which matters for CBC ciphers alone and costs as much
        # as the packets themselves.
        if pkttype == _MSG_IGNORE and "cbc" not in self.get_extra_info("send_cipher", ""):
            return
        if pkttype == _MSG_CHANNEL_REQUEST:
            self.requests += 1
        super().send_packet(pkttype, *args, handler=handler)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.was_made = True
        super().connection_made(CorkedTransport(transport, self._corked_loop, self._turns))  # type: ignore[arg-type]

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._received:
            self._received.append(data)
        elif self._turns.take(self._serve):
            super().data_received(data, datatype)
        else:
            self._received.append(data)

    def _serve(self) -> None:
        """Take what was received while others had their turn."""
        if self._received:
            data, self._received = b"".join(self._received), []
            super().data_received(data)

    def eof_received(self) -> None:
        self._serve()
        super().eof_received()

    def connection_lost(self, exc: Exception | None = None) -> None:
        self._serve()
        super().connection_lost(exc)

    def _recv_version(self) -> bool:
        line = bytes(self._inpbuf[:_MOST_SAID].partition(b"\n")[0])
        if b"\n" in self._inpbuf[: _MOST_SAID + 1] and not line.startswith(b"SSH-"):
            self.said = line.decode("ascii", "replace").strip()
        received: bool = super()._recv_version()
        return received


async def close_connection(connection: asyncssh.SSHClientConnection) -> None:
    """Close a connection and wait, at most ``CLOSE_TIMEOUT`` and also when cancelled, until it is."""
    if isinstance(connection, Connection) and not connection.was_made:
        return
    connection.close()
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True) as scope:
        await connection.wait_closed()
    if scope.cancelled_caught:
        connection.abort()
