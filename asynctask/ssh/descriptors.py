"""How many connections this process has descriptors for."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from asynctask.waiting import Places

__all__ = ("RESERVE", "Room", "room_for_connections")

#: Descriptors that are left to the rest of the program: its files, name servers, commands on this machine.
RESERVE = 48
#: The soft limit is not raised beyond this: what is started here inherits it, and some programs go
#: through all the descriptors that they could have.
_HIGHEST = 65536
#: For how many connections room is made at a time.
_STEP = 256
#: For how long, in seconds, it is believed that there is no room for more.
_BELIEVED = 0.25


def room_for_connections(wanted: int) -> int:
    """How many more connections can be opened, at most ``wanted``.

    The soft limit of open files (``ulimit -n``) is raised towards the hard one if that is needed.
    """
    free = _free()
    if free < wanted and _raise_limit(wanted - free):
        free = _free()
    return max(0, min(free, wanted))


def _free() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _HIGHEST if soft == resource.RLIM_INFINITY else soft
    return limit - _in_use() - RESERVE


def _in_use() -> int:
    for directory in ("/proc/self/fd", "/dev/fd"):
        with suppress(OSError):
            return len(os.listdir(directory))  # noqa: PTH208 - three times as fast as pathlib's
    return RESERVE


def _raise_limit(by: int) -> bool:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = _HIGHEST if hard == resource.RLIM_INFINITY else min(hard, _HIGHEST)
    if soft == resource.RLIM_INFINITY or soft >= highest:
        return False
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft + by, highest), hard))
        return True
    return False


class Room:
    """Places for connections, as many as there are descriptors for.

    Args:
        evict: asked to close a connection that nobody uses, where there is no more room.
        look: tells how many more can be opened, at most so many.
    """

    def __init__(self, evict: Callable[[], None], look: Callable[[int], int] = room_for_connections) -> None:
        self._evict = evict
        self._look = look
        self._full_until = 0.0  # it is believed until then that there is no more room
        self._places = Places(0)
        self._taken = 0
        self._opening = 0  # places whose descriptor is not open yet

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return self._places.waiting

    async def take(self) -> None:
        """Take a place for a connection that is about to be opened, waiting for one.

        There is one for the first, whatever the limit says.
        """
        if not self._places.free:
            self._make_room()
        await self._places.take()
        self._taken += 1
        self._opening += 1

    def opened(self) -> None:
        """What a place was taken for has its descriptor, or has failed."""
        self._opening -= 1

    def give(self) -> None:
        """Give a place back."""
        self._taken -= 1
        self._places.give()

    def _make_room(self) -> None:
        more = 0
        now = monotonic()
        if now >= self._full_until:
            more = self._look(_STEP + self._opening) - self._opening
            if more <= 0:
                self._full_until = now + _BELIEVED
        if not self._taken:
            more = max(more, 1)
        for _ in range(more):
            self._places.give()
        if more <= 0:
            self._evict()
