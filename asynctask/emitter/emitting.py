"""The emitter, as its users see it."""

from __future__ import annotations

import asyncio
import logging
from asyncio import get_running_loop
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from asynctask.emitter.boxes import Box, EmittedEvent, Overflow, StreamOverflow, check_overflow, check_size
from asynctask.emitter.delivery import Delivery
from asynctask.emitter.streams import EventStream
from asynctask.emitter.subscriptions import Subscription, key_of
from asynctask.emitter.topics import parse_pattern, parse_topic
from asynctask.errors import EmitterClosedError, EmitterFullError, TaskStateError, UsageError
from asynctask.waiting import wait_out

__all__ = ("CLOSING_SECONDS", "EmitterStatistics", "EventEmitter")

_log = logging.getLogger("asynctask.emitter")

#: How long ``aclose()`` waits for async listeners that were cancelled.
CLOSING_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EmitterStatistics:
    """A look at an emitter."""

    subscriptions: int
    """Listeners that hear of something."""
    streams: int
    """Streams that are open."""
    published: int
    """Events that were taken, ever."""
    unheard: int
    """Of these, how many nobody had subscribed to."""
    waiting: int
    """Of these, how many are still to be delivered."""
    dropped: int
    """Of these, how many were dropped by a full emitter, or when it was closed."""
    missed: int
    """Events that one subscriber's own full queue dropped, summed up."""
    refused: int
    """Events that were not taken because there was no room."""
    failed: int
    """Calls of listeners that raised."""
    publishers: int
    """How many wait in ``publish_wait()``."""
    running: int
    """Async listeners that are at work."""


