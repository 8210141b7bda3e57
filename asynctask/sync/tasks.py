"""The blocking task: bound to a thread, which runs an asyncio loop while the task runs, and not else."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from weakref import WeakSet

from asynctask import task as asynchronous
from asynctask.errors import AsyncTaskError, TaskStateError
from asynctask.messages import Message
from asynctask.nodes import NodeSet
from asynctask.results import Result
from asynctask.states import TaskState
from asynctask.sync.errors import AlreadyRunningError, TaskError, TaskMsgTreeError, as_raised
from asynctask.sync.home import LOOK_AGAIN, TASK, AtHome, running_here
from asynctask.sync.objects import EnginePort, EngineTimer
from asynctask.sync.workers import DistantWorker, Worker, WorkerPopen, no_limit

__all__ = ("Task", "task_cleanup", "task_self", "task_terminate", "task_wait")

if TYPE_CHECKING:
    from asynctask.ssh.options import SSHOptions
    from asynctask.workers.arguments import Args
    from asynctask.workers.sudo import Sudo

_NodesArgument: TypeAlias = str | NodeSet | Iterable[str]

#: How long, in seconds, :func:`task_cleanup` waits for one thread at a time.
_JOIN_WAIT = 30.0


class Task(AtHome):
    """A set of workers that run together, for programs without asyncio.

    ``Task(thread=threading.current_thread())``, or :func:`task_self`, is the task of a thread: made when
    first asked for, the same ever after. There :meth:`run` blocks. ``Task()`` starts a thread with a task of
    its own, which other threads fill, and wake with :meth:`resume`.

    Every method may be called from any thread. What another thread adds while the task runs is added in
    the task's thread, in order.

    Each run has a loop of its own. Connections are shared within a run and closed at its end: there is no
    ``pool=`` as :class:`asynctask.Task` has it, for no connection outlives its loop.
    """

    _lock: ClassVar = threading.RLock()
    #: All that are alive. That of a thread is an attribute of the thread: both go together.
    _all: ClassVar[WeakSet[Task]] = WeakSet()
    _count: ClassVar = 0

    thread: threading.Thread
    """The thread that it is bound to."""
    _is_new: bool

    def __new__(cls, thread: threading.Thread | None = None, defaults: object = None) -> Task:
        """The task of a thread, or a new one with a thread of its own."""
        with cls._lock:
            found: Task | None = None if thread is None else getattr(thread, TASK, None)
            if found is None:
                found = super().__new__(cls)
                found._is_new = True
            return found

    def __init__(self, thread: threading.Thread | None = None, defaults: object = None) -> None:
        with Task._lock:
            if not self._is_new:
                return
            self._is_new = False
            if thread is None:
                Task._count += 1
                thread = threading.Thread(target=self._live, name=f"Task-{Task._count}")
                self._owns_thread = True
            else:
                self._owns_thread = False
            self.thread = thread
            setattr(thread, TASK, self)
            Task._all.add(self)
        super().__init__()
        self._task = asynchronous.Task()
        self._task._shown_as = self
        self._task.set_default("stdin", True)  # ClusterShell's: open until set_write_eof()
        self._running = False
        self._killed = False
        self._wake: list[float | None] = []  # runs that other threads asked for, each with its timeout
        if self._owns_thread:
            thread.start()

    # -- what to run ----------------------------------------------------------------------------------

    def shell(
        self,
        command: str,
        *,
        nodes: _NodesArgument | None = None,
        key: str | None = None,
        handler: object = None,
        timeout: float | None = None,
        autoclose: bool = False,
        stderr: bool | None = None,
        stdin: bool | None = None,
        tree: bool | None = None,
        remote: bool = True,
        env: Mapping[str, str] | None = None,
        args: Args | None = None,
        sudo: Sudo | bool | None = None,
        pty: bool = False,
        ssh: SSHOptions | None = None,
    ) -> Any:
        """Schedule a command, on nodes or on this machine; returns its worker.

        Args:
            command: for the shell.
            nodes: the targets, also as ``user@node``; an empty set is an error. Left out: the command runs
                once, here.
            key: the name of the target of a command without nodes.
            handler: hears the events.
            timeout: seconds for the command on each node; negative or ``None``: no limit.
            autoclose: the worker does not keep the run going.
            stderr: keep standard error apart; by default what ``default("stderr")`` says.
            stdin: leave the command's input open for ``write()``; by default ``default("stdin")``.
            tree: there is no tree mode yet: true is an error.
            remote: false: run the command here, once for each node.
            env: environment variables for the command. This and what follows ClusterShell does not have.
            args: what differs from node to node; see :class:`asynctask.NodeArgs`.
            sudo: run it as another user: true for root, or an :class:`asynctask.Sudo`. Over SSH only.
            pty: give it a terminal. Over SSH only.
            ssh: how to connect; by default as ``~/.ssh/config`` says. Over SSH only.
        """
        self._check_alive()
        _check_tree(tree)
        settings: dict[str, Any] = {"stderr": stderr, "stdin": stdin, "timeout": no_limit(timeout)}
        settings |= {"autoclose": autoclose, "env": env}
        over_ssh = {"sudo": sudo or None, "pty": pty or None, "ssh": ssh}
        if nodes is None or not remote:
            _refuse("over SSH", **over_ssh)
        if nodes is None:
            _refuse("with nodes=", args=args)
            local = WorkerPopen(command, key, handler, **settings)
            self.schedule(local)
            return local
        if key is not None:
            raise TaskError("key= names the target of a command without nodes=; give one of them")
        name = {} if remote else {"worker": self._task.default("local_workername")}
        return self._schedule_distant(
            DistantWorker(handler, command, nodes=nodes, args=args, **name, **settings, **over_ssh)
        )

    def copy(
        self,
        source: str | os.PathLike[str],
        dest: str | os.PathLike[str],
        nodes: _NodesArgument,
        *,
        handler: object = None,
        stderr: bool | None = None,
        timeout: float | None = None,
        preserve: bool | None = None,
        reverse: bool = False,
        autoclose: bool = False,
        tree: bool | None = None,
        skip_identical: bool = False,
        ssh: SSHOptions | None = None,
    ) -> DistantWorker:
        """Schedule a copy of a file or directory to nodes; returns its worker.

        Args:
            source: what to copy, on this machine.
            dest: where to, on each node: the name of the copy, or a directory to put it into; see
                :class:`asynctask.CopyWorker`.
            nodes: the targets.
            handler: hears the events; ``ev_progress``, too.
            stderr: keep what is said of skipped files apart from standard output.
            timeout: seconds for each node; negative or ``None``: no limit.
            preserve: keep permissions and times.
            reverse: from the nodes to here, as :meth:`rcopy`.
            autoclose: the worker does not keep the run going.
            tree: there is no tree mode yet: true is an error.
            skip_identical: leave out files that are there already, of the same size and time. This and what
                follows ClusterShell does not have.
            ssh: how to connect; by default as ``~/.ssh/config`` says.

        Raises:
            UsageError: there is no such source, or for :meth:`rcopy` no such directory; it is a
                ``ValueError``, too.
        """
        self._check_alive()
        _check_tree(tree)
        if nodes is None:
            raise TaskError("local copy not supported: name the nodes")
        worker = DistantWorker(
            handler,
            nodes=nodes,
            stderr=stderr,
            timeout=no_limit(timeout),
            autoclose=autoclose,
            skip_identical=skip_identical,
            ssh=ssh,
        )
        worker._copies(source, dest, reverse=reverse, preserve=bool(preserve))
        return self._schedule_distant(worker)

    def rcopy(
        self,
        source: str | os.PathLike[str],
        dest: str | os.PathLike[str],
        nodes: _NodesArgument,
        **settings: Any,
    ) -> DistantWorker:
        """Schedule a copy from nodes into the directory ``dest``: that of ``web1`` is ``<source>.web1``.

        The arguments are those of :meth:`copy`.
        """
        return self.copy(source, dest, nodes, **{**settings, "reverse": True})

    def _schedule_distant(self, worker: DistantWorker) -> DistantWorker:
        self.schedule(worker)
        assert worker._inner is not None
        worker.nodes = NodeSet.fromlist(worker._inner.nodes)
        return worker

    def schedule(self, worker: Worker) -> None:
        """Schedule a worker that was made by hand.

        Raises:
            WorkerError: it has been scheduled before.
        """
        self._check_alive()
        inner = worker._schedule(self)
        self._do(lambda: self._task.schedule(inner))

    def timer(
        self, fire: float, handler: object, interval: float = -1, autoclose: bool = False
    ) -> EngineTimer:
        """Have ``handler.ev_timer(timer)`` called. See :meth:`asynctask.Task.timer`."""
        self._check_alive()
        return EngineTimer(self, fire, handler, interval, autoclose)

    def port(self, handler: object = None, autoclose: bool = False) -> EnginePort:
        """Make a mailbox. See :meth:`asynctask.Task.port`."""
        self._check_alive()
        return EnginePort(self, handler, autoclose)

    def remove_port(self, port: EnginePort) -> None:
        """Close a port."""
        port.close()

    # -- running --------------------------------------------------------------------------------------

    def run(self, command: str | float | None = None, **kwargs: Any) -> Any:
        """Run all that is scheduled; in the task's own thread wait until it is over.

        ``run(5)`` and ``run(timeout=5)`` give all of it five seconds. ``run("command", ...)`` schedules a
        command first, with the arguments of :meth:`shell`, and returns its worker.

        Raises:
            TimeoutError: it took longer.
            AlreadyRunningError: the task runs already.
        """
        if isinstance(command, str):
            worker = self.shell(command, **kwargs)
            self.resume()
            return worker
        timeout = kwargs.pop("timeout", command)
        if kwargs:
            raise TypeError(f"run() without a command does not take {', '.join(sorted(kwargs))}")
        self.resume(timeout)
        return None

    def resume(self, timeout: float | None = None) -> None:
        """Run, or go on after :meth:`suspend`. In the task's own thread it blocks; in others it only wakes.

        Args:
            timeout: seconds; ``None`` or 0: no limit.

        Raises:
            TimeoutError: it took longer.
            AlreadyRunningError: the task runs already.
            TaskError: another thread has a task run that has no thread of its own.
            Exception: what a handler raised, after all else was done; several in one group.
        """
        self._check_alive()
        timeout = timeout or None
        if self._is_own_thread():
            if self._task.state is TaskState.SUSPENDED:
                self._go_on(timeout)
            else:
                self._run(timeout)
            return
        with self._changed:
            if self._running:
                self._do(lambda: self._go_on(timeout))
            elif self._owns_thread:
                self._wake.append(timeout)
                self._changed.notify_all()
            else:
                raise TaskError(f"only {self.thread.name} can run this task: it has no thread of its own")

    def _go_on(self, timeout: float | None) -> None:
        if self._task.state is TaskState.SUSPENDED:
            self._task._go_on(timeout)
        elif self._owns_thread and self._task._prepared is not None:
            self._wake.append(timeout)  # what was added came too late for the run that is ending

    def suspend(self) -> bool:
        """Hold the run still until :meth:`resume`; whether there was one. See the asynchronous one."""
        if not self._is_own_thread():
            self._wait_while(lambda: self.running() and self._loop is None)  # it is about to begin
        return self._do_now(self._task.suspend)

    def abort(self, kill: bool = False) -> None:
        """Stop what runs; results are kept. Returns at once in the task's own thread, else when it is over.

        A handler of another task, which is itself being stopped, does not wait either.

        Args:
            kill: the task is unbound from its thread, which ends if it is the task's own; the next
                :func:`task_self` is a new task.
        """
        with self._changed:
            if kill:
                self._killed = True
                self._wake.clear()
                self._changed.notify_all()
        self._do(lambda: self._task.abort(kill=True))
        if not self._is_own_thread():
            self._wait_idle()
        if kill and not self.running():
            self._unbind()

    def halt(self) -> None:
        """Start no more nodes; what runs goes on to its end. See :meth:`asynctask.Task.halt`."""
        self._do(self._task.halt)

    def join(self) -> None:
        """Wait until the task does not run; in its own thread return at once."""
        if not self._is_own_thread():
            self._wait_idle()

    def running(self) -> bool:
        """Whether it runs, or was woken to."""
        return self._running or bool(self._wake)

    @classmethod
    def wait(cls, from_thread: threading.Thread) -> None:
        """Wait until no task runs but that of ``from_thread``."""
        with cls._lock:
            tasks = [task for task in cls._all if task.thread is not from_thread]
        for task in tasks:
            task.join()

    def excepthook(
        self, kind: type[BaseException], value: BaseException, trace: TracebackType | None
    ) -> None:
        """What is done with an exception that ends the task's own thread; may be replaced."""
        print(f"Exception in {self.thread.name}:", file=sys.stderr)  # noqa: T201 - as sys.excepthook does
        sys.__excepthook__(kind, value, trace)

    # -- parameters -----------------------------------------------------------------------------------

    def default(self, default_key: str, def_val: Any = None) -> Any:
        """A default. See :meth:`asynctask.Task.default`."""
        return self._task.default(default_key, def_val)

    def set_default(self, default_key: str, value: Any) -> None:
        """Set a default, at once. See :meth:`asynctask.Task.set_default`."""
        self._task.set_default(default_key, value)

    def info(self, info_key: str, def_val: Any = None) -> Any:
        """An info. See :meth:`asynctask.Task.info`."""
        return self._task.info(info_key, def_val)

    def set_info(self, info_key: str, value: Any) -> None:
        """Set an info. See :meth:`asynctask.Task.set_info`."""
        self._do(lambda: self._task.set_info(info_key, value))

    # -- results --------------------------------------------------------------------------------------

    @property
    def result(self) -> Result:
        """The result of the run that goes on, or of the last one."""
        return self._task.result

    def iter_buffers(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[Message, list[str]]]:
        """Each distinct standard output with the keys that printed it."""
        return self._kept("stdout").iter_buffers(match_keys or None)

    def iter_errors(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[Message, list[str]]]:
        """Each distinct standard error with the keys that printed it."""
        return self._kept("stderr").iter_errors(match_keys or None)

    def iter_retcodes(self, match_keys: Collection[str] | None = None) -> Iterator[tuple[int, list[str]]]:
        """Each distinct exit status with its keys."""
        return self.result.iter_retcodes(match_keys or None)

    def key_buffer(self, key: str) -> bytes:
        """Standard output of a key; ``b""`` if it is not known."""
        return self._kept("stdout").node_buffer(key)

    def key_error(self, key: str) -> bytes:
        """Standard error of a key; ``b""`` if it is not known."""
        return self._kept("stderr").node_error(key)

    def key_retcode(self, key: str) -> int | None:
        """The largest exit status of a key.

        Raises:
            KeyError: there is no such key.
        """
        return self.result.node_retcode(key)

    node_buffer = key_buffer
    node_error = key_error
    node_retcode = key_retcode

    def max_retcode(self) -> int | None:
        """The largest exit status of all; ``None`` if there is none."""
        return self.result.max_retcode()

    def num_timeout(self) -> int:
        """How many keys timed out."""
        return self.result.num_timeout()

    def iter_keys_timeout(self) -> Iterator[str]:
        """The keys that timed out."""
        return self.result.iter_keys_timeout()

    def flush_buffers(self) -> None:
        """Forget standard output so far."""
        self._do_now(self._task.flush_buffers)

    def flush_errors(self) -> None:
        """Forget standard error so far."""
        self._do_now(self._task.flush_errors)

    def _kept(self, stream: str) -> Result:
        if not self._task.default(f"{stream}_msgtree"):
            raise TaskMsgTreeError(f"{stream} is not kept: set the default {stream}_msgtree before the run")
        return self.result

    # -- the task's thread ----------------------------------------------------------------------------

    def _live(self) -> None:
        """What the thread of a task does that has one: run when it is woken, until it is killed."""
        try:
            while self._wait_for_work():
                self._run(self._wake[0], woken=True)
        except BaseException:
            kind, value, trace = sys.exc_info()
            assert kind is not None
            assert value is not None
            self.excepthook(kind, value, trace)
        finally:
            with self._changed:
                self._killed = True
                self._wake.clear()
                self._changed.notify_all()
            self._unbind()

    def _wait_for_work(self) -> bool:
        with self._changed:
            while not self._wake and not self._killed and threading.main_thread().is_alive():
                self._changed.wait(LOOK_AGAIN)
            return bool(self._wake) and not self._killed

    def _run(self, timeout: float | None, *, woken: bool = False) -> None:
        with self._changed:
            if self._running:
                raise AlreadyRunningError("the task runs already: run() within a run")
            self._running = True
        try:
            self._in_a_loop(lambda: self._task.run(timeout))
        except AsyncTaskError as exc:
            raise as_raised(exc) from None
        finally:
            with self._changed:
                self._running = False
                if woken and self._wake:
                    del self._wake[0]
                self._changed.notify_all()
            if self._killed:
                self._unbind()

    # -- other threads --------------------------------------------------------------------------------

    def _wait_idle(self) -> None:
        here = running_here()
        self._wait_while(
            lambda: (
                self.running()
                and self.thread.is_alive()
                and not (here is not None and here._task.state is TaskState.STOPPING)
            )
        )

    def _check_alive(self) -> None:
        if self._killed:
            raise TaskStateError("the task was killed: call task_self() for a new one")

    def _unbind(self) -> None:
        with Task._lock:
            Task._all.discard(self)
            if getattr(self.thread, TASK, None) is self:
                delattr(self.thread, TASK)
        with self._changed:
            for port in self._task._ports:  # nobody will take what is in them
                port.close()
            self._changed.notify_all()


def _check_tree(tree: bool | None) -> None:
    if tree:
        raise TaskError("tree mode required, and there is none yet: use tree=False or leave it out")


def _refuse(where: str, **given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise TaskError(f"{name}= is for commands {where}")


def task_self(defaults: object = None) -> Task:
    """The task of this thread."""
    return Task(thread=threading.current_thread(), defaults=defaults)


def task_wait() -> None:
    """Wait until no other task runs."""
    Task.wait(threading.current_thread())


def task_terminate() -> None:
    """Kill the task of this thread: the next :func:`task_self` is a new one."""
    task_self().abort(kill=True)


def task_cleanup() -> None:
    """Kill all tasks, and wait for the threads that belong to them; for tests."""
    while True:
        with Task._lock:
            tasks = list(Task._all)
        if not tasks:
            return
        for task in tasks:
            task.abort(kill=True)
            if task._owns_thread and not task._is_own_thread():
                task.thread.join(_JOIN_WAIT)
        if running_here() is not None:  # a handler: its own task ends after it
            return
