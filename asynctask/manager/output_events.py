"""Lines as events, for whoever hears them, and without crowding out the events of processes."""

from __future__ import annotations

import asyncio
from typing import Any

from asynctask.emitter import EventEmitter
from asynctask.errors import EmitterFullError
from asynctask.manager.information import OutputLine
from asynctask.manager.output_blocks import Block
from asynctask.manager.output_streams import LineQueue

__all__ = ("LineEvents",)

#: So many lines are published at a time, when fewer events than these wait to be delivered. An emitter drops
#: the oldest when it is full, and that must not be the end of a process.
_AT_ONCE = 100
#: So many lines wait to be published; then the oldest are dropped.
_WAITING = 10_000


class LineEvents:
    """Publishes lines as the emitter delivers them.

    Args:
        emitter: whose listeners hear them.
    """

    def __init__(self, emitter: EventEmitter) -> None:
        self._emitter = emitter
        self._queue = LineQueue(_WAITING)
        self._pending: asyncio.Handle | None = None
        self.refused = 0
        """Lines that a listener's stream had no room for, and did not want to miss."""

    @property
    def missed(self) -> int:
        """Lines that were dropped because listeners were too slow."""
        return self._queue.missed + self.refused

    def hears(self, topic: str) -> bool:
        """Whether anybody hears them."""
        return self._emitter.hears(topic)

    def put(self, block: Block) -> None:
        """Publish the lines of a block, soon."""
        self._queue.put(block)
        if self._pending is None:
            self._pending = asyncio.get_running_loop().call_soon(self._go_on)

    def publish(self) -> bool:
        """Publish what there is room for, now; whether something is left."""
        if self._emitter.closed:
            self._queue = LineQueue(_WAITING)
            return False
        room = _AT_ONCE if self._emitter.statistics().waiting < _AT_ONCE else 0
        while room and (lines := self._queue.take(room)):
            room -= len(lines)
            for line in lines:
                self._publish(line)
        return not self._queue.is_empty()

    def _go_on(self) -> None:
        self._pending = None
        if self.publish():
            self._pending = asyncio.get_running_loop().call_soon(self._go_on)

    def _publish(self, line: OutputLine) -> None:
        topic = f"output.{line.name}"
        message: dict[str, Any] = {
            "event": topic,
            "name": line.name,
            "pid": line.pid,
            "stream": line.stream,
            "line": line.line,
        }
        if line.node is not None:
            message["node"] = line.node
        try:
            self._emitter.publish(topic, message)
        except EmitterFullError:
            self.refused += 1

    def close(self) -> None:
        """Publish nothing more."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
