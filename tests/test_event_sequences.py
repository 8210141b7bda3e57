"""What handlers hear of real local commands: exact sequences, for each way in which a command can end."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import asynctask
from asynctask.errors import HandlerErrors, TaskTimeoutError
from asynctask.outcome import NodeResult, Outcome
from asynctask.pump import HIGH_WATER
from asynctask.task import Task
from asynctask.workers.base import Worker
from tests.support import AsyncRecorder, Recorder

HOOKS = ("ev_start", "ev_pickup", "ev_read", "ev_hup", "ev_end", "ev_close")
OF_A_NODE = ("ev_pickup", "ev_read", "ev_hup", "ev_end")
both_kinds = pytest.mark.parametrize("kind", [Recorder, AsyncRecorder])


async def _run(command: str, nodes: str = "a", **settings: Any) -> asynctask.Result:
    return await asynctask.run(command, nodes=nodes, worker="exec", **settings)


# -- each way to end ------------------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize(
    ("command", "events"),
    [
        ("echo hi", ["read a stdout hi", "hup a 0", "end a ok"]),
        ("true", ["hup a 0", "end a ok"]),
        ("exit 3", ["hup a 3", "end a failed"]),
        ("printf half; exit 1", ["read a stdout half", "hup a 1", "end a failed"]),
        ("kill -9 $$", ["hup a 137", "end a signalled"]),
        (r"printf '1\r\n2\r3\n'", ["read a stdout 1", "read a stdout 2\r3", "hup a 0", "end a ok"]),
    ],
)
async def test_a_command_that_ends_by_itself(kind: type[Recorder], command: str, events: list[str]) -> None:
    """Start, pickup, lines, hup, end, close."""
    handler = kind()
    await _run(command, handler=handler)
    assert handler.events == ["start", "pickup a", *events, "close False"]


@both_kinds
async def test_standard_error_kept_apart(kind: type[Recorder]) -> None:
    """Lines carry the name of their stream."""
    handler = kind()
    await _run("echo oops >&2", handler=handler, stderr=True)
    assert handler.events == ["start", "pickup a", "read a stderr oops", "hup a 0", "end a ok", "close False"]


@both_kinds
async def test_a_command_that_takes_too_long(kind: type[Recorder]) -> None:
    """No hup; the unfinished line is delivered, and the close says it."""
    handler = kind()
    result = await _run("printf 'one\ntwo'; exec sleep 60", handler=handler, timeout=0.5)
    assert handler.events == [
        "start",
        "pickup a",
        "read a stdout one",
        "read a stdout two",
        "end a timed out",
        "close True",
    ]
    assert (result["a"].rc, result["a"].stdout) == (None, b"one\ntwo")


@both_kinds
async def test_a_run_that_takes_too_long(kind: type[Recorder]) -> None:
    """What waited for its turn never starts."""
    handler = kind()
    with pytest.raises(TaskTimeoutError) as caught:
        await _run("echo hi; exec sleep 60", "a,b", handler=handler, fanout=1, deadline=0.5)
    assert handler.events[:3] == ["start", "pickup a", "read a stdout hi"]
    assert sorted(handler.events[3:5]) == ["end a timed out", "end b never started"]
    assert handler.events[5:] == ["close True"]
    assert caught.value.result["a"].stdout == b"hi\n"


@both_kinds
async def test_a_run_that_is_aborted_by_its_handler(kind: type[Recorder]) -> None:
    """In the middle of the output; what was printed is kept."""
    handler = kind()
    task = Task(worker="exec", fanout=1)
    read: Any = handler.ev_read

    async def ev_read(*args: Any) -> None:
        outcome = read(*args)
        if outcome is not None:
            await outcome
        task.abort()

    handler.ev_read = ev_read  # type: ignore[method-assign,assignment]
    task.shell("echo go; exec sleep 60", nodes="a,b,c", handler=handler)
    result = await task.run()
    assert handler.events[:3] == ["start", "pickup a", "read a stdout go"]
    assert sorted(handler.events[3:6]) == ["end a aborted", "end b never started", "end c never started"]
    assert handler.events[6:] == ["close False"]
    assert result["a"].stdout == b"go\n"


async def test_a_run_that_is_aborted_by_somebody_else() -> None:
    """From another asyncio task."""
    handler, heard = Recorder(), asyncio.Event()
    read = handler.ev_read

    def ev_read(*args: Any) -> None:
        read(*args)
        heard.set()

    handler.ev_read = ev_read  # type: ignore[method-assign,assignment]
    task = Task(worker="exec")
    task.shell("echo go; exec sleep 60", nodes="a", handler=handler)
    running = asyncio.create_task(task.run())
    await heard.wait()
    task.abort()
    await running
    assert handler.events == ["start", "pickup a", "read a stdout go", "end a aborted", "close False"]


@both_kinds
async def test_a_command_that_cannot_be_started(kind: type[Recorder]) -> None:
    """An end and a close, and no start: nothing has started."""
    handler = kind()
    result = await _run("echo \0", "a,b", handler=handler)
    assert sorted(handler.events[:-1]) == ["end a could not spawn", "end b could not spawn"]
    assert handler.events[-1] == "close False"
    assert str(result["a"].error) == "a: could not start a process: embedded null byte"


@both_kinds
async def test_one_process_for_several_nodes(kind: type[Recorder]) -> None:
    """Each node hears everything and has the same result."""
    handler = kind()
    result = await _run("echo %hosts; exit 2", "n[1-3]", handler=handler)
    for node in ("n1", "n2", "n3"):
        assert handler.of(node) == [
            f"pickup {node}",
            f"read {node} stdout n[1-3]",
            f"hup {node} 2",
            f"end {node} failed",
        ]
    assert (handler.events[0], handler.events[-1], len(handler.events)) == ("start", "close False", 14)
    assert [(bytes(message), nodes) for message, nodes in result.iter_buffers()] == [
        (b"n[1-3]", ["n1", "n2", "n3"])
    ]
    assert list(result.iter_retcodes()) == [(2, ["n1", "n2", "n3"])]


async def test_no_handler() -> None:
    """The result has it all."""
    result = await _run("echo %n; exit %n", "a,b")
    assert [(part.stdout, part.rc) for part in result.all()] == [(b"0\n", 0), (b"1\n", 1)]


@both_kinds
async def test_the_events_of_many_nodes(kind: type[Recorder]) -> None:
    """One start, one close, and each node in order; nodes do not wait for each other."""
    handler = kind()
    await _run("echo 1; echo 2", "n[1-40]", handler=handler, fanout=16)
    for number in range(1, 41):
        assert handler.of(f"n{number}") == [
            f"pickup n{number}",
            f"read n{number} stdout 1",
            f"read n{number} stdout 2",
            f"hup n{number} 0",
            f"end n{number} ok",
        ]
    assert (handler.events[0], handler.events[-1]) == ("start", "close False")
    assert len(handler.events) == 40 * 5 + 2


async def test_a_handler_is_any_object_with_some_of_the_methods() -> None:
    """Plain and async mixed."""
    heard: list[str] = []

    class Ends:
        def ev_hup(self, worker: Worker, node: str, rc: int) -> None:
            heard.append(f"hup {rc}")

        async def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
            await asyncio.sleep(0)
            heard.append(f"end {result.text}")

    await _run("echo hi", handler=Ends())
    await _run("echo ho", handler=SimpleNamespace(ev_close=lambda worker, timedout: heard.append("close")))
    assert heard == ["hup 0", "end hi", "close"]


# -- handlers that raise --------------------------------------------------------------------------------


def _spoiled(name: str, spoil: Callable[[], None]) -> Recorder:
    """A recorder one of whose methods, for node ``a`` if it is of a node, does something after it wrote."""
    handler = Recorder()
    record: Callable[..., None] = getattr(handler, name)

    def method(*args: Any) -> None:
        record(*args)
        if name not in OF_A_NODE or args[1] == "a":
            spoil()

    setattr(handler, name, method)
    return handler


NODE_A = ["pickup a", "read a stdout hi", "hup a 0", "end a ok"]
NODE_B = ["pickup b", "read b stdout hi", "hup b 0", "end b ok"]


@pytest.mark.parametrize(
    ("name", "of_a", "note"),
    [
        ("ev_start", NODE_A, "raised in ev_start"),
        ("ev_pickup", ["pickup a", "end a ok"], "raised in ev_pickup for a"),
        ("ev_read", ["pickup a", "read a stdout hi", "end a ok"], "raised in ev_read for a"),
        ("ev_hup", NODE_A, "raised in ev_hup for a"),
        ("ev_end", NODE_A, "raised in ev_end for a"),
        ("ev_close", NODE_A, "raised in ev_close"),
    ],
)
async def test_a_hook_that_raises_touches_its_own_target_alone(name: str, of_a: list[str], note: str) -> None:
    """All runs to its end; then the run raises it, with a note and the whole result."""

    def spoil() -> None:
        raise ValueError("oops")

    handler = _spoiled(name, spoil)
    with pytest.raises(HandlerErrors) as caught:
        await _run("echo hi", "a,b", handler=handler)
    assert str(caught.value) == "handlers raised (1 sub-exception)"
    (error,) = caught.value.exceptions
    assert (repr(error), error.__notes__) == ("ValueError('oops')", [note])
    assert caught.value.result.ok
    assert (handler.of("a"), handler.of("b")) == (of_a, NODE_B)
    assert (handler.events[0], handler.events[-1]) == ("start", "close False")


async def test_all_that_was_raised_comes_in_one_group() -> None:
    """Of all nodes and all workers, together with a timeout."""

    def ev_pickup(worker: Worker, node: str) -> None:
        raise LookupError(node)

    task = Task(worker="exec", handler=SimpleNamespace(ev_pickup=ev_pickup))
    task.shell("true", nodes="a,b")
    task.shell("exec sleep 60", nodes="c")
    with pytest.raises(HandlerErrors) as caught:
        await task.run(0.3)
    kinds = [type(error) for error in caught.value.exceptions]
    assert kinds == [LookupError, LookupError, LookupError, TaskTimeoutError]
    assert sorted(str(error) for error in caught.value.exceptions[:3]) == ["a", "b", "c"]
    assert caught.value.result["c"].outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("name", HOOKS)
async def test_what_ends_the_program_stops_the_run_and_is_raised(name: str) -> None:
    """From every event; each node still hears its end, once, and nothing keeps running."""

    def spoil() -> None:
        raise KeyboardInterrupt

    handler = _spoiled(name, spoil)
    task = Task(worker="exec")
    task.shell("echo hi", nodes="a", handler=handler)
    task.shell("exec sleep 60", nodes="b")
    with pytest.raises(KeyboardInterrupt):
        await task.run()
    ends = [event for event in handler.events if event.startswith("end ")]
    assert ends == [f"end a {task.result['a'].outcome}"]
    assert handler.events[-1] == "close False"
    assert task.result["b"].outcome is Outcome.ABORTED


# -- handlers that do something with the task -------------------------------------------------------------


@pytest.mark.parametrize("name", HOOKS)
async def test_a_command_can_be_added_from_every_event(name: str) -> None:
    """It runs in the same run, with a handler of its own."""
    second = Recorder()

    def spoil() -> None:
        task.shell("echo more", nodes="more", handler=second)

    handler = _spoiled(name, spoil)
    task = Task(worker="exec", fanout=1)
    task.shell("echo hi", nodes="a,b", handler=handler)
    result = await task.run()
    assert second.events == [
        "start",
        "pickup more",
        "read more stdout more",
        "hup more 0",
        "end more ok",
        "close False",
    ]
    assert (list(result), result.ok) == (["a", "b", "more"], True)
    assert (handler.of("a"), handler.of("b")) == (NODE_A, NODE_B)


@pytest.mark.parametrize("name", HOOKS)
async def test_a_run_can_be_aborted_from_every_event(name: str) -> None:
    """Each node has one end, each worker one close, whatever had come before."""
    task = Task(worker="exec")
    handler, other = _spoiled(name, task.abort), Recorder()
    task.shell("echo hi", nodes="a", handler=handler)
    task.shell("exec sleep 60", nodes="b,c", handler=other, fanout=1)
    result = await task.run()
    assert [event for event in handler.events if event.startswith("end ")] == [f"end a {result['a'].outcome}"]
    assert result["a"].outcome in {Outcome.OK, Outcome.ABORTED}
    assert [str(result[node].outcome) for node in "bc"] == ["aborted", "never started"]
    assert sorted(event for event in other.events if event.startswith("end ")) == [
        "end b aborted",
        "end c never started",
    ]
    assert [events.count("close False") for events in (handler.events, other.events)] == [1, 1]


# -- handlers that are slow -----------------------------------------------------------------------------

FLOOD = "yes 123456789 | head -c 20000000"


async def test_a_slow_handler_slows_its_own_target_only() -> None:
    """The others end; its source is paused, and memory stays bounded; nothing is lost."""
    go_on = asyncio.Event()
    lines = {"slow": 0, "b": 0, "c": 0}

    async def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        lines[node] += 1
        if node == "slow":
            await go_on.wait()

    ended: list[str] = []
    handler = SimpleNamespace(ev_read=ev_read, ev_end=lambda worker, node, result: ended.append(node))
    task = Task(worker="exec", gather=False, handler=handler)
    task.shell(FLOOD, nodes="slow")
    task.shell("echo hi", nodes="b,c")
    tracemalloc.start()
    try:
        running = asyncio.create_task(task.run())
        while len(ended) < 2:
            await asyncio.sleep(0.005)
        statistics = task.statistics()
        while statistics is None or not statistics.paused:
            await asyncio.sleep(0.005)
            statistics = task.statistics()
        await asyncio.sleep(0.1)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sorted(ended) == ["b", "c"]
    assert (statistics.paused, task.active_nodes()) == (1, ["slow"])
    assert kept < 20_000_000 / 10  # what waits for the handler, and the chunk that it is at, as lines
    go_on.set()
    assert (await running).ok
    assert lines == {"slow": 2_000_000, "b": 1, "c": 1}


async def test_a_command_that_ended_in_time_has_not_timed_out() -> None:
    """Only its output still waited for its slow handler; nothing of it is lost."""
    go_on, hups = asyncio.Event(), list[int]()
    count = 0

    async def ev_read(*args: object) -> None:
        nonlocal count
        count += 1
        await go_on.wait()

    handler = SimpleNamespace(ev_read=ev_read, ev_hup=lambda worker, node, rc: hups.append(rc))
    task = Task(worker="exec", handler=handler)
    size = HIGH_WATER + 40_000  # so that the last of it stays in the pipe, which holds 64 KiB
    task.shell(f"yes 1234567 | head -c {size // 8 * 8}; exit 3", nodes="a", timeout=0.5)
    running = asyncio.create_task(task.run())
    while "a" not in task.result:
        await asyncio.sleep(0.01)
    assert (task.result["a"].outcome, task.result["a"].rc) == (Outcome.FAILED, 3)
    go_on.set()
    await running
    assert (count, hups) == (size // 8, [3])


async def test_handlers_that_never_return_are_cut_off() -> None:
    """Some time after the run was stopped; each node has its end all the same."""
    begun: list[str] = []

    def hanging(name: str) -> Callable[..., Any]:
        async def method(worker: Worker, node: str, *rest: object) -> None:
            begun.append(f"{name} {node}")
            await asyncio.Event().wait()

        return method

    handler = SimpleNamespace(ev_read=hanging("read"), ev_end=hanging("end"))
    task = Task(worker="exec", grace=0.1, handler=handler)
    task.shell("echo hi; echo ho; exec sleep 60", nodes="a")
    task.shell("true", nodes="b,c")
    running = asyncio.create_task(task.run())
    while len(begun) < 3:
        await asyncio.sleep(0.005)
    task.abort()
    async with asyncio.timeout(20):
        result = await running
    assert sorted(begun) == ["end a", "end b", "end c", "read a"]
    assert [str(part.outcome) for part in result.all()] == ["aborted", "ok", "ok"]


async def test_an_abort_can_be_hurried() -> None:
    """What ignores TERM is killed at once, though its grace is long."""
    handler = Recorder()
    task = Task(worker="exec", grace=60)
    task.shell("trap '' TERM; echo go; while :; do sleep 60; done", nodes="a", handler=handler)
    running = asyncio.create_task(task.run())
    while len(handler.events) < 3:
        await asyncio.sleep(0.005)
    task.abort()
    await asyncio.sleep(0.05)
    assert not running.done()
    task.abort(kill=True)
    async with asyncio.timeout(20):
        await running
    assert handler.events == ["start", "pickup a", "read a stdout go", "end a aborted", "close False"]


# -- time -----------------------------------------------------------------------------------------------


async def test_a_whole_run_timeout_is_kept_to_within_100_ms() -> None:
    """On the clock of the results; what takes its time after that is the end of the processes."""
    began = time.monotonic()
    with pytest.raises(TaskTimeoutError) as caught:
        await _run("exec sleep 60", "n[1-20]", deadline=0.4)
    for part in caught.value.result.all():
        assert part.times.ended is not None
        assert 0.39 <= part.times.ended - began < 0.4 + 0.1 + 1.0


async def test_a_commands_timeout_counts_from_its_own_start() -> None:
    """Not from the begin of the run: the second has all of its time."""
    result = await _run("exec sleep 60", "a,b", fanout=1, timeout=0.2)
    for node in "ab":
        times = result[node].times
        assert result[node].outcome is Outcome.TIMED_OUT
        assert times.started is not None
        assert times.ended is not None
        assert 0.19 <= times.ended - times.started < 0.2 + 0.1 + 1.0
