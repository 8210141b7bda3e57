"""Tests of asynctask.scheduling: what starts when, and what can be seen of it."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.errors import (
    NoCapacityError,
)
from asynctask.outcome import Ended, Outcome
from asynctask.scheduling import RunStatistics
from asynctask.task import Task
from asynctask.workers.base import Sink, Worker
from tests.stage import Stage, begin, numbered
from tests.support import OK, FakeSource, Recorder, Scripted, turns

# -- order and fanout -------------------------------------------------------------------------------


@pytest.mark.parametrize("fanout", [1, 3, 8, 9, 100])
async def test_targets_start_in_the_order_given(fanout: int) -> None:
    """Whatever the fanout, and never more at once than it allows."""
    stage, nodes = Stage(), numbered(40)
    task = Task(fanout=fanout)
    task.schedule(Scripted(stage.play, nodes[::-1]))
    running = begin(task)
    await turns(10)
    await stage.end_all()
    result = await running
    assert stage.begun == nodes[::-1]
    assert stage.most == min(fanout, 40)
    assert list(result) == nodes[::-1]
    assert result.ok


async def test_the_next_one_starts_when_one_ends() -> None:
    """Whichever it is."""
    stage = Stage()
    task = Task(fanout=2)
    task.schedule(Scripted(stage.play, list("abcd")))
    running = begin(task)
    await turns(6)
    assert list(stage.running) == ["a", "b"]
    await stage.end("b")
    assert list(stage.running) == ["a", "c"]
    await stage.end("c")
    assert list(stage.running) == ["a", "d"]
    await stage.end_all()
    await running


async def test_workers_share_the_fanout_of_the_task() -> None:
    """The first one's targets come first."""
    stage = Stage()
    task = Task(fanout=3)
    task.schedule(Scripted(stage.play, ["a1", "a2"]))
    task.schedule(Scripted(stage.play, ["b1", "b2", "b3"]))
    running = begin(task)
    await turns(6)
    assert list(stage.running) == ["a1", "a2", "b1"]
    await stage.end_all()
    await running
    assert stage.begun == ["a1", "a2", "b1", "b2", "b3"]
    assert stage.most == 3


async def test_a_fanout_of_its_own_does_not_count_for_the_others() -> None:
    """Two lanes, each with its limit."""
    shared, own = Stage(), Stage()
    task = Task(fanout=2)
    task.schedule(Scripted(shared.play, numbered(6)))
    task.schedule(Scripted(own.play, numbered(9, "x"), fanout=3))
    running = begin(task)
    await turns(8)
    assert (len(shared.running), len(own.running)) == (2, 3)
    while shared.running or own.running:
        await own.end(*own.running)
        await shared.end(*shared.running)
    await running
    assert (shared.most, own.most) == (2, 3)
    assert own.begun == numbered(9, "x")


async def test_the_fanout_can_be_raised_while_running() -> None:
    """It takes effect at once."""
    stage = Stage()
    task = Task(fanout=1)
    task.schedule(Scripted(stage.play, numbered(10)))
    running = begin(task)
    await turns(6)
    assert len(stage.running) == 1
    task.fanout = 4
    await turns(6)
    assert len(stage.running) == 4
    await stage.end_all()
    await running
    assert stage.most == 4


async def test_the_fanout_can_be_lowered_while_running() -> None:
    """Nobody is stopped; nobody begins until it fits."""
    stage = Stage()
    task = Task(fanout=4)
    task.schedule(Scripted(stage.play, numbered(10)))
    running = begin(task)
    await turns(6)
    task.fanout = 2
    await stage.end("n0")
    await stage.end("n1")
    assert list(stage.running) == ["n2", "n3"]
    await stage.end("n2")
    assert list(stage.running) == ["n3", "n4"]
    await stage.end_all()
    await running


async def test_many_starts_do_not_hold_up_the_loop() -> None:
    """A few a turn; a whole fanout takes several turns."""
    stage = Stage()
    task = Task(fanout=100)
    task.schedule(Scripted(stage.play, numbered(100)))
    running = begin(task)
    seen = []
    while len(stage.begun) < 100:
        await turns(1)
        seen.append(len(stage.begun))
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) == 8
    await stage.end_all()
    await running


