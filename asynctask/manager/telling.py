"""What a manager tells of its templates and processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from asynctask.emitter import EventEmitter, EventStream, Subscription
from asynctask.errors import (
    ManagerError,
    ProcessNotFoundError,
    TaskStateError,
    TemplateNotFoundError,
    UsageError,
)
from asynctask.manager.information import (
    ManagerInfo,
    ProcessInfo,
    ProcessStats,
    TemplateInfo,
    TemplateStats,
)
from asynctask.manager.job import Job
from asynctask.manager.life import Life
from asynctask.manager.once import Once
from asynctask.manager.output import OutputStream
from asynctask.manager.place import Place
from asynctask.manager.services import Services
from asynctask.manager.states import ProcessState

__all__ = ("Telling", "no_process")


class Telling:
    """The part of a manager that changes nothing.

    Args:
        name: of the manager.
        emitter: where its events are published.
    """

    def __init__(self, name: str, emitter: EventEmitter) -> None:
        self.name = name
        self.emitter = emitter
        self._jobs: dict[str, Job] = {}
        self._services: Services | None = None
        self._started = 0.0
        self._closing: asyncio.Event | None = None

    def list(self) -> list[str]:
        """The names of the templates, in the order in which they were loaded."""
        return [*self._jobs]

    def info(self, name: str) -> TemplateInfo:
        """A template and its processes, now.

        Raises:
            TemplateNotFoundError: there is none of this name.
        """
        return self._job(name).info()

    def process(self, pid: int) -> ProcessInfo:
        """A process, now.

        Raises:
            ProcessNotFoundError: there is none of this number, or it has ended.
        """
        for job in self._jobs.values():
            holders: Sequence[Place | Once] = (*job.places, *job.onces)
            for each in holders:
                if each.life is not None and each.life.pid == pid:
                    return each.info()
        raise no_process(pid)

    def status(self) -> ManagerInfo:
        """The manager itself, now."""
        infos = [job.info() for job in self._jobs.values()]
        running = sum(
            each.pid is not None and each.state in (ProcessState.RUNNING, ProcessState.STARTING)
            for info in infos
            for each in info.processes
        )
        return ManagerInfo(self.name, self._started, len(infos), running)

    async def stats(self, name: str | None = None) -> Sequence[TemplateStats]:
        """What the processes of a template take, or of each; those of which nobody knows are left out.

        Raises:
            TemplateNotFoundError: there is none of this name.
        """
        self._open()
        jobs = [self._job(name)] if name is not None else [*self._jobs.values()]
        return [TemplateStats(job.name, await _stats_of(self._lives(job.name))) for job in jobs]

    async def monitor(
        self, name: str | None = None, *, interval: float = 1.0
    ) -> AsyncIterator[Sequence[TemplateStats]]:
        """What processes take, again and again.

        Args:
            name: of a template; by default all.
            interval: seconds between two looks.

        Raises:
            UsageError: no such interval.
            TemplateNotFoundError: there is none of this name, or not any more.
        """
        if not interval > 0:
            raise UsageError(f"interval={interval!r}: a number of seconds, more than 0")
        while True:
            yield await self.stats(name)
            await asyncio.sleep(interval)

    def subscribe(self, pattern: str, listener: Callable[..., Any], once: bool = False) -> Subscription:
        """Have ``listener(topic, message)`` called for events; see :class:`~asynctask.EventEmitter`."""
        return self.emitter.subscribe(pattern, listener, once)

    def events(self, pattern: str = ".", *, maxsize: int = 10_000) -> EventStream:
        """Events for ``async for``; use it in a ``with`` block. When it is full, the oldest are dropped."""
        return self.emitter.stream(pattern, maxsize=maxsize)

    def output(self, name: str | None = None, *, history: int = 0, maxsize: int = 10_000) -> OutputStream:
        """Lines that processes print, for ``async for``; use it in a ``with`` block.

        Args:
            name: of a template; by default all.
            history: so many of the last lines come first.
            maxsize: so many wait to be read; then the oldest are dropped, and counted in ``missed``.

        Raises:
            TemplateNotFoundError: there is none of this name.
        """
        hub = self._open().hub
        if name is not None:
            self._job(name)
        return hub.open(name, history, maxsize)

    # -- its parts ------------------------------------------------------------

    def _open(self) -> Services:
        if self._services is None:
            raise TaskStateError("the manager is not open: use it in 'async with Manager() as manager'")
        if self._closing is not None:
            raise TaskStateError("the manager is closing, or closed")
        return self._services

    def _job(self, name: str) -> Job:
        try:
            return self._jobs[name]
        except KeyError:
            loaded = ", ".join(self._jobs) or "none"
            raise TemplateNotFoundError(f"no template {name!r} is loaded; there are: {loaded}") from None

    def _lives(self, target: str | int) -> Sequence[Life]:
        """The processes of a template, or the one of a number."""
        lives = self._open().lives
        if isinstance(target, int):
            if target not in lives:
                raise no_process(target)
            return [lives[target]]
        self._job(target)
        return [life for life in lives.values() if life.template.name == target]


def no_process(pid: int) -> ProcessNotFoundError:
    """There is none of this number."""
    return ProcessNotFoundError(f"no process {pid}: it has ended, or never was")


async def _stats_of(lives: Iterable[Life]) -> tuple[ProcessStats, ...]:
    async def of(life: Life) -> ProcessStats | None:
        try:
            usage = await life.usage()
        except ManagerError:  # its node cannot be reached now
            usage = None
        if usage is None:
            return None
        return ProcessStats(life.template.name, life.pid, life.os_pid, life.index, life.node, usage)

    found = await asyncio.gather(*(of(life) for life in lives))
    return tuple(each for each in found if each is not None)