class EventEmitter(Delivery):
    """Publishes events to whoever subscribed to them, within one loop.

    A pattern matches the topics that begin with it, component by component: ``"a.b"`` hears of ``a.b`` and
    ``a.b.c``, not of ``a.bc``. ``"."`` hears of everything, ``"proc.*.exit"`` of any one component in
    between. Everybody hears all in the order of publication, each event once a subscription, and what was
    published since the subscription was made. Listeners are called with ``(topic, *args, **kwargs)``; async
    ones are awaited, each one event at a time. What a listener raises is logged, and counted.

    The emitter belongs to the loop in which it is used first. ``async with`` closes it.

    Args:
        max_size: how many events wait to be delivered at most; also those of one async listener, and those
            from other threads.
        overflow: what is done with more: ``"drop_oldest"``, ``"drop_newest"``, or ``"error"``, which raises
            ``EmitterFullError`` at the call. What is dropped is counted, and the first time logged.

    Raises:
        UsageError: no such bound or policy.
    """

    def __init__(self, *, max_size: int = 10_000, overflow: Overflow = "drop_oldest") -> None:
        super().__init__(max_size, overflow)

    # -- publishing -----------------------------------------------------------------------------

    async def publish_wait(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Publish an event as soon as there is room for it, here and in every waiting stream that it goes to.

        Who waits is served in turn, but nobody waits for a stream that his event does not go to. Cancelling
        publishes nothing.

        Raises:
            UsageError: this is no topic.
            EmitterFullError: it goes to a stream that is full and whose policy is ``"error"``.
            EmitterClosedError: the emitter is closed, or was while this waited.
            TaskStateError: the emitter is used in another loop.
        """
        while True:
            route = self._route(topic)
            if not route.targets:
                self._unheard += 1
                return
            self._check_boxes(route, {"error"})
            await self._admission.enter(route.strict)
            if self._closed:
                raise EmitterClosedError("the emitter was closed: the event is not published")
            now = self._route(topic)
            if now.strict == route.strict:
                break
            self._admission.give_back(route.strict)
        self._admission.use()
        self._queue.append((now, topic, args, kwargs or None))
        if not self._going:
            self._start()

    def publish_threadsafe(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Publish from any thread; the events of one thread stay in order. Never blocks.

        They wait in a queue of their own, which has the emitter's bound and policy, until the emitter has
        room. One that then meets a full stream whose policy is ``"error"`` or ``"wait"`` goes to nobody:
        that is logged, and counted as refused.

        Raises:
            UsageError: this is no topic.
            EmitterFullError: the queue is full, and the policy is ``"error"``.
            EmitterClosedError: the emitter is closed.
            TaskStateError: the emitter was not used in a loop yet, or its loop is closed.
        """
        parse_topic(topic)
        with self._lock:
            loop = self._loop
            if self._closed:
                raise EmitterClosedError("the emitter is closed: the event is not published")
            if loop is None:
                raise TaskStateError("the emitter belongs to no running loop yet: the event is not published")
            if loop.is_closed():
                raise TaskStateError("the loop of the emitter is closed: the event is not published")
            if self._inbox.is_full():
                self._refused_threads += 1
                raise EmitterFullError(f"{self._max_size} events of other threads wait: this one is refused")
            if not self._awaited:
                try:
                    loop.call_soon_threadsafe(self._from_threads, context=self._context)
                except RuntimeError as exc:
                    raise TaskStateError(
                        "the loop of the emitter is closed: the event is not published"
                    ) from exc
                self._awaited = True
            self._inbox.promised += self._inbox.strict
            self._inbox.add(EmittedEvent(topic, args, kwargs))
        self._inbox.complain()

    def hears(self, topic: str) -> bool:
        """Whether anybody would get an event of this topic now; of a closed emitter, nobody.

        For events that take work to make: one that nobody hears need not be published.

        Raises:
            UsageError: this is no topic.
            TaskStateError: the emitter is used in another loop.
        """
        self._check_loop("hears")
        known = self._routes.get(topic) if isinstance(topic, str) else None
        return bool((known or self._registry.route(topic)).targets)

    # -- subscribing ----------------------------------------------------------------------------

    def subscribe(self, pattern: str, listener: Callable[..., Any], once: bool = False) -> Subscription:
        """Have ``listener`` called for what is published from now on.

        The same listener for the same pattern again is the same subscription; ``once`` makes a difference.
        It may be called before the loop runs.

        Args:
            pattern: what to hear of.
            listener: plain or async, called with ``(topic, *args, **kwargs)``.
            once: hear of one event only. The subscription has ended when the listener is called.

        Raises:
            UsageError: this is no pattern, or not callable.
            EmitterClosedError: the emitter is closed.
            TaskStateError: the emitter is used in another loop.
        """
        self._check_open("subscribe")
        parts = parse_pattern(pattern)
        if not callable(listener):
            raise UsageError(f"a listener is callable: {type(listener).__name__} is not")
        key = key_of(parts, listener, once)
        known = self._subscriptions.get(key)
        if known is not None:
            return known
        subscription = self._subscriptions[key] = Subscription(key, listener, self)
        self._registry.add(subscription)
        return subscription

    def subscribe_once(self, pattern: str, listener: Callable[..., Any]) -> Subscription:
        """Have ``listener`` called for one event; see :meth:`subscribe`."""
        return self.subscribe(pattern, listener, once=True)

    def unsubscribe(self, pattern: str, listener: Callable[..., Any], once: bool = False) -> bool:
        """End a subscription, and tell whether there was one. Events that wait for it are not delivered.

        Raises:
            UsageError: this is no pattern.
            TaskStateError: the emitter is used in another loop.
        """
        self._check_loop("unsubscribe")
        subscription = self._subscriptions.get(key_of(parse_pattern(pattern), listener, once))
        if subscription is not None:
            subscription.cancel()
        return subscription is not None

    def unsubscribe_once(self, pattern: str, listener: Callable[..., Any]) -> bool:
        """End a subscription that was to hear of one event; see :meth:`unsubscribe`."""
        return self.unsubscribe(pattern, listener, once=True)

    def unsubscribe_all(self, patterns: Iterable[str] | str | None = None) -> None:
        """End the subscriptions with exactly these patterns; all, without. Streams stay open.

        Raises:
            UsageError: one is no pattern; then none has ended.
            TaskStateError: the emitter is used in another loop.
        """
        self._check_loop("unsubscribe_all")
        if patterns is not None:
            chosen = {parse_pattern(one) for one in ([patterns] if isinstance(patterns, str) else patterns)}
        for key, subscription in list(self._subscriptions.items()):
            if patterns is None or key[0] in chosen:
                subscription.cancel()

    def stream(
        self, pattern: str, *, maxsize: int = 1000, overflow: StreamOverflow = "drop_oldest"
    ) -> EventStream:
        """What is published from now on, for ``async for``; use it in a ``with`` block, or close it.

        Args:
            pattern: what to hear of.
            maxsize: how many events wait to be read.
            overflow: what is done with more: the policies of the emitter, or ``"wait"``, for which
                :meth:`publish_wait` waits. With it and with ``"error"`` nothing is dropped: ``publish``
                raises ``EmitterFullError`` when the stream is full.

        Raises:
            UsageError: this is no pattern, bound or policy.
            EmitterClosedError: the emitter is closed.
            TaskStateError: the emitter is used in another loop.
        """
        self._check_open("stream")
        parts = parse_pattern(pattern)
        check_size("maxsize", maxsize)
        check_overflow(overflow, StreamOverflow)
        stream = EventStream(parts, Box(f"stream of {pattern}", maxsize, overflow), self)
        self._streams[stream] = None
        self._registry.add(stream)
        return stream

    # -- its end --------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether it takes no more events."""
        return self._closed

    def close(self) -> None:
        """Take no more events, call no more listeners, cancel the async ones that are at work.

        Streams get what was published, and end when it was read; for listeners it is dropped, and counted.
        An async listener that calls this is not cancelled. Closing again does nothing.

        Raises:
            TaskStateError: the emitter is used in another loop.
        """
        self._check_loop("close")
        if self._closed:
            return
        with self._lock:
            self._closed = True
            self._inbox.clear()
        while self._queue:
            self._deliver_to_streams(*self._queue.popleft())
        for target in (*self._subscriptions.values(), *self._streams):
            target.cancel()
        self._registry.clear()
        for task in self._others():
            task.cancel()
        self._admission.dismiss()

    async def aclose(self) -> None:
        """Close it, and wait until its async listeners are gone, 5 s at most, also when cancelled."""
        self.close()
        waiting = self._others()
        if not waiting:
            return
        over = asyncio.Event()
        timer = get_running_loop().call_later(CLOSING_SECONDS, over.set)

        def ended(task: asyncio.Task[None]) -> None:
            waiting.discard(task)
            if not waiting:
                over.set()

        for task in list(waiting):
            task.add_done_callback(ended)
        try:
            await wait_out(over)
        finally:
            timer.cancel()
            for task in waiting:
                task.remove_done_callback(ended)
                _log.warning("%s: was cancelled, and goes on after %g s", task.get_name(), CLOSING_SECONDS)

    def __enter__(self) -> EventEmitter:
        self._check_open("with")
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> EventEmitter:
        return self.__enter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    def statistics(self) -> EmitterStatistics:
        """Counters, now."""
        waiting = len(self._queue) + len(self._inbox)
        dropped = self._dropped + self._inbox.dropped
        return EmitterStatistics(
            subscriptions=len(self._subscriptions),
            streams=len(self._streams),
            published=self._handled + self._unheard + waiting + dropped,
            unheard=self._unheard,
            waiting=waiting,
            dropped=dropped,
            missed=self._missed + sum(target.dropped for target in self._targets()),
            refused=self._refused + self._refused_threads,
            failed=self._failures,
            publishers=self._admission.waiting,
            running=len(self._tasks),
        )

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<EventEmitter {state}, {len(self._queue)} of {self._max_size} events>"
