"""Writes to standard output and standard error from a thread of its own.

A terminal that is scrolled back or a pipe into a pager may not take anything for minutes. The loop
must not wait for it: nodes' connections would starve. Who writes much waits in the loop until
there is room; what is written comes out in order, also between the two streams.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections import deque
from collections.abc import Callable

from asynctask.cli.terminal import STDOUT

__all__ = ("Writer",)

#: Bytes that may wait to be written before a writer has to wait.
_HIGH_WATER = 1 << 20


class Writer:
    """The two streams.

    Args:
        on_broken: called on the loop when nothing can be written to standard output any more.
    """

    def __init__(self, on_broken: Callable[[], None]) -> None:
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[int, bytes] | None] = deque()
        self._waiting = 0
        self._lock = threading.Condition()
        self._room = asyncio.Event()
        self._room.set()
        self._written = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._given_up = False
        self.progress = 0
        """How many bytes were written, or could not be."""
        self.error: OSError | None = None
        """Why nothing can be written to standard output any more."""

    @property
    def behind(self) -> bool:
        """Whether something waits to be written."""
        return self._waiting > 0

    async def write(self, fd: int, data: bytes) -> None:
        """Write all of ``data``; waits only while too much is waiting already."""
        self.put(fd, data)
        with self._lock:
            if self._waiting <= _HIGH_WATER or self._given_up:
                return
            self._room.clear()
        await self._room.wait()

    def put(self, fd: int, data: bytes) -> None:
        """Write all of ``data`` without waiting: for little things."""
        if not data or self._given_up or (self.error is not None and fd == STDOUT):
            return
        if self._thread is None:
            # A daemon, so that a reader who never reads cannot keep a program alive that was told to quit.
            self._thread = threading.Thread(target=self._work, name="asynctask output", daemon=True)
            self._thread.start()
        with self._lock:
            self._queue.append((fd, data))
            self._waiting += len(data)
            self._lock.notify()

    async def close(self) -> None:
        """Wait until all is written, or nobody reads any more, or it is given up."""
        if self._thread is None:
            return
        with self._lock:
            self._queue.append(None)
            self._lock.notify()
        await self._written.wait()
        if not self._given_up:
            self._thread.join()

    def give_up(self) -> None:
        """Wait for nothing any more; what is not written yet is lost."""
        with self._lock:
            self._given_up = True
            self._queue.clear()
            self._queue.append(None)
            self._lock.notify()
        self._room.set()
        self._written.set()

    # -- in the thread --------------------------------------------------------------------------

    def _work(self) -> None:
        while (item := self._next()) is not None:
            fd, data = item
            try:
                _write_all(fd, data)
            except OSError as exc:
                if fd == STDOUT and self.error is None:
                    self.error = OSError(exc.errno, exc.strerror, "standard output")
                    self._tell(self._on_broken)
            with self._lock:
                self._waiting -= len(data)
                self.progress += len(data)
                wanted = self._waiting <= _HIGH_WATER // 2 and not self._room.is_set()
            if wanted:
                self._tell(self._room.set)
        self._tell(self._written.set)

    def _next(self) -> tuple[int, bytes] | None:
        """The next thing to write: all that waits for the same stream, in one piece."""
        with self._lock:
            while not self._queue:
                self._lock.wait()
            first = self._queue.popleft()
            if first is None:
                return None
            fd, data = first
            more = [data]
            while self._queue and self._queue[0] is not None and self._queue[0][0] == fd:
                more.append(self._queue.popleft()[1])  # type: ignore[index]
            return fd, b"".join(more)

    def _tell(self, callback: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # others have the same stream, and it is theirs to change
            room = select.poll()
            room.register(fd, select.POLLOUT)
            room.poll()
