"""The pace of a run: ``start_delay`` from one node's start to the next."""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import Any

import pytest

from asynctask.errors import UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.targets import Pace
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.stage import Stage, begin, numbered
from tests.support import OK, Scripted, for_ever, refused, turns

# -- the pace alone ---------------------------------------------------------------------------------


def test_the_first_may_start_at_once_and_the_next_after_the_delay() -> None:
    """To the very moment; asking early changes nothing."""
    pace = Pace(2.0)
    assert [pace.start(now) for now in (10.0, 10.5, 11.5, 12.0, 12.0, 20.0, 21.0)] == [
        0.0,
        1.5,
        0.5,
        0.0,
        2.0,
        0.0,
        1.0,
    ]


def test_a_clock_that_was_set_back_delays_no_longer_than_the_delay() -> None:
    """The next run may be on another loop."""
    pace = Pace(2.0)
    pace.start(1000.0)
    assert pace.start(5.0) == 2.0


# -- in a run, on a clock that the test sets --------------------------------------------------------


class Clock:
    """The clock of a loop."""

    def __init__(self) -> None:
        self.now = 100.0
        self.starts: dict[str, float] = {}

    async def play(self, node: str, sink: Sink) -> Ended:
        """A target that notes when it starts, and ends at once."""
        self.starts[node] = self.now - 100.0
        sink.started()
        return OK

    async def stay(self, node: str, sink: Sink) -> Ended:
        """One that does not end by itself."""
        await self.play(node, sink)
        return await for_ever(node, sink)

    async def goes_on(self, seconds: float) -> None:
        """Let time pass, in steps of a quarter of a second."""
        for _ in range(int(seconds * 4)):
            self.now += 0.25
            await turns(8)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In force on the running loop."""
    clock = Clock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock.now, raising=False)
    return clock


on_its_clock = [
    pytest.mark.one_loop("the clock of uvloop cannot be set"),
    pytest.mark.blocks_loop("its clock is not the real one"),
]


def _marked(test: Any) -> Any:
    for mark in on_its_clock:
        test = mark(test)
    return test


@_marked
async def test_starts_are_spaced_exactly(clock: Clock) -> None:
    """Whatever the fanout."""
    task = Task(fanout=10, start_delay=1.5)
    task.schedule(Scripted(clock.play, list("abcd")))
    running = begin(task)
    await turns(8)
    await clock.goes_on(5)
    await running
    assert clock.starts == {"a": 0.0, "b": 1.5, "c": 3.0, "d": 4.5}


@_marked
async def test_workers_share_the_pace(clock: Clock) -> None:
    """Also one with a fanout of its own."""
    task = Task(start_delay=1.0)
    task.schedule(Scripted(clock.play, ["a", "b"]))
    task.schedule(Scripted(clock.play, ["c"], fanout=5))
    running = begin(task)
    await turns(8)
    await clock.goes_on(3)
    await running
    assert clock.starts == {"a": 0.0, "b": 1.0, "c": 2.0}


@_marked
async def test_the_fanout_holds_as_well(clock: Clock) -> None:
    """Who has waited for a slot longer than the delay starts as soon as there is one."""
    stage, task = Stage(), Task(fanout=1, start_delay=1.0)
    task.schedule(Scripted(stage.play, ["a", "b", "c"]))
    running = begin(task)
    await turns(8)
    await clock.goes_on(3)
    assert stage.begun == ["a"]
    await stage.end("a")
    assert stage.begun == ["a", "b"]
    await stage.end("b")
    assert stage.begun == ["a", "b"]
    await clock.goes_on(1)
    assert stage.begun == ["a", "b", "c"]
    await stage.end_all()
    await running


@_marked
async def test_the_pace_holds_from_one_run_to_the_next(clock: Clock) -> None:
    """As for batches of few nodes."""
    task = Task(start_delay=2.0)
    task.schedule(Scripted(clock.play, ["a"]))
    await task.run()
    task.schedule(Scripted(clock.play, ["b"]))
    running = begin(task)
    await turns(8)
    await clock.goes_on(3)
    await running
    assert clock.starts == {"a": 0.0, "b": 2.0}


@_marked
async def test_a_change_takes_effect_while_running(clock: Clock) -> None:
    """It counts from the last start."""
    task = Task(start_delay=100.0)
    task.schedule(Scripted(clock.play, list("abcd")))
    running = begin(task)
    await turns(8)
    await clock.goes_on(1)
    task.start_delay = 3.0
    await clock.goes_on(3)
    assert (clock.starts, task.start_delay) == ({"a": 0.0, "b": 3.0}, 3.0)
    task.start_delay = 0.0
    await turns(8)
    await running
    assert clock.starts == {"a": 0.0, "b": 3.0, "c": 4.0, "d": 4.0}


@_marked
async def test_nothing_starts_while_suspended(clock: Clock) -> None:
    """What was due meanwhile starts at once then."""
    task = Task(start_delay=1.0)
    task.schedule(Scripted(clock.play, ["a", "b", "c"]))
    running = begin(task)
    await turns(8)
    task.suspend()
    await clock.goes_on(5)
    assert clock.starts == {"a": 0.0}
    await task.resume()
    await turns(8)
    await clock.goes_on(2)
    await running
    assert clock.starts == {"a": 0.0, "b": 5.0, "c": 6.0}


@_marked
@pytest.mark.parametrize("how", ["abort", "halt"])
async def test_a_run_that_is_ended_waits_for_no_start(clock: Clock, how: str) -> None:
    """Nor does its timer stay behind."""
    task = Task(start_delay=1000.0)
    task.schedule(Scripted(clock.stay if how == "abort" else clock.play, ["a", "b"]))
    running = begin(task)
    await turns(8)
    getattr(task, how)()
    await turns(20)
    result = await running
    assert result["b"].outcome is Outcome.NEVER_STARTED
    loop: Any = asyncio.get_running_loop()
    assert [timer for timer in loop._scheduled if "filling" in repr(timer) and not timer.cancelled()] == []


@_marked
async def test_an_aborted_worker_does_not_hold_the_next_one_up(clock: Clock) -> None:
    """Its place in the order is free."""
    task = Task(start_delay=1.0)
    task.schedule(Scripted(clock.play, ["a"]))
    aborted = task.schedule(Scripted(clock.play, ["b", "c"]))
    task.schedule(Scripted(clock.play, ["d"]))
    running = begin(task)
    await turns(8)
    aborted.abort()
    await clock.goes_on(1)
    await running
    assert clock.starts == {"a": 0.0, "d": 1.0}


# -- in a run, on the clock of each loop ------------------------------------------------------------


async def test_on_the_clock_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never less than the delay, on uvloop, too, which has a clock of milliseconds."""
    starts: list[float] = []

    class Watched(Pace):
        def start(self, now: float) -> float:
            wait = super().start(now)
            if not wait:
                starts.append(now)
            return wait

    monkeypatch.setattr("asynctask.intake.Pace", Watched)
    stage, task = Stage(), Task(start_delay=0.0125)
    task.schedule(Scripted(stage.play, numbered(4)))
    running = begin(task)
    while len(stage.begun) < 4:
        await asyncio.sleep(0.001)
    await stage.end_all()
    await running
    assert len(starts) == 4
    assert all(later - earlier > 0.0125 - 1e-9 for earlier, later in pairwise(starts))


async def test_no_delay_needs_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs nothing."""
    monkeypatch.setattr(Pace, "start", lambda *_: pytest.fail("asked for nothing"))
    stage, task = Stage(), Task(fanout=8)
    task.schedule(Scripted(stage.play, numbered(8)))
    running = begin(task)
    await turns(4)
    assert len(stage.running) == 8
    await stage.end_all()
    await running


# -- what is no delay -------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [-1, "1", None, math.inf, math.nan, True])
def test_what_is_no_delay(delay: Any) -> None:
    """It is refused at the call, and when it is set."""
    message = f"start_delay={delay!r}: a number of seconds, 0 or more"
    refused(UsageError, message, lambda: Task(start_delay=delay))
    task = Task(start_delay=1.0)
    refused(UsageError, message, lambda: setattr(task, "start_delay", delay))
    assert task.start_delay == 1.0
