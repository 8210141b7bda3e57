"""The task: what users touch. Scheduling, results and settings have modules of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

from asynctask.background import Background
from asynctask.errors import HandlerErrors, TaskStateError, TaskTimeoutError, UsageError
from asynctask.iteration import AsCompleted, TaskEvents
from asynctask.nodes import expand
from asynctask.outcome import NodeResult, Outcome
from asynctask.parameters import Parameters
from asynctask.port import Port
from asynctask.results import Getters, Result
from asynctask.scheduling import Run, RunStatistics
from asynctask.settings import DEFAULT_FANOUT, DEFAULTS, LOCAL, ShellSettings, WorkerSettings
from asynctask.states import Life, TaskState
from asynctask.timer import Timer
from asynctask.waiting import wait_out
from asynctask.workers.base import DEFAULT_GRACE, Worker, check_fanout, check_seconds
from asynctask.workers.registry import worker_class
from asynctask.workers.resources import Resources

__all__ = ("Task", "run")


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
        self._life = Life()
        self._shown_as: object = self  # what print_debug is called with
        self._entered = False
        self._parameters = Parameters(self._settings, lambda: self._fanout, self._set_fanout)
        self._idle = asyncio.Event()
        self._idle.set()
        self._resources = Resources()
        self._prepared: Run | None = None
        self._running: Run | None = None
        self._latest = Result()
        self._ports: dict[Port, None] = {}  # those that have a handler
        self._on_ends: list[Callable[[Sequence[NodeResult]], None]] = []
        self._watchers: list[TaskEvents] = []
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
        self._life.check_open("workers")
        if worker.scheduled:
            raise TaskStateError(f"{worker!r} has been scheduled before: make a new one")
        debugging = [_Debug(self._shown_as, self._parameters.print_debug)] if self._parameters.debug else []
        self._open_run().add(worker, debugging)
        worker.scheduled = True
        return worker

    def timer(self, fire: float, handler: object, interval: float = -1, autoclose: bool = False) -> Timer:
        """Have ``handler.ev_timer(timer)`` called in ``fire`` seconds, and every ``interval`` seconds then.

        It fires while the task runs, and keeps the run going until it has fired its last time. The seconds
        count from now, on a monotonic clock. At the end of the run it is invalid.

        Args:
            fire: seconds, 0 or more.
            handler: an object with ``ev_timer``, plain or async.
            interval: seconds between firings; -1, or anything up to a millisecond: it fires once.
            autoclose: it does not keep the run going.

        Raises:
            UsageError: a time that is no time, or a handler without ``ev_timer``.
            TaskStateError: the task is stopping or closed.
        """
        self._life.check_open("timers")
        run = self._open_run()
        timer = Timer(fire, handler, interval, autoclose, now=time.monotonic, changed=run.attachments.changed)
        run.add_timer(timer)
        return timer

    def port(self, handler: object = None, autoclose: bool = False) -> Port:
        """Make a mailbox; how much it holds says ``default("port_qlimit")``.

        With a handler, ``ev_msg(port, msg)`` is awaited for each message while the task runs, and the port
        keeps the run going until it is closed; it outlives the run. Without, messages are for whoever calls
        ``await port.msg_recv()``, and the task has no part in it but to close it with its block.

        Args:
            handler: an object with ``ev_msg``, plain or async.
            autoclose: it does not keep the run going, and is closed at its end.

        Raises:
            UsageError: the handler has no ``ev_msg``.
            TaskStateError: the task is stopping or closed.
        """
        self._life.check_open("ports")
        port = Port(self._parameters.port_qlimit, handler, autoclose)
        self._ports[port] = None
        if handler is not None and self._running is not None and self._running.accepting:
            self._running.add_port(port)
        return port

    def remove_port(self, port: Port) -> None:
        """Close a port. Its handler still gets the messages that are in it."""
        port.close()

    def _open_run(self) -> Run:
        """The run that takes what is added now."""
        self._check_loop()
        run = self._running
        if run is None or not run.accepting:
            if self._prepared is None:
                self._prepared = self._new_run()
            run = self._prepared
        return run

    def _make_worker(self, command: str, settings: dict[str, Any]) -> Worker:
        if not isinstance(command, str):
            raise UsageError(f"a command is text for a shell, not {type(command).__name__}: {command!r}")
        if not command.strip():
            raise UsageError(f"no command to run: {command!r}")
        unknown = settings.keys() - ShellSettings.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown settings for a command: {', '.join(sorted(unknown))}")
        nodes = settings.pop("nodes", LOCAL)
        key = settings.pop("key", None)
        options: dict[str, Any] = settings.pop("options", {})
        ssh_given = settings.get("ssh") is not None
        merged = {"stdin": self._parameters.stdin, **self._settings, **settings}
        chosen = merged.pop("worker", None)
        ssh = merged.pop("ssh")
        if nodes is LOCAL:
            targets: Sequence[str] = (key or "localhost",)
            cls = self._parameters.local_worker()
            if chosen is not None and "worker" in settings:
                if not issubclass(worker_class(chosen), worker_class("exec")):
                    raise UsageError(f"worker={chosen!r} needs nodes=")
                cls = worker_class(chosen)
            if issubclass(cls, worker_class("exec")):
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
        self._life.begin()
        run = self._running = self._prepared or self._new_run()
        self._prepared = None
        result = self._latest = run.result
        self._idle.clear()
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

    def _check_loop(self) -> None:
        """Refuse a call from another thread, or another loop, than that of the run that goes on."""
        run = self._running
        if run is None or run.loop is None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is not run.loop:
            raise TaskStateError(
                "the task runs in another event loop: use loop.call_soon_threadsafe() of that one,"
                " or asynctask.sync"
            )

    def _new_run(self) -> Run:
        run = Run(lambda: self._fanout, Result(), self._resources, self._on_end, self._on_stop)
        for watcher in self._watchers:
            run.watch(watcher)
        return run

    def _take_ports(self, run: Run) -> None:
        for port in list(self._ports):
            if port.closed and not port.statistics().waiting:
                del self._ports[port]
            elif port.handler is not None:
                run.add_port(port)

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

    # -- a look at it -----------------------------------------------------------------------------

    @property
    def state(self) -> TaskState:
        """What the task is doing."""
        return self._life.state

    def running(self) -> bool:
        """Whether a run is going on."""
        return self._running is not None

    @property
    def fanout(self) -> int:
        """How many nodes run at once. A change takes effect at once, also while running."""
        return self._fanout

    @fanout.setter
    def fanout(self, fanout: int) -> None:
        self._set_fanout(fanout)

    def _set_fanout(self, fanout: int) -> None:
        check_fanout(fanout)
        self._fanout = fanout
        if self._running is not None:
            self._running.fill()

    @property
    def result(self) -> Result:
        """The result of the run that is going on, or of the last one."""
        return self._latest

    def default(self, key: str, def_val: Any = None) -> Any:
        """The value of one of ClusterShell's defaults: what workers are made with. See the library guide."""
        return self._parameters.default(key, def_val)

    def set_default(self, key: str, value: Any) -> None:
        """Set a default; it holds for workers and ports made from now on.

        Raises:
            UsageError: an unknown key that does not begin with ``USER_``, or a value that does not fit.
        """
        self._parameters.set_default(key, value)

    def info(self, key: str, def_val: Any = None) -> Any:
        """The value of one of ClusterShell's infos, or of what the program has put there."""
        return self._parameters.info(key, def_val)

    def set_info(self, key: str, value: Any) -> None:
        """Set an info: a fanout takes effect at once, what else has an effect holds for workers from now on.

        Raises:
            UsageError: a value that does not fit the key.
        """
        self._parameters.set_info(key, value)

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

    def _watch(self, handler: TaskEvents) -> None:
        """Have a handler hear everything from the next run on."""
        self._watchers.append(handler)
        if self._prepared is not None:
            self._prepared.watch(handler)

    def _unwatch(self, handler: TaskEvents) -> None:
        self._watchers.remove(handler)


class _Debug:
    """Tells what a worker does, line by line, for ``info("debug")``."""

    def __init__(self, task: object, tell: Callable[[Any, str], object]) -> None:
        self._task = task
        self._tell = tell

    def ev_pickup(self, worker: Worker, node: str) -> None:
        self._tell(self._task, f"{worker.name.upper()}: {node}: {worker.command}")

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        self._tell(self._task, f"LINE {node} {sname}: {msg.decode(errors='replace')}")


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
