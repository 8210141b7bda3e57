"""Who may publish now, and who waits: one queue that has a bound, and strict boxes behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sized

from asynctask.emitter.boxes import Box

__all__ = ("Admission",)


class _Ticket:
    __slots__ = ("admitted", "boxes")

    def __init__(self, boxes: tuple[Box, ...]) -> None:
        self.boxes = boxes
        self.admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Admission:
    """Reserves a place in the queue and in all boxes that an event goes to, or in none.

    Who waits is served in turn, but for those whose boxes are full: nobody waits for a reader whom his event
    does not concern.

    Args:
        queue: what the events go into.
        size: how many it holds.
    """

    __slots__ = ("_queue", "_size", "_tickets", "limit")

    def __init__(self, queue: Sized, size: int) -> None:
        self._queue = queue
        self._size = size
        self._tickets: deque[_Ticket] = deque()
        self.limit = size
        """The length at which the queue is full: its size without the places that are promised."""

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not ticket.admitted.done() for ticket in self._tickets)

    async def enter(self, boxes: tuple[Box, ...]) -> None:
        """Reserve the places; wait for them. Cancelling reserves none."""
        ticket = _Ticket(boxes)
        self._tickets.append(ticket)
        self.admit()
        if ticket.admitted.done():
            return
        try:
            await ticket.admitted
        except asyncio.CancelledError:
            if not ticket.admitted.cancelled():  # admitted in the same turn
                self.give_back(boxes)
            elif ticket in self._tickets:
                self._tickets.remove(ticket)
            raise

    def use(self) -> None:
        """The place in the queue is taken now; those in the boxes stay promised until they are emptied."""
        self.limit += 1

    def give_back(self, boxes: tuple[Box, ...]) -> None:
        """The places are not needed."""
        self.limit += 1
        for box in boxes:
            box.promised -= 1
        self.admit()

    def admit(self) -> None:
        """Serve those whose time has come. To be called whenever there is room."""
        left: deque[_Ticket] = deque()
        while self._tickets and len(self._queue) < self.limit:
            ticket = self._tickets.popleft()
            if ticket.admitted.done():  # its waiter was cancelled in this turn, and does not know yet
                continue
            if any(box.is_full() for box in ticket.boxes):
                left.append(ticket)
                continue
            self.limit -= 1
            for box in ticket.boxes:
                box.promised += 1
            ticket.admitted.set_result(None)
        left.extend(self._tickets)
        self._tickets = left

    def dismiss(self) -> None:
        """Nothing can be published any more: wake all who wait. They have reserved nothing."""
        tickets, self._tickets = self._tickets, deque()
        for ticket in tickets:
            if not ticket.admitted.done():
                ticket.admitted.set_result(None)

    def forget(self) -> None:
        """The loop of those who wait is closed: they will never come back."""
        self._tickets.clear()
        self.limit = self._size
