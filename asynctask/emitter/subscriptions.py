"""Subscriptions: a listener, what it hears of, and what came of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Any

from asynctask.emitter.registry import Owner, Target
from asynctask.emitter.serial import SerialCaller

__all__ = ("Key", "Subscription", "key_of", "name_of")

Key = tuple[tuple[str, ...], Hashable, bool]


class Subscription(Target):
    """A listener that hears of a pattern, until :meth:`cancel` or the end of a ``with`` block.

    Made by :meth:`asynctask.EventEmitter.subscribe`.
    """

    __slots__ = ("_caller", "_owner", "key", "listener_name")

    def __init__(self, key: Key, listener: Callable[..., Any], owner: Owner) -> None:
        parts, _, once = key
        super().__init__(parts, None, once)
        self.key = key
        self.listener_name = name_of(listener)
        self._owner = owner
        self._caller: SerialCaller | None = None
        self.deliver = listener
        if _is_async(listener):
            self.deliver = self._call_serially(listener).take

    @property
    def active(self) -> bool:
        """Whether it still hears of what is published."""
        return self.deliver is not None

    def cancel(self) -> None:
        """Hear nothing more, not even of what was published before. An async listener ends what it is at.

        Cancelling again does nothing.
        """
        self._owner._check_loop("cancel")
        if self._caller is not None:
            self._caller.stop()
        if self.deliver is not None:
            self.retire()
        self._caller = None

    def retire(self) -> None:
        """Hear nothing more, but of what is in its own queue."""
        self.deliver = None
        self._owner._forget(self)
        self.key = (self._parts, None, self.once)  # it holds the listener

    def ended(self) -> None:
        """What called the listener is not needed any more; the two hold one another."""
        self._caller = None

    def returned(self, topic: str, result: object) -> None:
        """A listener that did not look async is, if this has to be awaited: it is from now on."""
        if not inspect.isawaitable(result):
            return
        caller = self._call_serially(self.deliver or _nothing)
        if self.deliver is not None:
            self.deliver = caller.take
            self._owner._box_added(self)
        caller.go_on(topic, result)

    def restart(self) -> None:
        """The loop in which its task was is closed: go on in this one."""
        if self._caller is not None:
            self._caller.restart()

    def _call_serially(self, listener: Callable[..., Any]) -> SerialCaller:
        self._box = self._owner._new_box(f"listener {self.listener_name} of {self.pattern}")
        self._caller = SerialCaller(self, listener, self._box, self._owner)
        return self._caller

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cancel()

    def __repr__(self) -> str:
        state = "active" if self.active else "ended"
        return f"<Subscription {self.pattern} {self.listener_name} {state}>"


def key_of(parts: tuple[str, ...], listener: Callable[..., Any], once: object) -> Key:
    """What makes a subscription the same as another one."""
    try:
        hash(listener)
    except TypeError:
        return parts, id(listener), bool(once)
    return parts, listener, bool(once)


def name_of(listener: Callable[..., Any]) -> str:
    """The name of a listener for people; never its state."""
    while isinstance(listener, functools.partial):
        listener = listener.func
    named = listener if hasattr(listener, "__qualname__") else type(listener)
    module = getattr(named, "__module__", None)  # methods of builtin types have none
    return f"{module}.{named.__qualname__}" if module else named.__qualname__


def _is_async(listener: Callable[..., Any]) -> bool:
    while isinstance(listener, functools.partial):
        listener = listener.func
    return any(inspect.iscoroutinefunction(one) for one in (listener, type(listener).__call__))


def _nothing(*args: object, **kwargs: object) -> None:
    """The listener of a subscription that has ended."""
