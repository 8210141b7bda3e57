"""Who is called by whom: a handler that waited for its own dispatcher to end would wait for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ("entered", "is_inside")

_INSIDE: ContextVar[tuple[object, ...]] = ContextVar("asynctask_dispatch_inside", default=())


@contextmanager
def entered(*parts: object) -> Iterator[None]:
    """What is called here, and the asyncio tasks and threads that it starts, are inside these parts."""
    token = _INSIDE.set((*_INSIDE.get(), *parts))
    try:
        yield
    finally:
        _INSIDE.reset(token)


def is_inside(*parts: object) -> bool:
    """Whether the caller is inside one of these."""
    here = _INSIDE.get()
    return any(part is each for part in parts for each in here)
