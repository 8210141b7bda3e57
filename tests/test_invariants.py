"""The invariants of the architecture, as far as local commands show them; each test has its invariant's name.

What belongs to SSH (connections, host keys, the far end of a kill) and to the terminal is tested there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asynctask
from asynctask.errors import EmptyTargetsError, HandlerErrors, TaskTimeoutError
from asynctask.lines import PartialLine
from asynctask.outcome import Ended, Outcome
from asynctask.pump import HIGH_WATER
from asynctask.scheduling import Run
from asynctask.states import Life
from asynctask.task import Task
from asynctask.testing.simulated import Script, SimulatedWorker
from asynctask.workers.base import Sink, Worker
from tests.stage import Stage, begin, numbered
from tests.support import OK, AsyncRecorder, Recorder, Scripted, children, turns

PATIENCE = 20.0


# -- 1 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Recorder, AsyncRecorder, None])
async def test_invariant_01_every_target_ends_exactly_once(kind: type[Recorder] | None) -> None:
    """One event and one outcome on every path that a local command can take, and one close a worker."""
    handlers = [Recorder() if kind is None else kind() for _ in range(3)]
    of_worker: list[Any] = [None if kind is None else handler for handler in handlers]
    commands = {
        "ok": "true",
        "failed": "exit 3",
        "signalled": "kill -9 $$",
        "spawn": "echo \0",
        "aborted": "exec sleep 60",
    }
    task = Task(worker="exec", fanout=50)
    for node, command in commands.items():
        task.shell(command, nodes=node, handler=of_worker[0])
    task.shell("exec sleep 60", nodes="late", handler=of_worker[1], timeout=0.1)
    task.shell("exec sleep 60", nodes="first,never", handler=of_worker[2], fanout=1)
    running = begin(task)
    while len(task.result.all()) < 5:
        await asyncio.sleep(0.005)
    task.abort()
    result = await running
    assert {part.node: part.outcome for part in result.all()} == {
        "ok": Outcome.OK,
        "failed": Outcome.FAILED,
        "signalled": Outcome.SIGNALLED,
        "spawn": Outcome.SPAWN_FAILED,
        "aborted": Outcome.ABORTED,
        "late": Outcome.TIMED_OUT,
        "first": Outcome.ABORTED,
        "never": Outcome.NEVER_STARTED,
    }
    assert len(result.all()) == 8
    if kind is not None:
        heard = [event for handler in handlers for event in handler.events]
        ends = sorted(event for event in heard if event.startswith("end "))
        assert ends == sorted(f"end {part.node} {part.outcome}" for part in result.all())
        closes = [[event for event in handler.events if event.startswith("close ")] for handler in handlers]
        assert closes == [["close False"] * 5, ["close True"], ["close False"]]


# -- 2 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", ["", [], (), None, "a!a", "a&b", asynctask.NodeSet(), iter(())])
async def test_invariant_02_an_empty_set_of_targets_is_an_error(nodes: Any, tmp_path: Path) -> None:
    """It runs nothing, least of all locally."""
    trace = tmp_path / "trace"
    with pytest.raises(EmptyTargetsError):
        await asynctask.run(f"touch {trace}", nodes=nodes, worker="exec")
    with pytest.raises(EmptyTargetsError):
        asynctask.stream(f"touch {trace}", nodes=nodes, worker="exec")
    async with Task(worker="exec") as task:
        with pytest.raises(EmptyTargetsError):
            task.shell(f"touch {trace}", nodes=nodes)
        assert list(await task.run()) == []
    assert not trace.exists()


# -- 3 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fanout", [1, 5, 64])
async def test_invariant_03_targets_start_in_the_order_given(fanout: int) -> None:
    """Not sorted, not folded."""
    nodes = [f"{letter}{number}" for number in range(15) for letter in "zma"]
    picked: list[str] = []
    handler = SimpleNamespace(ev_pickup=lambda worker, node: picked.append(node))
    result = await asynctask.run("true", nodes=nodes, worker="exec", fanout=fanout, handler=handler)
    assert picked == nodes
    assert list(result) == nodes


async def test_invariant_03_fanout_changes_take_effect_while_running() -> None:
    """Up and down, exactly."""
    stage = Stage()
    task = Task(fanout=2)
    task.schedule(Scripted(stage.play, numbered(20)))
    running = begin(task)
    seen = []
    for fanout in (2, 5, 3, 1, 4):
        task.fanout = fanout
        await turns(6)
        while len(stage.running) > fanout:
            await stage.end(next(iter(stage.running)))
        seen.append(len(stage.running))
    assert seen == [2, 5, 3, 1, 4]
    await stage.end_all()
    assert (await running).ok


# -- 4 --------------------------------------------------------------------------------------------------

ODD = r"printf 'a\rb\r\n\377\000\n\n  x'"
ODD_RAW = b"a\rb\r\n\xff\x00\n\n  x"
ODD_LINES = [b"a\rb", b"\xff\x00", b"", b"  x"]


@pytest.mark.parametrize("end", ["exit 0", "exec sleep 60"])
async def test_invariant_04_output_is_byte_exact(end: str) -> None:
    """Also of a command that times out; the unfinished last line is delivered."""
    lines: list[bytes] = []
    handler = SimpleNamespace(ev_read=lambda worker, node, sname, msg: lines.append(msg))
    result = await asynctask.run(f"{ODD}; {end}", nodes="a", worker="exec", handler=handler, timeout=0.5)
    assert result["a"].stdout == ODD_RAW
    assert lines == ODD_LINES


async def test_invariant_04_the_unfinished_line_is_delivered_on_abort() -> None:
    """It is in no hurry until then."""
    lines: list[bytes] = []
    task = Task(worker="exec")
    handler = SimpleNamespace(ev_read=lambda worker, node, sname, msg: lines.append(msg))
    task.shell(f"{ODD}; exec sleep 60", nodes="a", handler=handler)
    running = begin(task)
    while len(lines) < 3:
        await asyncio.sleep(0.005)
    assert lines == ODD_LINES[:3]
    task.abort()
    assert (await running)["a"].stdout == ODD_RAW
    assert lines == ODD_LINES


async def test_invariant_04_a_line_of_50_mb_comes_in_marked_pieces() -> None:
    """Never dropped, never in one piece."""
    sizes: Counter[tuple[int, bool]] = Counter()

    def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        sizes[len(msg), isinstance(msg, PartialLine)] += 1

    command = "head -c 52428800 /dev/zero; echo; echo end"
    handler = SimpleNamespace(ev_read=ev_read)
    await asynctask.run(command, nodes="a", worker="exec", handler=handler, gather=False)
    assert sizes == {(1 << 20, True): 49, (1 << 20, False): 1, (3, False): 1}


# -- 5 --------------------------------------------------------------------------------------------------


async def test_invariant_05_an_exception_in_a_handler_touches_its_own_target_alone() -> None:
    """The rest completes, and all exceptions come in one group."""

    class Handler(Recorder):
        def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            super().ev_read(worker, node, sname, msg)
            if node in {"n3", "n7"}:
                raise ValueError(node)

    handler = Handler()
    with pytest.raises(HandlerErrors) as caught:
        await asynctask.run("echo 1; echo 2", nodes="n[1-9]", worker="exec", handler=handler)
    assert sorted(str(error) for error in caught.value.exceptions) == ["n3", "n7"]
    assert all(part.stdout == b"1\n2\n" for part in caught.value.result.all())
    for node in caught.value.result:
        rest = [] if node in {"n3", "n7"} else [f"read {node} stdout 2", f"hup {node} 0"]
        assert handler.of(node) == [f"pickup {node}", f"read {node} stdout 1", *rest, f"end {node} ok"]
    assert handler.events[-1] == "close False"


# -- 6 --------------------------------------------------------------------------------------------------

STUBBORN = "trap '' TERM; (trap '' TERM; while :; do sleep 60; done) & echo ready; while :; do sleep 60; done"
POLITE = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"


@pytest.mark.parametrize("how", ["abort", "timeout", "deadline", "cancel", "leave"])
async def test_invariant_06_whatever_is_stopped_leaves_nothing(how: str) -> None:
    """Groups get TERM, a grace, KILL; the checks of every test find what would be left."""
    ready: list[str] = []
    handler = SimpleNamespace(ev_read=lambda worker, node, sname, msg: ready.append(node))
    timeout = 0.5 if how == "timeout" else None
    async with Task(worker="exec", grace=0.3, stderr=True, handler=handler, timeout=timeout) as task:
        task.shell(STUBBORN, nodes="stubborn")
        task.shell(POLITE, nodes="polite")
        running = begin(task, 0.5 if how == "deadline" else None)
        while len(ready) < 2:
            await asyncio.sleep(0.005)
        if how == "abort":
            task.abort()
        elif how == "cancel":
            running.cancel()
        if how != "leave":
            await asyncio.wait([running])
    if how == "cancel":
        assert running.cancelled()
    elif how == "deadline":
        assert isinstance(running.exception(), TaskTimeoutError)
    outcome = Outcome.TIMED_OUT if how in {"timeout", "deadline"} else Outcome.ABORTED
    result = task.result
    assert [part.outcome for part in result.all()] == [outcome] * 2
    assert result["polite"].stdout == b"ready\nbye\n"
    polite, stubborn = result["polite"].times.ended, result["stubborn"].times.ended
    assert polite is not None
    assert stubborn is not None
    assert stubborn - polite > 0.1  # the grace was given, and only to who needed it
    assert children() == set()


# -- 7 --------------------------------------------------------------------------------------------------


async def test_invariant_07_the_events_of_a_node_come_one_at_a_time_and_in_order() -> None:
    """However long each is awaited; nodes do not wait for each other."""
    inside: Counter[str] = Counter()
    together: set[frozenset[str]] = set()
    heard: dict[str, list[bytes]] = {}

    async def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        inside[node] += 1
        assert inside[node] == 1
        together.add(frozenset(+inside))
        await turns(len(msg))
        heard.setdefault(node, []).append(msg)
        inside[node] -= 1

    handler = SimpleNamespace(ev_read=ev_read)
    await asynctask.run("seq 1 200", nodes="a,b,c", worker="exec", handler=handler)
    lines = [b"%d" % number for number in range(1, 201)]
    assert heard == {"a": lines, "b": lines, "c": lines}
    assert any(len(nodes) > 1 for nodes in together)


async def test_invariant_07_a_slow_handler_slows_its_own_target_only_and_memory_stays_bounded() -> None:
    """A bound, a policy, and a counter of what it did."""
    go_on = asyncio.Event()
    handed_over = 0

    async def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        if node == "slow":
            await go_on.wait()

    class Counted(SimulatedWorker):
        """Counts what its nodes were able to print."""

        async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Any) -> Ended:
            data = sink.data

            def counting(stream: str, chunk: bytes) -> None:
                nonlocal handed_over
                handed_over += len(chunk)
                data(stream, chunk)

            relay = SimpleNamespace(connected=sink.connected, started=sink.started, data=counting)
            return await super().run_target(nodes, rank, relay, resources)

    script = Script([b"x" * 1023 + b"\n"] * 10_000)
    task = Task(gather=False, handler=SimpleNamespace(ev_read=ev_read))
    task.shell("flood", nodes="slow", worker=Counted, options={"script": script})
    task.shell("seq 1 1000", nodes="quick", worker="exec")
    running = begin(task)
    while "quick" not in task.result:
        await asyncio.sleep(0.005)
    statistics = task.statistics()
    assert statistics is not None
    assert (statistics.paused, task.active_nodes()) == (1, ["slow"])
    assert HIGH_WATER < handed_over <= HIGH_WATER + 2048
    go_on.set()
    assert (await running).ok
    assert handed_over == 10_000 * 1024


# -- 8 --------------------------------------------------------------------------------------------------


def test_invariant_08_decisions_are_plain_functions() -> None:
    """Without ``await`` nothing can come between a decision and its bookkeeping."""
    decisions = (
        Run.add,
        Run.fill,
        Run.stop,
        Run._begin,
        Run._defer,
        Run._drop_pending,
        Run._free_slot,
        Run._over,
        Run._record,
        Task.abort,
        Task.schedule,
        Task.suspend,
        Life.move,
    )
    assert not any(asyncio.iscoroutinefunction(function) for function in decisions)


@given(
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=30),
    fanouts=st.lists(st.integers(1, 9), min_size=1, max_size=10),
    stop_after=st.one_of(st.none(), st.integers(0, 40)),
)
def test_invariant_08_the_books_are_right_at_every_turn(
    lengths: list[int], fanouts: list[int], stop_after: int | None
) -> None:
    """Targets of any length, a fanout that changes, an abort at any time: each target is counted once."""
    running, most = 0, max(fanouts)

    async def play(node: str, sink: Sink) -> Ended:
        nonlocal running
        running += 1
        try:
            assert running <= most
            await turns(lengths[int(node)])
            return OK
        finally:
            running -= 1

    async def main() -> None:
        task = Task(fanout=fanouts[0])
        task.schedule(Scripted(play, [str(number) for number in range(len(lengths))]))
        run = begin(task)
        for turn in range(10_000):
            await turns(1)
            statistics = task.statistics()
            if statistics is None:
                break
            assert statistics.pending + statistics.active + statistics.done == len(lengths)
            assert statistics.active <= most
            task.fanout = fanouts[turn % len(fanouts)]
            if turn == stop_after:
                task.abort()
        result = await run
        assert len(result.all()) == len(lengths)
        assert {part.outcome for part in result.all()} <= {Outcome.OK, Outcome.ABORTED, Outcome.NEVER_STARTED}

    asyncio.run(main())


# -- 9 --------------------------------------------------------------------------------------------------


async def test_invariant_09_a_command_ends_with_its_process_and_its_output(tmp_path: Path) -> None:
    """A grandchild that holds the output is given half a second; what the command wrote is all there."""
    pid = tmp_path / "pid"
    began = time.monotonic()
    task = Task(worker="exec")
    task.shell(f"sleep 60 & echo $! > {pid}; seq 1 50000", nodes="held")
    task.shell("exec >&- 2>&-; sleep 0.3; exit 4", nodes="silent")
    async with asyncio.timeout(PATIENCE):
        result = await task.run()
    assert result["held"].ok
    assert result["held"].stdout == b"".join(b"%d\n" % number for number in range(1, 50_001))
    assert result["silent"].rc == 4
    for node, least in (("held", 0.5), ("silent", 0.3)):
        ended = result[node].times.ended
        assert ended is not None
        assert ended - began >= least
    os.kill(int(pid.read_text()), signal.SIGKILL)


# -- 10 -------------------------------------------------------------------------------------------------


async def test_invariant_10_clocks_are_monotonic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that jumps ends nothing early and nothing late."""
    jumps = iter(range(0, 10**9, 3600))
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    result = await asynctask.run("sleep 0.1", nodes="a", worker="exec", timeout=PATIENCE)
    assert result.ok
    result = await asynctask.run("exec sleep 60", nodes="a", worker="exec", timeout=0.1)
    assert result["a"].outcome is Outcome.TIMED_OUT


