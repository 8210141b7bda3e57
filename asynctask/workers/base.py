"""What a worker is: one command for a set of nodes, run as one coroutine a target.

The task hands a worker one target at a time and a :class:`Sink` to report to. What goes
through a sink is plain data, so a worker may as well live in another process.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

from asynctask.errors import EmptyTargetsError, NodeError, TaskStateError, UsageError
from asynctask.events import hears_something
from asynctask.waiting import Grace
from asynctask.workers.arguments import Args, Arguments, check_env
from asynctask.workers.reading import WorkerGetters
from asynctask.workers.writing import Input

if TYPE_CHECKING:
    from asynctask.events import Progress
    from asynctask.outcome import Ended
    from asynctask.workers.resources import Resources

__all__ = ("DEFAULT_GRACE", "Job", "Sink", "Source", "Stdin", "Worker")

#: Seconds between asking a command to stop (TERM) and making it stop (KILL).
DEFAULT_GRACE = 3.0

#: What a command reads: nothing (``None`` or false), what :meth:`Worker.write` brings (true), some bytes, or
#: a stream. A stream for several nodes must be one that can be read several times, or a function that makes
#: one for a node.
Stdin: TypeAlias = (
    bool | bytes | AsyncIterable[bytes] | Callable[[str], bytes | AsyncIterable[bytes] | None] | None
)


class Source(Protocol):
    """The reading side of a process or channel, as far as flow control needs it."""

    def pause_reading(self) -> None:
        """Stop reading soon; what is read already may still be delivered."""

    def resume_reading(self) -> None:
        """Read again."""


class Sink(Protocol):
    """Where a worker reports what happens to one target. Nothing in it waits."""

    def connected(self) -> None:
        """The connection is up and logged in."""

    def started(self, source: Source | None = None) -> None:
        """The command runs. The command timeout starts here."""

    def data(self, stream: str, chunk: bytes) -> None:
        """Output, cut anywhere."""

    def written(self, stream: str, size: int) -> None:
        """So many bytes of input were written."""

    def unwritten(self, stream: str, size: int) -> None:
        """So many bytes of input, and any that follow, are not written: nobody reads them."""

    def progress(self, progress: Progress) -> None:
        """How far a copy has come; what is told before the last is heard may be left out."""


class Job(Protocol):
    """A worker's place in a run."""

    def abort(self) -> None:
        """Stop the worker."""


