"""Waiting for what ends by itself, whatever happens to the waiter."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

__all__ = ("DefaultSeconds", "Grace", "Patience", "Places", "wait_out")


async def wait_out(event: asyncio.Event) -> None:
    """Wait for ``event`` to the end, also when cancelled; the cancellation is raised after it.

    Only for events that come in bounded time whatever happens. Needed beside a shield because
    ``asyncio.Task.cancel`` goes through the shields of anyio.
    """
    cancelled: asyncio.CancelledError | None = None
    while not event.is_set():
        try:
            with anyio.CancelScope(shield=True):
                await event.wait()
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        raise cancelled


class Grace:
    """How long something that is being ended may take; it can be cut short at any time.

    Args:
        seconds: 0 or more.
    """

    __slots__ = ("_scopes", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._scopes: set[anyio.CancelScope] = set()

    @contextmanager
    def period(self) -> Iterator[None]:
        """Cancel what runs inside when the grace is over; being over is no error."""
        with anyio.move_on_after(self.seconds) as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)

    def cut(self) -> None:
        """No more patience: end the periods that go on, and give none from now on."""
        self.seconds = 0.0
        for scope in self._scopes:
            scope.deadline = -math.inf


class DefaultSeconds(float):
    """Seconds that nobody has asked for: a configuration may say otherwise."""

    __slots__ = ()


class Patience:
    """Seconds that something in several steps may take, not counting what others keep it waiting for.

    The steps come one after the other: they do not nest, nor run at the same time.

    Args:
        seconds: 0 or more; ``None``: without limit.
    """

    __slots__ = ("_scope", "given", "left")

    def __init__(self, seconds: float | None) -> None:
        self.given = self.left = math.inf if seconds is None else seconds
        """What is left of them before the next step."""
        self._scope: anyio.CancelScope | None = None

    @contextmanager
    def running(self, most: float = math.inf) -> Iterator[None]:
        """A step, which takes ``most`` seconds at most, and no more than are left.

        Raises:
            TimeoutError: it took longer; what ran inside was cancelled.
        """
        given = min(self.left, most)
        self._scope = None
        try:
            with anyio.fail_after(given) as self._scope:
                yield
        finally:
            if self._scope is not None and self.left < math.inf:
                unused = min(given, max(0.0, self._scope.deadline - anyio.current_time()))
                self.left = max(0.0, self.left - (given - unused))
            self._scope = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Time that does not count, within a step: somebody is asked for a password."""
        scope = self._scope
        if scope is None or scope.deadline == math.inf:
            yield
            return
        left = scope.deadline - anyio.current_time()
        scope.deadline = math.inf
        try:
            yield
        finally:
            scope.deadline = anyio.current_time() + left


class Places:
    """So many places; who finds none waits, and is served in turn.

    Beside ``asyncio.Semaphore`` it can be asked without waiting. A place that is given to somebody who is
    cancelled at that moment goes to the next.

    Args:
        free: how many places there are at first.
    """

    __slots__ = ("_given", "_waiting", "free")

    def __init__(self, free: int) -> None:
        self.free = free
        self._given = 0  # to who waited, and has not run since
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not place.done() for place in self._waiting)

    def take_nowait(self) -> bool:
        """Take a place if there is one."""
        if self.free == 0:
            return False
        self.free -= 1
        return True

    async def take(self) -> None:
        """Take a place; wait for one. Nobody overtakes who came before."""
        others = self._given or self._waiting
        if not others and self.take_nowait():
            return
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        self._waiting.append(place)
        if self.take_nowait():  # it is ours, but those who were given one before us go first
            loop.call_soon(self.give)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._given -= 1
                self.give()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise
        self._given -= 1

    def give(self) -> None:
        """Give a place to who waits longest, or to who comes next."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # else its waiter was cancelled in this turn, and does not know yet
                place.set_result(None)
                self._given += 1
                return
        self.free += 1
