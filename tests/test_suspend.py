"""Suspending a run, and waiting for one: nothing is read, nothing fires, nothing is lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.errors import TaskStateError, TaskTimeoutError
from asynctask.outcome import Ended
from asynctask.states import TaskState
from asynctask.task import Task
from asynctask.timer import Timer
from asynctask.workers.base import Sink, Worker
from tests.support import OK, FakeSource, Recorder, Scripted, for_ever, greet, turns


class Stage:
    """A node that prints when it is told to, as long as it is being read."""

    def __init__(self) -> None:
        self.source = FakeSource()
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()

    async def play(self, node: str, sink: Sink) -> Ended:
        sink.started(self.source)
        sink.data("stdout", b"one\n")
        self.begun.set()
        await self.go_on.wait()
        sink.data("stdout", b"two\n")
        return OK


async def test_a_suspended_run_holds_still_and_loses_nothing() -> None:
    """The source is paused; what happens meanwhile is heard afterwards."""
    stage, recorder, task = Stage(), Recorder(), Task()
    task.schedule(Scripted(stage.play, ["a"], handler=recorder))
    running = asyncio.create_task(task.run())
    await stage.begun.wait()
    await turns(3)
    assert (task.suspend(), task.state, task.running()) == (True, TaskState.SUSPENDED, True)
    assert stage.source.calls == ["pause"]
    heard = list(recorder.events)
    stage.go_on.set()
    await turns(10)
    assert (recorder.events, running.done()) == (heard, False)
    assert await task.resume() is task.result
    assert task.state is TaskState.RUNNING
    await running
    assert recorder.events == [
        "start",
        "pickup a",
        "read a stdout one",
        "read a stdout two",
        "hup a 0",
        "end a ok",
        "close False",
    ]


async def test_nothing_starts_while_suspended() -> None:
    """Neither what waits for its turn nor what is added."""
    stage, recorder, task = Stage(), Recorder(), Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a"]))
    task.schedule(Scripted(greet, ["b"], handler=recorder))
    running = asyncio.create_task(task.run())
    await stage.begun.wait()
    task.suspend()
    task.schedule(Scripted(greet, ["c"], handler=recorder))
    stage.go_on.set()
    await turns(10)
    assert recorder.events == []
    await task.resume()
    await running
    assert [event for event in recorder.events if event.startswith("end")] == ["end b ok", "end c ok"]


async def test_what_starts_in_the_turn_of_a_suspension_is_paused_too() -> None:
    """Its source is paused as soon as there is one."""
    stage, task = Stage(), Task()
    connected = asyncio.Event()

    async def play(node: str, sink: Sink) -> Ended:
        await connected.wait()
        return await stage.play(node, sink)

    task.schedule(Scripted(play, ["a"]))
    running = asyncio.create_task(task.run())
    await turns(3)
    task.suspend()
    connected.set()
    await stage.begun.wait()
    assert stage.source.calls == ["pause"]
    await task.resume()
    assert stage.source.calls == ["pause", "resume"]
    stage.go_on.set()
    await running


async def test_a_slow_handler_and_a_suspension_pause_the_same_source_once() -> None:
    """It is read again when neither wants it paused."""
    go_on = asyncio.Event()

    class Slow:
        async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            await go_on.wait()

    source, task = FakeSource(), Task()
    flooded = asyncio.Event()

    async def flood(node: str, sink: Sink) -> Ended:
        sink.started(source)
        while not source.is_paused():
            sink.data("stdout", b"x" * 65535 + b"\n")
        flooded.set()
        while source.is_paused():
            await asyncio.sleep(0)
        return OK

    task.schedule(Scripted(flood, ["a"], handler=Slow()))
    running = asyncio.create_task(task.run())
    await flooded.wait()
    task.suspend()
    await task.resume()
    assert source.calls == ["pause"]
    go_on.set()
    await running
    assert source.calls == ["pause", "resume"]


async def test_timers_do_not_fire_and_are_made_up_for_by_one() -> None:
    """Many missed dates are one firing."""
    fired: list[float] = []
    loop = asyncio.get_running_loop()

    class Clock:
        def ev_timer(self, timer: Timer) -> None:
            fired.append(loop.time())
            if resumed:
                timer.invalidate()

    task, resumed = Task(), False
    task.timer(0.0, Clock(), interval=0.005)
    running = asyncio.create_task(task.run())
    while not fired:
        await asyncio.sleep(0)
    task.suspend()
    count = len(fired)
    await asyncio.sleep(0.05)
    assert len(fired) == count
    resumed = True
    await task.resume()
    await running
    assert len(fired) == count + 1


async def test_messages_wait_while_suspended() -> None:
    """And are delivered, in order, afterwards."""
    heard: list[object] = []

    class Mailman:
        def ev_msg(self, port: Any, msg: object) -> None:
            heard.append(msg)
            if msg == "last":
                port.close()

    task = Task()
    port = task.port(Mailman())
    running = asyncio.create_task(task.run())
    await turns(3)
    task.suspend()
    for message in (1, 2, "last"):
        await port.msg_send(message)
    await turns(5)
    assert heard == []
    await task.resume()
    await running
    assert heard == [1, 2, "last"]


@pytest.mark.parametrize("how", ["abort", "timeout", "cancel"])
async def test_a_suspended_run_can_be_stopped(how: str) -> None:
    """It need not be resumed for that, and all is heard."""
    task, recorder = Task(), Recorder()
    task.schedule(Scripted(for_ever, ["a"], handler=recorder))
    running = asyncio.create_task(task.run(0.02 if how == "timeout" else None))
    await turns(5)
    assert task.suspend()
    if how == "abort":
        task.abort()
        await running
    elif how == "cancel":
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        with pytest.raises(TaskTimeoutError):
            await running
    outcome = "timed out" if how == "timeout" else "aborted"
    assert recorder.events == ["start", "pickup a", f"end a {outcome}", f"close {how == 'timeout'}"]
    assert task.state is TaskState.IDLE


async def test_a_run_that_goes_on_may_get_a_new_limit() -> None:
    """The seconds are for the rest of it."""
    task = Task()
    task.schedule(Scripted(for_ever, ["a"]))
    running = asyncio.create_task(task.run())
    await turns(3)
    task.suspend()
    await task.resume(0.01)
    with pytest.raises(TaskTimeoutError):
        await running


async def test_only_a_run_can_be_suspended() -> None:
    """And only once."""
    task = Task()
    assert task.suspend() is False
    task.schedule(Scripted(for_ever, ["a"]))
    running = asyncio.create_task(task.run())
    await turns(3)
    assert (task.suspend(), task.suspend()) == (True, False)
    task.abort()
    assert task.suspend() is False
    await running


async def test_resuming_what_is_not_suspended() -> None:
    """An idle task runs; a running one says so."""
    task = Task()
    task.schedule(Scripted(greet, ["a"]))
    assert (await task.resume()).ok
    task.schedule(Scripted(for_ever, ["a"]))
    running = asyncio.create_task(task.run())
    await turns(3)
    with pytest.raises(TaskStateError, match=r"^the task is running already: wait for that run first$"):
        await task.resume()
    task.abort()
    await running


async def test_joining_waits_for_the_run_and_no_longer() -> None:
    """However many do; without a run it returns at once."""
    stage, task = Stage(), Task()
    await task.join()
    task.schedule(Scripted(stage.play, ["a"]))
    running = asyncio.create_task(task.run())
    joins = [asyncio.create_task(task.join()) for _ in range(3)]
    await stage.begun.wait()
    assert not any(join.done() for join in joins)
    stage.go_on.set()
    await asyncio.gather(*joins)
    assert task.state is TaskState.IDLE
    assert (await running).ok


async def test_a_handler_cannot_wait_for_its_own_run() -> None:
    """It would wait for itself."""
    task, errors = Task(), []

    class Waiting:
        async def ev_pickup(self, worker: Worker, node: str) -> None:
            try:
                await task.join()
            except TaskStateError as exc:
                errors.append(str(exc))

    task.schedule(Scripted(greet, ["a"], handler=Waiting()))
    await task.run()
    assert errors == ["a handler cannot wait for the run that waits for it"]


async def test_a_run_within_a_run() -> None:
    """It is refused, and the run goes on."""
    task = Task()
    errors: list[str] = []

    class Running:
        async def ev_pickup(self, worker: Worker, node: str) -> None:
            try:
                await task.run()
            except TaskStateError as exc:
                errors.append(str(exc))

    task.schedule(Scripted(greet, ["a"], handler=Running()))
    assert (await task.run()).ok
    assert errors == ["the task is running already: wait for that run first"]


def test_a_task_that_is_not_run_is_not_suspended() -> None:
    """Outside of any loop."""
    assert Task().suspend() is False


(TaskStateError, "the task is idle: it cannot become idle", lambda: Task()._life.move(TaskState.IDLE))


async def test_a_suspended_task_is_resumed_and_not_run() -> None:
    """There is one run at a time, also one that holds still."""
    async with Task() as task:
        task.schedule(Scripted(for_ever, ["a"]))
        running = asyncio.create_task(task.run())
        await turns(3)
        task.suspend()
        message = r"^the task is suspended: resume\(\) goes on with its run$"
        with pytest.raises(TaskStateError, match=message):
            await task.run()
        with pytest.raises(TaskStateError, match=message):
            await anext(task.as_completed())
        assert task.state is TaskState.SUSPENDED
        task.abort()
        await running
