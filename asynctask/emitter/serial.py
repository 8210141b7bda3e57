"""Async listeners: awaited for one event after the other, by a task that is there while there is work."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from asynctask.emitter.boxes import Box, EmittedEvent
from asynctask.emitter.registry import Owner, Target

__all__ = ("SLICE", "SerialCaller")

#: Seconds after which the loop is given to others when listeners do not wait for anything.
SLICE = 0.004


class SerialCaller:
    """Calls a listener and awaits what it returns.

    Args:
        target: whose listener it is.
        listener: gets ``(topic, *args, **kwargs)``.
        box: the events that wait for it.
        owner: the emitter.
    """

    __slots__ = ("_box", "_listener", "_owner", "_started", "_target", "_task", "_topic")

    def __init__(self, target: Target, listener: Callable[..., Any], box: Box, owner: Owner) -> None:
        self._target = target
        self._listener: Callable[..., Any] | None = listener
        self._box = box
        self._owner = owner
        self._started: tuple[str, Awaitable[object]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._topic = ""  # of the call that goes on

    def take(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        """Call the listener in its turn."""
        self._box.put(EmittedEvent(topic, args, kwargs))
        self._go()

    def go_on(self, topic: str, started: Awaitable[object]) -> None:
        """Await what a call has returned already, before anything else."""
        self._started = (topic, started)
        self._go()

    def stop(self) -> None:
        """Drop what waits. A call that goes on comes to its end."""
        self._box.clear()
        if self._task is None:
            self._listener = None

    def restart(self) -> None:
        """The loop of its task is closed: do in this one what is left."""
        self._task = None
        self._go()

    def _go(self) -> None:
        if self._task is not None or not self._has_work():
            return
        self._task = self._owner._spawn(self._work(), self._box.name)
        if self._task is None:
            self._leave_started()
        else:
            self._task.add_done_callback(self._ended)

    async def _work(self) -> None:
        until = monotonic() + SLICE
        while (call := self._next()) is not None:
            self._topic, result = call
            try:
                await result
            except (Exception, asyncio.CancelledError) as exc:
                if isinstance(exc, asyncio.CancelledError) and _is_cancelled():
                    raise
                self._owner._failed(self._target, self._topic, exc)
            if monotonic() >= until:
                await asyncio.sleep(0)
                until = monotonic() + SLICE

    def _next(self) -> tuple[str, Awaitable[object]] | None:
        if self._started is not None:
            started, self._started = self._started, None
            return started
        if not self._box:
            return None
        event = self._box.take()
        if self._box.strict:
            self._owner._room_made()
        return event.topic, self._call(event)

    async def _call(self, event: EmittedEvent) -> None:
        assert self._listener is not None
        result = self._listener(event.topic, *event.args, **event.kwargs)
        if inspect.isawaitable(result):
            await result

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if task.cancelled():  # by the emitter, or by a loop that is about to end
            self._leave_started()
        else:
            exc = task.exception()
            if exc is not None and not isinstance(exc, KeyboardInterrupt | SystemExit):  # those it has raised
                self._owner._failed(self._target, self._topic, exc)
            self._go()
        if self._task is None and self._target.deliver is None:
            self._listener = None
            self._target.ended()

    def _has_work(self) -> bool:
        return self._started is not None or len(self._box) > 0

    def _leave_started(self) -> None:
        """Nobody will await it: that is no reason for a warning."""
        if self._started is not None:
            close = getattr(self._started[1], "close", None)
            self._started = None
            if close is not None:
                close()


def _is_cancelled() -> bool:
    """Whether somebody cancels this task; else what the listener waited for was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