async def test_a_slot_is_free_when_the_output_is_read() -> None:
    """A handler that is behind with output holds its slot, one that is slow at the end does not."""
    stage, read, ended = Stage(), asyncio.Event(), asyncio.Event()

    async def play(node: str, sink: Sink) -> Ended:
        ending = asyncio.ensure_future(stage.play(node, sink))
        await asyncio.sleep(0)
        sink.data("stdout", b"line\n")
        return await ending

    async def ev_read(*args: object) -> None:
        await read.wait()

    async def ev_end(*args: object) -> None:
        await ended.wait()

    task = Task(fanout=1)
    task.schedule(Scripted(play, ["a", "b"], handler=SimpleNamespace(ev_read=ev_read, ev_end=ev_end)))
    running = begin(task)
    await turns(6)
    await stage.end("a")
    assert stage.begun == ["a"]
    read.set()
    await turns(6)
    assert stage.begun == ["a", "b"]
    ended.set()
    await stage.end_all()
    await running


async def test_a_worker_added_by_a_handler_runs_in_the_same_run() -> None:
    """From whichever event, the last included."""
    for name in ("ev_start", "ev_pickup", "ev_hup", "ev_end", "ev_close"):
        stage = Stage()
        task = Task()

        def add(*args: object, task: Task = task, stage: Stage = stage) -> None:
            task.schedule(Scripted(stage.play, ["more"]))

        task.schedule(Scripted(stage.play, ["a"], handler=SimpleNamespace(**{name: add})))
        running = begin(task)
        await turns(6)
        await stage.end_all()
        result = await running
        assert (name, list(result), result.ok) == (name, ["a", "more"], True)


async def test_a_worker_added_by_somebody_else_runs_in_the_same_run() -> None:
    """While it goes on, also in the very turn in which the last target ended."""
    stage = Stage()
    task = Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a"]))
    running = begin(task)
    await turns(6)
    task.schedule(Scripted(stage.play, ["b"]))
    await stage.end("a")
    assert list(stage.running) == ["b"]
    stage.running["b"].set_result(OK)
    while "b" not in task.result:
        await turns(1)
    task.schedule(Scripted(stage.play, ["c", "d"]))
    await turns(6)
    await stage.end_all()
    assert list(await running) == ["a", "b", "c", "d"]


# -- no room ----------------------------------------------------------------------------------------


