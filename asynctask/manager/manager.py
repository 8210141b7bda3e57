"""The manager, as its users see it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from time import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio

from asynctask.emitter import EventEmitter
from asynctask.errors import (
    ManagerError,
    TaskStateError,
    TemplateConflictError,
    UsageError,
)
from asynctask.manager.counts import MOST, new_count
from asynctask.manager.job import Job
from asynctask.manager.launchers import Launchers
from asynctask.manager.launching import Launcher
from asynctask.manager.life import KILL_WAIT
from asynctask.manager.messages import Publisher
from asynctask.manager.once import Once
from asynctask.manager.output import OutputHub
from asynctask.manager.services import Services
from asynctask.manager.signals import signal_number
from asynctask.manager.telling import Telling, no_process
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.where import nodes_of
from asynctask.waiting import wait_out
from asynctask.workers.arguments import check_env

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
            ManagerError: somebody has started it meanwhile; it stays loaded.

        Cancelling leaves it loaded, and stopping.
        """
        services, job = self._open(), self._job(name)
        job.stop()
        await job.stopped()
        if self._jobs.get(name) is job:
            if not job.idle:
                raise ManagerError(
                    f"{name}: it stays loaded: it was started again while it was being stopped"
                )
            del self._jobs[name]
            services.publisher.template("delete", name)
            services.hub.forget(name)

    async def update(self, template: ProcessTemplate) -> None:
        """Replace a loaded template by another of its name.

        Its number of processes and its policies count at once. If it differs in what a process is started
        with, those that run are replaced, as by :meth:`reload`, and those that could not be started are
        tried again at once.

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
            round_of_all = self._for_all(Job.start, Job.settled)
            if wait:
                await round_of_all
            else:
                services.spawn(round_of_all, "start of all")
        else:
            job = self._job(name)
            job.start()
            if wait:
                await job.settled()

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
            await self._for_all(Job.stop, Job.stopped, backwards=True)
        else:
            job = self._job(name)
            job.stop()
            await job.stopped()

    async def restart(self, name: str | None = None) -> None:
        """Stop the processes of a template and start new ones; of all without a name, by ``order``.

        Each process is replaced as soon as it has stopped. It waits as :meth:`start` does.

        Raises:
            TemplateNotFoundError: there is none of this name.
        """
        self._open()
        if name is None:
            await self._for_all(Job.restart, Job.settled)
        else:
            job = self._job(name)
            job.restart()
            await job.settled()

    async def reload(self, name: str) -> None:
        """Replace the processes of a template one after the other, without a gap.

        A new process is started beside the old one; when it is ready, the old one is stopped. For that moment
        there is one more, and the new one has another index. Those that do not run are started.

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
            ManagerError: it would be less than none, or too many: 10 000, or as there are ports.
        """
        services, job = self._open(), self._job(name)
        port = job.template.port
        most = MOST if port is None else min(MOST, 65536 - port)
        count = new_count(name, job.numprocesses, n, most)
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
            UsageError: it has no such node; ``env`` is no environment.
            LaunchError: it could not be started.
            ManagerError: it was stopped, with its template, before it was started.

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
        return await job.run_once(Once(services, template, where, check_env(env)))

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

    async def end_strays(self, *, spare: Iterable[str] = ()) -> list[str]:
        """End the detached processes on this machine that no loaded template keeps any more.

        These are what an earlier manager of this name has left: of templates that are not loaded, or not
        detached now, or that have fewer processes. Each gets the stop signal and grace that it was started
        with. If there was never a detached process, nothing is made or locked.

        Args:
            spare: names of templates whose processes are left alone though they are not loaded.

        Returns:
            What was ended: ``"web.1 (pid 4711)"``.

        Raises:
            ManagerError: another manager of this name runs, or its records cannot be read.

        Cancelling leaves some of them, for the next time.
        """
        self._open()
        jobs = self._jobs.values()
        kept = {job.name: job.numprocesses for job in jobs if job.template.detach and None in job.nodes}
        return await self._launchers.end_strays(kept, {*spare, *self._loading} - self._jobs.keys())

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
            end = self._shut_down(self._services)
            self._services.spawn(end, "end of the manager", over=self._closing)
        try:
            await self._closing.wait()
        except asyncio.CancelledError:
            self.hurry()
            await wait_out(self._closing)
            raise
        finally:
            if self._own_emitter:  # here, for a listener that calls us is not waited for by itself
                await self.emitter.aclose()

    async def _shut_down(self, services: Services) -> None:
        try:
            await self._for_all(_leave_or_stop, Job.stopped, backwards=True)
            await services.others_over()
        except asyncio.CancelledError:  # the loop is being closed: each process is cut off by its own task
            with anyio.move_on_after(2 * KILL_WAIT, shield=True):
                await services.others_over()
            raise
        finally:
            with anyio.CancelScope(shield=True):  # they have bounds of their own
                await self._launchers.aclose()
                await services.hub.aclose()

    def _for_all(
        self,
        wish: Callable[[Job], None],
        outcome: Callable[[Job], Awaitable[None]],
        *,
        backwards: bool = False,
    ) -> Coroutine[Any, Any, None]:
        """Wish something of all templates, by order: the outcome of one order comes before the next wish.

        It counts from this call: what is wished later, of all or of one template, comes first.
        """
        self._wishes += 1
        number = self._wishes
        jobs = sorted(self._jobs.values(), key=_order, reverse=backwards)
        wishes = {job: job.wishes for job in jobs}

        async def in_turn() -> None:
            for _, group in groupby(jobs, key=_order):
                now = [*group]
                for job in now:
                    if self._wishes == number and job.wishes == wishes[job]:
                        wish(job)
                        await asyncio.sleep(0)  # a thousand processes take some 50 ms to be told
                for job in now:
                    await outcome(job)
                if self._wishes != number:
                    return

        return in_turn()


def _order(job: Job) -> int:
    return job.template.order


def _leave_or_stop(job: Job) -> None:
    if job.template.detach:
        job.leave()
    else:
        job.stop()
