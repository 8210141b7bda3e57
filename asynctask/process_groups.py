"""Whether a process group still has a living member.

``kill(-group, 0)`` cannot tell: it succeeds also for zombies that nobody has reaped yet, which in a
container whose first process is not a real ``init`` may be for ever.
"""

from __future__ import annotations

import asyncio
import os

__all__ = ("ProcessGroups",)

#: Nothing wakes us when a group that is not ours to wait for ends, so we look, at this interval.
_INTERVAL = 0.02
#: How many processes are looked at before others have a turn.
_SLICE = 100


class ProcessGroups:
    """Looks at the groups of all processes at once, for all who wait."""

    def __init__(self) -> None:
        self._alive: frozenset[int] | None = None
        self._seen_at = 0.0
        self._looking: asyncio.Event | None = None

    async def wait_gone(self, group: int) -> None:
        """Wait until the group has no living member. Its leader must have been reaped."""
        while _exists(group) and await self._has_members(group):  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(_INTERVAL)

    async def aclose(self) -> None:
        """Nothing to close."""

    async def _has_members(self, group: int) -> bool:
        asked = asyncio.get_running_loop().time()
        while self._seen_at < asked:
            if self._looking is None:
                await self._look()
            else:
                await self._looking.wait()
        return self._alive is None or group in self._alive

    async def _look(self) -> None:
        self._looking = asyncio.Event()
        begun = asyncio.get_running_loop().time()
        try:
            self._alive = await _groups_alive()
            self._seen_at = begun
        finally:
            self._looking.set()
            self._looking = None


async def _groups_alive() -> frozenset[int] | None:
    """The groups that have a member that is no zombie; ``None`` where the system does not tell.

    Neither does it when there is no descriptor to look with.
    """
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - many, and names are enough
    except OSError:
        return None
    if not names:
        return None
    alive = set()
    for place, name in enumerate(names):
        if place % _SLICE == _SLICE - 1:
            await asyncio.sleep(0)
        try:
            stat = _read(f"/proc/{name}/stat")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone, or not to be seen
        except OSError:
            return None
        if stat:
            # pid (name) state parent group: the name may hold anything, so from its end on
            state, _, group = stat[stat.rindex(b")") + 2 :].split(b" ", 3)[:3]
            if state not in (b"Z", b"X"):
                alive.add(int(group))
    return frozenset(alive)


def _read(name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY)
    try:
        return os.read(fd, 512)
    finally:
        os.close(fd)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
