"""The handler's side of events: what a program implements to hear how a run goes.

Order, for each node: ``ev_pickup``, then ``ev_read`` as output comes, then ``ev_hup`` if the
command exited by itself, then ``ev_end``, always and exactly once. ``ev_start`` comes before the
worker's first ``ev_pickup``, ``ev_close`` after its last ``ev_end``; a worker none of whose
nodes started has no ``ev_start`` but still its one ``ev_close``. The events of one node are
awaited one at a time; different nodes do not wait for each other.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("EventHandler", "Hooks")


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
        """All nodes of the worker are over; ``timedout`` if one of them timed out. Once."""


Hook = Callable[..., Any]


class Hooks:
    """Which events a handler wants: its bound methods, ``None`` where it has none of its own.

    Knowing this up front is what makes an event that nobody listens to free.
    """

    __slots__ = ("close", "end", "hup", "lines", "pickup", "read", "start")

    def __init__(self, handler: object) -> None:
        self.start = _hook(handler, "ev_start")
        self.pickup = _hook(handler, "ev_pickup")
        self.read = _hook(handler, "ev_read")
        self.hup = _hook(handler, "ev_hup")
        self.end = _hook(handler, "ev_end")
        self.close = _hook(handler, "ev_close")
        # In-house: all lines of a chunk in one call. Asked of the class, for a mock has every attribute.
        self.lines = _hook(handler, "_ev_lines") if hasattr(type(handler), "_ev_lines") else None

    @property
    def wants_output(self) -> bool:
        return self.read is not None or self.lines is not None

    @property
    def wants_node_events(self) -> bool:
        """Whether there is anything to deliver besides ``ev_close``."""
        return any((self.start, self.pickup, self.read, self.hup, self.end, self.lines))


def _hook(handler: object, name: str) -> Hook | None:
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