async def test_invariant_10_a_whole_run_timeout_is_kept_to_within_100_ms() -> None:
    """However busy the run is: output all the time, handlers at work, targets that come and go."""
    struck: list[float] = []

    async def watch(node: str, sink: Sink) -> Ended:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            struck.append(time.monotonic())
            raise
        raise AssertionError

    task = Task(worker="exec", fanout=4, gather=False, handler=Recorder())
    task.schedule(Scripted(watch, ["watch"]))
    task.shell("while :; do echo busy; done", nodes="b[1-2]")
    task.shell("true", nodes="n[1-1000]", fanout=1)
    began, without_core = time.monotonic(), _without_core()
    with pytest.raises(TaskTimeoutError):
        await task.run(0.5)
    without_core = _without_core() - without_core
    assert 0.49 <= struck[0] - began <= 0.6 + without_core


def _without_core() -> float:
    """For how many seconds this thread was ready to run and had no core: that is not ours to answer for."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


# -- 12 -------------------------------------------------------------------------------------------------


async def test_invariant_12_nothing_blocks_the_loop() -> None:
    """The detector of every test would see it: many starts, much output, many results, a slow handler."""

    def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        time.sleep(0.0005)  # plain, and just not too slow

    task = Task(worker="exec", fanout=64)
    task.shell("seq 1 5000", nodes="a[1-100]")
    task.shell("seq 1 200", nodes="b[1-3]", handler=SimpleNamespace(ev_read=ev_read))
    result = await task.run()
    assert result.ok
    assert len(list(result.iter_buffers())) == 2
