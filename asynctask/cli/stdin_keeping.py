"""What came through a pipe, kept for nodes that start later: in memory, and what is too much on disk."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections import deque
from functools import partial

from asynctask.errors import UsageError

__all__ = ("MOST_IN_MEMORY", "Kept", "read_at")

#: Bytes that are kept in memory; what comes beyond goes into a temporary file.
MOST_IN_MEMORY = 64 << 20


class Kept:
    """Pieces of data, numbered from 0.

    Args:
        most: bytes that are kept in memory.
    """

    def __init__(self, most: int = MOST_IN_MEMORY) -> None:
        self._most = most
        self._pieces: deque[bytes | tuple[int, int]] = deque()  # the data, or its place and size on disk
        self._first = 0  # how many pieces were forgotten
        self._in_memory = 0
        self._file = -1
        self._on_disk = 0

    def __len__(self) -> int:
        """How many pieces were added, ever."""
        return self._first + len(self._pieces)

    async def add(self, piece: bytes) -> None:
        """Keep one more piece. One at a time.

        Raises:
            UsageError: there is no room for it on disk.
        """
        if self._in_memory + len(piece) <= self._most:
            self._in_memory += len(piece)
            self._pieces.append(piece)
            return
        place = self._on_disk
        try:
            if self._file < 0:
                self._file = _unnamed_file()
            await asyncio.to_thread(_write_at, self._file, piece, place)
        except OSError as exc:
            raise UsageError(
                f"standard input is long, and cannot be kept in {tempfile.gettempdir()}:"
                f" {exc.strerror or exc}; give it from a file (< FILE), or set TMPDIR"
            ) from exc
        self._on_disk += len(piece)
        self._pieces.append((place, len(piece)))

    async def get(self, number: int) -> bytes:
        """A piece that was added and not forgotten."""
        assert number >= self._first, "more readers than were announced"
        piece = self._pieces[number - self._first]
        if isinstance(piece, bytes):
            return piece
        place, size = piece
        return await read_at(self._file, size, place)

    def forget(self, before: int) -> None:
        """Nobody needs the pieces before this one any more."""
        while self._first < before and self._pieces:
            piece = self._pieces.popleft()
            self._first += 1
            if isinstance(piece, bytes):
                self._in_memory -= len(piece)

    def close(self) -> None:
        """Keep nothing any more."""
        self._pieces.clear()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


async def read_at(fd: int, size: int, place: int) -> bytes:
    """Read from a file: at once what is in the memory of the system, else in a thread."""
    if hasattr(os, "RWF_NOWAIT"):
        buffer = bytearray(size)
        try:
            got = os.preadv(fd, [buffer], place, os.RWF_NOWAIT)
        except OSError as exc:
            if exc.errno not in {errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}:
                raise
        else:
            if got:  # nothing may also mean: nothing in memory
                return bytes(memoryview(buffer)[:got])
    return await asyncio.to_thread(partial(os.pread, fd, size, place))


def _unnamed_file() -> int:
    fd, name = tempfile.mkstemp(prefix="asynctask-stdin-")
    os.unlink(name)  # noqa: PTH108
    return fd


def _write_at(fd: int, data: bytes, place: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, place)
        view, place = view[written:], place + written
