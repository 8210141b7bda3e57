"""Who may publish now, and who waits: one queue that has a bound, and strict boxes behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sized

from asynctask.emitter.boxes import Box

__all__ = ("Admission",)

_Boxes = tuple[Box, ...]


class _Ticket:
    __slots__ = ("admitted", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Admission:
    """Reserves a place in the queue and in all boxes that an event goes to, or in none.

    Who waits is served in turn, but for those whose boxes are full: nobody waits for a reader whom his event
    does not concern.

    Args:
        queue: what the events go into.
        size: how many it holds.
    """

    __slots__ = ("_last", "_lines", "_queue", "_size", "limit")

    def __init__(self, queue: Sized, size: int) -> None:
        self._queue = queue
        self._size = size
        # One line for all who need the same boxes: looking at its first is enough, however many wait.
        self._lines: dict[_Boxes, dict[_Ticket, None]] = {}
        self._last = 0
        self.limit = size
        """The length at which the queue is full: its size without the places that are promised."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not ticket.admitted.done() for line in self._lines.values() for ticket in line)

    async def enter(self, boxes: _Boxes) -> None:
        """Reserve the places; wait for them. Cancelling reserves none."""
        self._last += 1
        ticket = _Ticket(self._last)
        self._lines.setdefault(boxes, {})[ticket] = None
        self.admit()
        if ticket.admitted.done():
            return
        try:
            await ticket.admitted
        except asyncio.CancelledError:
            if not ticket.admitted.cancelled():  # admitted in the same turn
                self.give_back(boxes)
            else:
                self._leave(boxes, ticket)
            raise

    def use(self) -> None:
        """The place in the queue is taken now; those in the boxes stay promised until they are emptied."""
        self.limit += 1

    def give_back(self, boxes: _Boxes) -> None:
        """The places are not needed."""
        self.limit += 1
        for box in boxes:
            box.promised -= 1
        self.admit()

    def admit(self) -> None:
        """Serve those whose time has come. To be called whenever there is room."""
        while self._lines and len(self._queue) < self.limit:
            first = self._first()
            if first is None:
                return
            boxes, ticket = first
            self._leave(boxes, ticket)
            if ticket.admitted.done():  # its waiter was cancelled in this turn, and does not know yet
                continue
            self.limit -= 1
            for box in boxes:
                box.promised += 1
            ticket.admitted.set_result(None)

    def _first(self) -> tuple[_Boxes, _Ticket] | None:
        """Who waits longest of those whose boxes have room."""
        heads = (
            (boxes, next(iter(line)))
            for boxes, line in self._lines.items()
            if not any(box.is_full() for box in boxes)
        )
        return min(heads, key=lambda head: head[1].number, default=None)

    def _leave(self, boxes: _Boxes, ticket: _Ticket) -> None:
        line = self._lines.get(boxes, {})
        line.pop(ticket, None)
        if not line:
            self._lines.pop(boxes, None)

    def dismiss(self) -> None:
        """Nothing can be published any more: wake all who wait. They have reserved nothing."""
        lines, self._lines = self._lines, {}
        for line in lines.values():
            for ticket in line:
                if not ticket.admitted.done():
                    ticket.admitted.set_result(None)

    def forget(self) -> None:
        """The loop of those who wait is closed: they will never come back."""
        self._lines.clear()
        self.limit = self._size
