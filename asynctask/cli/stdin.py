"""Standard input for all nodes: read once, as far as somebody wants it, given to each from its start."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator

__all__ = ("SharedInput", "piped")

_CHUNK = 65536


def piped(fd: int = 0) -> bool:
    """Whether something other than a person or nothing is at standard input."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


class SharedInput:
    """A descriptor that many read, each from the beginning.

    It is read only when the reader that is furthest needs more, so a slow network slows the
    source down. What was read is kept, for nodes that start later.
    """

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._chunks: list[bytes] = []
        self._ended = False
        self._reading = asyncio.Lock()
        self._pollable = not stat.S_ISREG(os.fstat(fd).st_mode)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        place = 0
        while True:
            if place == len(self._chunks):
                await self._read_beyond(place)
            if place == len(self._chunks):
                return
            yield self._chunks[place]
            place += 1

    async def _read_beyond(self, place: int) -> None:
        async with self._reading:
            if self._ended or place < len(self._chunks):
                return
            if self._pollable:
                await self._readable()
            chunk = os.read(self._fd, _CHUNK)
            if chunk:
                self._chunks.append(chunk)
            else:
                self._ended = True

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)
