"""Sessions over the control socket of a system's ``ssh``, with asyncssh's channels.

OpenSSH's multiplexing has a proxy mode (since 7.4; ``PROTOCOL.mux`` in its sources): the peer speaks the
connection layer of SSH, in the clear, over the local socket. So whatever asyncssh can do once it is logged
in, it can do here: exit signals, streams apart, flow control, more sessions, SFTP. The login was ``ssh``'s.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from copy import copy
from typing import Any, cast

import asyncssh
from asyncssh.packet import SSHPacket

__all__ = ("MuxConnection", "base_options", "connect")

_HELLO, _C_PROXY, _S_PROXY = 0x00000001, 0x1000000F, 0x8000000F
_VERSION, _REQUEST_ID = 4, 1
_CHANNEL_OPEN, _CHANNEL_OPEN_CONFIRMATION, _CHANNEL_OPEN_FAILURE = 90, 91, 92
_CHANNEL_FIRST, _CHANNEL_LAST = 93, 127
#: Bytes; channels have agreed on packets that are much smaller.
_MOST = 1 << 20


def base_options() -> asyncssh.SSHClientConnectionOptions:
    """What every connection here has in common; made once, it takes a while."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        username="ssh",
        known_hosts=None,
        client_keys=None,
        client_host_keys=None,
        agent_path=None,
        gss_host=None,
        login_timeout=0,
        keepalive_interval=0,
    )


async def connect(
    socket: str,
    options: asyncssh.SSHClientConnectionOptions,
    *,
    why_lost: Callable[[], str],
    forward_agent: bool = False,
    **known: str,
) -> MuxConnection:
    """Open a control socket for sessions.

    Args:
        socket: its path.
        options: from :func:`base_options`.
        why_lost: asked for the reason when the connection has broken.
        forward_agent: ask for it with each session; it is ``ssh`` that serves it.
        **known: what else is known of the connection, for ``get_extra_info``. asyncssh looks into
            ``server_version``, since some servers have SFTP's links the wrong way round.

    Raises:
        OSError: nobody listens there.
        asyncssh.Error: what listens has no proxy mode, or hung up.
    """
    options = copy(options)
    options.agent_forward_path = "ssh" if forward_agent else None
    loop = asyncio.get_running_loop()
    connection = MuxConnection(loop, options, why_lost)
    connection.set_extra_info(**known)
    await loop.create_unix_connection(lambda: connection, socket)
    try:
        await connection.opened
    except BaseException:
        connection.abort()
        raise
    return connection


class MuxConnection(asyncssh.SSHClientConnection):
    """A connection that begins after the login.

    Of asyncssh's inside it relies on ``_transport``, ``_channels`` and what its own packets go through:
    ``send_packet`` and each channel's ``process_packet``. ``tests/workers/test_openssh_mux.py`` runs against
    the lowest and the newest version.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        options: asyncssh.SSHClientConnectionOptions,
        why_lost: Callable[[], str],
    ) -> None:
        super().__init__(loop, options)
        self.opened: asyncio.Future[None] = loop.create_future()
        self._mux_why_lost = why_lost
        self._mux_buffer = bytearray()
        self._mux_handle: Callable[[bytes], None] = self._mux_hello

    # -- called by the transport ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._mux_frame(_uint32(_HELLO) + _uint32(_VERSION))
        self._mux_frame(_uint32(_C_PROXY) + _uint32(_REQUEST_ID))

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        self._mux_buffer += data
        start, buffer = 0, self._mux_buffer
        try:
            while len(buffer) - start >= 4:
                size = int.from_bytes(buffer[start : start + 4], "big")
                if size > _MOST:
                    raise asyncssh.ProtocolError("ssh sent a packet that is too large")
                if len(buffer) - start - 4 < size:
                    break
                self._mux_handle(bytes(buffer[start + 4 : start + 4 + size]))
                start += 4 + size
        except Exception as exc:  # what a peer sends may break asyncssh in any way
            self.connection_lost(exc)
            return
        del buffer[:start]

    def eof_received(self) -> None:
        self.connection_lost(None)

    def connection_lost(self, exc: Exception | None = None) -> None:
        if self._transport is not None and not isinstance(exc, asyncssh.Error):
            exc = asyncssh.ConnectionLost(self._mux_why_lost())
        if not self.opened.done():
            self.opened.set_exception(exc or asyncssh.ConnectionLost("closed"))
            self.opened.exception()  # who waits hears of it; nobody need wait
        super().connection_lost(exc)

    # -- packets --------------------------------------------------------------------------------

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        if _CHANNEL_OPEN <= pkttype <= _CHANNEL_LAST:  # all else is between ssh and the server
            self._mux_frame(bytes((0, pkttype)) + b"".join(args))

    def _mux_frame(self, body: bytes) -> None:
        if self._transport is not None:
            self._transport.write(_uint32(len(body)) + body)

    def _mux_hello(self, body: bytes) -> None:
        if body[:8] != _uint32(_HELLO) + _uint32(_VERSION):
            raise asyncssh.ProtocolError("the control socket speaks another version")
        self._mux_handle = self._mux_answer

    def _mux_answer(self, body: bytes) -> None:
        if body[:4] != _uint32(_S_PROXY):
            raise asyncssh.ProtocolError("this ssh does not share its connection; OpenSSH does since 7.4")
        self._mux_handle = self._mux_packet
        if not self.opened.done():
            self.opened.set_result(None)

    def _mux_packet(self, body: bytes) -> None:
        kind = body[1]
        packet = SSHPacket(body[1:])
        packet.get_byte()
        handler: Any = self
        if _CHANNEL_FIRST <= kind <= _CHANNEL_LAST:
            handler = self._channels.get(packet.get_uint32())
        elif kind not in (_CHANNEL_OPEN_CONFIRMATION, _CHANNEL_OPEN_FAILURE):
            return
        result = None if handler is None else handler.process_packet(kind, 0, packet)
        if inspect.isawaitable(result):
            _ = self.create_task(result)  # asyncssh keeps it


def _uint32(number: int) -> bytes:
    return number.to_bytes(4, "big")