class Room:
    """So many targets find room at once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.stage = Stage()
        self.refused: list[str] = []

    async def play(self, node: str, sink: Sink) -> Ended:
        """One target."""
        if len(self.stage.running) >= self.size:
            self.refused.append(node)
            raise NoCapacityError(node, "no descriptor left")
        return await self.stage.play(node, sink)


async def test_a_target_without_room_waits_for_another_to_end() -> None:
    """All run, in order, and each once for its handler."""
    room, handler = Room(8), Recorder()
    task = Task(fanout=64)
    task.schedule(Scripted(room.play, numbered(30), handler=handler))
    running = begin(task)
    await turns(20)
    assert len(room.stage.running) == 8
    statistics = task.statistics()
    assert statistics is not None
    assert statistics.deferred == len(room.refused) > 0
    await room.stage.end_all()
    result = await running
    assert result.ok
    assert len(result) == 30
    assert sorted(room.stage.begun) == sorted(numbered(30))
    assert room.stage.most <= 8
    for node in numbered(30):
        assert handler.of(node) == [f"pickup {node}", f"hup {node} 0", f"end {node} ok"]


async def test_after_the_first_refusal_no_more_is_asked_for() -> None:
    """Else every end of a target would bring another refusal."""
    room = Room(8)
    task = Task(fanout=64)
    task.schedule(Scripted(room.play, numbered(100)))
    running = begin(task)
    await turns(20)
    before = len(room.refused)
    await room.stage.end_all()
    await running
    assert len(room.refused) == before < 64


async def test_a_target_that_has_the_room_for_itself_and_fails_ends() -> None:
    """There is nothing left to wait for; it has been tried twice."""
    room = Room(0)
    task = Task()
    task.schedule(Scripted(room.play, ["a", "b"]))
    result = await task.run()
    assert [part.outcome for part in result.all()] == [Outcome.SPAWN_FAILED] * 2
    assert str(result["a"].error) == "a: no descriptor left"
    assert min(room.refused.count(node) for node in "ab") >= 2
    assert len(room.refused) <= 5


async def test_a_target_that_was_put_back_never_starts_if_the_run_is_stopped() -> None:
    """Its handler hears that, once."""
    room, handler = Room(1), Recorder()
    task = Task(fanout=2)
    task.schedule(Scripted(room.play, ["a", "b", "c"], handler=handler))
    running = begin(task)
    await turns(10)
    task.abort()
    await running
    assert handler.of("a") == ["pickup a", "end a aborted"]
    assert handler.of("b") == ["end b never started"]
    assert handler.of("c") == ["end c never started"]
    assert handler.events[-1] == "close False"


# -- what can be seen -------------------------------------------------------------------------------


async def test_statistics_count_what_happens() -> None:
    """Before, while, and nothing after."""
    stage = Stage()
    task = Task(fanout=2)
    assert task.statistics() is None
    task.schedule(Scripted(stage.play, list("abcde")))
    running = begin(task)
    await turns(6)
    assert task.statistics() == RunStatistics(pending=3, active=2, done=0, paused=0, deferred=0)
    assert task.active_nodes() == ["a", "b"]
    await stage.end("b")
    assert task.statistics() == RunStatistics(pending=2, active=2, done=1, paused=0, deferred=0)
    assert task.active_nodes() == ["a", "c"]
    await stage.end_all()
    await running
    assert task.statistics() is None
    assert task.active_nodes() == []


async def test_a_pause_is_counted() -> None:
    """Each time that output had to wait for its handler."""
    source, go_on = FakeSource(), asyncio.Event()

    async def play(node: str, sink: Sink) -> Ended:
        sink.started(source)
        await asyncio.sleep(0)
        for _ in range(10):
            sink.data("stdout", b"x" * 65535 + b"\n")
        await asyncio.sleep(0)
        statistics = task.statistics()
        assert statistics is not None
        paused.append(statistics.paused)
        go_on.set()
        return OK

    async def ev_read(*args: object) -> None:
        await go_on.wait()

    paused: list[int] = []
    task = Task()
    task.schedule(Scripted(play, ["a"], handler=SimpleNamespace(ev_read=ev_read)))
    await task.run()
    assert (paused, source.calls) == ([1], ["pause"])


async def test_times_follow_each_other() -> None:
    """The phases of a target, on one clock."""

    async def play(node: str, sink: Sink) -> Ended:
        sink.connected()
        await asyncio.sleep(0.002)
        sink.started()
        for chunk in (b"x", b"y"):
            await asyncio.sleep(0.002)
            sink.data("stdout", chunk)
        return OK

    task = Task(fanout=1)
    task.schedule(Scripted(play, ["a", "b"]))
    result = await task.run()
    for node in "ab":
        times = result[node].times
        phases: list[Any] = [
            times.queued,
            times.began,
            times.connected,
            times.started,
            times.first_output,
            times.ended,
        ]
        assert phases == sorted(phases)
    assert result["a"].times.ended is not None
    assert result["b"].times.began is not None
    assert result["a"].times.ended <= result["b"].times.began


async def test_times_of_one_that_never_started() -> None:
    """It was queued and it ended."""
    stage = Stage()
    task = Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a", "b"]))
    running = begin(task)
    await turns(6)
    task.abort()
    times = (await running)["b"].times
    assert (times.began, times.connected, times.started, times.first_output) == (None, None, None, None)
    assert times.ended is not None


async def test_output_goes_to_its_node_and_stream() -> None:
    """And is kept as asked."""

    async def play(node: str, sink: Sink) -> Ended:
        sink.started()
        sink.data("stdout", b"out of " + node.encode())
        sink.data("stderr", b"err of " + node.encode())
        return OK

    task = Task()
    task.schedule(Scripted(play, ["kept"], stderr=True))
    task.schedule(Scripted(play, ["dropped"], gather=False, stderr=True))
    result = await task.run()
    assert (result["kept"].stdout, result["kept"].stderr) == (b"out of kept", b"err of kept")
    assert (result["dropped"].stdout, result["dropped"].stderr) == (b"", b"")


async def test_a_worker_of_several_units_has_ranks() -> None:
    """The place of each unit's first node."""

    class Pairs(Scripted):
        @property
        def units(self) -> list[tuple[str, ...]]:
            return [("a", "b"), ("c",), ("d", "e")]

        async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Any) -> Ended:
            seen.append((nodes, rank))
            return OK

    async def unused(node: str, sink: Sink) -> Ended:
        return OK

    seen: deque[tuple[tuple[str, ...], int]] = deque()
    task = Task()
    task.schedule(Pairs(unused, list("abcde")))
    result = await task.run()
    assert list(seen) == [(("a", "b"), 0), (("c",), 2), (("d", "e"), 3)]
    assert list(result) == list("abcde")


def test_a_worker_is_one_by_its_base_class() -> None:
    """What the tests schedule is what users may write."""
    assert issubclass(Scripted, Worker)
