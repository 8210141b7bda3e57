"""Looks up the addresses of hosts, many at a time, without holding anything up.

The loop's own way has a handful of threads: a few names that do not resolve, and all others wait until they
are out of time; and a program ends only when the last lookup has. So each lookup here has a thread that
nothing waits for, and there are at most ``MOST`` of them.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from asynctask.waiting import Places

__all__ = ("MOST", "Resolver")

#: How many lookups go on at once.
MOST = 64


class Resolver:
    """Looks up addresses for a run.

    Args:
        lookup: ``socket.getaddrinfo``, or what stands for it.
    """

    def __init__(self, lookup: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._places = Places(MOST)

    async def addresses(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> list[str]:
        """The addresses of a host, in the order in which they are to be tried. An address is its own.

        Args:
            host: its name or address.
            port: what is to be connected to there.
            family: only addresses of this one.

        Raises:
            OSError: the host is unknown, or nobody could say.

        Cancelling waits for nothing.
        """
        if _is_address(host):
            return [host]
        await self._places.take()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[tuple[Any, ...]]] = loop.create_future()

        def look_up() -> None:
            found: Any
            try:
                found = self._lookup(host, port, family, socket.SOCK_STREAM)
            except Exception as exc:
                found = exc
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know
                loop.call_soon_threadsafe(tell, found)

        def tell(found: Any) -> None:
            self._places.give()
            if answer.done():
                return
            if isinstance(found, Exception):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        try:
            threading.Thread(target=look_up, name=f"lookup of {host}", daemon=True).start()
        except RuntimeError as exc:  # no thread can be started
            self._places.give()
            raise OSError(str(exc)) from exc
        return list(dict.fromkeys(_address(info[4]) for info in await answer))


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False


def _address(place: tuple[Any, ...]) -> str:
    """The address, with the zone that a link-local one of IPv6 needs."""
    host: str = place[0]
    scope = place[3] if len(place) == 4 else 0
    return f"{host}%{scope}" if scope and "%" not in host else host
