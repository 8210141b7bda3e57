"""The bounded queue between who finds events and who processes them.

Both sides are coroutines, on one loop or on two in different threads: what is in the queue is guarded by a
lock that is never held for long, and waiters are futures of :mod:`concurrent.futures`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from asynctask.errors import UsageError

__all__ = ("DEFAULT_MAXSIZE", "EventQueue", "Overflow", "QueueStatistics")

_log = logging.getLogger(__name__)

Overflow: TypeAlias = Literal["wait", "drop_oldest", "drop_newest"]

#: How many events a queue holds unless told otherwise.
DEFAULT_MAXSIZE = 10_000


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """A look at a queue."""

    maxsize: int
    """How many events it holds at most."""
    waiting: int
    """Events that are in it."""
    most_waiting: int
    """The most that were in it at a time."""
    putters: int
    """How many wait for room."""
    enqueued: int
    """Events that were taken in, ever."""
    dropped: int
    """Events that were lost because it was full, ever."""


class EventQueue:
    """First in, first out; bounded.

    Args:
        maxsize: how many events it holds, 1 or more.
        overflow: what becomes of an event for which there is no room: ``"wait"``: who brings it waits;
            ``"drop_oldest"``: it takes the place of the oldest; ``"drop_newest"``: it is dropped. What is
            dropped is counted; the first of a series is a warning in the log.
    """

    def __init__(self, maxsize: int = DEFAULT_MAXSIZE, overflow: Overflow = "wait") -> None:
        if not isinstance(maxsize, int) or isinstance(maxsize, bool) or maxsize < 1:
            raise UsageError(f"maxsize={maxsize!r}: how many events the queue holds, 1 or more")
        if overflow not in get_args(Overflow):
            raise UsageError(f"overflow={overflow!r}: one of {', '.join(get_args(Overflow))}")
        self.maxsize = maxsize
        self.overflow = overflow
        self._lock = threading.RLock()  # what is dropped may run code when it goes: a finalizer that asks us
        self._events: deque[Any] = deque()
        self._getters: set[Future[None]] = set()
        self._putters: deque[tuple[Future[bool], Any]] = deque()
        self._when_closed: list[Callable[[], None]] = []
        self._closed = False
        self._is_dropping = False  # since it was empty last
        self._most = self._enqueued = self._dropped = 0

    async def put(self, event: Any) -> bool:
        """Put an event in; whether it is in: false if it was dropped, or the queue is closed.

        Cancelling puts nothing in, unless there was room at that same moment.
        """
        with self._lock:
            if self._closed:
                return False
            if len(self._events) < self.maxsize and not self._putters:
                self._take(event)
                return True
            if self.overflow != "wait":
                begins = not self._is_dropping
                self._drop_for(event)
                waiter = None
            else:
                waiter = Future[bool]()
                self._putters.append((waiter, event))
        if waiter is not None:
            return await self._wait_for_room(waiter, event)
        if begins:
            _log.warning("the queue of %d events is full: overflow=%r", self.maxsize, self.overflow)
        return self.overflow == "drop_oldest"

    async def _wait_for_room(self, waiter: Future[bool], event: Any) -> bool:
        try:
            return await asyncio.wrap_future(waiter)
        except asyncio.CancelledError:
            with self._lock:
                if (waiter, event) in self._putters:
                    self._putters.remove((waiter, event))
            raise

    async def get(self, stopped: Callable[[], bool] = bool) -> Any:
        """The next event; waits for one. ``None``: the queue is closed and empty. Cancelling loses none.

        Args:
            stopped: when it is true nobody wants one any more, and this returns ``None``; looked at again
                after :meth:`wake`.
        """
        while True:
            with self._lock:
                if stopped():
                    return None
                if self._events:
                    return self._hand_out()
                if self._closed:
                    return None
                waiter = Future[None]()
                self._getters.add(waiter)
            try:
                await asyncio.wrap_future(waiter)
            finally:
                with self._lock:
                    self._getters.discard(waiter)

    def wake(self) -> None:
        """Have those who wait in :meth:`get` look whether they still want something."""
        with self._lock:
            self._wake_getters()

    def close(self) -> None:
        """Take nothing more in; what is in can still be got. Who waits for room is told."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._wake_getters()
            while self._putters:
                _answer(self._putters.popleft()[0], False)
            callbacks, self._when_closed = self._when_closed, []
        for callback in callbacks:
            callback()

    @property
    def closed(self) -> bool:
        """Whether it takes nothing more."""
        return self._closed

    def when_closed(self, callback: Callable[[], None]) -> None:
        """Have something called when it is closed, in the thread that closes it."""
        self._when_closed.append(callback)

    def is_full(self) -> bool:
        """Whether there is no room, now."""
        return len(self._events) >= self.maxsize

    def statistics(self) -> QueueStatistics:
        """Counters, now."""
        with self._lock:
            return QueueStatistics(
                maxsize=self.maxsize,
                waiting=len(self._events),
                most_waiting=self._most,
                putters=len(self._putters),
                enqueued=self._enqueued,
                dropped=self._dropped,
            )

    # -- with the lock held -----------------------------------------------------------------------

    def _take(self, event: Any) -> None:
        self._events.append(event)
        self._enqueued += 1
        self._most = max(self._most, len(self._events))
        self._wake_getters()

    def _drop_for(self, event: Any) -> None:
        self._is_dropping = True
        self._dropped += 1
        if self.overflow == "drop_oldest":
            self._events.popleft()
            self._take(event)

    def _hand_out(self) -> Any:
        event = self._events.popleft()
        while self._putters and len(self._events) < self.maxsize:
            waiter, waiting = self._putters.popleft()
            if _answer(waiter, True):
                self._take(waiting)
        self._is_dropping = self._is_dropping and bool(self._events)
        return event

    def _wake_getters(self) -> None:
        while self._getters:
            _answer(self._getters.pop(), None)


def _answer(waiter: Future[Any], outcome: object) -> bool:
    """Tell a waiter, unless it was cancelled, what is the case; whether it was told."""
    if not waiter.set_running_or_notify_cancel():
        return False
    waiter.set_result(outcome)
    return True
