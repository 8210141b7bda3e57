"""Writes log files in threads, so that no disk holds up the loop.

What waits for a file is bounded: who feeds it is paused while it is behind. A file that cannot be written (a
full disk) pauses nobody: then the oldest output is dropped when there is too much, and counted, until it can.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import Protocol

from asynctask.waiting import wait_out

__all__ = ("MOST_BYTES", "RETRY_SECONDS", "Feeder", "LogThreads", "LogWriter")

_log = logging.getLogger(__name__)

#: So many bytes wait for one file before those who feed it are paused; they go on when there are so many.
_HIGH, _LOW = 1 << 20, 1 << 18
#: So many bytes wait for all files together before everybody is paused who feeds one.
MOST_BYTES = 64 << 20
#: Seconds after which a file that cannot be written is tried again.
RETRY_SECONDS = 1.0
#: A file is written for so many seconds, then it is another one's turn.
_SLICE = 0.05
#: When all threads have been at one file for so many seconds, another thread is started, up to so many.
_STUCK, _MOST_THREADS = 0.25, 8


class Target(Protocol):
    """What is written to: see ``logfiles``."""

    name: str

    def write(self, chunks: Sequence[bytes], *, new_line: bool = False) -> int: ...

    def close(self) -> None: ...


class Feeder(Protocol):
    """Whose output is written."""

    def hold(self, writer: LogWriter) -> None:
        """Have nothing more come for now."""

    def release(self, writer: LogWriter) -> None:
        """Let it come again."""


class LogThreads:
    """The threads of a hub. They start when there is something to write, and end with it.

    Used on the loop, but for :meth:`again` and :meth:`tell`.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """For the books of all writers."""
        self.waiting = 0
        """Bytes that wait for all files."""
        self.ending = False
        """Whether nobody takes turns any more."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: SimpleQueue[LogWriter | None] = SimpleQueue()
        self._threads: dict[threading.Thread, float] = {}  # since when each has been at one file; idle: inf
        self._timer: asyncio.TimerHandle | None = None
        self._ended = asyncio.Event()

    def submit(self, writer: LogWriter) -> None:
        """Have a writer work."""
        self._work.put(writer)
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._timer = self._loop.call_later(_STUCK, self._look_after)
            if not self._threads:
                self._start()

    def again(self, writer: LogWriter) -> None:
        """Have it work again, after the others; from its thread."""
        self._work.put(writer)

    def tell(self, callback: Callable[..., object], *args: object) -> None:
        """Have something called on the loop; from any thread."""
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know
            self._loop.call_soon_threadsafe(callback, *args)

    def _look_after(self) -> None:
        """While there is work: start another thread when all are stuck."""
        self._timer = None
        if self._work.empty():
            return
        long_ago = monotonic() - _STUCK
        if len(self._threads) < _MOST_THREADS and all(since < long_ago for since in self._threads.values()):
            self._start()
        assert self._loop is not None
        self._timer = self._loop.call_later(_STUCK, self._look_after)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="asynctask logs", daemon=True)
        self._threads[thread] = float("inf")
        try:
            thread.start()
        except RuntimeError as exc:  # no thread can be started; it is tried again while there is work
            del self._threads[thread]
            _log.warning("no thread for log files: %s", exc)

    def _run(self) -> None:
        this = threading.current_thread()
        while (writer := self._work.get()) is not None:
            self._threads[this] = monotonic()
            writer.work()
            self._threads[this] = float("inf")
        self.tell(self._thread_ended, this)

    def _thread_ended(self, thread: threading.Thread) -> None:
        thread.join()
        self._threads.pop(thread, None)
        if not self._threads:
            self._ended.set()

    async def aclose(self, timeout: float) -> None:
        """End the threads. One that is stuck is left alone after ``timeout`` seconds. Not cancelled."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._threads:
            return
        self.ending = True
        for _ in self._threads:
            self._work.put(None)
        timer = asyncio.get_running_loop().call_later(timeout, self._ended.set)
        try:
            await wait_out(self._ended)
        finally:
            timer.cancel()
            if self._threads:
                _log.warning("%d threads are stuck in writing log files", len(self._threads))


