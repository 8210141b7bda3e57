"""Halting a run: no more nodes start, and what runs goes on to its end."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from asynctask.errors import NoCapacityError
from asynctask.outcome import Ended, Outcome
from asynctask.states import TaskState
from asynctask.task import Task
from asynctask.workers.base import Sink, Worker
from tests.stage import Stage, begin, numbered
from tests.support import OK, Recorder, Scripted, for_ever, greet, turns

FAILED = Ended(Outcome.FAILED, rc=3)
NEVER = Outcome.NEVER_STARTED


async def test_what_waits_never_starts_and_what_runs_goes_on() -> None:
    """Each node has its outcome and its event."""
    stage, recorder, task = Stage(), Recorder(), Task(fanout=2)
    task.schedule(Scripted(stage.play, list("abcd"), handler=recorder))
    running = begin(task)
    await turns(6)
    task.halt()
    await turns(6)
    assert (list(stage.running), task.state, running.done()) == (["a", "b"], TaskState.RUNNING, False)
    await stage.end("a", "b")
    result = await running
    assert [each.outcome for each in result.values()] == [Outcome.OK, Outcome.OK, NEVER, NEVER]
    assert sorted(event for event in recorder.events if event.startswith("end")) == [
        "end a ok",
        "end b ok",
        "end c never started",
        "end d never started",
    ]
    assert recorder.events[-1] == "close False"


async def test_a_handler_halts_at_the_first_failure() -> None:
    """Though it is called in the turn in which the next one might start."""
    stage, task = Stage(), Task(fanout=1)

    def halt(worker: Worker, node: str, result: object) -> None:
        task.halt()

    task.schedule(Scripted(stage.play, numbered(20), handler=SimpleNamespace(ev_end=halt)))
    running = begin(task)
    await turns(6)
    await stage.end("n0", ended=FAILED)
    await stage.end_all()
    result = await running
    assert result["n0"].outcome is Outcome.FAILED
    assert stage.begun == ["n0", "n1"]  # the slot is free before ev_end is heard


async def test_halting_again_changes_nothing() -> None:
    """Nor does it after the end."""
    stage, task = Stage(), Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a", "b"]))
    running = begin(task)
    await turns(6)
    task.halt()
    task.halt()
    await stage.end("a")
    result = await running
    task.halt()
    assert [each.outcome for each in result.values()] == [Outcome.OK, NEVER]


async def test_workers_that_are_added_afterwards_never_start() -> None:
    """In that run; in the next they do."""
    stage, task = Stage(), Task()
    task.schedule(Scripted(stage.play, ["a"]))
    running = begin(task)
    await turns(6)
    task.halt()
    recorder = Recorder()
    task.schedule(Scripted(greet, ["b"], handler=recorder))
    await stage.end("a")
    result = await running
    assert (result["b"].outcome, recorder.events) == (NEVER, ["end b never started", "close False"])
    task.schedule(Scripted(greet, ["c"]))
    assert (await task.run())["c"].ok


async def test_it_is_for_every_worker_with_its_own_fanout_too() -> None:
    """All lanes are emptied."""
    stage, task = Stage(), Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a1", "a2"]))
    task.schedule(Scripted(stage.play, ["b1", "b2"], fanout=1))
    running = begin(task)
    await turns(6)
    task.halt()
    await stage.end("a1", "b1")
    await running
    assert stage.begun == ["a1", "b1"]


async def test_a_larger_fanout_starts_nothing_then() -> None:
    """There is nothing left to start."""
    stage, task = Stage(), Task(fanout=1)
    task.schedule(Scripted(stage.play, numbered(5)))
    running = begin(task)
    await turns(6)
    task.halt()
    task.fanout = 5
    await turns(6)
    assert list(stage.running) == ["n0"]
    await stage.end_all()
    await running


async def test_halting_a_run_that_is_suspended() -> None:
    """Its nodes are known at once; handlers hear of it when the run goes on."""
    stage, recorder, task = Stage(), Recorder(), Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a", "b"], handler=recorder))
    running = begin(task)
    await turns(6)
    task.suspend()
    task.halt()
    await turns(6)
    assert task.result["b"].outcome is NEVER
    assert "end b never started" not in recorder.events
    await task.resume()
    await stage.end("a")
    await running
    assert "end b never started" in recorder.events


async def test_a_run_that_was_halted_may_be_aborted() -> None:
    """What still runs is stopped then."""
    task = Task(fanout=1)
    task.schedule(Scripted(for_ever, ["a", "b"]))
    running = begin(task)
    await turns(6)
    task.halt()
    task.abort()
    result = await running
    assert [each.outcome for each in result.values()] == [Outcome.ABORTED, NEVER]


async def test_a_run_that_is_being_stopped_is_not_halted() -> None:
    """It is on its way already."""
    task = Task(fanout=1)
    task.schedule(Scripted(for_ever, ["a", "b"]))
    running = begin(task)
    await turns(6)
    task.abort()
    task.halt()
    result = await running
    assert [each.outcome for each in result.values()] == [Outcome.ABORTED, NEVER]


async def test_a_task_that_does_not_run_forgets_what_is_scheduled() -> None:
    """As with abort()."""
    task = Task()
    task.schedule(Scripted(greet, ["a"]))
    task.halt()
    assert dict(await task.run()) == {}


async def test_a_run_in_the_background_that_has_not_begun() -> None:
    """Nothing of it starts."""
    async with Task() as task:
        task.schedule(Scripted(greet, ["a", "b"]))
        first = asyncio.ensure_future(anext(completed := task.as_completed()))
        await turns(1)
        assert not task.running()
        task.halt()
        assert [(await first).outcome] + [each.outcome async for each in completed] == [NEVER, NEVER]


async def test_what_was_put_back_for_lack_of_room_does_not_start() -> None:
    """It has not begun, and is told so."""
    recorder, task, full = Recorder(), Task(), asyncio.Event()
    tries: list[str] = []

    async def play(node: str, sink: Sink) -> Ended:
        tries.append(node)
        if node == "a":
            await full.wait()
            return OK
        task.halt()
        full.set()
        raise NoCapacityError(node, "no more processes")

    task.schedule(Scripted(play, ["a", "b"], handler=recorder))
    result = await task.run()
    assert (tries, [each.outcome for each in result.values()]) == (["a", "b"], [Outcome.OK, NEVER])
    assert recorder.of("b") == ["end b never started"]


@pytest.mark.parametrize("how", ["halt", "abort"])
async def test_halting_or_aborting_as_the_first_of_many_is_dropped(how: str) -> None:
    """What is called when an outcome is known may do so."""
    stage, task = Stage(), Task(fanout=1)
    worker = task.schedule(Scripted(stage.play, numbered(700)))
    stop = getattr(task, how)
    task._on_ends.append(lambda results: stop())
    running = begin(task)
    await turns(6)
    worker.abort()
    result = await running
    assert [each.outcome for each in result.values()] == [Outcome.ABORTED] + [NEVER] * 699


async def test_timers_go_on() -> None:
    """They are no nodes."""
    task = Task()
    fired: list[object] = []
    task.timer(0.01, SimpleNamespace(ev_timer=fired.append))
    task.schedule(Scripted(greet, ["a"]))
    running = begin(task)
    await turns(2)
    task.halt()
    await running
    assert len(fired) == 1


async def test_thousands_that_wait_are_dropped_a_few_at_a_time() -> None:
    """The loop goes on meanwhile."""
    stage, task = Stage(), Task(fanout=1)
    task.schedule(Scripted(stage.play, numbered(3000)))
    running = begin(task)
    await turns(6)
    task.halt()
    await stage.end("n0")
    result = await running
    assert [each.outcome for each in result.values()] == [Outcome.OK] + [NEVER] * 2999
