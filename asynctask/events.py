"""The handler's side of events: what a program implements to hear how a run goes.

Order, for each node: ``ev_pickup``, then ``ev_read`` as output comes, ``ev_written`` as input goes and
``ev_progress`` as files are copied, then ``ev_hup`` if the command exited by itself, then ``ev_end``,
always and exactly once. ``ev_start`` comes before the worker's first ``ev_pickup``, ``ev_close`` after its
last ``ev_end``; a worker none of whose nodes started has no ``ev_start`` but still its one ``ev_close``.
The events of one node are awaited one at a time; different nodes do not wait for each other, and neither do
several handlers of one worker, each of which hears everything. The events of one timer, and of one port,
come one at a time, too.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult
    from asynctask.port import Port
    from asynctask.timer import Timer
    from asynctask.workers.base import Worker

__all__ = (
    "CopyProgress",
    "EventHandler",
    "Hook",
    "Hooks",
    "InputUnwritten",
    "InputWritten",
    "MessageReceived",
    "NodeEnded",
    "NodeExited",
    "NodeOutput",
    "NodeStarted",
    "PortStarted",
    "Progress",
    "TaskEvent",
    "TimerFired",
    "WorkerClosed",
    "WorkerStarted",
    "call",
    "hears_something",
    "hook_of",
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the copy to or from a node has come."""

    path: str
    """The file that is being copied, as it is called at the source; of a tree, from its root on."""
    done: int
    """Bytes so far, of all files; those that were identical and not sent count as well."""
    total: int | None
    """Bytes of all files; ``None`` while that is not known."""
    files: int
    """How many files are complete."""


class EventHandler:
    """Base class for handlers: override what you want to hear.

    Each method may be plain or ``async``. Any object with some of these methods serves as well.
    A plain method runs on the loop: it must not block. A method that raises is not called
    again for that node (``ev_end`` excepted); the run goes on and raises all that was raised
    in one :class:`~asynctask.HandlerErrors` at its end.
    """

    def ev_start(self, worker: Worker) -> Awaitable[None] | None:
        """The worker's first command has started."""

    def ev_pickup(self, worker: Worker, node: str) -> Awaitable[None] | None:
        """The command on ``node`` has started."""

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> Awaitable[None] | None:
        r"""``node`` printed the line ``msg`` on ``sname`` (``"stdout"`` or ``"stderr"``).

        The line comes without its end (``\n`` or ``\r\n``). One that is longer than 1 MiB
        comes as several :class:`~asynctask.PartialLine` and a last plain piece.
        """

    def ev_written(self, worker: Worker, node: str, sname: str, size: int) -> Awaitable[None] | None:
        """``size`` bytes of input were written to ``node`` (on ``"stdin"``, unless the stream is named)."""

    def ev_unwritten(self, worker: Worker, node: str, sname: str, size: int) -> Awaitable[None] | None:
        """``node`` takes no more input, and of ``size`` bytes not all, or none, were written. Once.

        The command has ended, or has closed its standard input. ClusterShell drops the data without a word.
        """

    def ev_progress(self, worker: Worker, node: str, progress: Progress) -> Awaitable[None] | None:
        """The copy to or from ``node`` goes on; a handler that is slow hears of its latest state only.

        ClusterShell has no such event.
        """

    def ev_hup(self, worker: Worker, node: str, rc: int) -> Awaitable[None] | None:
        """The command on ``node`` exited with ``rc``; not called for one that was stopped.

        128 + the signal's number if a signal ended it.
        """

    def ev_end(self, worker: Worker, node: str, result: NodeResult) -> Awaitable[None] | None:
        """The part of ``node`` is over, in whatever way: exactly once for each node.

        ClusterShell has no such event; there a node that timed out, was aborted or never
        started ends without a word.
        """

    def ev_close(self, worker: Worker, timedout: bool) -> Awaitable[None] | None:
        """All nodes of the worker are over; ``timedout`` if one of them timed out. Once.

        A handler that has ClusterShell's old ``ev_timeout(worker)`` hears it just before, if one timed out.
        """

    def ev_port_start(self, port: Port) -> Awaitable[None] | None:
        """A run has taken up the port whose handler this is; once for each port, before its first message."""

    def ev_msg(self, port: Port, msg: Any) -> Awaitable[None] | None:
        """A message came in at a port whose handler this is."""

    def ev_timer(self, timer: Timer) -> Awaitable[None] | None:
        """A timer whose handler this is fires."""


# -- the same as records, for ``async for event in task.events()`` --------------------------


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """``ev_start``: the worker's first command has started."""

    worker: Worker


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """``ev_pickup``: the command on a node has started."""

    worker: Worker
    node: str


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """``ev_read``: a node printed a line."""

    worker: Worker
    node: str
    sname: str
    msg: bytes


