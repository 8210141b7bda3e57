"""The processor: takes events off the queue, one at a time, and has their handlers process them."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from asynctask.dispatch.event import ErrorEvent, shown
from asynctask.dispatch.handlers import finished, process
from asynctask.dispatch.inside import entered
from asynctask.dispatch.queue import EventQueue
from asynctask.errors import TaskStateError, UsageError

__all__ = ("EventProcessor", "ProcessorStatistics", "check_handler", "is_cancelled")

_log = logging.getLogger(__name__)

#: For so long, in seconds, plain handlers are called one after the other before others have a turn.
SLICE = 0.001


@dataclass(frozen=True, slots=True)
class ProcessorStatistics:
    """What a processor has done."""

    processed: int
    """Events whose handlers returned, whatever they returned."""
    declined: int
    """Those of them whose handlers returned something false."""
    failed: int
    """Events whose handlers raised something."""
    errors_handled: int
    """Error events that the error handler has processed."""
    errors_discarded: int
    """Error events for which there was no error handler, or which it failed to process."""


class EventProcessor:
    """Processes the events of a queue, in order, each when the handler of the one before is done.

    What a handler raises becomes an :class:`ErrorEvent`, which the error handler processes at once; without
    one it is counted, and told in the log at level debug alone. What the error handler raises is, too. What
    ends a program (``SystemExit``, ``KeyboardInterrupt``) ends the processor, and comes out of :meth:`run`.

    Args:
        event_queue: where events come from. It is closed when :meth:`run` ends: nobody would empty it.
    """

    def __init__(self, event_queue: EventQueue) -> None:
        self.queue = event_queue
        self._error_handler: Any = None
        self._stopped = False
        self._busy = False
        self._processed = self._declined = self._failed = self._handled = self._discarded = 0

    def error_handler(self, handler: Any) -> None:
        """Set what hears of errors; ``None``: nobody. It takes the place of the one before."""
        check_handler(handler)
        self._error_handler = handler

    async def run(self) -> None:
        """Process events until the queue is closed and empty, or :meth:`stop`. Cancelling ends it at once."""
        since = time.monotonic()
        try:
            while await self.dispatch_event():
                if time.monotonic() - since >= SLICE:  # plain handlers would keep the loop from all else
                    await asyncio.sleep(0)
                    since = time.monotonic()
        finally:
            self._stopped = True
            self.queue.close()

    def stop(self) -> None:
        """Process no more events, once the one in work is done. Any thread may call this."""
        self._stopped = True
        self.queue.wake()

    async def dispatch_event(self) -> bool:
        """Take the next event off the queue and process it; wait for one, and for its handler.

        Returns:
            False: there is none, for the queue is closed and empty, or the processor is stopped.

        Raises:
            TaskStateError: it is being called already; events are processed one at a time.
        """
        if self._busy:
            raise TaskStateError("dispatch_event() is going on already: events are processed one at a time")
        self._busy = True
        try:
            event = await self.queue.get(self._is_stopped)
            if event is None:
                return False
            with entered(self):
                await self._process(event)
            return True
        finally:
            self._busy = False

    def statistics(self) -> ProcessorStatistics:
        """Counters, now."""
        return ProcessorStatistics(
            processed=self._processed,
            declined=self._declined,
            failed=self._failed,
            errors_handled=self._handled,
            errors_discarded=self._discarded,
        )

    # -- one event --------------------------------------------------------------------------------

    def _is_stopped(self) -> bool:
        return self._stopped

    async def _process(self, event: Any) -> None:
        if isinstance(event, ErrorEvent):  # a generator's
            await self._report(event)
            return
        try:
            # Called here, not in another coroutine, which would make another error of StopIteration.
            outcome = await finished(event.handler.process_event(event))
        except (Exception, asyncio.CancelledError) as exc:
            if is_cancelled(exc):
                raise
            self._failed += 1
            await self._report(ErrorEvent(self, None, exc, event))
        else:
            self._processed += 1
            self._declined += not outcome

    async def _report(self, event: ErrorEvent) -> None:
        """Have the error handler, of this moment, process an error."""
        event.handler = self._error_handler
        if event.handler is None:
            self._discard("no error handler for what", event)
            return
        try:
            await process(event.handler, event)
        except (Exception, asyncio.CancelledError) as exc:
            if is_cancelled(exc):
                raise
            self._discard("the error handler failed too, after what", event)
        else:
            self._handled += 1

    def _discard(self, why: str, event: ErrorEvent) -> None:
        self._discarded += 1
        where = event.originator if event.event is None else getattr(event.event, "handler", None)
        _log.debug("%s %s raised", why, shown(where), exc_info=event.error)


def is_cancelled(exc: BaseException) -> bool:
    """Whether an exception says that this asyncio task is cancelled; code may let that of others escape."""
    task = asyncio.current_task()
    return isinstance(exc, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def check_handler(handler: Any) -> None:
    """Refuse what cannot handle errors, at the call."""
    if handler is not None and not callable(getattr(handler, "process_event", None)):
        raise UsageError(f"an error handler needs a method process_event: {type(handler).__name__}")
