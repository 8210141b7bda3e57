"""Tests of asynctask.scheduling: how targets end and how they are stopped."""

from __future__ import annotations

import asyncio
import math
from types import SimpleNamespace

import pytest

from asynctask.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionRefusedByNodeError,
    HandlerErrors,
    HostKeyError,
    NodeError,
    SpawnError,
    TaskTimeoutError,
)
from asynctask.outcome import Ended, Outcome
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.stage import Stage, begin, numbered
from tests.support import OK, Recorder, Scripted, turns

# -- outcomes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ConnectionRefusedByNodeError, Outcome.REFUSED),
        (ConnectionFailedError, Outcome.UNREACHABLE),
        (ConnectionLostError, Outcome.UNREACHABLE),
        (AuthenticationError, Outcome.AUTH_FAILED),
        (HostKeyError, Outcome.HOST_KEY),
        (SpawnError, Outcome.SPAWN_FAILED),
        (NodeError, Outcome.ABORTED),
    ],
)
async def test_a_nodes_error_decides_its_outcome(kind: type[NodeError], outcome: Outcome) -> None:
    """It is data: nothing is raised, and the others are not touched."""
    handler = Recorder()

    async def play(node: str, sink: Sink) -> Ended:
        if node == "bad":
            raise kind(node, "no way")
        return OK

    task = Task()
    task.schedule(Scripted(play, ["good", "bad"], handler=handler))
    result = await task.run()
    bad = result["bad"]
    assert (bad.outcome, str(bad.error), bad.rc) == (outcome, "bad: no way", None)
    assert result["good"].ok
    assert handler.of("bad") == [f"end bad {outcome}"]


async def test_a_worker_that_breaks_its_contract_loses_its_target_alone() -> None:
    """What it raised is raised at the end of the run, with a note of where."""

    async def play(node: str, sink: Sink) -> Ended:
        if node == "bad":
            raise ZeroDivisionError("a bug")
        return OK

    task = Task(fanout=1)
    task.schedule(Scripted(play, ["bad", "good"]))
    with pytest.raises(HandlerErrors) as caught:
        await task.run()
    (error,) = caught.value.exceptions
    assert (repr(error), error.__notes__) == ("ZeroDivisionError('a bug')", ["raised by the worker for bad"])
    result = caught.value.result
    assert (result["bad"].outcome, result["good"].outcome) == (Outcome.ABORTED, Outcome.OK)
    assert str(result["bad"].error) == "bad: the worker raised ZeroDivisionError('a bug')"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_what_ends_the_program_is_raised_when_all_has_ended(error: BaseException) -> None:
    """By a worker or by a handler; the others are stopped first, in order."""
    for by_handler in (False, True):
        stage, handler = Stage(), Recorder()

        def ev_pickup(*args: object) -> None:
            raise error

        async def play(node: str, sink: Sink, stage: Stage = stage) -> Ended:
            if node == "bad":
                sink.started()
                raise error
            return await stage.play(node, sink)

        if by_handler:
            handler.ev_pickup = ev_pickup  # type: ignore[method-assign,assignment]
        task = Task(fanout=3)
        nodes = ["a", "b", "c", "d"] if by_handler else ["a", "b", "bad", "d"]
        task.schedule(Scripted(play, nodes, handler=handler, grace=0))
        with pytest.raises(type(error)) as caught:
            await task.run()
        assert caught.value is error
        assert [part.outcome for part in task.result.all()] == [Outcome.ABORTED] * 3 + [Outcome.NEVER_STARTED]
        assert sum(event.startswith("end ") for event in handler.events) == 4
        assert handler.events[-1] == "close False"


# -- stopping ---------------------------------------------------------------------------------------


async def test_a_run_that_is_out_of_time_stops_all() -> None:
    """What runs has timed out, what waits never started; the result comes with the error."""
    stage, handler = Stage(), Recorder()
    task = Task(fanout=2)
    task.schedule(Scripted(stage.play, ["a", "b", "c"], handler=handler))
    with pytest.raises(TaskTimeoutError) as caught:
        await task.run(0.05)
    assert caught.value.result.nodes_by_outcome() == {
        Outcome.TIMED_OUT: ["a", "b"],
        Outcome.NEVER_STARTED: ["c"],
    }
    assert sorted(handler.events[-4:-1]) == ["end a timed out", "end b timed out", "end c never started"]
    assert handler.events[-1] == "close True"


