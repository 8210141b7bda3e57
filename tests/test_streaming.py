"""Tests of asynctask.streaming."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections import Counter
from typing import Any

import pytest

import asynctask
from asynctask.errors import EmptyTargetsError, TaskStateError, TaskTimeoutError, UsageError
from asynctask.outcome import Outcome
from asynctask.streaming import OutputStream, stream
from asynctask.task import Task
from tests.support import Recorder, turns


def _stream(command: str, nodes: str = "a", **settings: Any) -> OutputStream:
    return stream(command, nodes=nodes, worker="exec", **settings)


async def _all(output: OutputStream) -> list[tuple[str, str, bytes]]:
    return [line async for line in output]


# -- lines ----------------------------------------------------------------------------------------------


async def test_lines_come_with_node_and_stream() -> None:
    """Exact, in the order of each stream, the unfinished one last."""
    async with _stream(r"printf 'one\r\ntwo\rx\n\nend'") as output:
        assert await _all(output) == [
            ("a", "stdout", b"one"),
            ("a", "stdout", b"two\rx"),
            ("a", "stdout", b""),
            ("a", "stdout", b"end"),
        ]


async def test_standard_error_has_its_own_name() -> None:
    """Where it is kept apart."""
    async with _stream("echo out; echo err >&2", stderr=True) as output:
        assert sorted(await _all(output)) == [("a", "stderr", b"err"), ("a", "stdout", b"out")]


async def test_many_lines_of_many_nodes() -> None:
    """Each node's lines in order, and all of them."""
    seen: dict[str, list[int]] = {f"n{number}": [] for number in range(1, 9)}
    async with _stream("seq 1 20000", "n[1-8]") as output:
        async for node, _, line in output:
            seen[node].append(int(line))
    assert all(numbers == list(range(1, 20001)) for numbers in seen.values())


async def test_lines_come_while_the_command_runs() -> None:
    """Not at its end."""
    async with _stream("echo first; exec sleep 60") as output:
        assert await anext(output) == ("a", "stdout", b"first")
        assert output.result.all() == []


async def test_a_local_command_without_nodes() -> None:
    """As everywhere, it runs once on this machine."""
    async with stream("echo hi") as output:
        assert await _all(output) == [("localhost", "stdout", b"hi")]


async def test_the_result_has_the_outcomes_and_no_output() -> None:
    """Unless the output is to be gathered, too."""
    plain: dict[str, Any] = {}
    for settings, kept in ((plain, b""), ({"gather": True}, b"hi\n")):
        async with _stream("echo hi; exit 3", **settings) as output:
            await _all(output)
            assert (output.result["a"].outcome, output.result["a"].rc) == (Outcome.FAILED, 3)
            assert output.result["a"].stdout == kept


async def test_iterating_after_the_end_ends_again() -> None:
    """As with any iterator."""
    async with _stream("echo hi") as output:
        assert len(await _all(output)) == 1
        assert await _all(output) == []


# -- readers that are slow, leave, or are cancelled ---------------------------------------------------------


async def test_a_reader_that_does_not_read_pauses_the_nodes() -> None:
    """What waits is bounded: chunks for the reader, and for each node what its pump holds."""
    async with _stream("yes", "a,b,c") as output:
        statistics = output._task.statistics()
        while statistics is None or statistics.paused < 3:
            await asyncio.sleep(0.005)
            statistics = output._task.statistics()
        await asyncio.sleep(0.1)
        waiting = output._feed._receive.statistics()
        assert (waiting.current_buffer_used, waiting.tasks_waiting_send) == (64, 3)
        assert output._task.statistics() == statistics


async def test_a_slow_reader_loses_nothing() -> None:
    """The nodes go on when it reads on."""
    count = 0
    async with _stream("yes 123456789 | head -c 8000000", "a,b,c") as output:
        await anext(output)
        await asyncio.sleep(0.3)
        async for _, _, line in output:
            assert line == b"123456789"
            count += 1
    assert count == 3 * 800_000 - 1


async def test_leaving_early_stops_the_nodes() -> None:
    """Also those that wait for room; what was not read is dropped and nothing is raised."""
    async with _stream("yes", "n[1-5]") as output:
        async for node, name, line in output:
            assert (node[0], name, line) == ("n", "stdout", b"y")
            break
        await asyncio.sleep(0.1)
    assert Counter(part.outcome for part in output.result.all()) == {Outcome.ABORTED: 5}


async def test_leaving_without_reading_stops_the_nodes() -> None:
    """At once, or when they have begun."""
    async with _stream("exec sleep 60", "a,b"):
        pass
    async with _stream("yes", "a,b") as output:
        await turns(10)
    assert [part.outcome for part in output.result.all()] == [Outcome.ABORTED] * 2


async def test_leaving_with_an_error_raises_the_error() -> None:
    """The caller's own."""
    with pytest.raises(ZeroDivisionError):
        async with _stream("yes"):
            raise ZeroDivisionError


async def test_cancelling_a_read_loses_no_line() -> None:
    """Whenever it happens: before, while and after a line comes."""
    seen: list[int] = []
    async with _stream("for i in 1 2 3 4 5 6 7 8 9; do seq 1 50; sleep 0.01; done") as output:
        for patience in range(1_000_000):
            reader = asyncio.ensure_future(anext(output))
            await turns(patience % 7)
            reader.cancel()
            try:
                seen.append(int((await reader)[2]))
            except asyncio.CancelledError:
                continue
            except StopAsyncIteration:
                break
    assert seen == [*range(1, 51)] * 9


