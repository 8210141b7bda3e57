"""Tests of asynctask.task: the results of a run, each as its target ends."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

import pytest

import asynctask
from asynctask.errors import HandlerErrors, TaskStateError
from asynctask.iteration import AsCompleted
from asynctask.outcome import Ended, Outcome
from asynctask.states import TaskState
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.support import OK, Recorder, Scripted, for_ever, greet, refused, turns

# -- as_completed -----------------------------------------------------------------------------------------


async def test_results_come_as_targets_end() -> None:
    """Not in the order of the targets."""
    release = {node: asyncio.Event() for node in "abc"}

    async def play(node: str, sink: Sink) -> Ended:
        await release[node].wait()
        return OK

    async with Task() as task:
        task.schedule(Scripted(play, list("abc")))
        completed = task.as_completed()
        order = []
        for node in "bca":
            release[node].set()
            order.append((await anext(completed)).node)
        assert order == ["b", "c", "a"]
        with pytest.raises(StopAsyncIteration):
            await anext(completed)
        with pytest.raises(StopAsyncIteration):
            await anext(completed)
        assert task.state is TaskState.IDLE


async def test_as_completed_has_each_part_once() -> None:
    """Several workers, more of them than one at a time, and one added on the way."""
    async with Task(fanout=2) as task:
        task.schedule(Scripted(greet, list("abc")))
        task.schedule(Scripted(greet, list("abc")))
        seen = []
        async for part in task.as_completed():
            seen.append(part.node)
            if len(seen) == 6:
                task.schedule(Scripted(greet, list("defg")))
        assert (sorted(seen[:6]), seen[6:]) == (list("aabbcc"), list("defg"))
        assert len(task.result.all()) == 10


async def test_leaving_the_iteration_early_leaves_the_run_going() -> None:
    """The end of the block ends it."""
    async with Task(fanout=1) as task:
        task.schedule(Scripted(greet, ["a"]))
        task.schedule(Scripted(for_ever, ["b"]))
        async for part in task.as_completed():
            assert part.node == "a"
            break
        await turns(5)
        assert task.state is TaskState.RUNNING
    assert task.result["b"].outcome is Outcome.ABORTED


async def test_the_iteration_raises_at_its_end_what_the_run_raised() -> None:
    """After all results, once, and not again at the end of the block."""
    async with Task() as task:
        task.schedule(Scripted(greet, ["a", "b"], handler=SimpleNamespace(ev_hup=lambda: None)))
        completed = task.as_completed()
        assert sorted([(await anext(completed)).node, (await anext(completed)).node]) == ["a", "b"]
        with pytest.raises(HandlerErrors) as caught:
            await anext(completed)
        assert len(caught.value.exceptions) == 2


async def test_a_run_out_of_time_ends_the_iteration_with_the_error() -> None:
    """The results of what was stopped come first."""
    async with Task(fanout=1) as task:
        task.schedule(Scripted(for_ever, ["a", "b"]))
        completed = task.as_completed(timeout=0.02)
        parts = [await anext(completed), await anext(completed)]
        assert {part.node: part.outcome for part in parts} == {
            "a": Outcome.TIMED_OUT,
            "b": Outcome.NEVER_STARTED,
        }
        with pytest.raises(asynctask.TaskTimeoutError):
            await anext(completed)


async def test_what_an_iteration_left_early_did_not_tell_is_told_at_the_end_of_the_block() -> None:
    """No error is lost."""
    async with AsyncExitStack() as stack:
        task = await stack.enter_async_context(Task(fanout=1))
        task.schedule(Scripted(greet, ["a"], handler=SimpleNamespace(ev_hup=lambda: None)))
        async for _ in task.as_completed():
            break
        while task.running():
            await turns(1)
        with pytest.raises(HandlerErrors) as caught:
            await stack.aclose()
    assert len(caught.value.exceptions) == 1


async def test_or_when_the_next_run_begins() -> None:
    """Whichever comes first."""
    async with Task(fanout=1) as task:
        task.schedule(Scripted(greet, ["a"], handler=SimpleNamespace(ev_hup=lambda: None)))
        async for _ in task.as_completed():
            break
        while task.running():
            await turns(1)
        task.schedule(Scripted(greet, ["b"]))
        with pytest.raises(HandlerErrors):
            await anext(task.as_completed())
        assert [part.node async for part in task.as_completed()] == ["b"]


async def test_cancelling_the_iteration_loses_no_result() -> None:
    """Whenever it happens."""
    nodes = [f"n{number}" for number in range(50)]
    async with Task(fanout=3) as task:
        task.schedule(Scripted(greet, nodes))
        completed = task.as_completed()
        seen: list[str] = []
        while True:
            waiter = asyncio.ensure_future(anext(completed))
            await turns(len(seen) % 3 + 1)
            waiter.cancel()
            try:
                seen.append((await waiter).node)
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                break
    assert seen == nodes


async def test_two_iterations_at_once_are_refused() -> None:
    """The first goes on undisturbed."""
    async with Task() as task:
        task.schedule(Scripted(greet, ["a", "b"]))
        completed = task.as_completed()
        first = asyncio.ensure_future(anext(completed))
        await asyncio.sleep(0)
        with pytest.raises(TaskStateError, match=r"^the task is "):
            await anext(task.as_completed())
        with pytest.raises(TaskStateError, match=r"^the task is "):
            await anext(task.as_completed())
        assert [(await first).node, (await anext(completed)).node] == ["a", "b"]


async def test_as_completed_needs_somebody_who_owns_the_run() -> None:
    """The block of the task."""
    refused(
        TaskStateError,
        "as_completed() needs the task to be used as `async with asynctask.Task()`",
        lambda: Task().as_completed(),
    )


async def test_an_iteration_that_is_not_begun_runs_nothing() -> None:
    """It can be made and dropped."""
    handler = Recorder()
    async with Task() as task:
        task.schedule(Scripted(greet, ["a"], handler=handler))
        assert isinstance(task.as_completed(), AsCompleted)
        await turns(5)
    assert handler.events == []
