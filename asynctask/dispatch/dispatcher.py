"""The dispatcher: generators, the queue and the processor under one owner."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from asynctask.dispatch.event import shown
from asynctask.dispatch.generators import check_event
from asynctask.dispatch.inside import is_inside
from asynctask.dispatch.polling import Polling, Sleep
from asynctask.dispatch.processor import EventProcessor
from asynctask.dispatch.queue import DEFAULT_MAXSIZE, EventQueue, Overflow
from asynctask.errors import TaskStateError, UsageError
from asynctask.waiting import wait_out

__all__ = ("DispatcherStatistics", "EventDispatcher", "gathered")


@dataclass(frozen=True, slots=True)
class DispatcherStatistics:
    """A look at a dispatcher. All but ``waiting`` counts from its beginning."""

    generators: int
    """How many generators it has."""
    rounds: int
    """How often it has polled them."""
    failed_generators: int
    """How often one of them failed."""
    enqueued: int
    """Events that came on the queue."""
    dropped: int
    """Events that were lost because the queue was full."""
    waiting: int
    """Events that are on the queue."""
    most_waiting: int
    """The most that were on it at a time."""
    processed: int
    """Events whose handlers returned."""
    declined: int
    """Those of them whose handlers returned something false."""
    failed: int
    """Events whose handlers raised something."""
    errors_handled: int
    """Errors that the error handler has processed."""
    errors_discarded: int
    """Errors for which there was no error handler, or which it failed to process."""


class EventDispatcher:
    """Polls generators for events and has the events processed, one at a time, in order.

    ``async with EventDispatcher() as dispatcher:`` starts both sides; leaving the block processes what is
    pending, as :meth:`stop` does. Cancelled, or by ``KeyboardInterrupt``, the block is left at once: the
    handler in work is cancelled, what is on the queue is not processed, generators are stopped. When a
    handler or a generator raises what ends a program (``SystemExit``), the dispatcher ends, the block is
    cancelled, and the exception comes out of it.

    Without the block :meth:`start` does the same; then somebody has to await :meth:`stop`.

    Args:
        poll_interval: seconds between the end of a poll of all generators and the next.
        maxsize: how many events the queue holds, 1 or more.
        overflow: what becomes of an event for which there is no room: ``"wait"``: polling waits;
            ``"drop_oldest"``, ``"drop_newest"``: one is lost, which is counted and logged.
        sleep: how to wait between polls; for tests.

    Raises:
        UsageError: an argument that cannot be.
    """

    def __init__(
        self,
        poll_interval: float = 1,
        *,
        maxsize: int = DEFAULT_MAXSIZE,
        overflow: Overflow = "wait",
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        queue = EventQueue(maxsize, overflow)
        self._polling = Polling(queue, poll_interval, sleep)
        self.processor = EventProcessor(queue)
        self._engine: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._over = asyncio.Event()
        self._fatal: BaseException | None = None
        self._host: asyncio.Task[Any] | None = None  # in whose block it runs
        self._host_is_cancelled = False

    # -- what it consists of ------------------------------------------------------------------------

    @property
    def poll_interval(self) -> float:
        """Seconds between two polls; can be set, for the next time."""
        return self._polling.poll_interval

    @poll_interval.setter
    def poll_interval(self, seconds: float) -> None:
        self._polling.poll_interval = seconds

    def add_event_generator(self, event_generator: Any, *, thread: bool | None = None) -> None:
        """Add a generator; while it runs, it is polled from the next time on. Any thread may call this.

        Args:
            event_generator: see :class:`EventGenerator`. One that is there already is not added again.
            thread: call its methods in a thread, for they block; by default as its ``blocking`` says.

        Raises:
            UsageError: it is no generator.
            TaskStateError: the dispatcher is stopped.
        """
        self._polling.add(event_generator, thread)

    def error_handler(self, error_handler: Any) -> None:
        """Set what hears of errors, as :class:`ErrorEvent`; ``None``: nobody, as at first."""
        self.processor.error_handler(error_handler)

    async def put(self, event: Any) -> bool:
        """Put an event on the queue oneself; whether it is there, for a full queue may drop it.

        Raises:
            UsageError: it is no event.
            TaskStateError: the dispatcher is stopped; or a handler of its own would wait for room, that is,
                for itself.
        """
        try:
            check_event(event)
        except TypeError as exc:
            raise UsageError(str(exc)) from None
        queue = self.processor.queue
        if queue.overflow == "wait" and queue.is_full() and is_inside(self.processor):
            raise TaskStateError("the queue is full, and the handler that puts would wait for itself")
        is_in = await queue.put(event)
        if not is_in and queue.closed:
            raise TaskStateError("the dispatcher is stopped: the event is not taken")
        return is_in

    def statistics(self) -> DispatcherStatistics:
        """Counters, now."""
        return gathered(self._polling, self.processor)

    # -- running ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, in the running loop; when it runs already, nothing is done.

        Raises:
            TaskStateError: no loop runs here, or the dispatcher was stopped: make a new one.
        """
        self._start(poll=True)

    def _start(self, *, poll: bool) -> None:
        if self._engine is None:
            self._engine = _running_loop().create_task(self._run(poll), name="event dispatcher")
            self._engine.add_done_callback(self._ended)
        elif poll and self._polling.is_stopping():
            raise TaskStateError("the dispatcher was stopped: make a new one")

    async def run(self) -> None:
        """Start, and wait until somebody stops it. Cancelling ends it at once."""
        async with self:
            await self.join()

    def stop(self) -> Awaitable[bool]:
        """Stop when all pending events are processed. The call asks for it; awaiting waits for the end.

        Generators are polled once more, then stopped; what is on the queue is processed. Stopping again
        changes nothing. Before :meth:`start` it only stops the generators. Any thread may call it, but await
        it on the loop alone.

        Returns:
            To be awaited: true when it is over. False, at once, for a handler or generator of the dispatcher
            itself, which would wait for its own end: it was asked for, and comes later.
        """
        self._polling.stop()
        if self._engine is None:
            self._start(poll=False)
        return _Joining(self.join)

    async def join(self) -> bool:
        """Wait until somebody has stopped it. See :meth:`stop` for what is returned.

        Raises:
            BaseException: what ended it, outside of its ``async with`` block, once.
            TaskStateError: it was not started.
        """
        if is_inside(self.processor, self._polling):
            return False
        if self._engine is None:
            raise TaskStateError("the dispatcher was not started: nobody would stop it")
        await self._over.wait()
        if self._host is None:
            self._tell()
        return True

    async def __aenter__(self) -> EventDispatcher:
        if self._host is not None:
            raise TaskStateError("the dispatcher is in a block already")
        self.start()
        self._host = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        host, self._host = self._host, None
        try:
            if exc is None or isinstance(exc, Exception):
                self._polling.stop()
                await self._over.wait()
        finally:
            await self._end()
            await self._take_back(host, exc)
            self._tell()

    async def _end(self) -> None:
        """End at once what has not ended yet."""
        assert self._engine is not None
        try:
            await wait_out(self._begun)  # a task that never ran would stop no generator
        finally:
            self._engine.cancel()
            try:
                await wait_out(self._over)
            finally:
                if not self._polling.has_ended():  # others cancelled its task before it ran
                    await self._polling.run(poll=False)

    async def _take_back(self, host: asyncio.Task[Any] | None, exc: BaseException | None) -> None:
        """The block was cancelled by us, to be told what ended the dispatcher: nobody else shall hear it."""
        if not self._host_is_cancelled or host is None:
            return
        self._host_is_cancelled = False
        if not isinstance(exc, asyncio.CancelledError):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # it has not arrived yet
        host.uncancel()

    # -- the engine ---------------------------------------------------------------------------------

    async def _run(self, poll: bool) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._guard(self.processor.run), name="event processor")
            group.create_task(self._guard(partial(self._poll, poll)), name="event generators")

    async def _poll(self, poll: bool) -> None:
        self._begun.set()
        await self._polling.run(poll=poll)

    async def _guard(self, side: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a side; what ends a program is kept for the owner, and the other side ends too."""
        try:
            await side()
        except (Exception, asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as exc:
            self._fatal = self._fatal or exc
            self.processor.stop()

    def _ended(self, engine: asyncio.Task[None]) -> None:
        self._begun.set()  # at the latest
        self._over.set()
        if not engine.cancelled() and (error := engine.exception()) is not None:
            self._fatal = self._fatal or error
        if self._fatal is not None and self._host is not None:
            self._host_is_cancelled = True
            self._host.cancel()

    def _tell(self) -> None:
        fatal, self._fatal = self._fatal, None
        if fatal is not None:
            raise fatal

    def __repr__(self) -> str:
        names = ", ".join(shown(each) for each in self._polling.generators())
        return f"<EventDispatcher every {self.poll_interval:g} s: {names or 'no generators'}>"


class _Joining(Awaitable[bool]):
    """What :meth:`EventDispatcher.stop` returns: nothing is wrong if nobody awaits it."""

    def __init__(self, join: Callable[[], Coroutine[Any, Any, bool]]) -> None:
        self._join = join

    def __await__(self) -> Generator[Any, None, bool]:
        return self._join().__await__()


def gathered(polling: Polling, processor: EventProcessor) -> DispatcherStatistics:
    """The counters of both sides and of the queue between them."""
    found, done, queue = polling.statistics(), processor.statistics(), polling.queue.statistics()
    return DispatcherStatistics(
        generators=found.generators,
        rounds=found.rounds,
        failed_generators=found.failed,
        enqueued=queue.enqueued,
        dropped=queue.dropped,
        waiting=queue.waiting,
        most_waiting=queue.most_waiting,
        processed=done.processed,
        declined=done.declined,
        failed=done.failed,
        errors_handled=done.errors_handled,
        errors_discarded=done.errors_discarded,
    )


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise TaskStateError("no asyncio loop runs here: use asynctask.sync.dispatch") from None
