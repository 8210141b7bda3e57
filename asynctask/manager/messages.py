"""The events of a manager: plain data, published in the order of what happened.

Topics and messages are gaffer's as its documentation has them: an event of a template has its own name as
its topic and ``{"event", "name"}`` as its message; an event of a process is ``proc.<name>.<event>``. Events
that gaffer does not have are the ``ready``, ``flap``, ``backoff``, ``fatal``, ``lost``, ``found`` and
``warning`` of a process; the first two and ``fatal`` are events of the template, too. A process on a node has
``node`` in its messages.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from asynctask.emitter import EventEmitter
from asynctask.errors import EmitterFullError

__all__ = ("PROCESS_EVENTS", "TEMPLATE_EVENTS", "Publisher")

_log = logging.getLogger(__name__)

#: What happens to a template.
TEMPLATE_EVENTS: Final = ("create", "start", "stop", "restart", "update", "delete")
#: What happens to a process, and is an event of its template, too; then only of the process.
PROCESS_EVENTS: Final = ("spawn", "ready", "exit", "stop_pid", "reap", "flap", "fatal")
_OF_THE_PROCESS_ALONE: Final = ("backoff", "lost", "found", "warning")

_BOTH: Final = frozenset(PROCESS_EVENTS)
#: Of the template, and told under ``proc.<name>``, too.
_TOLD_TWICE: Final = frozenset({"start", "stop"})


class Publisher:
    """Publishes the events of a manager; after the end of the emitter, nothing."""

    def __init__(self, emitter: EventEmitter) -> None:
        self._emitter = emitter

    def template(self, event: str, name: str) -> None:
        """Something happened to a template."""
        self._publish(event, {"event": event, "name": name})
        if event in _TOLD_TWICE:
            topic = f"proc.{name}.{event}"
            self._publish(topic, {"event": topic, "name": name})

    def process(self, event: str, name: str, node: str | None, **more: Any) -> None:
        """Something happened to a process."""
        if event in _BOTH:
            self._publish(event, {"event": event, "name": name})
        topic = f"proc.{name}.{event}"
        message = {"event": topic, "name": name, **more}
        if node is not None:
            message["node"] = node
        self._publish(topic, message)

    def _publish(self, topic: str, message: dict[str, Any]) -> None:
        if self._emitter.closed:
            return
        try:
            self._emitter.publish(topic, message)
        except EmitterFullError as exc:  # by the policy of whoever gave us the emitter, or opened a stream
            _log.warning("event %s is lost: %s", topic, exc)
