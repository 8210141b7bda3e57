"""Streams: events of a pattern, for ``async for``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, ClassVar

from asynctask.emitter.boxes import Box, EmittedEvent
from asynctask.emitter.registry import Owner, Target
from asynctask.waiting import Places

__all__ = ("EventStream",)


class EventStream(Target, AsyncIterator[EmittedEvent]):
    """What is published from now on, one :class:`EmittedEvent` after the other.

    Made by :meth:`asynctask.EventEmitter.stream`. Several readers share the events: each goes to one of them.
    Cancelling a reader loses none. Iteration ends when the stream or its emitter is closed and what was
    published until then was read.
    """

    __slots__ = ("_closed", "_owner", "_ready")

    passive: ClassVar[bool] = True

    def __init__(self, parts: tuple[str, ...], box: Box, owner: Owner) -> None:
        super().__init__(parts, box)
        self._owner = owner
        self._ready = Places(0)  # one for each event
        self._closed = False
        self.deliver = self._take

    @property
    def closed(self) -> bool:
        """Whether no more events will come."""
        return self._closed

    def close(self) -> None:
        """Take no more events; what was published until now can still be read. Closing again does nothing."""
        if self._closed:
            return
        self._owner._check_loop("close")
        self._closed = True
        self._owner._hand_over(self)
        self.deliver = None
        self._owner._forget(self)
        self._ready.give()  # one more than there are events: who finds none puts it back for the next

    cancel = close

    def forget_readers(self) -> None:
        """The loop of those who waited is closed: they will never come back."""
        self._ready = Places(self.waiting)

    async def __anext__(self) -> EmittedEvent:
        self._owner._check_loop("stream")
        await self._ready.take()
        box = self._box
        assert box is not None
        if not box:  # closed
            self._ready.give()
            raise StopAsyncIteration
        event = box.take()
        if box.strict:
            self._owner._room_made()
        return event

    def _take(self, topic: str, /, *args: Any, **kwargs: Any) -> None:
        assert self._box is not None
        if self._box.put(EmittedEvent(topic, args, kwargs)):
            self._ready.give()

    def __enter__(self) -> EventStream:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<EventStream {self.pattern} {state}, {self.waiting} events>"
