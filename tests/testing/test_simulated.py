"""Nodes that exist only as a script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asynctask.errors import ConnectionFailedError, ConnectionRefusedByNodeError
from asynctask.outcome import Outcome
from asynctask.results import Result
from asynctask.task import Task
from asynctask.testing.simulated import Script, SimulatedWorker, Step
from asynctask.workers.base import Worker
from tests.support import AsyncRecorder, Recorder


async def _run(script: Script | Callable[[str], Script] | None, nodes: str = "n1", **settings: Any) -> Result:
    options = {} if script is None else {"script": script}
    async with Task(**settings.pop("task", {})) as task:
        task.shell("simulated", nodes=nodes, worker=SimulatedWorker, options=options, **settings)
        return await task.run()


async def test_nothing_is_scripted() -> None:
    """Then a node runs its command without a word."""
    result = await _run(None, "n[1-3]")

    assert [(r.node, r.outcome, r.rc, r.stdout) for r in result.all()] == [
        (node, Outcome.OK, 0, b"") for node in ("n1", "n2", "n3")
    ]


@pytest.mark.parametrize(
    ("rc", "outcome", "status"), [(0, Outcome.OK, 0), (3, Outcome.FAILED, 3), (-9, Outcome.SIGNALLED, 137)]
)
async def test_how_it_exits(rc: int, outcome: Outcome, status: int) -> None:
    """An exit status, or a signal as a negative one."""
    (result,) = (await _run(Script(rc=rc))).all()

    assert (result.outcome, result.rc) == (outcome, status)


@pytest.mark.parametrize(("stderr", "out", "err"), [(True, b"ac", b"b"), (False, b"abc", b"")])
async def test_what_it_prints(stderr: bool, out: bytes, err: bytes) -> None:
    """In order, on the stream that is named, where streams are kept apart."""
    script = Script([b"a", ("stderr", b"b"), ("stdout", b"c")])

    (result,) = (await _run(script, stderr=stderr)).all()

    assert (result.stdout, result.stderr) == (out, err)


async def test_a_script_for_each_node() -> None:
    """A function tells which."""
    result = await _run(lambda node: Script([node.encode()], rc=int(node[1:])), "n[0-2]")

    assert [(r.stdout, r.rc) for r in result.all()] == [(b"n0", 0), (b"n1", 1), (b"n2", 2)]


async def test_how_long_it_takes() -> None:
    """Seconds to connect, and between what it prints; a whole number will do."""
    (result,) = (await _run(Script([b"a", 0.02, 0, b"b"], connect=0.03))).all()

    times = result.times
    assert times.began is not None
    assert times.started is not None
    assert times.first_output is not None
    assert times.ended is not None
    early = 0.002  # a loop may count in whole milliseconds
    assert times.started - times.began >= 0.03 - early
    assert times.ended - times.first_output >= 0.02 - early


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (ConnectionFailedError, Outcome.UNREACHABLE),
        (ConnectionRefusedByNodeError, Outcome.REFUSED),
    ],
)
async def test_how_it_fails(kind: type[ConnectionFailedError], outcome: Outcome) -> None:
    """The error takes the place of the run, and nothing is printed."""
    script = Script([b"never"], error=lambda node: kind(node, "no route"))
    recorder = Recorder()

    (result,) = (await _run(script, handler=recorder)).all()

    assert (result.outcome, str(result.error), result.stdout) == (outcome, "n1: no route", b"")
    assert recorder.events == [f"end n1 {outcome}", "close False"]


async def test_the_events_of_a_node() -> None:
    """As those of a real one."""
    recorder = Recorder()

    await _run(Script([b"one\ntw", 0.0, b"o"], rc=2), handler=recorder)

    assert recorder.events == [
        "start",
        "pickup n1",
        "read n1 stdout one",
        "read n1 stdout two",
        "hup n1 2",
        "end n1 failed",
        "close False",
    ]


async def test_it_can_time_out() -> None:
    """What it printed until then is kept."""
    (result,) = (await _run(Script([b"begun", 60.0, b"never"]), timeout=0.02)).all()

    assert (result.outcome, result.rc, result.stdout) == (Outcome.TIMED_OUT, None, b"begun")


async def test_it_can_be_aborted() -> None:
    """Also while it connects; who waits never starts."""
    async with Task(fanout=1) as task:
        task.shell("x", nodes="n[1-2]", worker=SimulatedWorker, options={"script": Script(connect=60.0)})
        asyncio.get_running_loop().call_later(0.01, task.abort)
        result = await task.run()

    assert [r.outcome for r in result.all()] == [Outcome.ABORTED, Outcome.NEVER_STARTED]


class _Slow(AsyncRecorder):
    """Takes its time over the first line."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        await self.go_on.wait()
        await super().ev_read(worker, node, sname, msg)


async def test_a_slow_handler_slows_the_node() -> None:
    """It prints no more while its output is not wanted, and all of it in the end."""
    handler = _Slow()
    steps: list[Step] = [b"x" * 99_999 + b"\n"] * 10
    async with Task() as task:
        task.shell(
            "x", nodes="n1", worker=SimulatedWorker, handler=handler, options={"script": Script(steps)}
        )
        running = asyncio.create_task(task.run())
        async with asyncio.timeout(20):
            while not ((statistics := task.statistics()) and statistics.paused):
                await asyncio.sleep(0)
        printed = len(task.node_buffer("n1"))
        handler.go_on.set()
        result = await running

    assert printed == 3 * 100_000 - 1  # the first piece beyond 256 KiB closed the gate
    assert result["n1"].stdout == b"".join(step for step in steps if isinstance(step, bytes))
    assert len(handler.of("n1")) == 10 + 3


async def test_thousands() -> None:
    """They cost no process and no descriptor."""
    result = await _run(Script([b"up\n"]), "n[1-2000]", task={"fanout": 2000})

    assert result.ok
    assert [(bytes(message), len(nodes)) for message, nodes in result.iter_buffers()] == [(b"up", 2000)]
