"""Which changes were handled: what may be kept as a poller's state.

A state may be written when everything that was delivered before it is handled. So a program that dies
meets some changes again when it comes back, and misses none.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ("Deliveries", "Delivery")

#: How many states wait to be due; a state may be large.
_MOST = 8


class Delivery:
    """A batch of changes, and the state of the poller that has delivered it.

    Whoever has to do with one of its changes holds it until that is done.
    """

    __slots__ = ("_held", "_owner", "state")

    def __init__(self, owner: Deliveries, state: bytes) -> None:
        self._owner = owner
        self._held = 1  # by who delivers it
        self.state = state

    def hold(self) -> None:
        """One more has to do with it."""
        self._held += 1

    def release(self) -> None:
        """One of them is done."""
        self._held -= 1
        if not self._held:
            self._owner._settle()

    @property
    def over(self) -> bool:
        """Whether all is done."""
        return not self._held


class Deliveries:
    """The batches of a poller that are not handled, in order.

    Attributes:
        due: set while there is a state to be written.
    """

    def __init__(self) -> None:
        self._open: deque[Delivery] = deque()
        self._state: bytes | None = None
        self.due = asyncio.Event()

    @property
    def unhandled(self) -> int:
        """How many batches are not handled."""
        return len(self._open)

    def open(self, state: bytes) -> Delivery:
        """A batch has come; ``state`` is the poller's after it. Who calls holds it.

        Where many are not handled, it becomes part of the one before.
        """
        if len(self._open) >= _MOST and not self._open[-1].over:
            last = self._open[-1]
            last.hold()
            last.state = state
            return last
        delivery = Delivery(self, state)
        self._open.append(delivery)
        return delivery

    def take(self) -> bytes | None:
        """The latest state all of which was handled, once."""
        state, self._state = self._state, None
        self.due.clear()
        return state

    def _settle(self) -> None:
        while self._open and self._open[0].over:
            self._state = self._open.popleft().state
            self.due.set()
