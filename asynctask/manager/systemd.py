"""Tells systemd how we are, if it asked to be told: the protocol of ``sd_notify``, without its library.

Under another parent, where ``NOTIFY_SOCKET`` is not set, nothing of this does anything.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

__all__ = ("ServiceNotifier",)

_log = logging.getLogger(__name__)

#: systemd gives up a service whose word does not come in time; so the word comes twice in that time.
_WORDS_IN_TIME = 2
#: Seconds between two words, at least: a very short watchdog must not keep us busy.
_SHORTEST = 0.01
#: Bytes of a message; the rest of a long status is of no use to anybody.
_MOST_STATUS = 512


class ServiceNotifier:
    """One service's line to systemd.

    Sending never waits: a word that cannot be delivered is dropped, and logged once.

    Args:
        address: of systemd's socket: a path, or ``@`` and an abstract name; ``None``: nobody listens.
        watchdog: seconds within which a sign of life has to come; ``None``: none is wanted.
    """

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        self._address = address
        self.watchdog = watchdog
        """Seconds within which a sign of life has to come; ``None``: none is wanted."""
        self._socket: socket.socket | None = None
        self._complained = False
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """What systemd has said to this process: ``NOTIFY_SOCKET``, ``WATCHDOG_USEC``, ``WATCHDOG_PID``.

        What it said to another process, which is not this one, does not count; nor does what nobody could
        have meant.
        """
        environ = os.environ if environ is None else environ
        address = environ.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            _log.warning(
                "NOTIFY_SOCKET=%s: neither a path nor an abstract socket; systemd is not told", address
            )
            address = None
        return cls(address, _watchdog(environ) if address else None)

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return self._address is not None

    def ready(self, status: str | None = None) -> None:
        """All is started; or, after :meth:`reloading`, all is as the file says."""
        self._send("READY=1", f"MAINPID={os.getpid()}", status=status)

    def reloading(self, status: str | None = None) -> None:
        """The file is read again; :meth:`ready` must follow."""
        self._send(
            "RELOADING=1",
            f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}",
            status=status,
        )

    def stopping(self, status: str | None = None) -> None:
        """The end has begun."""
        self._send("STOPPING=1", status=status)

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(status=text)

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping takes so much longer from now on than systemd would wait."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def start_watchdog(self) -> None:
        """Show signs of life from now on, twice as often as is needed.

        They come from the running loop, so that one that hangs is noticed.
        """
        if self.watchdog is not None and self.wanted and self._timer is None:
            self._alive()

    def _alive(self) -> None:
        assert self.watchdog is not None
        self._send("WATCHDOG=1")
        pause = max(_SHORTEST, self.watchdog / _WORDS_IN_TIME)
        self._timer = asyncio.get_running_loop().call_later(pause, self._alive)

    def close(self) -> None:
        """No more words, nor signs of life. Closing again does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._address = None

    def _send(self, *words: str, status: str | None = None) -> None:
        if self._address is None:
            return
        if status is not None:
            words = *words, f"STATUS={' '.join(status.split())[:_MOST_STATUS]}"
        data = "\n".join(words).encode(errors="replace")
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(data, _socket_name(self._address))
        except (OSError, ValueError) as exc:
            if not self._complained:
                self._complained = True
                _log.warning("systemd cannot be told (%s): %s", self._address, exc)


def _socket_name(address: str) -> str | bytes:
    """An abstract name begins with a zero byte, for which systemd writes ``@``."""
    return b"\0" + os.fsencode(address[1:]) if address.startswith("@") else address


def _watchdog(environ: Mapping[str, str]) -> float | None:
    with suppress(ValueError):
        if (pid := environ.get("WATCHDOG_PID")) and int(pid) != os.getpid():
            return None
        if (microseconds := int(environ.get("WATCHDOG_USEC") or 0)) > 0:
            return microseconds / 1e6
    return None
