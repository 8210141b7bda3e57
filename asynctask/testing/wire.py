"""What an ill node says on TCP where it does not speak SSH."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Protocol, cast

from asynctask.testing.faults import Fault

__all__ = ("GARBAGE", "Abortable", "Talk", "talk_for")

#: What comes in place of a banner: always the same, no text, no line end.
GARBAGE = bytes(random.Random(22).choices(range(0x80, 0x100), k=16 * 1024))  # noqa: S311 - no secret

_BANNER = b"SSH-2.0-OpenSSH_9.9\r\n"
# Of a length that no first packet has (RFC 4253, section 6.1, wants 35000 bytes to be taken).
_LONGEST_PACKET = 35_000


class Abortable(Protocol):
    """What can be cut."""

    def abort(self) -> None:
        """Close at once, without a goodbye."""


class Registry(Protocol):
    """Who keeps the list of what can be cut."""

    def joined(self, connection: Abortable) -> None:
        """A connection is up."""

    def left(self, connection: Abortable) -> None:
        """It is down."""


class Talk(asyncio.Protocol):
    """One connection that never becomes SSH; here one on which nothing is ever said."""

    _transport: asyncio.Transport

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.over = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of another class
        self._registry.joined(self._transport)
        self.begin()

    def begin(self) -> None:
        """Say what is to be said at once."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._registry.left(self._transport)
        self.over.set()


class _Farewell(Talk):
    """A line, or none, and the end.

    Only this side is closed at first: closing a socket that holds unread bytes resets the connection, and
    then what the client sees would depend on who is quicker.
    """

    line = b""

    def begin(self) -> None:
        self._transport.write(self.line)
        self._transport.write_eof()


class _MaxStartups(_Farewell):
    line = b"Exceeded MaxStartups\r\n"


class _Penalty(_Farewell):
    line = b"Not allowed at this time\r\n"


class _Garbage(Talk):
    """No banner that anybody could read."""

    def begin(self) -> None:
        self._transport.write(GARBAGE)


class _KeyExchange(Talk):
    """A banner, and the end when the client's first packet is there."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self._received = b""

    def begin(self) -> None:
        self._transport.write(_BANNER)

    def data_received(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._received += data
            if _has_packet(self._received):
                self._transport.write_eof()
                self._received = b""


def _has_packet(received: bytes) -> bool:
    """Whether a banner and a whole packet are there, or more than that can ever be."""
    _, _, packet = received.partition(b"\n")
    length = int.from_bytes(packet[:4], "big")
    return len(received) > _LONGEST_PACKET or len(packet) >= 4 + max(length, 1)


_TALKS: dict[Fault, Callable[[Registry], Talk]] = {
    Fault.SILENT: Talk,
    Fault.DROP_HALF: _Farewell,
    Fault.MAX_STARTUPS: _MaxStartups,
    Fault.PENALTY: _Penalty,
    Fault.GARBAGE_BANNER: _Garbage,
    Fault.DROP_KEX: _KeyExchange,
}


def talk_for(fault: Fault | None) -> Callable[[Registry], Talk] | None:
    """What a node with this fault does on a connection; ``None``: it speaks SSH."""
    return None if fault is None else _TALKS.get(fault)
