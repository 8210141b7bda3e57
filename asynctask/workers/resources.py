"""What the workers of a run share, made once and closed with the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol, TypeAlias, TypeVar, cast

import anyio

from asynctask.errors import SpawnError

__all__ = ("BeforeStart", "Closable", "Resources")

#: Awaited with a node right before something starts there.
BeforeStart: TypeAlias = Callable[[str], Awaitable[object]]


class Closable(Protocol):
    """Something that must be closed when its owner ends."""

    async def aclose(self) -> None:
        """Let go of everything; bounded, and safe to repeat."""


T = TypeVar("T", bound=Closable)

#: How long one resource may take to close, in seconds.
CLOSE_TIMEOUT = 5.0


class Resources:
    """Shared things by key: the first worker that asks makes it, the owner closes all that was made here.

    Attributes:
        once: nothing comes after the run, so what is kept for the next command is kept for nobody.
        before_start: who wants to know of a node right before something starts there; see :meth:`announcer`.
    """

    def __init__(self) -> None:
        self.once = False
        self.before_start: BeforeStart | None = None
        self._made: dict[Hashable, Closable] = {}
        self._shared: dict[Hashable, Closable] = {}

    def share(self, key: Hashable, thing: Closable) -> None:
        """Have workers use what somebody else owns, and closes."""
        self._shared[key] = thing

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is shared or was made for ``key``, made now if nobody asked before."""
        found = self._made.get(key) or self._shared.get(key)
        if found is None:
            found = self._made[key] = make()
        return cast("T", found)

    def announcer(self, *nodes: str) -> Callable[[], Awaitable[None]] | None:
        """What a worker awaits last, before it starts something; ``None`` if nobody wants to know.

        It raises :class:`~asynctask.errors.SpawnError` if it must not start.
        """
        before_start = self.before_start
        if before_start is None:
            return None

        async def announce() -> None:
            for node in nodes:
                try:
                    await before_start(node)
                except Exception as exc:  # it is the caller's code
                    raise SpawnError(node, f"not started, for before_start raised {exc!r}") from exc

        return announce

    async def aclose(self) -> None:
        """Close all, in reverse order, each within ``CLOSE_TIMEOUT``, also when cancelled."""
        while self._made:
            _, closable = self._made.popitem()
            try:
                with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                    await closable.aclose()
            except BaseException:
                await self.aclose()  # whatever became of this one, the others are closed
                raise
