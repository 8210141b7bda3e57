"""The event framework for programs without asyncio: two threads, a queue between them.

    from asynctask.sync.dispatch import *

Both threads run the two sides of :mod:`asynctask.dispatch`, each on a loop of its own: generators are called
in that of the dispatcher, handlers in that of the processor; async ones work there as well. Neither thread
keeps the interpreter alive.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

from asynctask.dispatch import processor as asynchronous
from asynctask.dispatch.dispatcher import DispatcherStatistics, gathered
from asynctask.dispatch.event import ErrorEvent, Event
from asynctask.dispatch.generators import EventGenerator
from asynctask.dispatch.handlers import (
    ChainEventHandler,
    EventHandler,
    ExecEventHandler,
    PrintEventHandler,
    ThreadEventHandler,
)
from asynctask.dispatch.inside import is_inside
from asynctask.dispatch.polling import Polling
from asynctask.dispatch.queue import DEFAULT_MAXSIZE, EventQueue, Overflow
from asynctask.errors import TaskStateError
from asynctask.sync.home import LOOK_AGAIN
from asynctask.sync.objects import loop_runs_here

__all__ = (
    "ChainEventHandler",
    "ErrorEvent",
    "Event",
    "EventDispatcher",
    "EventGenerator",
    "EventHandler",
    "EventProcessor",
    "EventQueue",
    "ExecEventHandler",
    "PrintEventHandler",
    "ThreadEventHandler",
)

_log = logging.getLogger(__name__)


class EventProcessor(threading.Thread):
    """The thread in which events are processed: see :class:`asynctask.dispatch.EventProcessor`.

    Args:
        event_queue: where events come from.
    """

    def __init__(self, event_queue: EventQueue) -> None:
        super().__init__(name="EventProcessor", daemon=True)
        self._processing = asynchronous.EventProcessor(event_queue)
        self._side = _Side(self._processing.run)

    def start(self) -> None:
        """Start the thread; its loop runs when this returns.

        Raises:
            OSError: there can be no loop: too many files are open, say.
        """
        super().start()
        self._side.wait_for_the_loop()

    def run(self) -> None:
        """What the thread does. Called by :meth:`start`."""
        self._side.run()

    def stop(self) -> None:
        """Process no more events once the one in work is done, and wait for it; in a handler only ask for it.

        What ended the thread otherwise is raised.
        """
        self._processing.stop()
        if self.is_alive() and not is_inside(self._processing):
            self.join()
            self._side.tell()

    def error_handler(self, handler: Any) -> None:
        """Set what hears of errors; ``None``: nobody."""
        self._processing.error_handler(handler)

    def dispatch_event(self) -> bool:
        """Take the next event off the queue and process it, here; wait for one, and for its handler.

        Returns:
            False: there is none, for the queue is closed and empty, or the processor is stopped.

        Raises:
            TaskStateError: it is being called already, as it is once the thread is started; or an asyncio
                loop runs here.
        """
        if loop_runs_here():
            raise TaskStateError("this thread runs an asyncio loop: use asynctask.dispatch there")
        return bool(_in_a_loop(self._processing.dispatch_event))


class EventDispatcher(threading.Thread):
    """The thread in which generators are polled. The other one, which has events processed, is started here.

    Args:
        poll_interval: seconds between the end of a poll of all generators and the next.
        maxsize: how many events the queue holds, 1 or more.
        overflow: what becomes of an event for which there is no room: see
            :class:`asynctask.dispatch.EventDispatcher`.

    Raises:
        UsageError: an argument that cannot be.
    """

    def __init__(
        self, poll_interval: float = 1, *, maxsize: int = DEFAULT_MAXSIZE, overflow: Overflow = "wait"
    ) -> None:
        super().__init__(name="EventDispatcher", daemon=True)
        queue = EventQueue(maxsize, overflow)
        self._polling = Polling(queue, poll_interval)
        self._polls = True
        self._launching = threading.RLock()  # a signal handler may stop what its thread starts
        self._launched = False
        self._side = _Side(self._poll)
        self.processor = EventProcessor(queue)
        self.processor.start()
        # Once started it lives as long as its thread; before that, nobody may ever stop it.
        self._unused = weakref.finalize(self, self.processor._side.call, queue.close)
        self._unused.atexit = False

    def start(self) -> None:
        """Start to poll.

        Raises:
            TaskStateError: it was started or stopped before.
        """
        if not self._launch(polls=True):
            raise TaskStateError("the dispatcher was started or stopped before: make a new one")

    def _launch(self, *, polls: bool) -> bool:
        """Start the thread; whether that was to be done."""
        with self._launching:
            if self._launched:
                return False
            self._launched = True
            self._polls = polls
            self._unused.detach()
            super().start()
        self._side.wait_for_the_loop()
        return True

    def run(self) -> None:
        """What the thread does. Called by :meth:`start`."""
        self._side.run()

    async def _poll(self) -> None:
        try:
            await self._polling.run(poll=self._polls)
        except (KeyboardInterrupt, SystemExit):
            self.processor._processing.stop()
            raise

    def add_event_generator(self, event_generator: Any, *, thread: bool | None = None) -> None:
        """Add a generator. See :meth:`asynctask.dispatch.EventDispatcher.add_event_generator`."""
        self._polling.add(event_generator, thread)

    def error_handler(self, error_handler: Any) -> None:
        """Set what hears of errors; ``None``: nobody, as at first."""
        self.processor.error_handler(error_handler)

    def stop(self, timeout: float | None = None) -> bool:
        """Stop, and wait until all pending events are processed and both threads have ended.

        Generators are polled once more, then stopped. Stopping again does no more than to wait. A signal
        handler may call this.

        Args:
            timeout: seconds to wait at most; ``None``: as long as it takes.

        Returns:
            Whether it is over. For a handler or generator of the dispatcher itself, which would wait for its
            own end: false, at once; it comes later.

        Raises:
            BaseException: what ended it before: ``SystemExit`` of a handler, say; once.
        """
        self._polling.stop()
        self._launch(polls=False)  # unless it was started: its generators are stopped in its own thread, too
        if is_inside(self._polling, self.processor._processing) or not self._side.begun.wait(LOOK_AGAIN):
            return False
        until = None if timeout is None else time.monotonic() + timeout
        for thread in (self, self.processor):
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        if self.is_alive() or self.processor.is_alive():
            return False
        self._side.tell()
        self.processor._side.tell()
        return True

    @property
    def poll_interval(self) -> float:
        """Seconds between two polls; can be set, for the next time."""
        return self._polling.poll_interval

    @poll_interval.setter
    def poll_interval(self, seconds: float) -> None:
        self._polling.poll_interval = seconds

    def statistics(self) -> DispatcherStatistics:
        """Counters, now."""
        return gathered(self._polling, self.processor._processing)


class _Side:
    """A coroutine in a thread, and what ended it.

    Args:
        work: makes the coroutine.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.begun = threading.Event()
        self._work = work
        self._loop: asyncio.AbstractEventLoop | None = None
        self._fatal: BaseException | None = None

    def run(self) -> None:
        """Run it, in this thread."""
        try:
            _in_a_loop(self._working)
        except BaseException as exc:
            self._fatal = exc
            _log.error("%s ended: %r", threading.current_thread().name, exc)
        finally:
            self.begun.set()  # at the latest

    def wait_for_the_loop(self) -> None:
        """Wait until the thread has a loop; raise why it cannot have one."""
        self.begun.wait()
        if self._loop is None:
            self.tell()

    async def _working(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun.set()
        await self._work()

    def call(self, action: Callable[[], None]) -> None:
        """Have something done there, without taking any lock here."""
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action)

    def tell(self) -> None:
        """Raise what ended it, once."""
        fatal, self._fatal = self._fatal, None
        if fatal is not None:
            raise fatal


def _in_a_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    # With a factory, the loop that the program may have set for this thread stays.
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        return runner.run(work())


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.slow_callback_duration = math.inf  # in debug mode; to block is what these loops are for
    return loop