async def test_a_command_that_is_out_of_time_is_stopped_alone() -> None:
    """The timeout of a command counts from its own start; the run goes on."""
    stage, handler = Stage(), Recorder()
    task = Task(fanout=1)
    task.schedule(Scripted(stage.play, ["a", "b"], handler=handler, timeout=0.02))
    running = begin(task)
    while "a" not in task.result:
        await asyncio.sleep(0.001)
    await turns(6)
    await stage.end("b")
    result = await running
    assert [part.outcome for part in result.all()] == [Outcome.TIMED_OUT, Outcome.OK]
    assert handler.events == [
        "start",
        "pickup a",
        "end a timed out",
        "pickup b",
        "hup b 0",
        "end b ok",
        "close True",
    ]


async def test_a_timeout_of_zero_strikes_at_once() -> None:
    """It is a time like any other."""
    stage = Stage()
    task = Task()
    task.schedule(Scripted(stage.play, ["a"], timeout=0))
    assert (await task.run())["a"].outcome is Outcome.TIMED_OUT


async def test_a_whole_run_of_no_time_strikes_at_once() -> None:
    """Nothing has to have started."""
    stage = Stage()
    task = Task()
    task.schedule(Scripted(stage.play, ["a"]))
    with pytest.raises(TaskTimeoutError):
        await task.run(0)
    assert task.result["a"].outcome in {Outcome.TIMED_OUT, Outcome.NEVER_STARTED}


@pytest.mark.parametrize("timeout", [None, math.inf])
async def test_no_limit_is_none_or_infinite(timeout: float | None) -> None:
    """Neither strikes."""
    stage = Stage()
    task = Task()
    task.schedule(Scripted(stage.play, ["a"]))
    running = begin(task, timeout)
    await turns(6)
    await stage.end("a")
    assert (await running).ok


async def test_the_first_reason_for_a_stop_counts() -> None:
    """An abort during a timeout changes nothing."""
    release = asyncio.Event()

    async def slow(node: str, sink: Sink) -> Ended:
        sink.started()
        try:
            await asyncio.Event().wait()
        finally:
            task.abort()
            release.set()
        raise AssertionError

    task = Task()
    task.schedule(Scripted(slow, ["a"], timeout=0.01))
    result = await task.run()
    assert release.is_set()
    assert result["a"].outcome is Outcome.TIMED_OUT


async def test_a_worker_that_ends_by_itself_while_it_is_stopped_keeps_its_outcome() -> None:
    """The stop came too late."""

    async def finishing(node: str, sink: Sink) -> Ended:
        sink.started()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Ended(Outcome.FAILED, rc=7)
        raise AssertionError

    task = Task()
    task.schedule(Scripted(finishing, ["a"], timeout=0.01))
    result = await task.run()
    assert (result["a"].outcome, result["a"].rc) == (Outcome.FAILED, 7)


async def test_an_error_of_a_node_that_is_being_stopped_does_not_count() -> None:
    """A connection that breaks because we closed it is no news."""

    async def breaking(node: str, sink: Sink) -> Ended:
        sink.started()
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionLostError(node, "gone")

    task = Task()
    task.schedule(Scripted(breaking, ["a"], timeout=0.01))
    result = await task.run()
    assert (result["a"].outcome, result["a"].error) == (Outcome.TIMED_OUT, None)


async def test_a_library_that_swallows_a_cancellation_does_not_make_a_target_immortal() -> None:
    """It is cancelled again."""
    swallowed = 0

    async def stubborn(node: str, sink: Sink) -> Ended:
        nonlocal swallowed
        sink.started()
        for _ in range(5):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()
        raise AssertionError

    task = Task()
    task.schedule(Scripted(stubborn, ["a"], timeout=0.01))
    assert (await task.run())["a"].outcome is Outcome.TIMED_OUT
    assert swallowed == 5


async def test_thousands_that_never_start_do_not_hold_up_the_loop() -> None:
    """They end a few hundred a turn, and all of their handlers hear it."""
    ended = 0

    async def ev_end(*args: object) -> None:
        nonlocal ended
        await asyncio.sleep(0)
        ended += 1

    stage = Stage()
    task = Task(fanout=1)
    task.schedule(Scripted(stage.play, numbered(2001), handler=SimpleNamespace(ev_end=ev_end)))
    running = begin(task)
    await turns(6)
    task.abort()
    done = []
    while (statistics := task.statistics()) is not None:
        done.append(statistics.done)
        await turns(1)
    assert done[:3] == [500, 1001, 1501]
    assert ended == 2001
    assert (await running).nodes_by_outcome().keys() == {Outcome.ABORTED, Outcome.NEVER_STARTED}
