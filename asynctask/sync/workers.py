"""Workers for programs without asyncio: ClusterShell's constructors round asynctask's workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

from asynctask.errors import UsageError
from asynctask.making import make_copier
from asynctask.nodes import NodeSet, expand
from asynctask.sync.errors import WorkerError
from asynctask.sync.handlers import adapted
from asynctask.workers.base import Worker as AsyncWorker
from asynctask.workers.streams import StreamWorker as AsyncStreamWorker

if TYPE_CHECKING:
    from asynctask.messages import Message
    from asynctask.sync.tasks import Task

__all__ = (
    "DistantWorker",
    "ExecWorker",
    "StreamWorker",
    "Worker",
    "WorkerPopen",
    "WorkerSimple",
    "WorkerSsh",
)


class Worker:
    """A worker of a blocking task.

    While a handler's method runs, ``current_node``, ``current_msg``, ``current_errmsg``, ``current_rc`` and
    ``current_sname`` tell what it is about; in an ``async`` method they hold until its first ``await``.

    Args:
        handler: hears the events; methods with the newer or the older arguments.
        command: what it runs; ``None`` for one that runs no command.
        **settings: as of :meth:`asynctask.Task.shell`.
    """

    SNAME_STDIN = "stdin"
    SNAME_STDOUT = "stdout"
    SNAME_STDERR = "stderr"

    def __init__(self, handler: object = None, command: str | None = None, **settings: Any) -> None:
        self.eh = handler
        self.command = command
        self.task: Task | None = None
        self.current_node: str | None = None
        self.current_msg: bytes | None = None
        self.current_errmsg: bytes | None = None
        self.current_rc: int | None = None
        self.current_sname: str | None = None
        self._settings = settings
        self._inner: AsyncWorker | None = None
        self._early: list[Callable[[AsyncWorker], None]] = []
        self._lock = threading.RLock()  # guards the last two

    # -- what handlers look at ----------------------------------------------------------------------

    _tells_node = True

    def _now(
        self,
        node: str,
        *,
        sname: str | None = None,
        msg: bytes | None = None,
        errmsg: bytes | None = None,
        rc: int | None = None,
    ) -> None:
        self.current_node = node if self._tells_node else None
        self.current_sname = sname
        self.current_msg = msg
        self.current_errmsg = errmsg
        self.current_rc = rc

    # -- its life -----------------------------------------------------------------------------------

    def _schedule(self, task: Task) -> AsyncWorker:
        """Make the worker that does the work, for a task."""
        settings = {key: value for key, value in self._settings.items() if value is not None}
        if self.eh is not None:
            settings["handler"] = adapted(self.eh, self)
        with self._lock:
            if self._inner is not None:
                raise WorkerError("worker has already been scheduled")
            inner = self._make(task, settings)
            for write in self._early:
                write(inner)
            self._inner = inner
            self.task = task
        return inner

    def _make(self, task: Task, settings: dict[str, Any]) -> AsyncWorker:
        assert self.command is not None
        return task._task._make_worker(self.command, settings)

    def _tell(self, action: Callable[[AsyncWorker], None]) -> None:
        with self._lock:
            inner, task = self._inner, self.task
            if inner is None or task is None:
                self._early.append(action)
                return
        task._do(lambda: action(inner))

    def write(self, buf: bytes) -> None:
        """Write to the standard input of every node; those that start later get it, too. Any thread may."""
        self._tell(lambda inner: inner.write(buf))

    def set_write_eof(self) -> None:
        """End the standard input of every node, after what was written."""
        self._tell(lambda inner: inner.set_write_eof())

    def abort(self) -> None:
        """Stop this worker. It is safe to do it twice, and from any thread."""
        if self._inner is not None:
            self._tell(lambda inner: inner.abort(kill=True))

    # -- what it brought ----------------------------------------------------------------------------

    def read(self, node: str | None = None, sname: str = "stdout") -> bytes | None:
        """What a node printed; ``None`` if nothing, or before the worker was scheduled."""
        return None if self._inner is None else self._inner.read(node, sname)

    def num_timeout(self) -> int:
        """How many nodes timed out."""
        return 0 if self._inner is None else self._inner.num_timeout()

    def did_timeout(self) -> bool:
        """Whether a node timed out."""
        return self.num_timeout() > 0

    def iter_keys_timeout(self) -> Iterator[str]:
        """The nodes that timed out."""
        return iter(()) if self._inner is None else self._inner.iter_keys_timeout()

    def flush_buffers(self) -> None:
        """Forget standard output so far."""
        if self._inner is not None and self.task is not None:
            self.task._do_now(self._inner.flush_buffers)

    def flush_errors(self) -> None:
        """Forget standard error so far."""
        if self._inner is not None and self.task is not None:
            self.task._do_now(self._inner.flush_errors)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.command!r}>"


class DistantWorker(Worker):
    """A worker with nodes. Buffers come with node sets."""

    nodes: NodeSet
    source: str | None = None
    """What it copies; ``None`` if it runs a command."""
    dest: str | None = None
    """Where to; ``None`` if it runs a command."""
    reverse = False
    """Whether it copies from the nodes to here."""
    preserve = False
    """Whether copies keep permissions and times."""

    def _copies(
        self,
        source: str | os.PathLike[str],
        dest: str | os.PathLike[str] | None,
        *,
        reverse: bool,
        preserve: bool,
    ) -> None:
        """Have it copy files rather than run a command."""
        if dest is None:
            raise UsageError("dest: where does the copy go to?")
        self.source = os.fspath(source)
        self.dest = os.fspath(dest)
        self.reverse = reverse
        self.preserve = preserve

    def _make(self, task: Task, settings: dict[str, Any]) -> AsyncWorker:
        inner = task._task
        if self.source is None or self.dest is None:
            return super()._make(task, settings)
        nodes = settings.pop("nodes")
        settings["preserve"] = self.preserve
        defaults, parameters = inner._settings, inner._parameters
        return make_copier(
            self.source, self.dest, nodes, settings, defaults, parameters, reverse=self.reverse
        )

    def __repr__(self) -> str:
        if self.source is None:
            return super().__repr__()
        arrow = "<-" if self.reverse else "->"
        here, there = (self.dest, self.source) if self.reverse else (self.source, self.dest)
        return f"<{type(self).__name__} {here!r} {arrow} {there!r}>"

    def node_buffer(self, node: str) -> bytes:
        """Standard output of a node."""
        return b"" if self._inner is None else self._inner.node_buffer(node)

    def node_error(self, node: str) -> bytes:
        """Standard error of a node, where it is kept apart."""
        return b"" if self._inner is None else self._inner.node_error(node)

    def node_retcode(self, node: str) -> int | None:
        """Exit status of a node.

        Raises:
            KeyError: the worker has no such node.
        """
        if self._inner is None:
            raise KeyError(node)
        return self._inner.node_retcode(node)

    node_error_buffer = node_error
    node_rc = node_retcode

    def iter_buffers(self, match_keys: Iterable[str] | None = None) -> Iterator[tuple[Message, NodeSet]]:
        """Each distinct standard output with the nodes that printed it."""
        return _with_node_sets(None if self._inner is None else self._inner.iter_buffers(_names(match_keys)))

    def iter_errors(self, match_keys: Iterable[str] | None = None) -> Iterator[tuple[Message, NodeSet]]:
        """Each distinct standard error with the nodes that printed it."""
        return _with_node_sets(None if self._inner is None else self._inner.iter_errors(_names(match_keys)))

    def iter_retcodes(self, match_keys: Iterable[str] | None = None) -> Iterator[tuple[int, NodeSet]]:
        """Each distinct exit status with its nodes."""
        return _with_node_sets(None if self._inner is None else self._inner.iter_retcodes(_names(match_keys)))

    def iter_node_buffers(self, match_keys: Iterable[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Each node that printed something, with its standard output."""
        return iter(()) if self._inner is None else self._inner.iter_node_buffers(_names(match_keys))

    def iter_node_errors(self, match_keys: Iterable[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Each node that printed something on standard error, with it."""
        return iter(()) if self._inner is None else self._inner.iter_node_errors(_names(match_keys))

    def iter_node_retcodes(self) -> Iterator[tuple[str, int]]:
        """Each node with its exit status."""
        return iter(()) if self._inner is None else self._inner.iter_node_retcodes()


class ExecWorker(DistantWorker):
    """One local process a node, with ``%h``, ``%n`` and the other placeholders replaced.

    Args:
        nodes: the targets.
        handler: hears the events.
        timeout: seconds a node; negative or ``None``: no limit.
        command: what to run.
        source: what to copy, where there is no command. This worker copies nothing, :class:`WorkerSsh` does.
        dest: where to.
        preserve: copies keep permissions and times.
        reverse: copy from the nodes to here.
        stderr: keep standard error apart.
        autoclose: it does not keep the run going.
        **settings: others of :meth:`Task.shell` or :meth:`Task.copy`.
    """

    _worker = "exec"

    def __init__(
        self,
        nodes: str | NodeSet | Iterable[str],
        handler: object,
        timeout: float | None = None,
        *,
        command: str | None = None,
        source: str | os.PathLike[str] | None = None,
        dest: str | os.PathLike[str] | None = None,
        preserve: bool | None = None,
        reverse: bool = False,
        stderr: bool | None = None,
        autoclose: bool = False,
        **settings: Any,
    ) -> None:
        if not command and source is None:
            raise UsageError(f"missing command or source parameter in {type(self).__name__} constructor")
        if command and source is not None:
            raise UsageError("command= runs something, source= copies something: give one of them")
        names = expand(nodes)
        super().__init__(
            handler,
            command,
            nodes=names,
            worker=self._worker,
            timeout=no_limit(timeout),
            stderr=stderr,
            autoclose=autoclose,
            **settings,
        )
        self.nodes = NodeSet.fromlist(names)
        if source is not None:
            self._copies(source, dest, reverse=reverse, preserve=bool(preserve))


class WorkerSsh(ExecWorker):
    """One SSH connection a node, for a command or a copy. The arguments are those of :class:`ExecWorker`."""

    _worker = "ssh"


class WorkerPopen(Worker):
    """One local command.

    Args:
        command: for ``sh -c``.
        key: the name of its target.
        handler: hears the events; ``current_node`` is not set.
        stderr: keep standard error apart.
        timeout: seconds; negative or ``None``: no limit.
        autoclose: it does not keep the run going.
        stdin: false: the command finds the end of its input at once.
        env: environment variables for the command.
    """

    _tells_node = False

    def __init__(
        self,
        command: str,
        key: str | None = None,
        handler: object = None,
        stderr: bool | None = None,
        timeout: float | None = -1,
        autoclose: bool = False,
        *,
        stdin: bool | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if not command:
            raise UsageError("missing command parameter in WorkerPopen constructor")
        super().__init__(
            handler,
            command,
            key=key,
            stderr=stderr,
            timeout=no_limit(timeout),
            autoclose=autoclose,
            stdin=stdin,
            env=env,
        )
        self.key = key

    def retcode(self) -> int | None:
        """Exit status; ``None`` if it has none, or not yet."""
        return None if self._inner is None else self._inner.retcode()

    def error(self) -> bytes | None:
        """Standard error, where it is kept apart; ``None`` if nothing."""
        return self.read(sname="stderr")


class StreamWorker(Worker):
    """Named streams over files of the program.

    Args:
        handler: hears the events.
        key: the name of its target.
        stderr: gather what comes on a stream named ``"stderr"``.
        timeout: seconds for all of it; negative or ``None``: no limit.
        autoclose: it does not keep the run going.
    """

    def __init__(
        self,
        handler: object,
        key: str | None = None,
        stderr: bool = False,
        timeout: float | None = -1,
        autoclose: bool = False,
    ) -> None:
        super().__init__(handler)
        self.key = "streams" if key is None else key
        self._keywords: dict[str, Any] = {
            "stderr": stderr,
            "timeout": no_limit(timeout),
            "autoclose": autoclose,
        }
        self._adds: list[Callable[[AsyncStreamWorker], None]] = []

    def _make(self, task: Task, settings: dict[str, Any]) -> AsyncWorker:
        inner = AsyncStreamWorker(settings.get("handler"), self.key, **self._keywords)
        for add in self._adds:
            add(inner)
        return inner

    def set_key(self, key: str) -> None:
        """Name the target; before the worker is scheduled."""
        self._check_early()
        self.key = key

    def set_reader(self, sname: str, sfile: int | IO[Any], retain: bool = True, closefd: bool = True) -> None:
        """Add a stream to read. See :meth:`asynctask.StreamWorker.set_reader`."""
        self._check_early()
        self._adds.append(lambda inner: inner.set_reader(sname, sfile, retain, closefd))

    def set_writer(self, sname: str, sfile: int | IO[Any], retain: bool = True, closefd: bool = True) -> None:
        """Add a stream to write. See :meth:`asynctask.StreamWorker.set_writer`."""
        self._check_early()
        self._adds.append(lambda inner: inner.set_writer(sname, sfile, retain, closefd))

    def _check_early(self) -> None:
        if self._inner is not None:
            raise WorkerError("cannot add new stream at runtime")

    def write(self, buf: bytes, sname: str | None = None) -> None:
        """Write to a stream; to all writers if none is named."""
        self._tell(lambda inner: _stream(inner).write(buf, sname))

    def set_write_eof(self, sname: str | None = None) -> None:
        """Close a writer, or all of them, after what was written."""
        self._tell(lambda inner: _stream(inner).set_write_eof(sname))


class WorkerSimple(StreamWorker):
    """ClusterShell's older form of :class:`StreamWorker`: up to three files under the usual names.

    Args:
        file_reader: read as ``stdout``.
        file_writer: written as ``stdin``.
        file_error: read as ``stderr``.
        key: the name of its target.
        handler: hears the events.
        stderr: gather what comes from ``file_error``.
        timeout: seconds for all of it; negative or ``None``: no limit.
        autoclose: it does not keep the run going.
        closefd: close the files at the end.
    """

    _tells_node = False

    def __init__(
        self,
        file_reader: int | IO[Any] | None,
        file_writer: int | IO[Any] | None,
        file_error: int | IO[Any] | None,
        key: str | None,
        handler: object,
        stderr: bool = False,
        timeout: float | None = -1,
        autoclose: bool = False,
        closefd: bool = True,
    ) -> None:
        super().__init__(handler, key, stderr, timeout, autoclose)
        if file_reader is not None:
            self.set_reader(self.SNAME_STDOUT, file_reader, closefd=closefd)
        if file_error is not None:
            self.set_reader(self.SNAME_STDERR, file_error, closefd=closefd)
        if file_writer is not None:
            self.set_writer(self.SNAME_STDIN, file_writer, retain=False, closefd=closefd)

    def error(self) -> bytes | None:
        """What came from ``file_error``; ``None`` if nothing."""
        return self.read(sname="stderr")


def no_limit(timeout: float | None) -> float | None:
    """ClusterShell's -1 is asynctask's ``None``."""
    return None if timeout is None or timeout < 0 else timeout


def _stream(inner: AsyncWorker) -> AsyncStreamWorker:
    assert isinstance(inner, AsyncStreamWorker)
    return inner


def _names(match_keys: Iterable[str] | None) -> list[str] | None:
    if isinstance(match_keys, str):
        raise TypeError(f"match_keys: a collection of node names, not the string {match_keys!r}")
    return None if match_keys is None else list(match_keys)


def _with_node_sets(groups: Iterator[tuple[Any, list[str]]] | None) -> Iterator[tuple[Any, NodeSet]]:
    return iter([(what, NodeSet.fromlist(nodes)) for what, nodes in groups or ()])
