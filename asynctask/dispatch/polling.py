"""The polling side of a dispatcher: asks generators for events and puts these on the queue."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from asynctask.dispatch.event import ErrorEvent, shown
from asynctask.dispatch.generators import Source, check_event, rounds_left_out
from asynctask.dispatch.inside import entered
from asynctask.dispatch.processor import is_cancelled
from asynctask.dispatch.queue import EventQueue
from asynctask.errors import TaskStateError, UsageError

__all__ = ("STOP_WAIT", "Polling", "PollingStatistics", "Sleep")

_log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[object]]

#: How long, in seconds, the ``stop()`` of a generator may take.
STOP_WAIT = 5.0
#: After so many events of one poll others have a turn on the loop.
_IN_A_ROW = 50


@dataclass(frozen=True, slots=True)
class PollingStatistics:
    """What the polling side has done."""

    generators: int
    """How many there are."""
    rounds: int
    """How often all that share the polling were polled."""
    failed: int
    """How often a generator raised something, or did not stop in time."""


class Polling:
    """Asks generators, in the order in which they were added, then sleeps, and again.

    One that has to be called in a thread is polled at its own pace, so that nobody waits for it; one that
    pushes has a task of its own, and is not polled. One that fails is logged, once until it works again,
    and becomes an error event; it is asked again in the next round, and if it goes on failing, less often.

    Args:
        queue: where events go. It is closed when :meth:`run` ends.
        poll_interval: seconds between the end of a round and the next one.
        sleep: how to wait so long.
    """

    def __init__(self, queue: EventQueue, poll_interval: float = 1, sleep: Sleep = asyncio.sleep) -> None:
        self.queue = queue
        self.poll_interval = poll_interval
        self._sleep = sleep
        self._lock = threading.Lock()  # adding against ending, from different threads
        self._sources: list[Source] = []
        self._requested = False
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context: Context | None = None  # of run(), for what begins later
        self._group: asyncio.TaskGroup | None = None
        self._waits: set[anyio.CancelScope] = set()
        self._fatal: BaseException | None = None
        self._rounds = self._failed = self._stopped = 0
        queue.when_closed(self.stop)  # nobody takes events any more

    @property
    def poll_interval(self) -> float:
        """Seconds between two rounds; can be set, for the next time."""
        return self._interval

    @poll_interval.setter
    def poll_interval(self, seconds: float) -> None:
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not 0 < seconds < math.inf:
            raise UsageError(f"poll_interval={seconds!r}: a number of seconds, more than 0")
        self._interval = seconds

    def add(self, generator: Any, thread: bool | None = None) -> None:
        """Add a generator, for the next round; any thread may. One that is there already stays as it is."""
        source = Source(generator, thread)
        with self._lock:
            if self._ended:
                raise TaskStateError("the dispatcher is stopped: the generator is not added")
            if any(each.generator is generator for each in self._sources):
                return
            self._sources.append(source)
        self._on_loop(self._begin, source)

    def stop(self) -> None:
        """Have a last round, then end. Any thread may call this, and a signal handler."""
        self._requested = True
        self._on_loop(self._wake)

    async def run(self, *, poll: bool = True) -> None:
        """Poll until :meth:`stop`; then tell each generator to stop, once, and close the queue.

        Cancelling leaves out the last round. What ends a program is raised at the end.

        Args:
            poll: false: only end.
        """
        self._loop = asyncio.get_running_loop()
        try:
            with entered(self):
                self._context = copy_context()
                await self._poll_and_stop(poll)
        finally:
            self.queue.close()
            self._loop = self._context = None
        if self._fatal is not None:
            raise self._fatal

    async def _poll_and_stop(self, poll: bool) -> None:
        try:
            if poll:
                await self._poll_all()
        except asyncio.CancelledError:
            self.queue.close()  # nobody shall wait for room any more
            raise
        finally:
            await self._stop_all()

    def is_stopping(self) -> bool:
        """Whether somebody has asked for its end."""
        return self._requested

    def has_ended(self) -> bool:
        """Whether it is over, and the generators were told so."""
        return self._ended

    def generators(self) -> list[Any]:
        """What it asks."""
        return [source.generator for source in self._sources]

    def statistics(self) -> PollingStatistics:
        """Counters, now."""
        return PollingStatistics(generators=len(self._sources), rounds=self._rounds, failed=self._failed)

    # -- from elsewhere -----------------------------------------------------------------------------

    def _on_loop(self, action: Callable[..., object], *args: Any) -> None:
        loop = self._loop
        if loop is None:
            return  # it will see for itself
        with suppress(RuntimeError):  # it was closed at this moment
            loop.call_soon_threadsafe(action, *args)

    def _wake(self) -> None:
        for scope in self._waits:
            scope.cancel()

    def _begin(self, source: Source) -> None:
        """Start the task of a generator that has its own."""
        if self._group is None or self._context is None or source.begun or not source.is_apart:
            return
        source.begun = True
        work = self._push if source.pushes else self._cycle
        self._group.create_task(self._guard(partial(work, source)), context=self._context.copy())

    # -- rounds -------------------------------------------------------------------------------------

    async def _poll_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._begin_all()
                await self._guard(self._cycle)
                self._begin_all()  # what came too late has its last round, too
            finally:
                self._group = None

    def _begin_all(self) -> None:
        for source in tuple(self._sources):
            self._begin(source)

    async def _guard(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """What ends a program goes to the end of :meth:`run`; a loop would have raised it in its middle."""
        try:
            await work()
        except (Exception, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as exc:
            self._fatal = exc
            self.stop()

    async def _cycle(self, apart: Source | None = None) -> None:
        """Rounds: of a generator that is apart, or of all others."""
        while True:
            is_last = self._requested
            for source in self._sharing() if apart is None else [apart]:
                if self.queue.closed or self._fatal is not None:
                    return
                if is_last or source.is_due():
                    await self._poll(source)
            self._rounds += apart is None
            if is_last:
                return
            with self._wait():
                await self._sleep(self._interval)

    def _sharing(self) -> list[Source]:
        return [source for source in self._sources if not source.is_apart]

    def _wait(self) -> _Wait:
        return _Wait(self._waits, over=self._requested)

    async def _poll(self, source: Source) -> None:
        try:
            events, error = await source.poll()
        except (Exception, asyncio.CancelledError) as exc:
            if is_cancelled(exc):
                raise
            await self._report(source, exc, "get_events()")
            return
        for number, event in enumerate(events, 1):
            await self.queue.put(event)
            if number % _IN_A_ROW == 0:
                await asyncio.sleep(0)
        if error is None:
            self._works(source)
        else:
            await self._report(source, error, "get_events()")

    async def _push(self, source: Source) -> None:
        """Take events as they come; one that fails is begun anew, after a while."""
        while not self._requested:
            try:
                await self._iterate(source)
            except (Exception, asyncio.CancelledError) as exc:
                if is_cancelled(exc):
                    raise
                await self._report(source, exc, "iterating")
            else:
                return
            with self._wait():
                await self._sleep(self._interval * (1 + rounds_left_out(source.failures)))

    async def _iterate(self, source: Source) -> None:
        iterator: AsyncIterator[Any] = aiter(source.generator)
        try:
            while not self._requested:
                event = _NOTHING
                with self._wait():
                    event = await anext(iterator, _OVER)
                if event is _OVER:
                    return
                if event is not _NOTHING:  # else it is to stop
                    check_event(event)
                    self._works(source)
                    await self.queue.put(event)
                    await asyncio.sleep(0)
        finally:
            if hasattr(iterator, "aclose"):
                with anyio.move_on_after(STOP_WAIT, shield=True):
                    await iterator.aclose()

    # -- the end --------------------------------------------------------------------------------------

    async def _stop_all(self) -> None:
        """Stop each generator once, also those that are added meanwhile; no failure stops the others."""
        self._requested = True
        while left := self._left_to_stop():
            async with asyncio.TaskGroup() as group:
                for source in left:
                    group.create_task(self._guard(partial(self._stop_one, source)))

    def _left_to_stop(self) -> list[Source]:
        with self._lock:
            left = self._sources[self._stopped :]
            self._stopped += len(left)
            self._ended = not left
            return left

    async def _stop_one(self, source: Source) -> None:
        try:
            with anyio.move_on_after(STOP_WAIT, shield=True) as scope:
                await source.stop()
        except (Exception, asyncio.CancelledError) as exc:
            if is_cancelled(exc):
                raise
            await self._report(source, exc, "stop()")
        if scope.cancelled_caught:
            await self._report(source, TimeoutError(f"stop() took longer than {STOP_WAIT:g} s"), "stop()")

    # -- how it goes ----------------------------------------------------------------------------------

    async def _report(self, source: Source, error: BaseException, what: str) -> None:
        source.failed()
        self._failed += 1
        level = logging.WARNING if source.failures == 1 else logging.DEBUG
        _log.log(level, "%s: %s failed", shown(source.generator), what, exc_info=error)
        await self.queue.put(ErrorEvent(source.generator, None, error))

    def _works(self, source: Source) -> None:
        failures = source.failures
        if source.went_well():
            _log.info("%s: works again after %d failures", shown(source.generator), failures)


class _Wait:
    """A wait that ends early when there is to be an end.

    Args:
        waits: where those are that go on.
        over: it is to end already: the first thing that it has to wait for ends it.
    """

    def __init__(self, waits: set[anyio.CancelScope], over: bool) -> None:
        self._waits = waits
        self._scope = anyio.CancelScope()
        if over:
            self._scope.cancel()

    def __enter__(self) -> None:
        self._scope.__enter__()
        self._waits.add(self._scope)

    def __exit__(self, *raised: Any) -> bool | None:
        self._waits.discard(self._scope)
        return self._scope.__exit__(*raised)


_NOTHING, _OVER = object(), object()
