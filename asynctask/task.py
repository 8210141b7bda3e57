"""The task: what users touch. What it takes in, scheduling and results have modules of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from asynctask.background import Background
from asynctask.errors import HandlerErrors, TaskStateError, TaskTimeoutError, UsageError
from asynctask.intake import Intake
from asynctask.iteration import AsCompleted, Recording, TaskEvents
from asynctask.making import share_pool
from asynctask.outcome import NodeResult, Outcome
from asynctask.publishing import TaskPublisher
from asynctask.results import Getters, Result
from asynctask.scheduling import Run, RunStatistics
from asynctask.settings import (
    DEFAULT_FANOUT,
    CopySettings,
    Nodes,
    PathLike,
    ShellSettings,
    WorkerSettings,
)
from asynctask.states import TaskState
from asynctask.waiting import wait_out
from asynctask.workers.base import check_seconds
from asynctask.workers.resources import BeforeStart, Resources

if TYPE_CHECKING:
    from asynctask.emitter import EventEmitter
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Task", "copy", "rcopy", "run")


class Task(Intake, Getters):
    """A set of workers that run together, and their results.

    ::

        async with asynctask.Task(fanout=128) as task:
            task.shell("systemctl restart app", nodes="web[1-100]", handler=Restarted())
            result = await task.run(timeout=300)

    Leaving the ``async with`` block stops what still runs and waits until it is gone. Used
    without the block, a task cleans up at the end of each :meth:`run`.

    Args:
        fanout: how many nodes run at once, 1 or more; may be changed while running.
        start_delay: seconds from one node's start to the next, whichever worker's they are; 0: none.
            It may be changed while running. Connecting comes after the start, so commands may begin closer
            to each other than that.
        pool: whose connections to use, for several tasks that share them; the task does not close it.
            By default it has connections of its own.
        env: environment variables for all commands that say no others.
        before_start: an async function, awaited with each node right before its command or copy begins there,
            such as one that writes a journal: what it has not returned for has certainly not begun. Over
            SSH that is after the login, when nothing but the request to run the command is left to be sent.
            What it takes counts neither as connecting nor as running. If it raises, the node ends as
            ``SPAWN_FAILED`` and the others go on. It is awaited again if that start does not come about,
            and is tried again.
        **settings: defaults for the workers; see :class:`~asynctask.settings.WorkerSettings`.
    """

    def __init__(
        self,
        *,
        fanout: int = DEFAULT_FANOUT,
        start_delay: float = 0.0,
        pool: ConnectionPool | None = None,
        env: Mapping[str, str] | None = None,
        before_start: BeforeStart | None = None,
        **settings: Unpack[WorkerSettings],
    ) -> None:
        super().__init__(fanout, start_delay, env, settings)
        if before_start is not None and not callable(before_start):
            raise UsageError(f"before_start={before_start!r}: an async function of the node is needed")
        self._entered = False
        self._once = False  # whether it runs no second time
        self._idle = asyncio.Event()
        self._idle.set()
        self._resources = Resources()
        self._resources.before_start = before_start
        if pool is not None:
            share_pool(self._resources, pool)
        self._latest = Result()
        self._on_ends: list[Callable[[Sequence[NodeResult]], None]] = []
        self._watchers: list[Recording] = []
        self._background: Background | None = None

    # -- running --------------------------------------------------------------------------------

    async def run(self, timeout: float | None = None) -> Result:
        """Run all that is scheduled until every worker is closed.

        Args:
            timeout: seconds for the whole run. At its end what runs is stopped as timed out, what
                waits never starts; the call returns when all is gone, at most the grace and a few
                seconds later. ``None``: no limit.

        Returns:
            The result of this run; it stays as it is when the task runs again.

        Raises:
            TaskTimeoutError: the timeout struck; the error carries the result.
            HandlerErrors: handlers raised; all that they raised, in one group with the result.
            TaskStateError: the task is running already, or closed.

        Cancelling stops all nodes as aborted, waits until they are gone, and raises again; what
        was gathered is in :attr:`result`.
        """
        check_seconds("timeout", timeout)
        self._life.begin()
        run = self._running = self._prepared or self._new_run()
        self._prepared = None
        result = self._latest = run.result
        self._idle.clear()
        self._resources.once = self._once or not self._entered
        self._take_ports(run)
        try:
            in_time = await run.execute(timeout)
        finally:
            self._running = None
            try:
                if not self._entered:
                    await self._resources.aclose()
            finally:
                self._life.move(TaskState.IDLE)
                self._idle.set()
        self._raise_for(run, result, None if in_time else run.timeout)
        return result

    def _new_run(self) -> Run:
        run = Run(lambda: self._fanout, self._pace, Result(), self._resources, self._on_end, self._on_stop)
        for watcher in self._watchers:
            run.watch(watcher)
        return run

    async def resume(self, timeout: float | None = None) -> Result:
        """Go on with a run that is suspended; on a task that does not run, the same as :meth:`run`.

        Going on returns at once, with the result as it is so far: who called :meth:`run` waits for the end.

        Args:
            timeout: seconds for the rest of the run, from now; ``None``: as it was.

        Raises:
            TaskStateError: the task runs, and is not suspended; or it is stopping or closed.
        """
        check_seconds("timeout", timeout)
        if self._life.state is not TaskState.SUSPENDED:
            return await self.run(timeout)
        self._go_on(timeout)
        return self._latest

    def _go_on(self, timeout: float | None) -> None:
        assert self._running is not None
        self._check_loop()
        self._life.move(TaskState.RUNNING)
        self._running.resume(timeout)

    def suspend(self) -> bool:
        """Hold the run still, until :meth:`resume`; whether there was a run to suspend.

        Commands go on, but nothing is read from them, so one that prints much will wait. Nothing starts, no
        timer fires, no message and no event is delivered, and nothing is lost; at most the event that is
        being handled is finished. What bounds a command or the run in time still does.
        """
        self._check_loop()
        run = self._running
        if self._life.state is not TaskState.RUNNING or run is None or not run.accepting:
            return False
        self._life.move(TaskState.SUSPENDED)
        run.suspend()
        return True

    async def join(self) -> None:
        """Wait until the run that goes on is over, however it ends; return at once if there is none.

        Raises:
            TaskStateError: called by one of the run's own handlers, which would wait for itself.
        """
        if self._running is not None and self._running.is_inside(asyncio.current_task()):
            raise TaskStateError("a handler cannot wait for the run that waits for it")
        await self._idle.wait()

    def _raise_for(self, run: Run, result: Result, timeout: float | None) -> None:
        errors = run.errors()
        late = None if timeout is None else TaskTimeoutError(timeout, result)
        if errors:
            if late is not None:
                errors.append(late)
            raise HandlerErrors("handlers raised", errors, result)
        if late is not None:
            raise late

    def as_completed(self, timeout: float | None = None) -> AsCompleted:
        """Run, and iterate over each target's :class:`NodeResult` as it ends.

        The iteration raises at its end what :meth:`run` would. Leaving it early leaves the run
        going until the ``async with`` block of the task ends it.

        Raises:
            TaskStateError: the task is not used as ``async with``, so nothing would own the run.
        """
        check_seconds("timeout", timeout)
        if not self._entered:
            raise TaskStateError("as_completed() needs the task to be used as `async with asynctask.Task()`")
        return AsCompleted(self, timeout)

    def events(self, timeout: float | None = None) -> TaskEvents:
        """Run, and iterate over everything that happens, as records (``asynctask.events``).

        They are the events that a handler would hear, those of timers and ports with handlers included; a
        reader that falls behind slows the nodes down. The iteration raises at its end what :meth:`run` would.
        Leaving it early leaves the run going until the ``async with`` block of the task ends it, unheard.

        Raises:
            TaskStateError: the task is not used as ``async with``, so nothing would own the run.
        """
        check_seconds("timeout", timeout)
        if not self._entered:
            raise TaskStateError("events() needs the task to be used as `async with asynctask.Task()`")
        return TaskEvents(self, timeout)

    def publish_to(self, emitter: EventEmitter, name: str) -> TaskPublisher:
        """Publish what the task does, from its next run on, until the publisher is stopped.

        Each event of its workers, timers and ports with handlers goes to ``task.<name>.<event>``, where the
        event is called as in a handler, without ``ev_``; the argument is its record (``asynctask.events``).

        Args:
            emitter: of the same event loop.
            name: one component of the topic.

        Raises:
            UsageError: the name is empty, or has a dot, a blank or ``*``.
        """
        publisher = TaskPublisher(emitter, name, self._unwatch)
        self._watch(publisher)
        return publisher

    def abort(self, *, kill: bool = False) -> None:
        """Stop the run: what runs ends as aborted, what waits never starts; results are kept.

        Returns at once, also in a handler; :meth:`run` returns when all is gone. On a task that
        does not run it forgets what is scheduled.

        Args:
            kill: no grace between TERM and KILL; may follow an abort that is too slow.
        """
        self._check_loop()
        run = self._running
        if run is None:
            if self._prepared is not None and self._is_about_to_run():
                self._prepared.stop_at_once = True
            elif self._prepared is not None:
                self._prepared.attachments.stop()
                self._prepared = None
            return
        if kill:
            run.hurry()
        run.stop(Outcome.ABORTED)

    def halt(self) -> None:
        """Start no more nodes: what waits ends as never started, what runs goes on to its end.

        Returns at once, also in a handler; doing it again changes nothing. A node whose turn has come runs,
        also if it is still connecting; when ``ev_end`` is heard of one, another may have begun in its place.
        Workers that are added to the run afterwards never start, either; timers and ports go on. The run may
        still be aborted. On a task that does not run it forgets what is scheduled, as :meth:`abort` does.
        """
        self._check_loop()
        if self._running is not None:
            self._running.halt()
        elif self._prepared is not None and self._is_about_to_run():
            self._prepared.halt()
        else:
            self.abort()

    # -- a look at it -----------------------------------------------------------------------------

    @property
    def state(self) -> TaskState:
        """What the task is doing."""
        return self._life.state

    def running(self) -> bool:
        """Whether a run is going on."""
        return self._running is not None

    @property
    def result(self) -> Result:
        """The result of the run that is going on, or of the last one."""
        return self._latest

    def active_nodes(self) -> list[str]:
        """The nodes that have begun and have no outcome yet, in the order in which they began."""
        return [] if self._running is None else self._running.active_nodes()

    def statistics(self) -> RunStatistics | None:
        """Counters of the run that is going on; ``None`` if there is none."""
        return None if self._running is None else self._running.statistics()

    def __repr__(self) -> str:
        return f"<Task {self._life.state.value}, fanout {self._fanout}>"

    # -- its life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._entered or self._life.state is TaskState.CLOSED:
            raise TaskStateError("a task can be entered once")
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
        background = self._background
        try:
            for watcher in self._watchers:
                watcher._abandon()
            await wait_out(self._idle)
            if background is not None:
                await wait_out(background.over)
        finally:
            await self._resources.aclose()
            for port in self._ports:
                port.close()
            self._life.move(TaskState.CLOSED)
        if background is not None:
            background.hush() if exc is not None else background.tell()

    def _is_about_to_run(self) -> bool:
        """Whether a run in the background has not had its first step."""
        return self._background is not None and not self._background.done()

    def _in_background(self, run: Coroutine[Any, Any, Result]) -> Background:
        before = self._background
        try:
            self._life.check_begin()
            if before is not None:
                if not before.done():
                    raise TaskStateError("the task is about to run already")
                before.tell()  # else nobody would hear of it
        except BaseException:
            run.close()
            raise
        self._background = Background(run)
        return self._background

    def _result(self) -> Result:
        return self._latest

    def _on_stop(self) -> None:
        self._life.move(TaskState.STOPPING)

    def _on_end(self, results: Sequence[NodeResult]) -> None:
        for on_end in self._on_ends:
            on_end(results)

    def _watch(self, handler: Recording) -> None:
        """Have a handler hear everything from the next run on."""
        self._watchers.append(handler)
        if self._prepared is not None:
            self._prepared.watch(handler)

    def _unwatch(self, handler: Recording) -> None:
        self._watchers.remove(handler)


async def run(
    command: str,
    *,
    deadline: float | None = None,
    pool: ConnectionPool | None = None,
    **settings: Unpack[ShellSettings],
) -> Result:
    """Run a command on nodes, or once on this machine if none are named, and gather what it prints.

    Args:
        command: for the shell of each node.
        deadline: seconds for the whole run; ``timeout=`` is for the command on each node.
        pool: whose connections to use; see :class:`Task`.
        **settings: see :class:`~asynctask.settings.ShellSettings`.

    Raises:
        UsageError: something in it can never work; nothing was run.
        TaskTimeoutError: the deadline struck; the error carries the result.
        HandlerErrors: a handler raised; the run was completed and the error carries its result.

    Cancelling stops all nodes, waits until they are gone, and raises again.
    """
    return await _run_once(lambda task: task.shell(command, **settings), deadline, pool)


async def copy(
    source: PathLike,
    dest: PathLike,
    nodes: Nodes,
    *,
    deadline: float | None = None,
    pool: ConnectionPool | None = None,
    **settings: Unpack[CopySettings],
) -> Result:
    """Copy a file, or a directory with all that is in it, to nodes.

    ::

        await asynctask.copy("app.conf", "/etc/app.conf", nodes="web[1-4]")

    Args:
        source: what to copy, on this machine.
        dest: where to, on each node; see :meth:`Task.copy`.
        nodes: the targets, as for :func:`run`.
        deadline: seconds for the whole run; ``timeout=`` is for the copy on each node.
        pool: whose connections to use; see :class:`Task`.
        **settings: see :class:`~asynctask.settings.CopySettings`.

    Raises:
        UsageError: something in it can never work; nothing was copied.
        TaskTimeoutError: the deadline struck; the error carries the result.
        HandlerErrors: a handler raised; the copies were completed and the error carries their result.

    Cancelling stops all copies, waits until they are gone, and raises again.
    """
    return await _run_once(lambda task: task.copy(source, dest, nodes, **settings), deadline, pool)


async def rcopy(
    source: PathLike,
    dest: PathLike,
    nodes: Nodes,
    *,
    deadline: float | None = None,
    pool: ConnectionPool | None = None,
    **settings: Unpack[CopySettings],
) -> Result:
    """Copy a file or directory from nodes into a directory; see :meth:`Task.rcopy`, and :func:`copy`."""
    return await _run_once(lambda task: task.rcopy(source, dest, nodes, **settings), deadline, pool)


async def _run_once(
    schedule: Callable[[Task], object], deadline: float | None, pool: ConnectionPool | None
) -> Result:
    check_seconds("deadline", deadline)
    async with Task(pool=pool) as task:
        task._once = True
        schedule(task)
        return await task.run(deadline)