async def test_a_read_that_is_cancelled_just_when_a_line_comes_loses_nothing() -> None:
    """The line is there and the reader has been woken, but has not run yet."""
    output = _stream("exec sleep 60")
    async with output:
        for number in range(20):
            reader = asyncio.ensure_future(anext(output))
            await turns(5)
            sent = asyncio.ensure_future(
                output._feed._ev_lines(None, "x", "stdout", [b"%d" % number])  # type: ignore[arg-type]
            )
            await turns(number % 4)
            reader.cancel()
            try:
                line = await reader
            except asyncio.CancelledError:
                line = await anext(output)
            await sent
            assert line == ("x", "stdout", b"%d" % number)


async def test_a_reader_that_never_waits_gives_way_to_others() -> None:
    """Its loop has no other await."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    async with _stream("seq 1 200000", "a,b") as output:
        ticking = asyncio.create_task(tick())
        count = 0
        async for _ in output:
            count += 1
        ticking.cancel()
    assert count == 400_000
    assert ticks > 40


async def test_two_readers_share_the_lines() -> None:
    """Each line goes to one of them."""
    async with _stream("seq 1 5000") as output:
        parts = await asyncio.gather(_all(output), _all(output))
    assert sorted(int(line) for part in parts for _, _, line in part) == list(range(1, 5001))


# -- how it ends ------------------------------------------------------------------------------------------


async def test_a_deadline_ends_the_iteration_with_an_error() -> None:
    """After all lines that came until then; the block itself is left in peace."""
    async with _stream("echo hi; exec sleep 60", deadline=0.5) as output:
        assert await anext(output) == ("a", "stdout", b"hi")
        with pytest.raises(TaskTimeoutError) as caught:
            await anext(output)
        assert caught.value.result is output.result
        assert output.result["a"].outcome is Outcome.TIMED_OUT


async def test_a_timeout_of_a_node_is_no_error() -> None:
    """It is in the result."""
    async with _stream("printf half; exec sleep 60", timeout=0.5) as output:
        assert await _all(output) == [("a", "stdout", b"half")]
    assert output.result["a"].outcome is Outcome.TIMED_OUT


async def test_what_the_iteration_did_not_tell_is_told_at_the_end_of_the_block() -> None:
    """A deadline that struck while nobody read."""
    output = _stream("exec sleep 60", deadline=0.02)
    await output.__aenter__()
    while not output.result.all():
        await asyncio.sleep(0.005)
    await turns(10)
    with pytest.raises(TaskTimeoutError):
        await output.__aexit__(None, None, None)


async def test_a_stream_that_raises_in_its_input_is_told() -> None:
    """In the result of its node."""

    def broken(node: str) -> bytes:
        raise KeyError(node)

    async with _stream("cat", stdin=broken) as output:
        with pytest.raises(StopAsyncIteration):
            await anext(output)
    (result,) = output.result.all()
    assert str(result.error) == f"{result.node}: its input raised KeyError('a'); the command was not run"


async def test_a_block_that_is_left_at_once_has_its_outcomes() -> None:
    """Every target has one, also where the run had no time to begin."""
    async with _stream("echo hi", "a,b") as output:
        pass
    assert [part.outcome for part in output.result.all()] == [Outcome.NEVER_STARTED] * 2
    assert not output.result.ok


# -- wrong use ----------------------------------------------------------------------------------------------


async def test_reading_needs_the_block() -> None:
    """Nothing runs without it, and nothing would ever come."""
    output = _stream("echo hi")
    with pytest.raises(TaskStateError) as caught:
        await anext(output)
    assert str(caught.value) == "output is read in a block: `async with asynctask.stream(...) as output`"


async def test_reading_after_the_block_is_refused() -> None:
    """The nodes have been stopped."""
    async with _stream("yes") as output:
        await anext(output)
    with pytest.raises(TaskStateError) as caught:
        await _all(output)
    assert str(caught.value) == "the block of this stream has been left: nothing reads from the nodes"


async def test_a_stream_is_entered_once() -> None:
    """A second time needs a second stream."""
    async with _stream("true") as output:
        with pytest.raises(TaskStateError, match=r"^a task can be entered once$"):
            async with output:
                pass
    with pytest.raises(TaskStateError, match=r"^a task can be entered once$"):
        async with output:
            pass


def test_a_stream_that_is_never_entered_leaves_nothing() -> None:
    """Neither a process nor a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = _stream("echo hi")
        del output
        gc.collect()


@pytest.mark.parametrize(
    ("error", "settings"),
    [
        (EmptyTargetsError, {"nodes": ""}),
        (UsageError, {"nodes": "a", "timeout": -1}),
        (UsageError, {"nodes": "a", "fanout": 0}),
        (TypeError, {"nodes": "a", "colour": 1}),
    ],
)
def test_what_can_never_work_is_refused_at_the_call(error: type[Exception], settings: dict[str, Any]) -> None:
    """As for run(), and nothing is left."""
    with pytest.raises(error):
        stream("true", worker="exec", **settings)


async def test_a_second_run_beside_a_stream_is_refused() -> None:
    """Its task is its own; this shows that it runs."""
    async with _stream("exec sleep 60") as output:
        await turns(3)
        with pytest.raises(TaskStateError):
            await output._task.run()


async def test_a_handler_is_of_no_use_to_a_stream() -> None:
    """The reader is the one who hears."""
    handler = Recorder()
    async with _stream("echo hi", handler=handler) as output:
        assert len(await _all(output)) == 1
    assert handler.events == []


def test_it_is_what_the_package_offers() -> None:
    """One name for it."""
    assert asynctask.stream is stream
    assert asynctask.OutputStream is OutputStream
    assert isinstance(_stream("true")._task, Task)
