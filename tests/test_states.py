"""Tests of asynctask.task: its states."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from asynctask.errors import HandlerErrors, TaskStateError
from asynctask.states import TRANSITIONS, Life, TaskState
from asynctask.task import Task
from tests.support import Scripted, for_ever, greet, refused, turns

# -- states ---------------------------------------------------------------------------------------------


def test_which_state_may_follow_which() -> None:
    """The whole table."""
    assert {
        state.value: sorted(follower.value for follower in followers)
        for state, followers in TRANSITIONS.items()
    } == {
        "idle": ["closed", "running"],
        "running": ["idle", "stopping", "suspended"],
        "suspended": ["running", "stopping"],
        "stopping": ["idle"],
        "closed": [],
    }


@pytest.mark.parametrize(
    ("before", "after"), [(a, b) for a in TaskState for b in TaskState if b not in TRANSITIONS[a]]
)
def test_every_other_transition_raises_and_changes_nothing(before: TaskState, after: TaskState) -> None:
    """It says from where to where."""
    life = Life()
    life.state = before
    message = f"the task is {before.value}: it cannot become {after.value}"
    refused(TaskStateError, message, lambda: life.move(after))
    assert life.state is before


async def test_the_states_of_a_run() -> None:
    """Idle, running, idle again; a run that is stopped is stopping until all is gone."""
    seen: list[tuple[TaskState, bool]] = []

    def look(*args: object) -> None:
        seen.append((task.state, task.running()))

    task = Task()
    look()
    task.schedule(
        Scripted(for_ever, ["a"], handler=SimpleNamespace(ev_start=look, ev_end=look, ev_close=look))
    )
    running = asyncio.create_task(task.run())
    await turns(5)
    task.abort()
    look()
    await running
    look()
    assert seen == [
        (TaskState.IDLE, False),
        (TaskState.RUNNING, True),
        (TaskState.STOPPING, True),
        (TaskState.STOPPING, True),
        (TaskState.STOPPING, True),
        (TaskState.IDLE, False),
    ]


async def test_running_twice_at_once_is_refused() -> None:
    """The first run goes on undisturbed."""
    task = Task()
    task.schedule(Scripted(greet, ["a"]))
    running = asyncio.create_task(task.run())
    await turns(1)
    with pytest.raises(TaskStateError, match=r"^the task is running already: wait for that run first$"):
        await task.run()
    assert (await running).ok


async def test_a_handler_cannot_run_its_task() -> None:
    """It would wait for itself; that is an error like any other of a handler."""

    async def ev_pickup(*args: object) -> None:
        await task.run()

    task = Task()
    task.schedule(Scripted(greet, ["a"], handler=SimpleNamespace(ev_pickup=ev_pickup)))
    with pytest.raises(HandlerErrors) as caught:
        await task.run()
    assert [str(exc) for exc in caught.value.exceptions] == [
        "the task is running already: wait for that run first"
    ]
    assert caught.value.result.ok


@pytest.mark.parametrize("stop", ["abort", "timeout", "cancel"])
async def test_a_task_that_stops_takes_no_more_workers(stop: str) -> None:
    """Else a handler that tries again would never end."""
    refusals: list[str] = []

    def again(*args: object) -> None:
        try:
            task.shell("true", nodes="again", worker="exec", handler=handler)
        except TaskStateError as exc:
            refusals.append(str(exc))

    handler = SimpleNamespace(ev_end=again)
    task = Task()
    task.schedule(Scripted(for_ever, ["a", "b"], handler=handler))
    running = asyncio.create_task(task.run(0.01 if stop == "timeout" else None))
    await turns(5)
    if stop == "abort":
        task.abort()
    elif stop == "cancel":
        running.cancel()
    await asyncio.wait([running])
    assert running.cancelled() or (running.exception() is None) is (stop == "abort")
    assert refusals == ["the task is stopping: it takes no more workers"] * 2
    assert list(task.result) == ["a", "b"]


async def test_a_closed_task_cannot_be_used() -> None:
    """Each call says so."""
    async with Task() as task:
        pass
    assert task.state is TaskState.CLOSED
    refused(TaskStateError, "the task is closed: it takes no more workers", lambda: task.shell("true"))
    with pytest.raises(TaskStateError, match=r"^the task is closed: it cannot become running$"):
        await task.run()
    with pytest.raises(TaskStateError, match=r"^the task is closed: it cannot become running$"):
        await anext(task.as_completed())
    with pytest.raises(TaskStateError, match=r"^a task can be entered once$"):
        async with task:
            pass
    task.abort()
    assert task.state is TaskState.CLOSED


async def test_a_worker_runs_once() -> None:
    """A second time needs a second worker."""
    task = Task()
    worker = task.schedule(Scripted(greet, ["a"]))
    message = "<Scripted 1 nodes> has been scheduled before: make a new one"
    refused(TaskStateError, message, lambda: task.schedule(worker))
    await task.run()
    refused(TaskStateError, message, lambda: Task().schedule(worker))


async def test_a_worker_that_is_refused_may_be_scheduled_when_it_is_mended() -> None:
    """It has not been scheduled."""
    worker = Scripted(greet, ["a"], handler=SimpleNamespace(ev_read=5))
    task = Task()
    with pytest.raises(TypeError):
        task.schedule(worker)
    worker.handler = None
    task.schedule(worker)
    assert list(await task.run()) == ["a"]
