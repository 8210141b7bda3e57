"""Cancelling a run, at any await: nothing is left, and each target that was taken in ends exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

import asynctask
from asynctask.outcome import Ended, Outcome
from asynctask.states import TaskState
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.support import OK, AsyncRecorder, Recorder, Scripted, children, greet, turns

AnyRecorder = Recorder | AsyncRecorder
COMMAND = "echo go; exec sleep 60"
NODES = ("a", "b", "c")


class Trial:
    """One run, and what has to be true of it however it was ended."""

    def __init__(self, handler: AnyRecorder | None = None, *, commands: bool) -> None:
        self.handler = AsyncRecorder() if handler is None else handler
        self.task = Task(fanout=2, worker="exec")
        self._descriptors = os.listdir("/proc/self/fd")  # noqa: PTH208
        self._tasks = asyncio.all_tasks()
        if commands:
            self.task.shell(COMMAND, nodes=list(NODES), handler=self.handler)
        else:
            self.task.schedule(Scripted(self._play, NODES, handler=self.handler))

    async def _play(self, node: str, sink: Sink) -> Ended:
        sink.started()
        await asyncio.sleep(0)
        sink.data("stdout", b"go\n")
        await asyncio.sleep(0)
        return OK

    async def check(self, when: object) -> None:
        """Nothing is left, and nobody ended twice."""
        await turns(2)  # tasks that have ended leave the books a turn later
        ends = [event for event in self.handler.events if event.startswith("end ")]
        closes = [event for event in self.handler.events if event.startswith("close ")]
        taken_in = 0 if self.task.result.summary() == "no targets" else 1
        assert (when, len(self.task.result.all())) == (when, 3 * taken_in)
        assert (when, sorted(event[4] for event in ends)) == (when, [*NODES] * taken_in)
        assert (when, len(closes)) == (when, taken_in)
        assert (when, self.task.state) == (when, TaskState.IDLE)
        assert (when, asyncio.all_tasks()) == (when, self._tasks)
        assert (when, os.listdir("/proc/self/fd")) == (when, self._descriptors)  # noqa: PTH208
        assert (when, children()) == (when, set())


async def _cancel_natively(trial: Trial, wait: Callable[[], Awaitable[None]]) -> bool:
    running = asyncio.create_task(trial.task.run())
    await wait()
    running.cancel()
    await asyncio.wait([running])
    return running.cancelled()


async def _cancel_a_scope(trial: Trial, wait: Callable[[], Awaitable[None]]) -> bool:
    async def cancel() -> None:
        await wait()
        scope.cancel()

    with anyio.CancelScope() as scope:
        canceller = asyncio.create_task(cancel())
        await trial.task.run()
    await canceller
    return scope.cancelled_caught


both_ways = pytest.mark.parametrize("cancel", [_cancel_natively, _cancel_a_scope])
Cancel = Callable[[Trial, Callable[[], Awaitable[None]]], Awaitable[bool]]


# -- at any await ---------------------------------------------------------------------------------------


@both_ways
async def test_cancelling_after_each_turn_of_a_whole_run(cancel: Cancel) -> None:
    """From before its first step to after its last, without processes."""
    cancelled = []
    for count in range(60):
        trial = Trial(commands=False)
        cancelled.append(await cancel(trial, lambda count=count: turns(count)))  # type: ignore[misc]
        await trial.check(count)
    assert cancelled[1]
    assert not cancelled[-1], "the last of them let the run end"


@both_ways
async def test_cancelling_after_each_turn_with_processes(cancel: Cancel) -> None:
    """While they are started, mostly."""
    for count in range(40):
        trial = Trial(commands=True)
        assert await cancel(trial, lambda count=count: turns(count))  # type: ignore[misc]
        await trial.check(count)


@both_ways
async def test_cancelling_after_some_time_with_processes(cancel: Cancel) -> None:
    """While they run and print."""
    for milliseconds in range(0, 40, 4):
        trial = Trial(commands=True)
        assert await cancel(trial, lambda ms=milliseconds: asyncio.sleep(ms / 1000))  # type: ignore[misc]
        await trial.check(milliseconds)


async def test_cancelling_again_while_the_first_is_worked_off() -> None:
    """After each number of turns; the cleanup goes on."""
    for count in range(40):
        trial = Trial(commands=True)
        running = asyncio.create_task(trial.task.run())
        await turns(8)
        for _ in range(3):
            running.cancel()
            await turns(count)
        await asyncio.wait([running])
        assert running.cancelled()
        await trial.check(count)


async def test_cancelling_again_while_processes_ignore_term() -> None:
    """The cleanup takes its grace, and the second cancellation does not shorten it or break it."""
    trial = Trial(commands=False)
    trial.task.abort()
    heard = asyncio.Event()
    trial.handler.ev_read = lambda *args: heard.set()  # type: ignore[method-assign]
    trial.task.shell(
        "trap '' TERM; echo go; while :; do sleep 60; done", nodes="a,b,c", handler=trial.handler, grace=0.2
    )
    running = asyncio.create_task(trial.task.run())
    await heard.wait()
    for _ in range(10):
        running.cancel()
        await asyncio.sleep(0.01)
    assert not running.done()
    await asyncio.wait([running])
    assert running.cancelled()
    await trial.check("end")


# -- where the cancellation comes from ------------------------------------------------------------------


async def test_a_timeout_of_asyncio() -> None:
    """The caller's own clock."""
    trial = Trial(commands=True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await trial.task.run()
    await trial.check("timeout")


async def test_wait_for() -> None:
    """The older way to say it."""
    trial = Trial(commands=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(trial.task.run(), 0.05)
    await trial.check("wait_for")


async def test_a_timeout_of_anyio() -> None:
    """What was gathered is in the task."""
    trial = Trial(commands=True)
    with anyio.move_on_after(0.2):
        await trial.task.run()
    await trial.check("move_on_after")
    assert trial.task.result["a"].outcome is Outcome.ABORTED


async def test_a_task_group_in_which_something_else_fails() -> None:
    """The run is cancelled with its siblings."""
    trial = Trial(commands=True)

    async def fail() -> None:
        await turns(10)
        raise ZeroDivisionError

    async def group_of_both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(trial.task.run())
            group.create_task(fail())

    with pytest.raises(ExceptionGroup) as caught:
        await group_of_both()
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
    await trial.check("task group")


async def test_the_function_run() -> None:
    """It cleans up in its block."""
    running = asyncio.create_task(asynctask.run(COMMAND, nodes="a,b", worker="exec"))
    await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert children() == set()


async def test_a_block_that_is_cancelled() -> None:
    """Whether it reads a stream or results as they come."""

    async def read() -> None:
        async with asynctask.stream(COMMAND, nodes="a,b", worker="exec") as output:
            async for _ in output:
                heard.set()

    async def complete() -> None:
        async with Task(worker="exec") as task:
            task.shell("true", nodes="a")
            task.shell(COMMAND, nodes="b")
            async for _ in task.as_completed():
                heard.set()

    for function in (read, complete):
        heard = asyncio.Event()
        reading = asyncio.create_task(function())
        await heard.wait()
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        assert children() == set()


async def test_a_handler_that_cancels_its_own_task() -> None:
    """It loses the other events of its node, but the end; the run goes on and tells."""
    trial = Trial(commands=False)
    trial.task.abort()

    async def ev_pickup(worker: object, node: str) -> None:
        if node == "a":
            current = asyncio.current_task()
            assert current is not None
            current.cancel()
            await asyncio.sleep(0)

    trial.handler.ev_pickup = ev_pickup  # type: ignore[method-assign]
    trial.task.schedule(Scripted(trial._play, NODES, handler=trial.handler))
    with pytest.raises(asynctask.HandlerErrors) as caught:
        await trial.task.run()
    (error,) = caught.value.exceptions
    assert str(error) == "the asyncio task in which handlers are called was cancelled"
    assert error.__notes__ == ["raised in ev_pickup for a"]
    assert trial.handler.of("a") == ["end a ok"]
    assert trial.handler.of("b") == ["read b stdout go", "hup b 0", "end b ok"]
    assert caught.value.result.ok


async def test_a_handler_that_cancels_its_own_task_in_its_last_step() -> None:
    """All targets end once all the same, and those that wait have their turn."""
    handler = Recorder()

    def ev_end(worker: object, node: str, result: object) -> None:
        handler.events.append(f"end {node}")
        current = asyncio.current_task()
        assert current is not None
        current.cancel()

    def ev_close(worker: object, timedout: bool) -> None:
        ev_end(worker, "close", None)

    handler.ev_end = ev_end  # type: ignore[method-assign]
    handler.ev_close = ev_close  # type: ignore[method-assign]
    task = Task(fanout=1)
    task.schedule(Scripted(greet, list("abcde"), handler=handler))
    result = await task.run()
    assert list(result) == list("abcde")
    assert [event for event in handler.events if event.startswith("end")] == [
        *(f"end {node}" for node in "abcde"),
        "end close",
    ]


@pytest.mark.parametrize("name", ["ev_start", "ev_pickup", "ev_read", "ev_end"])
async def test_a_handler_that_leaves_a_scope_open(name: str) -> None:
    """It is an error of that handler: the run ends, and each target has its outcome."""
    scopes: list[anyio.CancelScope] = []

    def leave_open(*args: object) -> None:
        if not scopes:
            scopes.append(anyio.CancelScope())
            scopes[0].__enter__()

    task = Task()
    task.schedule(Scripted(greet, list("abc"), handler=SimpleNamespace(**{name: leave_open})))
    with pytest.raises(asynctask.HandlerErrors) as caught:
        await task.run(5)
    assert [type(exc) for exc in caught.value.exceptions] == [RuntimeError]
    assert [part.outcome for part in caught.value.result.all()] == [Outcome.OK] * 3


# -- the end of the loop ----------------------------------------------------------------------------------


def _runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    if request.config.getoption("--loop") == "uvloop":
        import uvloop

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()


@pytest.mark.parametrize("commands", [True, False])
def test_a_loop_that_closes_ends_what_runs(request: pytest.FixtureRequest, commands: bool) -> None:
    """All tasks are cancelled at once then, those of the run among them, begun or not."""
    trials: list[Trial] = []
    background: list[asyncio.Task[asynctask.Result]] = []

    async def main(count: int) -> None:
        trials.append(Trial(Recorder(), commands=commands))
        background.append(asyncio.create_task(trials[-1].task.run()))
        await turns(count)

    for count in range(1, 12):
        with _runner(request) as runner:
            runner.run(main(count))
        trial = trials[-1]
        assert background[-1].done()
        assert (count, sorted(part.node for part in trial.task.result.all())) == (count, [*NODES])
        ends = sorted(event[4] for event in trial.handler.events if event.startswith("end "))
        assert (count, ends, trial.handler.events[-1]) == (count, [*NODES], "close False")
        assert children() == set()


def test_an_exit_in_a_handler_ends_the_program(request: pytest.FixtureRequest) -> None:
    """After its nodes, with its own status."""

    class Handler(asynctask.EventHandler):
        def ev_read(self, *args: object) -> None:
            sys.exit(7)

    async def main() -> None:
        await asynctask.run(COMMAND, nodes="a,b", worker="exec", handler=Handler())

    with _runner(request) as runner, pytest.raises(SystemExit) as caught:
        runner.run(main())
    assert caught.value.code == 7
    assert children() == set()


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    """A program that runs nodes is interrupted."""
    program = textwrap.dedent("""
        import asyncio, sys, asynctask
        try:
            command = f"echo $$ >> {sys.argv[1]}; exec sleep 60"
            asyncio.run(asynctask.run(command, nodes="n[1-3]", worker="exec"))
        except KeyboardInterrupt:
            print("interrupted")
    """)
    pids = tmp_path / "pids"
    pids.touch()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, str(pids)], stdout=subprocess.PIPE
    ) as popen:
        while len(pids.read_text().split()) < 3:
            assert popen.poll() is None
        popen.send_signal(signal.SIGINT)
        output, _ = popen.communicate(timeout=20)
    assert (output, popen.returncode) == (b"interrupted\n", 0)
    for pid in pids.read_text().split():
        assert not (Path("/proc") / pid).exists()
