"""Pollers as sources of events: for a dispatcher, and for an emitter."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from asynctask.dispatch.event import Event
from asynctask.dispatch.generators import EventGenerator
from asynctask.emitter import EventEmitter
from asynctask.errors import UsageError
from asynctask.pollers.base import Poller
from asynctask.pollers.changes import Change

__all__ = ("PollerGenerator", "publish_changes")

#: After so many events others have a turn on the loop.
_IN_A_ROW = 50


class PollerGenerator(EventGenerator):
    """A poller as an event generator: each change is an event, with the :class:`Change` as its data.

    It pushes its events, so the dispatcher has nothing to poll. When it is stopped, changes that did not
    become events are given back to the poller, which can be saved or watched again. The poller stays open.

    Args:
        poller: what looks.
        handler: for each event.
        interval: seconds from one look to the next.
        debounce: see :meth:`Poller.watch`.

    Raises:
        UsageError: a value that makes no sense.
    """

    def __init__(self, poller: Poller, handler: Any, *, interval: float = 1.0, debounce: float = 0.0) -> None:
        self.poller = poller
        self.handler = handler
        self._watch = poller.watch(interval=interval, debounce=debounce)
        self._waiting: deque[Change] = deque()
        self._stopped = False

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not (self._waiting or self._stopped):
            self._waiting.extend(await anext(self._watch))
        if self._stopped:
            self.stop()  # once more: a batch may have come
            raise StopAsyncIteration
        return Event(self, self.handler, self._waiting.popleft())

    def stop(self) -> None:
        """Make no more events."""
        self._stopped = True
        self._watch.give_back(len(self._waiting))
        self._waiting.clear()

    def __str__(self) -> str:
        return f"PollerGenerator({self.poller.url})"


async def publish_changes(
    poller: Poller, emitter: EventEmitter, name: str, *, interval: float = 1.0, debounce: float = 0.0
) -> None:
    """Publish each change under ``poller.<name>.created``, or ``modified``, ``deleted``.

    Goes on until the poller is closed. A listener gets the topic and the :class:`Change`. While the emitter,
    or a stream that waits, is full, this waits.

    Args:
        poller: what looks; it stays open.
        emitter: where to publish.
        name: one component of a topic or more.
        interval: seconds from one look to the next.
        debounce: see :meth:`Poller.watch`.

    Raises:
        UsageError: the name cannot be part of a topic, or another value makes no sense.
        PollerError: what is watched cannot be seen, and trying again cannot help.
        EmitterClosedError: the emitter was closed.
        EmitterFullError: a stream whose policy is ``"error"`` is full.

    What was not published, because this was cancelled or has raised, is given back to the poller: a later
    call publishes it.
    """
    if not name or name.startswith(".") or name.endswith(".") or "*" in name or ".." in name:
        raise UsageError(f"name: a part of a topic, not {name!r}")
    watch = poller.watch(interval=interval, debounce=debounce)
    async for changes in watch:
        published = 0
        try:
            for change in changes:
                await emitter.publish_wait(f"poller.{name}.{change.event}", change)
                published += 1
                if published % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
        finally:
            watch.give_back(len(changes) - published)