class Worker(WorkerGetters, ABC):
    """One command for a set of nodes.

    Args:
        command: what to run.
        nodes: the targets, in the order in which they start.
        handler: hears the events (:class:`~asynctask.EventHandler`); a list or tuple if several do.
        timeout: seconds for the command on each node, from its start; ``None``: no limit.
        connect_timeout: seconds to connect and log in, from the node's turn (SSH only).
        stderr: keep standard error apart from standard output.
        stdin: what the command reads; by default nothing: it finds the end at once. True: what
            :meth:`write` brings, until :meth:`set_write_eof`.
        env: environment variables for the command, besides those that it has on each node anyway.
        args: what differs from node to node; see :class:`~asynctask.NodeArgs`.
        fanout: how many nodes of this worker run at once; ``None``: it shares the task's.
        gather: keep the output for the getters of the result; ``"stdout"`` or ``"stderr"``: that alone.
        grace: seconds between TERM and KILL.
        autoclose: it does not keep the run going: when all else is over, what is left of it is aborted.
    """

    #: The name under which ``worker=`` finds it.
    name: ClassVar[str]
    #: Whether it goes over the network, and so takes ``ssh=``.
    remote: ClassVar[bool] = False
    #: Whether it has logins, and so takes ``sudo=`` and ``pty=``.
    logs_in: ClassVar[bool] = False
    #: The class, or its name, of the worker that copies files where this one runs commands; ``None``: the one
    #: over SFTP if this one goes over the network, else none.
    copier: ClassVar[str | type[Worker] | None] = None
    #: Whether :meth:`run_target` itself awaits ``resources.announcer(node)``, as late as it can. For others
    #: that is done before they are asked to run the target, so that nothing begins unannounced.
    announces: ClassVar[bool] = False

    _has_placeholders = False  # whether commands have them in any case

    def __init__(
        self,
        command: str,
        nodes: Sequence[str],
        *,
        handler: object = None,
        timeout: float | None = None,
        connect_timeout: float | None = None,
        stderr: bool = False,
        stdin: Stdin = None,
        env: Mapping[str, str] | None = None,
        args: Args | None = None,
        fanout: int | None = None,
        gather: bool | str = True,
        grace: float = DEFAULT_GRACE,
        autoclose: bool = False,
    ) -> None:
        if not nodes:
            raise EmptyTargetsError("no nodes to run on: the set of targets is empty")
        check_seconds("timeout", timeout)
        check_seconds("connect_timeout", connect_timeout)
        check_seconds("grace", grace, bounded=True)
        if fanout is not None:
            check_fanout(fanout)
        _check_stdin(stdin, len(nodes))
        check_gather(gather)
        _check_handler(handler)
        self.command = command
        self.nodes = tuple(nodes)
        self.handler = handler
        self.timeout = None if timeout == math.inf else timeout
        self.connect_timeout = None if connect_timeout == math.inf else connect_timeout
        self.stderr = stderr
        self.stdin = None if stdin is False else stdin
        self.env = check_env(env)
        self.fanout = fanout
        self.gather = gather
        self.grace = Grace(grace)
        self.autoclose = autoclose
        self.scheduled = False
        self._begun = False  # whether a node has asked what it reads
        self._arguments: Arguments | None = None
        if args is not None:
            self._arguments = Arguments(args, command, self.nodes, placeholders=self._has_placeholders)
        self._input: Input | None = None
        self._job: Job | None = None

    @property
    def units(self) -> Sequence[tuple[str, ...]]:
        """What is run at a time: a node, unless one process serves several."""
        return [(node,) for node in self.nodes]

    @abstractmethod
    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        """Run the command for one unit and return how it ended.

        Args:
            nodes: the unit's nodes; nearly always one.
            rank: the 0-based place of the first of them among the worker's nodes.
            sink: where to report.
            resources: what the workers of a run share (parsed configuration, keys).

        Cancelling stops the command, waits until it is gone, at most a little longer than
        the grace, and raises the cancellation again, unless the command had ended by itself before.

        Raises:
            NodeError: the command could not be run or its end not be known.
            NoCapacityError: nothing was started for lack of descriptors or processes; the
                run tries again when another target has ended.
        """

    def release(self) -> None:
        """Let go of what the worker was given to own: called once, when all of its nodes are over."""

    # -- while it runs --------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Write to the standard input of every node; those that start later get it, too. Never waits.

        It can be called before the first node starts, or later if ``stdin=True`` was given. To keep memory
        bounded, await :meth:`drain` from time to time.

        Raises:
            TaskStateError: the input is not open: the worker started without, or its end was written.
            UsageError: ``stdin=`` says what the nodes read, or ``data`` is not bytes.
        """
        self._opened_input().write(data)

    def set_write_eof(self) -> None:
        """End the standard input of every node, after what was written. Doing it again is fine.

        Raises:
            TaskStateError: the worker started without an input.
            UsageError: ``stdin=`` says what the nodes read.
        """
        self._opened_input().end()

    async def drain(self) -> None:
        """Wait until no node that has started is more than 256 KiB behind what was written."""
        if self._input is not None:
            await self._input.drain()

    def abort(self, *, kill: bool = False) -> None:
        """Stop this worker alone: what runs ends as aborted, what waits never starts.

        Returns at once, also in a handler. A worker that is over, or not scheduled, is left as it is.

        Args:
            kill: no grace between TERM and KILL.
        """
        if kill:
            self.grace.cut()
        if self._job is not None:
            self._job.abort()

    def _opened_input(self) -> Input:
        if self._input is None:
            if self.stdin is None and not self._begun:
                self.stdin = True
            if self.stdin is None:
                raise TaskStateError("the input of this worker is not open: give stdin=True to write later")
            if self.stdin is not True:
                raise UsageError("stdin= says what the nodes read: nothing can be written besides")
            self._input = Input(unit[0] for unit in self.units)
        return self._input

    # -- what a node gets -----------------------------------------------------------------------

    def command_for(self, node: str, rank: int) -> str:
        """What runs on ``node``, the ``rank``-th of the worker's nodes from 0.

        Raises:
            NodeError: what ``args=`` says of the node makes no command.
        """
        return self.command if self._arguments is None else self._arguments.command_for(node, rank)

    def is_filled(self, node: str) -> bool:
        """Whether :meth:`command_for` has values of ``args=`` in it, which are quoted for ``sh``."""
        return self._arguments is not None and self._arguments.fills(node)

    def env_for(self, node: str) -> Mapping[str, str] | None:
        """The environment variables for the command on ``node``; ``None`` if there are none.

        Raises:
            NodeError: the function given as ``args=`` raised.
        """
        own = None if self._arguments is None else self._arguments.of(node).env
        if own is None or self.env is None:
            return own or self.env
        return {**self.env, **own}

    def stdin_for(self, node: str) -> AsyncIterator[bytes] | bytes | None:
        """What the command on ``node`` reads.

        Raises:
            NodeError: a function given as ``stdin=`` or ``args=`` raised.
        """
        self._begun = True
        own = None if self._arguments is None else self._arguments.of(node).stdin
        stdin = self.stdin if own is None else own
        if stdin is True:
            return self._opened_input().reader(node)
        if callable(stdin) and not isinstance(stdin, bytes | AsyncIterable):
            try:
                stdin = stdin(node)
            except Exception as exc:  # the function is the caller's code
                raise NodeError(node, f"its input raised {exc!r}", "the command was not run") from exc
        if stdin is None or isinstance(stdin, bytes):
            return stdin
        if isinstance(stdin, AsyncIterable):
            return aiter(stdin)
        raise UsageError(f"stdin for {node}: bytes or an async iterable of bytes, not {type(stdin).__name__}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.nodes)} nodes>"


def check_seconds(name: str, seconds: float | None, *, bounded: bool = False) -> None:
    """Refuse what is no length of time, and where it must be ``bounded`` what has no end, at the call."""
    if seconds is None and not bounded:
        return
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not seconds >= 0:
        fits = False
    else:
        fits = seconds < math.inf or not bounded
    if not fits:
        no_limit = "" if bounded else ", or None for no limit"
        raise UsageError(f"{name}={seconds!r}: a number of seconds, 0 or more{no_limit}")


def check_fanout(fanout: int) -> None:
    """Refuse a fanout that would start nothing, at the call."""
    if not isinstance(fanout, int) or isinstance(fanout, bool) or fanout < 1:
        raise UsageError(f"fanout={fanout!r}: how many nodes run at once, 1 or more")


def check_gather(gather: object) -> None:
    """Refuse what names no stream, at the call."""
    if not isinstance(gather, bool) and gather not in ("stdout", "stderr"):
        raise UsageError(f"gather={gather!r}: True, False, 'stdout' or 'stderr'")


def _check_handler(handler: object) -> None:
    for each in handler if isinstance(handler, list | tuple) else (handler,):
        if each is not None and not hears_something(each):
            raise UsageError(f"handler={each!r}: it has no method for any event (ev_read, ev_end, ...)")


def _check_stdin(stdin: object, nodes: int) -> None:
    if stdin is None or isinstance(stdin, bool | bytes):
        return
    if isinstance(stdin, AsyncIterator):
        if nodes > 1:
            raise UsageError(
                "stdin: an async iterator can be read once and there are several nodes;"
                " give bytes, or a function that makes a stream for a node"
            )
    elif not isinstance(stdin, AsyncIterable) and not (callable(stdin) and not inspect.isclass(stdin)):
        raise UsageError(
            f"stdin: bytes, an async iterable of bytes or a function of the node, not {type(stdin).__name__}"
        )
