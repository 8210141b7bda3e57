"""A detached process, as its manager sees it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

import anyio

from asynctask.manager.launching import Exit, Running, Usage

__all__ = ("DetachedRunning", "Release")

#: Seconds that letting go may take when nobody waits for it any more.
_TIDY = 2.0


class Release(Protocol):
    """Called once, when a process is let go."""

    def __call__(self, *, over: bool) -> Awaitable[None]:
        """Forget it, if it is over."""


class DetachedRunning:
    """A detached process, found or started.

    Args:
        inner: the process.
        release: called once, with whether it has ended.
        found: whether it was found.
    """

    def __init__(self, inner: Running, release: Release, *, found: bool) -> None:
        self._inner = inner
        self._release: Release | None = release
        self._exit: Exit | None = None
        self.found = found

    @property
    def os_pid(self) -> int | None:
        """Its number, and its group's."""
        return self._inner.os_pid

    async def wait(self) -> Exit:
        self._exit = await self._inner.wait()
        return self._exit

    async def signal(self, number: int) -> bool:
        return await self._inner.signal(number)

    def has_group(self) -> bool:
        return self._inner.has_group()

    async def group_gone(self) -> None:
        await self._inner.group_gone()

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        await self._inner.write(data, stream)

    async def close_input(self, stream: str = "stdin") -> None:
        await self._inner.close_input(stream)

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    async def usage(self) -> Usage | None:
        return await self._inner.usage()

    async def check(self, command: list[str], timeout: float) -> bool:
        return await self._inner.check(command, timeout)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            if self._release is not None:
                release, self._release = self._release, None
                with anyio.move_on_after(_TIDY, shield=True):
                    await release(over=self._exit is not None)
