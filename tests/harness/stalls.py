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
from typing import TypeAlias

__all__ = ("LIMIT", "Scheduler", "Stall", "StallDetector")

LIMIT = 0.050  # seconds
BEAT = 0.005  # seconds
_DEEPEST = 12  # frames of a stack that are shown
_Stack: TypeAlias = tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Stall:
    """One time the loop did not answer: for how many seconds, and what it was doing."""

    seconds: float
    stack: str

    def __str__(self) -> str:
        return f"the event loop was blocked for {self.seconds * 1000:.0f} ms:\n{self.stack}"


class StallDetector:
    """A timer on the loop that should fire every 5 ms: how late it is tells how long the loop was held.

    Start and stop it on the loop. The loop's own thread takes the time, so that nothing depends on when
    another thread gets the interpreter lock; a second thread looks at the stack meanwhile, for the report
    alone. What is told is up to a beat less than what it was, never more.

    While the loop does not run, between the phases of a test, nothing is measured. The time that the
    loop's thread waited for a core does not count. Neither does the time that it slept while more threads
    wanted to run than there are cores: then it may have waited for somebody who waited, such as a child
    between vfork and exec. Nor does the time that a disk took: how busy it is, is no matter of the code's.
    And time on a core counts as much as it would on this machine at its best. So a busy machine makes the
    detector blinder, never the tests flaky.

    Args:
        loop: the running loop, of the calling thread.
        limit: the longest time in seconds that is no stall.
        excused: tells whether the machine is to blame right now if the loop's thread sleeps, because more
            threads want to run than there are cores or because it waits for a disk; for tests.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limit: float = LIMIT, excused: Callable[[], bool] | None = None
    ) -> None:
        self.stalls: list[Stall] = []
        self._loop = loop
        self._run_forever = loop.run_forever
        self._limit = limit
        self._scheduler = Scheduler(os.getpid(), threading.get_native_id())
        self._excused = excused or self._scheduler.is_to_blame
        self._loop_thread = threading.get_ident()
        self._interval = _Interval(self._scheduler.times())
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="loop-block-detector", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        vars(self._loop)["run_forever"] = self._run
        self._thread.start()
        self._begin()

    def stop(self) -> list[Stall]:
        """End the watch, at once, and tell what was seen."""
        if self._timer is not None:
            self._timer.cancel()
        self._end()
        del vars(self._loop)["run_forever"]
        self._stopped.set()
        self._thread.join()
        self._scheduler.close()
        return self.stalls

    def _run(self) -> None:
        """The loop's ``run_forever``, which asyncio and pytest-asyncio call for each phase of a test."""
        self._interval = _Interval(self._scheduler.times())  # a timer from before fires early, not late
        try:
            self._run_forever()
        finally:
            if not self._stopped.is_set():
                self._end()

    def _beat(self) -> None:
        self._end()
        self._begin()

    def _begin(self) -> None:
        self._interval = _Interval(self._scheduler.times())
        self._timer = self._loop.call_later(BEAT, self._beat)

    def _end(self) -> None:
        """Judge the time since the timer was set."""
        interval = self._interval
        spent = self._scheduler.times() - interval.begun
        late = spent.wall - BEAT - spent.waiting
        if late <= self._limit:
            return
        held = spent.running / slowdown()
        if not self._was_excused(interval):
            held += spent.asleep
        held = min(held, late)
        if held > self._limit:
            # Not the last one seen, which may be from after the block.
            stack = max(interval.stacks, key=interval.stacks.__getitem__, default=())
            self.stalls.append(Stall(held, _format(stack) or "  (its stack was not seen)\n"))

    def _was_excused(self, interval: _Interval) -> bool:
        excused = interval.excused or [self._excused()]
        return sum(excused) * 2 >= len(excused)

    def _look_on(self) -> None:
        while not self._stopped.wait(BEAT):
            interval = self._interval
            if self._loop.is_running() and time.monotonic() - interval.begun.wall > 2 * BEAT:
                interval.excused.append(self._excused())
                interval.stacks[self._stack()] += 1

    def _stack(self) -> _Stack:
        """Where the loop's thread is; without the source, whose reading would take time and descriptors."""
        frame = sys._current_frames().get(self._loop_thread)
        walk = list(traceback.walk_stack(frame))
        return tuple((each.f_code.co_filename, line, each.f_code.co_name) for each, line in reversed(walk))


def _format(stack: _Stack) -> str:
    # What pytest and asyncio do on the way to the code at fault says nothing.
    inner = [place for place in stack if "/asyncio/" in place[0] or place[0] == __file__]
    if inner:
        stack = stack[len(stack) - stack[::-1].index(inner[-1]) :] or stack[-1:]
    return "".join(traceback.format_list([traceback.FrameSummary(*place) for place in stack[-_DEEPEST:]]))


class _Interval:
    """The time between two beats, and what the second thread saw in it."""

    def __init__(self, begun: _Times) -> None:
        self.begun = begun
        self.excused: list[bool] = []
        self.stacks: Counter[_Stack] = Counter()


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


class Scheduler:
    """The scheduler's books on one thread. The files stay open: no test sees descriptors come and go."""

    def __init__(self, process_id: int, thread_id: int) -> None:
        self._cores = len(os.sched_getaffinity(0))
        self._load = os.open("/proc/loadavg", os.O_RDONLY)
        thread = f"/proc/{process_id}/task/{thread_id}"
        self._books = os.open(f"{thread}/schedstat", os.O_RDONLY)
        self._state = os.open(f"{thread}/stat", os.O_RDONLY)

    def close(self) -> None:
        os.close(self._state)
        os.close(self._books)
        os.close(self._load)

    def times(self) -> _Times:
        running, waiting, _ = os.pread(self._books, 100, 0).split()
        return _Times(time.monotonic(), int(running) / 1e9, int(waiting) / 1e9)

    def is_to_blame(self) -> bool:
        """Tell whether a thread that sleeps now does so for the machine's sake."""
        return self.is_crowded() or self.waits_for_disk()

    def waits_for_disk(self) -> bool:
        """Tell whether the thread is in the sleep that no signal ends, which is that of files and disks."""
        _, _, rest = os.pread(self._state, 1000, 0).rpartition(b") ")
        return rest.startswith(b"D")

    def is_crowded(self) -> bool:
        """Tell whether more threads want to run than there are cores, leaving out the one that asks."""
        runnable = int(os.pread(self._load, 100, 0).split()[3].partition(b"/")[0])
        return runnable - 1 >= self._cores
