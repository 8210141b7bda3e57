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
    source down. What came through a pipe is kept, for nodes that start later; a file stays where it is.
    """

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._chunks: list[bytes] = []
        self._ended = False
        self._reading = asyncio.Lock()
        self._file_start: int | None = None
        if stat.S_ISREG(os.fstat(fd).st_mode):
            self._file_start = os.lseek(fd, 0, os.SEEK_CUR)
        self._blocking = os.get_blocking(fd)

    def close(self) -> None:
        """Leave the descriptor as it was for others who have it, too: event loops make it non-blocking."""
        os.set_blocking(self._fd, self._blocking)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        place = 0
        if self._file_start is not None:
            while chunk := os.pread(self._fd, _CHUNK, self._file_start + place):
                yield chunk
                place += len(chunk)
            return
        while True:
            if place == len(self._chunks):
                await self._read_beyond(place)
            if place == len(self._chunks):
                return
            yield self._chunks[place]
            place += 1

    async def _read_beyond(self, place: int) -> None:
        async with self._reading:
            while not self._ended and place == len(self._chunks):
                await self._readable()
                try:
                    chunk = os.read(self._fd, _CHUNK)
                except BlockingIOError:  # somebody else was faster
                    continue
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
