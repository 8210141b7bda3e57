"""What is behind an emitter: one queue of events, drained by one callback of the loop."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from asyncio import get_running_loop
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from itertools import takewhile
from operator import attrgetter
from threading import RLock
from time import monotonic
from typing import Any

from asynctask.emitter.admission import Admission
from asynctask.emitter.boxes import Box, Overflow, check_overflow, check_size
from asynctask.emitter.registry import Registry, Route, Target
from asynctask.emitter.serial import SLICE
from asynctask.emitter.streams import EventStream
from asynctask.emitter.subscriptions import Key, Subscription
from asynctask.errors import EmitterClosedError, EmitterFullError, TaskStateError

__all__ = ("Delivery",)

_log = logging.getLogger("asynctask.emitter")

_AT_ONCE = 500  # events of other threads that are published in one turn of the loop

_is_passive = attrgetter("passive")

_Entry = tuple[Route, str, tuple[Any, ...], dict[str, Any] | None]


class Delivery:
    """Takes events, and delivers them to the targets that they had when they were published.

    Args:
        max_size: how many events wait at most.
        overflow: what is done with more.

    Raises:
        UsageError: no such bound or policy.
    """

    def __init__(self, max_size: int, overflow: Overflow) -> None:
        check_size("max_size", max_size)
        check_overflow(overflow, Overflow)
        self._max_size = max_size
        self._overflow: Overflow = overflow
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.copy_context()
        self._closed = False
        self._registry = Registry()
        self._routes = self._registry.routes
        self._subscriptions: dict[Key, Subscription] = {}
        self._streams: dict[EventStream, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: deque[_Entry] = deque()
        self._admission = Admission(self._queue, max_size)
        self._going = False  # whether _drain is called, or will be
        self._lock = RLock()  # for what other threads touch: the next three, _closed and _loop
        self._inbox = Box("events of other threads", max_size, overflow)
        self._awaited = False  # whether _from_threads will be called
        self._refused_threads = 0
        self._complained = False  # that events are dropped
        self._handled = self._unheard = self._dropped = self._missed = self._refused = self._failures = 0

    def publish(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Publish an event; it is delivered in a later turn of the loop. Never blocks.

        Raises:
            UsageError: this is no topic.
            EmitterFullError: there is no room, here or in a stream that must not lose it. Nobody gets it.
            EmitterClosedError: the emitter is closed.
            TaskStateError: the emitter's loop does not run here; see :meth:`publish_threadsafe`.
        """
        try:
            route = self._routes[topic]
            here = get_running_loop() is self._loop
        except (KeyError, RuntimeError, TypeError):
            here = False
        if not here:
            route = self._route(topic)
        if not route.plain and not self._reserve(route):
            return
        queue = self._queue
        if len(queue) >= self._admission.limit and not self._make_room(route):
            return
        queue.append((route, topic, args, kwargs or None))
        if not self._going:
            self._start()

    # -- room -----------------------------------------------------------------------------------

    def _route(self, topic: str) -> Route:
        """The long way: after a change of the subscriptions, for a new topic, for what is wrong."""
        if self._closed:
            raise EmitterClosedError("the emitter is closed: the event is not published")
        try:
            get_running_loop()
        except RuntimeError:
            raise TaskStateError(
                "publish() is for the loop that delivers, and none runs here: see publish_threadsafe()"
            ) from None
        self._check_loop("publish")
        return self._registry.route(topic)

    def _reserve(self, route: Route) -> bool:
        """Have a place in each strict box, and in the queue; tell whether anybody is to hear of it."""
        if not route.targets:
            self._unheard += 1
            return False
        self._check_boxes(route)
        if len(self._queue) >= self._admission.limit:
            self._make_room(route)
        for box in route.strict:
            box.promised += 1
        return True

    def _check_boxes(self, route: Route, policies: Iterable[str] = ("error", "wait")) -> None:
        for box in route.strict:
            if box.is_full() and box.overflow in policies:
                raise self._refusal(f"{box.name}: {box.size} events wait: nobody gets this one")

    def _make_room(self, route: Route) -> bool:
        """The queue is full: do as the policy says, and tell whether the event can go in."""
        text = f"{self._max_size} events wait"
        if self._overflow == "error":
            raise self._refusal(f"{text}: this one is refused")
        # What is meant for a stream that loses nothing is not dropped once it is in.
        drop_oldest = self._overflow == "drop_oldest" and self._queue and not self._queue[0][0].strict
        if route.strict and not drop_oldest:
            raise self._refusal(f"{text}, and this one must not be dropped: it is refused")
        if drop_oldest:
            self._queue.popleft()
        self._dropped += 1
        self._complain("%s: from now on the %s are dropped", text, "oldest" if drop_oldest else "newest")
        return bool(drop_oldest)

    def _refusal(self, message: str) -> EmitterFullError:
        self._refused += 1
        return EmitterFullError(message)

    def _complain(self, message: str, *args: object) -> None:
        """Say it once, until the queue has been empty."""
        if not self._complained:
            self._complained = True
            _log.warning(message, *args)

    # -- delivering -----------------------------------------------------------------------------

    def _start(self) -> None:
        self._going = True
        get_running_loop().call_soon(self._drain, context=self._context)

    def _drain(self) -> None:
        """Deliver for a few milliseconds."""
        pop = self._queue.popleft
        until = monotonic() + SLICE
        handled = 0
        rest: Iterator[Target] = iter(())
        try:
            while self._queue:
                route, topic, args, kwargs = pop()
                handled += 1
                rest = iter(route.targets)
                for target in rest:
                    deliver = target.deliver
                    if deliver is None:
                        continue
                    target.heard += 1
                    if target.once:
                        target.retire()
                    try:
                        result = deliver(topic, *args) if kwargs is None else deliver(topic, *args, **kwargs)
                        if result is not None:
                            target.returned(topic, result)
                    except (KeyboardInterrupt, SystemExit):
                        raise
                    except BaseException as exc:
                        self._failed(target, topic, exc)
                    if monotonic() >= until:
                        return
        finally:
            # Time is over, or a listener raised KeyboardInterrupt: the others still get the event.
            left = tuple(rest)
            if left and not self._closed:
                self._queue.appendleft((Route(left, route.strict), topic, args, kwargs))
                handled -= 1
            self._handled += handled
            self._go_on()

    def _go_on(self) -> None:
        self._going = False
        self._admission.admit()
        self._publish_inbox()
        if not self._queue:
            self._complained = False
        elif not self._going:
            self._start()

    def _from_threads(self) -> None:
        with self._lock:
            self._awaited = False
        if not self._going:
            self._publish_inbox()

    def _publish_inbox(self) -> None:
        """Publish what other threads have left, as far as there is room."""
        for _ in range(_AT_ONCE):
            if not self._inbox or len(self._queue) >= self._admission.limit:
                break
            with self._lock:
                event = self._inbox.take()
            try:
                self.publish(event.topic, *event.args, **event.kwargs)
            except EmitterFullError as exc:
                self._complain("topic %s, from another thread: %s", event.topic, exc)
        if self._inbox and not self._going:
            with self._lock:
                if not self._awaited:
                    self._awaited = True
                    get_running_loop().call_soon(self._from_threads, context=self._context)

    def _deliver_to_streams(
        self, route: Route, topic: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> None:
        lost = False
        for target in route.targets:
            if target.deliver is None:
                continue
            if target.passive:
                target.heard += 1
                target.deliver(topic, *args, **(kwargs or {}))
            else:
                lost = True
        self._dropped += lost
        self._handled += not lost

    # -- for the targets (``registry.Owner``) ---------------------------------------------------

    def _check_open(self, call: str) -> None:
        self._check_loop(call)
        if self._closed:
            raise EmitterClosedError("the emitter is closed")

    def _check_loop(self, call: str) -> None:
        """The emitter is used in one loop; the first is the one, until it is closed."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            loop = None
            if self._loop is not None and self._loop.is_running():
                raise TaskStateError(f"{call}: the loop of the emitter runs in another thread") from None
        else:
            if loop is self._loop:
                return
        if self._loop is not None and self._loop.is_closed():
            self._forget_waiting()
        elif loop is not None and self._loop is not None:
            raise TaskStateError(f"{call}: the emitter is used in another event loop")
        if loop is None:
            return
        with self._lock:
            self._loop = loop
            self._awaited = False
        for subscription in self._subscriptions.values():
            subscription.restart()
        self._go_on()  # there may be something left from a loop before

    def _forget_waiting(self) -> None:
        """The loop is closed: who waited there will never come back."""
        self._admission.forget()
        self._tasks.clear()
        for stream in self._streams:
            stream.forget_readers()

    def _new_box(self, name: str) -> Box:
        return Box(name, self._max_size, "wait" if self._overflow == "error" else self._overflow)

    def _box_added(self, target: Target) -> None:
        self._registry.forget()
        if target._box is not None and target._box.strict:
            target._box.promised = sum(target in route.targets for route, *_ in self._queue)

    def _hand_over(self, target: Target) -> None:
        for route, topic, args, kwargs in self._queue:
            # Streams are first: looking among them alone, however many listeners there are.
            if target.deliver is not None and target in takewhile(_is_passive, route.targets):
                target.heard += 1
                target.deliver(topic, *args, **(kwargs or {}))

    def _room_made(self) -> None:
        self._admission.admit()

    def _failed(self, target: Target, topic: str, exc: BaseException) -> None:
        target.failed += 1
        self._failures += 1
        name = target.listener_name if isinstance(target, Subscription) else target.pattern
        _log.error("topic %s: listener %s raised", topic, name, exc_info=exc)

    def _forget(self, target: Target) -> None:
        self._missed += target.dropped
        if isinstance(target, Subscription):
            del self._subscriptions[target.key]
        elif isinstance(target, EventStream):
            del self._streams[target]
        self._registry.remove(target)
        if target._box is not None:
            target._box.free()
        self._admission.admit()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
        if self._closed:
            work.close()
            return None
        task = get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _others(self) -> set[asyncio.Task[None]]:
        """The tasks of async listeners, without the one that asks."""
        if self._loop is None or self._loop.is_closed():
            return set()
        try:
            return self._tasks - {asyncio.current_task()}
        except RuntimeError:  # no loop runs
            return set(self._tasks)

    def _targets(self) -> Iterator[Target]:
        yield from self._subscriptions.values()
        yield from self._streams
