"""The loop-block detector: who holds the event loop for longer than 50 ms, and where."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ("LIMIT", "Stall", "StallDetector")

LIMIT = 0.050  # seconds
BEAT = 0.010  # seconds
_DEEPEST = 12  # frames of a stack that are shown


@dataclass(frozen=True)
class Stall:
    """One time the loop did not answer: for how many seconds, and what it was doing."""

    seconds: float
    stack: str

    def __str__(self) -> str:
        return f"the event loop was blocked for {self.seconds * 1000:.0f} ms:\n{self.stack}"


class StallDetector:
    """A thread that asks the loop for an answer every 10 ms and looks at its stack when none comes.

    Start and stop it on the loop. While the loop does not run, between the phases of a test, nothing
    is measured. The time that the loop's thread waited for a core does not count. Neither does the
    time that it slept while more threads wanted to run than there are cores: then it may have waited
    for somebody who waited, such as a child between vfork and exec, or the holder of the interpreter
    lock. And time on a core counts as much as it would on this machine at its best. So a busy machine
    makes the detector blinder, never the tests flaky.

    Args:
        loop: the running loop, of the calling thread.
        limit: the longest time in seconds that is no stall.
        crowded: tells whether more threads want to run than there are cores; for tests.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limit: float = LIMIT, crowded: Callable[[], bool] | None = None
    ) -> None:
        self.stalls: list[Stall] = []
        self._loop = loop
        self._run_forever = loop.run_forever
        self._limit = limit
        self._scheduler = _Scheduler(threading.get_native_id())
        self._crowded = crowded or self._scheduler.is_crowded
        self._loop_thread = threading.get_ident()
        self._answer: _Times | None = None
        self._left = (
            self._scheduler.times()
        )  # when the loop last stopped to run; a start value before the first
        self._ready = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="loop-block-detector", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        vars(self._loop)["run_forever"] = self._run_and_note_the_end
        self._thread.start()
        self._ready.wait()

    def stop(self) -> list[Stall]:
        """End the watch, at once, and tell what was seen."""
        del vars(self._loop)["run_forever"]
        self._stopped.set()
        self._thread.join()
        self._scheduler.close()
        return self.stalls

    def _run_and_note_the_end(self) -> None:
        try:
            self._run_forever()
        finally:
            if not self._stopped.is_set():
                self._left = self._scheduler.times()

    def _watch(self) -> None:
        myself = _Scheduler(threading.get_native_id())
        try:
            while not self._stopped.is_set():
                self._sleep(myself)
                if self._loop.is_running():
                    self._ask()
        except RuntimeError:  # the loop was closed
            pass
        finally:
            myself.close()

    def _sleep(self, myself: _Scheduler) -> None:
        """Sleep for one beat; to oversleep means that the loop's thread did not give the interpreter lock.

        A long call into C code does that, and then nobody can ask the loop or look at its stack.
        """
        was_running = self._loop.is_running()
        before, own_before = self._scheduler.times(), myself.times()
        self._ready.set()
        self._stopped.wait(BEAT)
        own = myself.times() - own_before
        locked_out = own.wall - BEAT - own.waiting
        end = self._end(before, self._scheduler.times())
        if was_running and end is not None and locked_out > self._limit:
            self._note((end - before).running, "" if end is self._left else self._stack())

    def _ask(self) -> None:
        self._answer = None
        self._loop.call_soon_threadsafe(self._beat)
        # Read after the call: if this thread is held up in between, the stall gets shorter, not longer.
        asked = self._scheduler.times()
        crowded: list[bool] = []
        stacks: Counter[str] = Counter()
        while self._answer is None and self._left.wall < asked.wall:
            if self._stopped.wait(BEAT) or not self._loop.is_running():
                break
            crowded.append(self._crowded())
            if self._answer is None:
                stacks[self._stack()] += 1
        end = self._end(asked, self._answer)
        if end is None:
            return
        spent = end - asked
        blocked = spent.running
        if blocked > self._limit:
            blocked /= slowdown()
        if sum(crowded) * 2 < len(crowded):
            blocked += spent.asleep
        # Not the last one seen, which may be from after the block.
        self._note(blocked, max(stacks, key=stacks.__getitem__, default=""))

    def _beat(self) -> None:
        if not self._stopped.is_set():
            self._answer = self._scheduler.times()

    def _end(self, begin: _Times, end: _Times | None) -> _Times | None:
        """The end of a span of the loop's time: what ended it, or the loop's stop if that came first."""
        left = self._left
        if left.wall > begin.wall and (end is None or left.wall < end.wall):
            return left
        return end

    def _note(self, seconds: float, stack: str) -> None:
        if seconds > self._limit:
            self.stalls.append(Stall(seconds, stack or "  (its stack was not seen)\n"))

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        frames = traceback.extract_stack(frame)
        # What pytest and asyncio do on the way to the code at fault says nothing.
        while any("/asyncio/" in entry.filename or entry.filename == __file__ for entry in frames[:-1]):
            del frames[0]
        return "".join(traceback.format_list(frames[-_DEEPEST:]))


def slowdown() -> float:
    """How many times slower than at its best this machine computes right now, 2 at most.

    Neighbours on the same processor, or other guests of the same host, take time and cache that no book of
    the system tells of.
    """
    return max(1.0, min(_cost_of_some_work() / _BEST, _SLOWEST))


def _cost_of_some_work() -> float:
    begun = time.thread_time()
    sum(number * number for number in range(20_000))
    return time.thread_time() - begun


_SLOWEST = 2.0
_BEST = min(_cost_of_some_work() for _ in range(20))


@dataclass(frozen=True)
class _Times:
    """The wall clock and what the scheduler says of a thread, in seconds."""

    wall: float
    running: float
    waiting: float  # runnable, but without a core

    def __sub__(self, other: _Times) -> _Times:
        return _Times(self.wall - other.wall, self.running - other.running, self.waiting - other.waiting)

    @property
    def asleep(self) -> float:
        return self.wall - self.running - self.waiting


class _Scheduler:
    """The scheduler's books on one thread. The files stay open: no test sees descriptors come and go."""

    def __init__(self, thread_id: int) -> None:
        self._cores = len(os.sched_getaffinity(0))
        self._load = os.open("/proc/loadavg", os.O_RDONLY)
        self._books = os.open(f"/proc/self/task/{thread_id}/schedstat", os.O_RDONLY)

    def close(self) -> None:
        os.close(self._books)
        os.close(self._load)

    def times(self) -> _Times:
        running, waiting, _ = os.pread(self._books, 100, 0).split()
        return _Times(time.monotonic(), int(running) / 1e9, int(waiting) / 1e9)

    def is_crowded(self) -> bool:
        """Tell whether more threads want to run than there are cores, leaving out the one that asks."""
        runnable = int(os.pread(self._load, 100, 0).split()[3].partition(b"/")[0])
        return runnable - 1 >= self._cores
