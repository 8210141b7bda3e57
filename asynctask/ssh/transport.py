"""Fewer, larger packets on the wire: what one turn of the loop writes goes out in one go.

asyncssh writes each SSH packet by itself, about eighteen in a short connection, and a system call
with its trip through the TCP stack costs more than what is in most of them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from asynctask.ssh.turns import Turns

__all__ = ("CorkedTransport",)


class CorkedTransport(asyncio.Transport):
    """Passes everything on to a transport, writes once a turn of the loop, or later where many have to."""

    __slots__ = ("_inner", "_loop", "_scheduled", "_turns", "_waiting")

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        self._inner = inner
        self._loop = loop
        self._turns = turns
        self._waiting: list[bytes] = []
        self._scheduled = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._waiting.append(bytes(data))  # the caller may use its buffer again
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush_in_turn)

    def _flush_in_turn(self) -> None:
        if self._turns.take(self._flush):
            self._flush()

    def _flush(self) -> None:
        self._scheduled = False
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            # It is closed: for uvloop by a connect that was cancelled, for a channel with its bastion.
            with suppress(RuntimeError, OSError):
                self._inner.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def close(self) -> None:
        self._flush()
        self._inner.close()

    def abort(self) -> None:
        """Close at once; what asyncssh wrote last, its good-bye, still has its chance."""
        self._flush()
        self._inner.abort()

    def write_eof(self) -> None:
        self._flush()
        self._inner.write_eof()

    def can_write_eof(self) -> bool:
        return self._inner.can_write_eof()

    def get_write_buffer_size(self) -> int:
        return self._inner.get_write_buffer_size() + sum(map(len, self._waiting))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._inner.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._inner.get_write_buffer_limits()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def is_reading(self) -> bool:
        return self._inner.is_reading()

    def pause_reading(self) -> None:
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._inner.resume_reading()

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._inner.get_protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner.set_protocol(protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)
