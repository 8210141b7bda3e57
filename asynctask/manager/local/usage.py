"""What processes take of processor and memory, asked for many at a time in a thread."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asynctask.manager.launching import Usage

if TYPE_CHECKING:
    import psutil

__all__ = ("Meter",)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a session took when it was looked at."""

    time: float
    """By the clock that also tells when a process was started."""
    started: float
    cpu: float
    """Seconds of all its processes, and of their children that have ended."""
    memory: int
    processes: int

    def usage(self, before: _Look | None) -> Usage:
        """What it took since the look before, or since its start."""
        since, cpu = (self.started, 0.0) if before is None else (before.time, before.cpu)
        passed = self.time - since
        share = 100 * max(0.0, self.cpu - cpu) / passed if passed > 0 else 0.0
        return Usage(round(share, 2), self.memory, self.processes)


class Meter:
    """Looks at the sessions of all processes at once, for all who ask at that moment.

    A process that we started leads a session, in which its descendants are unless they leave it.
    """

    def __init__(self) -> None:
        self._wanted: dict[int, asyncio.Future[Usage | None]] = {}
        self._looks: dict[int, _Look | None] = {}
        self._work: asyncio.Task[None] | None = None

    async def usage(self, session: int) -> Usage | None:
        """What the processes of a session take together; ``None``: there is none.

        The share of the processor is that since the look before, and at first since the start. Memory that
        several of them share is counted for each.
        """
        found = self._wanted.get(session)
        if found is None:
            found = self._wanted[session] = asyncio.get_running_loop().create_future()
            self._looks.setdefault(session, None)
        if self._work is None:
            self._work = asyncio.create_task(self._answer(), name="usage of processes")
        return await asyncio.shield(found)

    def forget(self, session: int) -> None:
        """It has ended."""
        self._looks.pop(session, None)

    async def aclose(self) -> None:
        """Nobody asks any more; who does is told nothing. A look that goes on ends by itself."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    async def _answer(self) -> None:
        asked: dict[int, asyncio.Future[Usage | None]] = {}
        try:
            while self._wanted:
                asked, self._wanted = self._wanted, {}
                looks = await asyncio.to_thread(_look_at, frozenset(asked))
                for session, found in asked.items():
                    found.set_result(self._usage(session, looks))
        finally:
            self._work = None
            for found in (*asked.values(), *self._wanted.values()):
                if not found.done():
                    found.set_result(None)
            self._wanted = {}

    def _usage(self, session: int, looks: Mapping[int, _Look]) -> Usage | None:
        look = looks.get(session)
        if look is None:
            return None
        usage = look.usage(self._looks.get(session))
        if session in self._looks:  # else it was forgotten meanwhile
            self._looks[session] = look
        return usage


def _look_at(sessions: Collection[int]) -> dict[int, _Look]:
    """Look at the processes of some sessions, each of which has at least one."""
    import psutil

    members = defaultdict(list)
    for pid in psutil.pids():
        with suppress(OSError):  # it has gone
            if (session := os.getsid(pid)) in sessions:
                members[session].append(pid)
    looks = {}
    for session, pids in members.items():
        seen = []
        for pid in pids:
            with suppress(psutil.Error):
                seen.append(_one(psutil.Process(pid)))
        if seen:
            started, cpu, memory = zip(*seen, strict=True)
            looks[session] = _Look(time.time(), min(started), sum(cpu), sum(memory), len(seen))
    return looks


def _one(process: psutil.Process) -> tuple[float, float, int]:
    """When a process was started, the seconds that it and its ended children took, its bytes."""
    with process.oneshot():
        times = process.cpu_times()
        ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return process.create_time(), times.user + times.system + ended, process.memory_info().rss
