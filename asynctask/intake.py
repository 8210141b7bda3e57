"""The task's intake: what is to run, when, and with which settings."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Unpack

from asynctask.errors import TaskStateError
from asynctask.making import make_copier, make_worker
from asynctask.parameters import Parameters
from asynctask.port import Port
from asynctask.scheduling import Run
from asynctask.settings import DEFAULTS, CopySettings, Nodes, PathLike, ShellSettings, WorkerSettings
from asynctask.states import Life
from asynctask.targets import Pace
from asynctask.timer import Timer
from asynctask.workers.arguments import check_env
from asynctask.workers.base import DEFAULT_GRACE, Worker, check_fanout, check_seconds

__all__ = ("Intake",)


class Intake(ABC):
    """Takes in what a task is to do: commands, copies, timers, ports.

    Args:
        fanout: how many nodes run at once.
        start_delay: seconds from one node's start to the next.
        env: environment variables for all commands that say no others.
        settings: defaults for the workers.
    """

    def __init__(
        self, fanout: int, start_delay: float, env: Mapping[str, str] | None, settings: WorkerSettings
    ) -> None:
        check_fanout(fanout)
        check_seconds("start_delay", start_delay, bounded=True)
        unknown = settings.keys() - WorkerSettings.__annotations__.keys()
        if unknown:
            raise TypeError(f"unknown settings for a task: {', '.join(sorted(unknown))}")
        check_seconds("timeout", settings.get("timeout"))
        check_seconds("connect_timeout", settings.get("connect_timeout"))
        check_seconds("grace", settings.get("grace", DEFAULT_GRACE), bounded=True)
        self._settings: dict[str, Any] = {**DEFAULTS, **settings}
        if check_env(env) is not None:
            self._settings["env"] = env
        self._fanout = fanout
        self._pace = Pace(start_delay)
        self._parameters = Parameters(self._settings, lambda: self._fanout, self._set_fanout)
        self._life = Life()
        self._shown_as: object = self  # what print_debug is called with
        self._prepared: Run | None = None
        self._running: Run | None = None
        self._ports: dict[Port, None] = {}  # those that have a handler

    @abstractmethod
    def _new_run(self) -> Run: ...

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
        return self.schedule(self._make_worker(command, settings))

    def copy(
        self, source: PathLike, dest: PathLike, nodes: Nodes, **settings: Unpack[CopySettings]
    ) -> Worker:
        """Schedule a copy of a file, or of a directory with all that is in it, to nodes.

        Args:
            source: what to copy, on this machine.
            dest: where to, on each node: the name of the copy, or a directory to put it into.
            nodes: the targets, as for :meth:`shell`.
            **settings: see :class:`~asynctask.settings.CopySettings`; what is left out is taken from
                the task.

        Raises:
            UsageError: something in it can never work: there is no such source, or what :meth:`shell` says.
            TaskStateError: the task is stopping or closed.
        """
        copier = make_copier(source, dest, nodes, settings, self._settings, self._parameters, reverse=False)
        return self.schedule(copier)

    def rcopy(
        self, source: PathLike, dest: PathLike, nodes: Nodes, **settings: Unpack[CopySettings]
    ) -> Worker:
        """Schedule a copy of a file or directory from nodes: that of ``web1`` is called ``<source>.web1``.

        The arguments and errors are those of :meth:`copy`, but ``source`` is on each node, and ``dest`` a
        directory on this machine, which must exist.
        """
        copier = make_copier(source, dest, nodes, settings, self._settings, self._parameters, reverse=True)
        return self.schedule(copier)

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

    # -- with which settings ------------------------------------------------------------------

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
    def start_delay(self) -> float:
        """Seconds from one node's start to the next. A change takes effect at once, also while running."""
        return self._pace.delay

    @start_delay.setter
    def start_delay(self, seconds: float) -> None:
        check_seconds("start_delay", seconds, bounded=True)
        self._check_loop()
        self._pace.delay = seconds
        if self._running is not None:
            self._running.fill_anew()

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

    # -- where it goes ------------------------------------------------------------------------

    def _make_worker(self, command: str, settings: Mapping[str, Any]) -> Worker:
        return make_worker(command, settings, self._settings, self._parameters)

    def _open_run(self) -> Run:
        """The run that takes what is added now."""
        self._check_loop()
        run = self._running
        if run is None or not run.accepting:
            if self._prepared is None:
                self._prepared = self._new_run()
            run = self._prepared
        return run

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

    def _take_ports(self, run: Run) -> None:
        for port in list(self._ports):
            if port.closed and not port.statistics().waiting:
                del self._ports[port]
            elif port.handler is not None:
                run.add_port(port)


class _Debug:
    """Tells what a worker does, line by line, for ``info("debug")``."""

    def __init__(self, task: object, tell: Callable[[Any, str], object]) -> None:
        self._task = task
        self._tell = tell

    def ev_pickup(self, worker: Worker, node: str) -> None:
        self._tell(self._task, f"{worker.name.upper()}: {node}: {worker.command}")

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        self._tell(self._task, f"LINE {node} {sname}: {msg.decode(errors='replace')}")
