"""The manager, as its users see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from time import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from asynctask.emitter import EventEmitter
from asynctask.errors import (
    TaskStateError,
    TemplateConflictError,
    UsageError,
)
from asynctask.manager.counts import new_count
from asynctask.manager.job import Job
from asynctask.manager.launchers import Launchers
from asynctask.manager.launching import Launcher
from asynctask.manager.messages import Publisher
from asynctask.manager.once import Once
from asynctask.manager.output import OutputHub
from asynctask.manager.services import Services
from asynctask.manager.signals import signal_number
from asynctask.manager.telling import Telling, no_process
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.where import nodes_of
from asynctask.waiting import wait_out

if TYPE_CHECKING:
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Manager",)

#: Events that wait for listeners at most: a stop of a thousand processes is some ten thousand in a few turns.
_EVENTS = 100_000


class Manager(Telling):
    """Keeps processes alive, here and on nodes.

    ::

        async with Manager() as manager:
            await manager.load(ProcessTemplate("web", "gunicorn app:app", numprocesses=2))
            with manager.output("web") as lines:
                async for line in lines:
                    print(line.pid, line.line.decode(errors="replace"))

    What is asked of it counts at once, and what is awaited is only the outcome: cancelling a wait undoes
    nothing, a stop breaks off a start that is going on. It belongs to one loop. Leaving its block stops all
    processes but those that are detached, in the reverse of their ``order``; with a cancellation, at once.

    Args:
        name: tells it from other managers: those of one name take over each other's detached processes.
        state_dir: where it remembers these. Default: below ``$XDG_STATE_HOME/asynctask/manager``.
        emitter: where its events are published. Default: one of its own.
        ssh: how to connect to nodes.
        pool: whose connections are used. Default: one of its own.
        launcher: starts all processes, for tests. Default: one for this machine, one for nodes.
    """

    def __init__(
        self,
        *,
        name: str = "default",
        state_dir: Path | None = None,
        emitter: EventEmitter | None = None,
        ssh: SSHOptions | None = None,
        pool: ConnectionPool | None = None,
        launcher: Launcher | None = None,
    ) -> None:
        super().__init__(name, emitter if emitter is not None else EventEmitter(max_size=_EVENTS))
        self._own_emitter = emitter is None
        self._launchers = Launchers(name, state_dir, ssh, pool, launcher)
        self._loading: set[str] = set()
        self._wishes = 0  # for all: a later one breaks off an earlier

    async def __aenter__(self) -> Self:
        if self._services is not None:
            raise TaskStateError("a manager is entered once")
        self._services = Services(Publisher(self.emitter), OutputHub(self.emitter), self._launchers.on)
        self._started = time()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc_type is not None and issubclass(exc_type, asyncio.CancelledError):
            self.hurry()
        await self.aclose()

    # -- templates ------------------------------------------------------------

    async def load(self, template: ProcessTemplate, *, start: bool | None = None) -> None:
        """Take a template, and start it.

        Args:
            template: what to run.
            start: whether to; by default as its ``autostart`` says. Then this waits as :meth:`start` does.

        Raises:
            TemplateConflictError: one of this name is loaded.
            NodeSetError: its nodes cannot be parsed.
            EmptyTargetsError: they are none.
        """
        services = self._open()
        self._check_new(template.name)
        self._loading.add(template.name)
        try:
            nodes = await nodes_of(template)
        finally:
            self._loading.discard(template.name)
        self._open()
        self._check_new(template.name)
        self._jobs[template.name] = Job(services, template, nodes)
        services.publisher.template("create", template.name)
        if template.autostart if start is None else start:
            await self.start(template.name)

    def _check_new(self, name: str) -> None:
        if name in self._jobs or name in self._loading:
            raise TemplateConflictError(
                f"template {name!r} is loaded already; update() replaces it, unload() takes it away"
            )

    async def unload(self, name: str) -> None:
        """Stop a template's processes, and forget it.

        Raises:
            TemplateNotFoundError: there is none of this name.

        Cancelling leaves it loaded, and stopping.
        """
        services, job = self._open(), self._job(name)
        job.stop()
        await job.stopped()
        if self._jobs.get(name) is job:
            del self._jobs[name]
            services.publisher.template("delete", name)
            services.hub.forget(name)

    async def update(self, template: ProcessTemplate) -> None:
        """Replace a loaded template by another of its name.

        Its number of processes and its policies count at once. If it differs in what a process is started
        with, those that run are replaced, as by :meth:`reload`.

        Raises:
            TemplateNotFoundError: there is none of this name.
            NodeSetError: its nodes cannot be parsed; nothing has changed.
            ManagerError: see :meth:`reload`.
        """
        services = self._open()
        self._job(template.name)
        nodes = await nodes_of(template)
        self._open()
        job = self._job(template.name)
        job.update(template, nodes)
        services.publisher.template("update", template.name)
        if job.wanted:
            await job.reload(all_of_them=False)
        await job.settled()

    # -- processes ------------------------------------------------------------

    async def start(self, name: str | None = None, *, wait: bool = True) -> None:
        """Have the processes of a template run; of all, without a name: by ``order``.

        What was fatal or waits to be tried again is started afresh.

        Args:
            name: of the template.
            wait: until each process is ready, or is known not to be now: it is in back-off, fatal or has
                exited, as :meth:`info` tells.

        Raises:
            TemplateNotFoundError: there is none of this name.
        """
        services = self._open()
        if name is None:
            self._wishes += 1
            if wait:
                await self._start_all(self._wishes)
            else:
                services.spawn(self._start_all(self._wishes), "start of all")
        else:
            job = self._job(name)
            job.start()
            if wait:
                await job.settled()

    async def _start_all(self, wish: int) -> None:
        for jobs in self._by_order():
            for job in jobs:
                job.start()
            for job in jobs:
                await job.settled()
            if self._wishes != wish:
                return

    async def stop(self, name: str | None = None) -> None:
        """Stop the processes of a template, of all without a name, and wait until they are gone.

        Each process's group gets its stop signal, its grace, then KILL. All are stopped in the reverse of
        their ``order``. Detached processes are stopped, too.

        Raises:
            TemplateNotFoundError: there is none of this name.

        Cancelling waits no more; what was begun goes on.
        """
        self._open()
        if name is None:
            self._wishes += 1
            await self._stop_all(self._wishes)
        else:
            job = self._job(name)
            job.stop()
            await job.stopped()

    async def _stop_all(self, wish: int, *, leave_detached: bool = False) -> None:
        for jobs in reversed(list(self._by_order())):
            for job in jobs:
                if leave_detached and job.template.detach:
                    job.leave()
                else:
                    job.stop()
            for job in jobs:
                await job.stopped()
            if self._wishes != wish:
                return

    async def restart(self, name: str | None = None) -> None:
        """Stop the processes of a template and start new ones; of all without a name, by ``order``.

        Each process is replaced as soon as it has stopped. It waits as :meth:`start` does.

        Raises:
            TemplateNotFoundError: there is none of this name.
        """
        self._open()
        if name is not None:
            job = self._job(name)
            job.restart()
            await job.settled()
            return
        self._wishes += 1
        wish = self._wishes
        for jobs in self._by_order():
            for job in jobs:
                job.restart()
            for job in jobs:
                await job.settled()
            if self._wishes != wish:
                return

    async def reload(self, name: str) -> None:
        """Replace the processes of a template one after the other, without a gap.

        A new process is started beside the old one; when it is ready, the old one is stopped. For that moment
        there is one more, and the new one has another index.

        Raises:
            TemplateNotFoundError: there is none of this name.
            ManagerError: a new process did not become ready, or the template was started or stopped
                meanwhile. The old ones that are not replaced yet go on.
        """
        self._open()
        await self._job(name).reload()

    async def scale(self, name: str, n: int | str) -> int:
        """Have another number of processes, on each node, and wait until there are.

        Args:
            name: of the template.
            n: a number, ``"+1"`` or ``"-1"``.

        Returns:
            How many there are to be now.

        Raises:
            TemplateNotFoundError: there is none of this name.
            UsageError: ``n`` is none of that.
            ManagerError: it would be less than none.
        """
        services, job = self._open(), self._job(name)
        count = new_count(name, job.numprocesses, n)
        if count != job.numprocesses:
            job.scale(count)
            services.publisher.template("update", name)
        await job.settled()
        return count

    async def commit(
        self,
        name: str,
        *,
        node: str | None = None,
        env: Mapping[str, str] | None = None,
        graceful_timeout: float | None = None,
    ) -> int:
        """Run one more process of a template, once: it is not started again.

        Args:
            name: of the template.
            node: which of its nodes; needed if it has several.
            env: more variables than the template has.
            graceful_timeout: in place of the template's.

        Returns:
            The manager's number for the process.

        Raises:
            TemplateNotFoundError: there is none of this name.
            UsageError: it has no such node.
            LaunchError: it could not be started.

        Cancelling starts nothing.
        """
        services, job = self._open(), self._job(name)
        template = job.template
        if graceful_timeout is not None:
            template = replace(template, graceful_timeout=graceful_timeout)
        where = job.nodes[0] if node is None and len(job.nodes) == 1 else node
        if where not in job.nodes:
            asked = "say which of its nodes" if node is None else f"it does not run on {node}"
            raise UsageError(f"{name}: {asked}")
        return await job.run_once(Once(services, template, where, env))

    async def stop_process(self, pid: int) -> None:
        """Stop one process, and wait until it is gone. Its place stays empty until the template is started.

        Raises:
            ProcessNotFoundError: there is none of this number.
        """
        self._open()
        for job in self._jobs.values():
            for place in job.places:
                if place.life is not None and place.life.pid == pid:
                    place.stop()
                    await place.stopped()
                    return
            for once in job.onces:
                if once.life.pid == pid:
                    once.stop()
                    await once.over.wait()
                    return
        raise no_process(pid)

    async def kill(self, target: str | int, signal: str | int) -> int:
        """Send a signal to the group of a process, or of each process of a template.

        Args:
            target: the manager's number of a process, or the name of a template.
            signal: a name or number.

        Returns:
            How many were there to get it. What follows from it is the template's policy.

        Raises:
            TemplateNotFoundError, ProcessNotFoundError: there is none.
            UsageError: there is no such signal.
            ManagerError: a node cannot be reached now.
        """
        number = signal_number(signal)
        return sum([await life.signal(number) for life in self._lives(target)])

    async def send(self, target: str | int, data: bytes, *, stream: str = "stdin") -> int:
        """Write to the input of a process, or of each process of a template, waiting for room.

        Returns:
            How many there were.

        Raises:
            TemplateNotFoundError, ProcessNotFoundError: there is none.
            ManagerError: it has no such input, or does not read any more.
        """
        lives = self._lives(target)
        for life in lives:
            await life.send(data, stream)
        return len(lives)

    async def close_input(self, target: str | int, *, stream: str = "stdin") -> int:
        """End the input of a process, or of each process of a template; how many there were.

        Raises:
            TemplateNotFoundError, ProcessNotFoundError: there is none.
            ManagerError: it has no such input.
        """
        lives = self._lives(target)
        for life in lives:
            await life.running.close_input(stream)
        return len(lives)

    def hurry(self) -> None:
        """No more patience: what is being stopped, or will be at the manager's end, gets KILL at once."""
        for job in self._jobs.values():
            job.hurry()

    def __repr__(self) -> str:
        return f"<Manager {self.name!r}, {len(self._jobs)} templates>"

    # -- its end ------------------------------------------------------------

    async def aclose(self) -> None:
        """Stop all processes but the detached, and let go of everything. Again does nothing.

        It takes the longest grace of each ``order``, and a few seconds. Cancelling ends the grace.
        """
        if self._services is None:
            return
        if self._closing is None:
            self._closing = asyncio.Event()
            self._services.spawn(self._shut_down(self._closing), "end of the manager")
        try:
            await self._closing.wait()
        except asyncio.CancelledError:
            self.hurry()
            await wait_out(self._closing)
            raise

    async def _shut_down(self, over: asyncio.Event) -> None:
        services = self._services
        assert services is not None
        try:
            self._wishes += 1
            await self._stop_all(self._wishes, leave_detached=True)
            others = services.tasks - {asyncio.current_task()}
            if others:
                await asyncio.wait(others)
            await self._launchers.aclose()
            await services.hub.aclose()
            if self._own_emitter:
                await self.emitter.aclose()
        finally:
            over.set()

    def _by_order(self) -> Iterator[Sequence[Job]]:
        jobs = sorted(self._jobs.values(), key=lambda job: job.template.order)
        for _, group in groupby(jobs, key=lambda job: job.template.order):
            yield [*group]