class LogWriter:
    """One file, and what waits to be written to it.

    Args:
        target: the file.
        threads: who writes.
        warn: told, on the loop, what the operator should know; once for each spell.
        closed: called on the loop when the file was closed.
    """

    def __init__(
        self,
        target: Target,
        threads: LogThreads,
        *,
        warn: Callable[[str], None],
        closed: Callable[[LogWriter], None],
    ) -> None:
        self.name = target.name
        self.dropped = 0
        """Bytes that are lost: it could not be written for too long."""
        self._target = target
        self._threads = threads
        self._warn = warn
        self._on_closed = closed
        self._chunks: deque[bytes] = deque()
        self._size = 0  # of them, and of those that are being written
        self._busy = False  # it works, or will
        self._failing = False
        self._gap = False  # something is missing before what is written next
        self._writing = False  # some of it is out of the queue
        self._dropped_now = 0  # since it fails
        self._closing = False
        self._is_closed = False
        self._idle: asyncio.Event | None = None
        self._held: dict[Feeder, None] = {}
        self._retry: asyncio.TimerHandle | None = None

    # -- on the loop --------------------------------------------------------------------------

    def put(self, chunk: bytes, feeder: Feeder) -> None:
        """Have something written. Never waits: ``feeder`` is told to hold, when there is too much."""
        threads = self._threads
        with threads.lock:
            self._chunks.append(chunk)
            self._size += len(chunk)
            threads.waiting += len(chunk)
            full = self._size > _HIGH or threads.waiting > MOST_BYTES
            if full and self._failing and not self._writing:
                self._drop_oldest()
                full = False
            if full and feeder in self._held:
                full = False
            elif full:
                self._held[feeder] = None
            was_idle, self._busy = not self._busy, True
        if was_idle:
            threads.submit(self)
        if full:
            feeder.hold(self)

    def _drop_oldest(self) -> None:
        while self._chunks and (self._size > _HIGH or self._threads.waiting > MOST_BYTES):
            self._drop(len(self._chunks.popleft()))

    def _drop(self, size: int) -> None:
        self._count_out(size)
        self._dropped_now += size
        self.dropped += size
        self._gap = True

    def _count_out(self, size: int) -> None:
        self._size -= size
        self._threads.waiting -= size

    def close(self) -> None:
        """Nothing more comes, unless it is opened again: close the file when all is written."""
        with self._threads.lock:
            self._closing = True
            was_idle, self._busy = not self._busy, True
        if was_idle:
            self._threads.submit(self)

    def reopen(self) -> bool:
        """Somebody needs it again; whether that was in time."""
        with self._threads.lock:
            if not self._is_closed:
                self._closing = False
            return not self._is_closed

    def hurry(self) -> None:
        """There is no time for another try later: it is made now."""
        if self._retry is not None:
            self._retry.cancel()
            self._try_again()

    def abandon(self) -> None:
        """Its disk hangs, and nobody waits any longer."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._warn(f"log {self.name} cannot be written: its disk hangs; {self._size} bytes are lost")

    async def idle(self) -> None:
        """Wait until all is written, or given up."""
        with self._threads.lock:
            if not self._busy or self._is_closed:
                return
            if self._idle is None:
                self._idle = asyncio.Event()
            idle = self._idle
        await idle.wait()

    def let_go(self, feeder: Feeder) -> None:
        """A feeder has ended."""
        with self._threads.lock:
            self._held.pop(feeder, None)

    def _release(self) -> None:
        with self._threads.lock:
            held, self._held = self._held, {}
        for feeder in held:
            feeder.release(self)

    def _failed(self, error: str, *, news: bool) -> None:
        self._release()
        if news:
            self._warn(f"log {self.name} cannot be written: {error}; its last MiB is kept, and tried again")
        self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._threads.submit(self)

    # -- in a thread --------------------------------------------------------------------------

    def work(self) -> None:
        """Write what waits, for a while."""
        until = monotonic() + _SLICE
        while (chunks := self._next()) is not None:
            try:
                self._write(chunks)
            except Exception as exc:  # also what no disk should raise: output must not stop for it
                if not self._put_back(chunks, (isinstance(exc, OSError) and exc.strerror) or repr(exc)):
                    return
            if monotonic() > until and not self._threads.ending:
                self._threads.again(self)
                return

    def _next(self) -> deque[bytes] | None:
        """What is to be written; ``None``: nothing."""
        with self._threads.lock:
            if self._chunks:
                chunks, self._chunks = self._chunks, deque()
                self._writing = True
                return chunks
            self._busy = self._is_closed = self._closing
            idle, self._idle = self._idle, None
        if self._is_closed:
            self._target.close()
            self._threads.tell(self._on_closed, self)
        if idle is not None:
            self._threads.tell(idle.set)
        return None

    def _write(self, chunks: deque[bytes]) -> None:
        while chunks:
            written = self._target.write(chunks, new_line=self._gap)
            _take_off(chunks, written)
            with self._threads.lock:
                self._count_out(written)
                lost, recovered = self._dropped_now, self._failing and written > 0
                if written:
                    self._failing = self._gap = False
                    self._dropped_now = 0
                release = bool(self._held) and self._size <= _LOW
            if recovered:
                self._threads.tell(self._warn, f"log {self.name} is written again; {lost} bytes are lost")
            if release:
                self._threads.tell(self._release)
        with self._threads.lock:
            self._writing = False

    def _put_back(self, chunks: deque[bytes], error: str) -> bool:
        """It could not be written; whether to go on now, without it."""
        with self._threads.lock:
            self._writing = False
            chunks.extend(self._chunks)
            self._chunks = chunks
            given_up = self._closing
            news, self._failing = not self._failing, not given_up
            if given_up:
                self._drop(self._size)
                self._chunks.clear()
                lost, self._dropped_now = self._dropped_now, 0
        if not given_up:
            self._threads.tell(partial(self._failed, error, news=news))
            return False
        self._threads.tell(self._warn, f"log {self.name} cannot be written: {error}; {lost} bytes are lost")
        return True


def _take_off(chunks: deque[bytes], size: int) -> None:
    """Drop the first bytes."""
    while size:
        chunk = chunks.popleft()
        if len(chunk) > size:
            chunks.appendleft(chunk[size:])
            return
        size -= len(chunk)
