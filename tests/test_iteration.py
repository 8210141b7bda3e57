"""Tests of asynctask.iteration: results as targets end, events as they happen."""

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


# -- events -----------------------------------------------------------------------------------------------


def _told(event: object) -> str:
    """An event in short: its kind and what it says."""
    fields = [getattr(event, name) for name in type(event).__match_args__[1:]]  # type: ignore[attr-defined]
    return " ".join([type(event).__name__, *(str(getattr(f, "outcome", f)) for f in fields)])


async def test_events_are_what_a_handler_hears() -> None:
    """As records, in the same order, besides the worker's own handler."""
    recorder = Recorder()
    async with Task() as task:
        worker = task.schedule(Scripted(greet, ["a"], handler=recorder))
        seen = [event async for event in task.events()]
        assert {getattr(event, "worker", None) for event in seen} == {worker}
    assert [_told(event) for event in seen] == [
        "WorkerStarted",
        "NodeStarted a",
        "NodeOutput a stdout b'I am a'",
        "NodeExited a 0",
        "NodeEnded a ok",
        "WorkerClosed False",
    ]
    assert recorder.events == [
        "start",
        "pickup a",
        "read a stdout I am a",
        "hup a 0",
        "end a ok",
        "close False",
    ]


async def test_events_of_timers_and_ports_and_input() -> None:
    """Everything that happens in the run."""
    async with Task(worker="exec") as task:
        port = task.port(SimpleNamespace(ev_msg=lambda port, msg: port.close()))
        port.msg_send_nowait("hi")
        seen = [_told(event) async for event in task.events()]
        assert seen == ["PortStarted", "MessageReceived hi"]
        task.timer(0, SimpleNamespace(ev_timer=lambda timer: None))
        assert [_told(event) async for event in task.events()] == ["TimerFired"]
        worker = task.shell("cat", key="c")
        worker.write(b"data\n")
        worker.set_write_eof()
        assert [_told(event) async for event in task.events()] == [
            "WorkerStarted",
            "NodeStarted c",
            "InputWritten c stdin 5",
            "NodeOutput c stdout b'data'",
            "NodeExited c 0",
            "NodeEnded c ok",
            "WorkerClosed False",
        ]


async def test_a_reader_of_events_that_falls_behind_loses_none() -> None:
    """It slows the nodes down."""

    async def flood(node: str, sink: Sink) -> Ended:
        sink.started()
        for number in range(3000):
            sink.data("stdout", b"%d\n" % number)
        return OK

    async with Task() as task:
        task.schedule(Scripted(flood, ["a", "b"]))
        events = task.events()
        seen = [await anext(events)]
        await turns(50)
        seen += [event async for event in events]
    lines = [event.msg for event in seen if isinstance(event, asynctask.NodeOutput) and event.node == "b"]
    assert lines == [b"%d" % number for number in range(3000)]


async def test_leaving_the_events_early_ends_with_the_block() -> None:
    """Nobody waits for a reader that is gone."""

    async def flood(node: str, sink: Sink) -> Ended:
        sink.started()
        while True:
            sink.data("stdout", b"x\n" * 100)
            await asyncio.sleep(0)

    async with Task() as task:
        task.schedule(Scripted(flood, ["a"]))
        async for event in task.events():
            if isinstance(event, asynctask.NodeOutput):
                break
    assert task.result["a"].outcome is Outcome.ABORTED


async def test_events_raise_at_the_end_what_the_run_raised() -> None:
    """After the last of them."""

    class Failing(Recorder):
        def ev_pickup(self, worker: asynctask.Worker, node: str) -> None:
            raise ValueError(node)

    async with Task() as task:
        task.schedule(Scripted(greet, ["a"], handler=Failing()))
        events = task.events()
        for _ in range(6):
            await anext(events)
        with pytest.raises(HandlerErrors):
            await anext(events)


async def test_events_need_the_block() -> None:
    """Else nothing would own the run."""
    refused(
        TaskStateError,
        "events() needs the task to be used as `async with asynctask.Task()`",
        lambda: Task().events(),
    )
