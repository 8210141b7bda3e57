"""What a task does, published: each event under ``task.<name>.<event>``, with its record."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

from asynctask import events
from asynctask.errors import EmitterClosedError, EmitterFullError, UsageError
from asynctask.iteration import Recording

if TYPE_CHECKING:
    from asynctask.emitter import EventEmitter

__all__ = ("TASK_EVENTS", "TaskPublisher")

_NAMES: dict[Callable[..., events.TaskEvent], str] = {
    events.WorkerStarted: "start",
    events.NodeStarted: "pickup",
    events.NodeOutput: "read",
    events.InputWritten: "written",
    events.InputUnwritten: "unwritten",
    events.CopyProgress: "progress",
    events.NodeExited: "hup",
    events.NodeEnded: "end",
    events.WorkerClosed: "close",
    events.PortStarted: "port_start",
    events.MessageReceived: "msg",
    events.TimerFired: "timer",
}
_P = ParamSpec("_P")
#: The last words of the topics.
TASK_EVENTS = frozenset(_NAMES.values())
_NO_COMPONENT = re.compile(r"[.*\s]")


class TaskPublisher(Recording):
    """Publishes the events of a task. Made by :meth:`asynctask.Task.publish_to`.

    Of an event that nobody hears not even a record is made. One for which the emitter has no room, or that
    comes when it is closed, is not published and counted; the run goes on.

    Attributes:
        published: how many events were handed to the emitter.
        refused: how many it did not take.

    Raises:
        UsageError: the name cannot be a component of a topic.
    """

    def __init__(self, emitter: EventEmitter, name: str, unwatch: Callable[[TaskPublisher], None]) -> None:
        if not isinstance(name, str) or not name or _NO_COMPONENT.search(name):
            raise UsageError(f"a task is published under one word without dots, blanks or *, not {name!r}")
        self._emitter = emitter
        self._topics = {kind: f"task.{name}.{event}" for kind, event in _NAMES.items()}
        self._unwatch: Callable[[TaskPublisher], None] | None = unwatch
        self.published = 0
        self.refused = 0

    def stop(self) -> None:
        """Publish nothing more: at once. Stopping again does nothing."""
        if self._unwatch is not None:
            self._unwatch(self)
            self._unwatch = None

    async def _add(self, kind: Callable[_P, events.TaskEvent], *args: _P.args, **kwargs: _P.kwargs) -> None:
        if self._unwatch is None:
            return
        topic = self._topics[kind]
        if not self._emitter.closed and not self._emitter.hears(topic):
            return
        try:
            self._emitter.publish(topic, kind(*args, **kwargs))
        except (EmitterClosedError, EmitterFullError):
            self.refused += 1
        else:
            self.published += 1