@dataclass(frozen=True, slots=True)
class InputWritten:
    """``ev_written``: so many bytes of input were written to a node."""

    worker: Worker
    node: str
    sname: str
    size: int


@dataclass(frozen=True, slots=True)
class InputUnwritten:
    """``ev_unwritten``: a node takes no more input; so many bytes were not written, or not all of them."""

    worker: Worker
    node: str
    sname: str
    size: int


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """``ev_progress``: a copy goes on; only the latest of a node waits."""

    worker: Worker
    node: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class NodeExited:
    """``ev_hup``: the command on a node exited by itself."""

    worker: Worker
    node: str
    rc: int


@dataclass(frozen=True, slots=True)
class NodeEnded:
    """``ev_end``: the part of a node is over. Exactly one for each node."""

    worker: Worker
    node: str
    result: NodeResult


@dataclass(frozen=True, slots=True)
class WorkerClosed:
    """``ev_close``: all nodes of a worker are over. Exactly one for each worker."""

    worker: Worker
    timedout: bool


@dataclass(frozen=True, slots=True)
class PortStarted:
    """``ev_port_start``: a run has taken up a port that has a handler."""

    port: Port


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """``ev_msg``: a message came in at a port that has a handler."""

    port: Port
    msg: Any


@dataclass(frozen=True, slots=True)
class TimerFired:
    """``ev_timer``: a timer fires."""

    timer: Timer


TaskEvent: TypeAlias = (
    WorkerStarted
    | NodeStarted
    | NodeOutput
    | InputWritten
    | InputUnwritten
    | CopyProgress
    | NodeExited
    | NodeEnded
    | WorkerClosed
    | PortStarted
    | MessageReceived
    | TimerFired
)


Hook = Callable[..., Any]


class Hooks:
    """Which events a handler wants: its bound methods, ``None`` where it has none of its own.

    Knowing this up front is what makes an event that nobody listens to free.
    """

    __slots__ = (
        "chunk",
        "close",
        "end",
        "hup",
        "lines",
        "pickup",
        "progress",
        "read",
        "start",
        "timeout",
        "unwritten",
        "wants_lines",
        "wants_node_events",
        "wants_output",
        "written",
    )

    def __init__(self, handler: object) -> None:
        self.start = hook_of(handler, "ev_start")
        self.pickup = hook_of(handler, "ev_pickup")
        self.read = hook_of(handler, "ev_read")
        self.written = hook_of(handler, "ev_written")
        self.unwritten = hook_of(handler, "ev_unwritten")
        self.progress = hook_of(handler, "ev_progress")
        self.hup = hook_of(handler, "ev_hup")
        self.end = hook_of(handler, "ev_end")
        self.close = hook_of(handler, "ev_close")
        self.timeout = hook_of(handler, "ev_timeout")
        # In-house: all lines of a chunk in one call. Asked of the class, for a mock has every attribute.
        self.lines = hook_of(handler, "_ev_lines") if hasattr(type(handler), "_ev_lines") else None
        # Likewise: chunks as they came, for who needs the ends of lines, too.
        self.chunk = hook_of(handler, "_ev_chunk") if hasattr(type(handler), "_ev_chunk") else None
        self.wants_lines = self.read is not None or self.lines is not None
        self.wants_output = self.wants_lines or self.chunk is not None
        #: Whether there is anything to deliver besides ``ev_close``.
        self.wants_node_events = self.wants_output or any(
            hook is not None
            for hook in (
                self.start,
                self.pickup,
                self.written,
                self.unwritten,
                self.progress,
                self.hup,
                self.end,
            )
        )


#: Every event that a handler may hear.
EVENTS = (
    *(name for name in vars(EventHandler) if name.startswith("ev_")),
    "ev_error",  # ClusterShell's older ones
    "ev_timeout",
    "_ev_lines",
    "_ev_chunk",
)


def hears_something(handler: object) -> bool:
    """Whether an object has a method for an event at all."""
    return any(hasattr(handler, name) for name in EVENTS)


def hook_of(handler: object, name: str) -> Hook | None:
    """A handler's own method for an event; ``None`` if it has none.

    Raises:
        TypeError: it has something by that name that cannot be called.
    """
    method = getattr(handler, name, None)
    if method is None or getattr(method, "__func__", None) is getattr(EventHandler, name, _NO_METHOD):
        return None
    if not callable(method):
        raise TypeError(f"{type(handler).__name__}.{name} is not callable")
    hook: Hook = method
    return hook


_NO_METHOD = object()


async def call(hook: Hook, *args: object) -> None:
    """Call a hook, plain or async."""
    outcome = hook(*args)
    if outcome is not None and inspect.isawaitable(outcome):
        await outcome
