"""The task: what users touch. Scheduling, results and settings have modules of their own."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from asynctask.background import Background
from asynctask.errors import HandlerErrors, TaskStateError, TaskTimeoutError, UsageError
from asynctask.nodes import expand
from asynctask.outcome import NodeResult, Outcome
from asynctask.results import Getters, Result
from asynctask.scheduling import Run, RunStatistics
from asynctask.settings import DEFAULT_FANOUT, DEFAULTS, LOCAL, ShellSettings, WorkerSettings
from asynctask.waiting import wait_out
from asynctask.workers.base import DEFAULT_GRACE, Worker, check_fanout, check_seconds
from asynctask.workers.registry import worker_class
from asynctask.workers.resources import Resources

__all__ = ("AsCompleted", "Task", "TaskState", "run")


class TaskState(enum.Enum):
    """What a task is doing."""

    IDLE = "idle"
    """Nothing runs; workers can be scheduled."""
    RUNNING = "running"
    """A run goes on; workers can be added to it."""
    STOPPING = "stopping"
    """A run was aborted, cancelled or out of time, and is not over yet."""
    CLOSED = "closed"
    """Its block was left; it cannot be used again."""


#: What may follow what. Anything else raises and changes nothing.
TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    TaskState.IDLE: frozenset({TaskState.RUNNING, TaskState.CLOSED}),
    TaskState.RUNNING: frozenset({TaskState.STOPPING, TaskState.IDLE}),
    TaskState.STOPPING: frozenset({TaskState.IDLE}),
    TaskState.CLOSED: frozenset(),
}


class Task(Getters):
    """A set of workers that run together, and their results.

    ::

        async with asynctask.Task(fanout=128) as task:
            task.shell("systemctl restart app", nodes="web[1-100]", handler=Restarted())
            result = await task.run(timeout=300)

    Leaving the ``async with`` block stops what still runs and waits until it is gone. Used
    without the block, a task cleans up at the end of each :meth:`run`.

    Args:
        fanout: how many nodes run at once, 1 or more; may be changed while running.
        **settings: defaults for the workers; see :class:`~asynctask.settings.WorkerSettings`.
    """

    def __init__(self, *, fanout: int = DEFAULT_FANOUT, **settings: Unpack[WorkerSettings]) -> None:
        check_fanout(fanout)
        unknown = settings.keys() - WorkerSettings.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown settings for a task: {', '.join(sorted(unknown))}")
        check_seconds("timeout", settings.get("timeout"))
        check_seconds("connect_timeout", settings.get("connect_timeout"))
        check_seconds("grace", settings.get("grace", DEFAULT_GRACE), bounded=True)
        self._settings: dict[str, Any] = {**DEFAULTS, **settings}
        self._fanout = fanout
        self._state = TaskState.IDLE
        self._entered = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._resources = Resources()
        self._prepared: Run | None = None
        self._running: Run | None = None
        self._latest = Result()
        self._watchers: list[Callable[[Sequence[NodeResult]], None]] = []
        self._background: Background | None = None

    # -- what to run --------------------------------------------------------------------------

    def shell(self, command: str, **settings: Unpack[ShellSettings]) -> Worker:
        """Schedule a command: on nodes, or once on this machine if none are named.

        While the task runs, also from a handler, it starts as soon as the fanout allows.

        Args:
            command: for the shell of each node.
            **settings: see :class:`~asynctask.settings.ShellSettings`; what is left out is taken from
                the task.

        Raises:
            UsageError: something in it can never work: an empty or unparsable node set, an unknown
                group, worker, or placeholder, a timeout that is no time.
            TaskStateError: the task is stopping or closed.
        """
        return self.schedule(self._make_worker(command, dict(settings)))

    def schedule(self, worker: Worker) -> Worker:
        """Schedule a worker made by hand. A worker runs once.

        Raises:
            TaskStateError: the worker has been scheduled before, or the task is stopping or closed.
        """
        if self._state not in (TaskState.IDLE, TaskState.RUNNING):
            raise TaskStateError(f"the task is {self._state.value}: it takes no more workers")
        if worker.scheduled:
            raise TaskStateError(f"{worker!r} has been scheduled before: make a new one")
        run = self._running
        if run is None or not run.accepting:
            if self._prepared is None:
                self._prepared = self._new_run()
            run = self._prepared
        run.add(worker)
        worker.scheduled = True
        return worker

    def _make_worker(self, command: str, settings: dict[str, Any]) -> Worker:
        if not isinstance(command, str) or not command.strip():
            raise UsageError(f"no command to run: {command!r}")
        unknown = settings.keys() - ShellSettings.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown settings for a command: {', '.join(sorted(unknown))}")
        nodes = settings.pop("nodes", LOCAL)
        key = settings.pop("key", None)
        options: dict[str, Any] = settings.pop("options", {})
        ssh_given = settings.get("ssh") is not None
        merged = {**self._settings, **settings}
        chosen = merged.pop("worker", None)
        ssh = merged.pop("ssh")
        if nodes is LOCAL:
            targets: Sequence[str] = (key or "localhost",)
            cls = worker_class("exec")
            if chosen is not None and "worker" in settings:
                if not issubclass(worker_class(chosen), cls):
                    raise UsageError(f"worker={chosen!r} needs nodes=")
                cls = worker_class(chosen)
            options = {"placeholders": False, **options}
        else:
            if key is not None:
                raise UsageError("key= names the target of a command without nodes=; give one of them")
            targets = expand(nodes)
            cls = worker_class(chosen or "ssh")
        if cls.remote:
            options = {"ssh": ssh, **options}
        elif ssh_given:
            raise UsageError(f"ssh= is of no use to the worker {cls.name!r}")
        return cls(command, targets, **merged, **options)

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
        self._move(TaskState.RUNNING)
        run = self._running = self._prepared or self._new_run()
        self._prepared = None
        result = self._latest = run.result
        self._idle.clear()
        try:
            in_time = await run.execute(timeout)
        finally:
            self._running = None
            try:
                if not self._entered:
                    await self._resources.aclose()
            finally:
                self._move(TaskState.IDLE)
                self._idle.set()
        self._raise_for(run, result, None if in_time else timeout)
        return result

    def _new_run(self) -> Run:
        return Run(lambda: self._fanout, Result(), self._resources, self._on_end, self._on_stop)

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

    def abort(self, *, kill: bool = False) -> None:
        """Stop the run: what runs ends as aborted, what waits never starts; results are kept.

        Returns at once, also in a handler; :meth:`run` returns when all is gone. On a task that
        does not run it forgets what is scheduled.

        Args:
            kill: no grace between TERM and KILL; may follow an abort that is too slow.
        """
        run = self._running
        if run is None:
            self._prepared = None
            return
        if kill:
            run.hurry()
        run.stop(Outcome.ABORTED)

    # -- a look at it -----------------------------------------------------------------------------

    @property
    def state(self) -> TaskState:
        """What the task is doing."""
        return self._state

    def running(self) -> bool:
        """Whether a run is going on."""
        return self._running is not None

    @property
    def fanout(self) -> int:
        """How many nodes run at once. A change takes effect at once, also while running."""
        return self._fanout

    @fanout.setter
    def fanout(self, fanout: int) -> None:
        check_fanout(fanout)
        self._fanout = fanout
        if self._running is not None:
            self._running.fill()

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
        return f"<Task {self._state.value}, fanout {self._fanout}>"

    # -- its life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._entered or self._state is TaskState.CLOSED:
            raise TaskStateError("a task can be entered once")
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()
        background = self._background
        try:
            await wait_out(self._idle)
            if background is not None:
                await wait_out(background.over)
        finally:
            await self._resources.aclose()
            self._move(TaskState.CLOSED)
        if background is not None:
            background.hush() if exc is not None else background.tell()

    def _move(self, to: TaskState) -> None:
        self._check_move(to)
        self._state = to

    def _check_move(self, to: TaskState) -> None:
        if to not in TRANSITIONS[self._state]:
            raise TaskStateError(f"the task is {self._state.value}: it cannot become {to.value}")

    def _in_background(self, run: Coroutine[Any, Any, Result]) -> Background:
        before = self._background
        try:
            self._check_move(TaskState.RUNNING)
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
        self._move(TaskState.STOPPING)

    def _on_end(self, results: Sequence[NodeResult]) -> None:
        for watcher in self._watchers:
            watcher(results)


class AsCompleted(AsyncIterator[NodeResult]):
    """The results of a run, each as its target ends. Made by :meth:`asynctask.Task.as_completed`.

    Cancelling ``__anext__`` loses no result.
    """

    def __init__(self, task: Task, timeout: float | None) -> None:
        self._task = task
        self._timeout = timeout
        self._ended: deque[NodeResult] = deque()
        self._more = asyncio.Event()
        self._background: Background | None = None

    async def __anext__(self) -> NodeResult:
        if self._background is None:
            self._background = self._task._in_background(self._go())
        while not self._ended:
            if self._background.over.is_set():
                self._background.tell()
                raise StopAsyncIteration
            self._more.clear()
            await self._more.wait()
        return self._ended.popleft()

    async def _go(self) -> Result:
        self._task._watchers.append(self._see)
        try:
            return await self._task.run(self._timeout)
        finally:
            self._task._watchers.remove(self._see)
            asyncio.get_running_loop().call_soon(self._more.set)  # after the background is over

    def _see(self, results: Sequence[NodeResult]) -> None:
        self._ended += results
        self._more.set()


async def run(
    command: str,
    *,
    deadline: float | None = None,
    **settings: Unpack[ShellSettings],
) -> Result:
    """Run a command on nodes, or once on this machine if none are named, and gather what it prints.

    Args:
        command: for the shell of each node.
        deadline: seconds for the whole run; ``timeout=`` is for the command on each node.
        **settings: see :class:`~asynctask.settings.ShellSettings`.

    Raises:
        UsageError: something in it can never work; nothing was run.
        TaskTimeoutError: the deadline struck; the error carries the result.
        HandlerErrors: a handler raised; the run was completed and the error carries its result.

    Cancelling stops all nodes, waits until they are gone, and raises again.
    """
    check_seconds("deadline", deadline)
    async with Task() as task:
        task.shell(command, **settings)
        return await task.run(deadline)
