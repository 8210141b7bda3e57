"""The public conformance suite passes for our workers, and fails for workers that break a rule."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from asynctask.outcome import Ended, Outcome
from asynctask.ssh.options import SSHOptions
from asynctask.testing import Cluster, ConformanceError, Script, SimulatedWorker, WorkerKit, check_worker
from asynctask.workers.base import Sink, Worker
from asynctask.workers.exec import ExecWorker
from asynctask.workers.resources import Resources
from asynctask.workers.ssh import SSHWorker
from tests.support import FLOOD


def _exec(command: str) -> Any:
    return lambda nodes, **settings: ExecWorker(command, nodes, **settings)


EXEC = WorkerKit(
    prints=_exec("echo I am %h"),
    fails=_exec("exit 3"),
    hangs=_exec("sleep 3600"),
    floods=_exec(FLOOD),
)


def _simulated(script: Script) -> Any:
    return lambda nodes, **settings: SimulatedWorker("", nodes, script=script, **settings)


SIMULATED = WorkerKit(
    prints=_simulated(Script([b"hello\n"])),
    fails=_simulated(Script(rc=3)),
    hangs=_simulated(Script([3600.0])),
    floods=_simulated(Script([(b"0123456789" * 6 + b"\n") * 200] * 100)),
)


@pytest.mark.parametrize("kit", [EXEC, SIMULATED], ids=["exec", "simulated"])
async def test_local_workers(kit: WorkerKit) -> None:
    """Those without a network."""
    await check_worker(kit)


async def test_the_ssh_worker() -> None:
    """Over the in-process cluster."""
    async with Cluster(3) as cluster:
        options = SSHOptions(config=cluster.ssh_config)

        def make(command: str) -> Any:
            return lambda nodes, **settings: SSHWorker(command, nodes, ssh=options, **settings)

        await check_worker(
            WorkerKit(
                prints=make("hostname"),
                fails=make("exit 3"),
                hangs=make("sleep 3600"),
                floods=make(FLOOD),
                nodes=cluster.nodes,
            )
        )


class Plain(Worker):
    """A worker that ends at once, with what a test says."""

    name: ClassVar[str] = "plain"
    ended: Ended = Ended(Outcome.OK, rc=0)
    output = b"hi\n"

    def __init__(self, nodes: Sequence[str], **settings: Any) -> None:
        super().__init__("", nodes, **settings)

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        sink.started()
        sink.data("stdout", self.output)
        return self.ended


class Silent(Plain):
    """It prints nothing."""

    output = b""


class Failing(Plain):
    """It fails."""

    ended = Ended(Outcome.FAILED, rc=1)


class Hasty(Plain):
    """It says nothing of a start."""

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        sink.data("stdout", self.output)
        return self.ended


class Leaking(Plain):
    """It leaves an asyncio task behind."""

    left: ClassVar[list[asyncio.Task[None]]] = []

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        self.left.append(asyncio.create_task(asyncio.sleep(3600)))
        return await super().run_target(nodes, rank, sink, resources)


class Careless(Plain):
    """It runs on nobody."""

    def __init__(self, nodes: Sequence[str], **settings: Any) -> None:
        super().__init__(nodes or ("localhost",), **settings)


@pytest.mark.parametrize(
    ("kit", "message"),
    [
        (replace(SIMULATED, prints=Silent), "it does not hold that node1 has printed a line"),
        (
            replace(SIMULATED, prints=Failing),
            "outcome: expected <Outcome.OK: 'ok'>, not <Outcome.FAILED: 'failed'>",
        ),
        (
            replace(SIMULATED, prints=Hasty),
            "events of node1: expected ['pickup', 'hup 0', 'end ok'], not ['hup 0', 'end ok']",
        ),
        (replace(SIMULATED, prints=Careless), "a worker without nodes: EmptyTargetsError was expected"),
        (replace(SIMULATED, fails=Failing), "exit status: expected 3, not 1"),
        (
            replace(SIMULATED, hangs=Plain),
            "outcome: expected <Outcome.TIMED_OUT: 'timed out'>, not <Outcome.OK: 'ok'>",
        ),
    ],
)
async def test_a_worker_that_breaks_a_rule(kit: WorkerKit, message: str) -> None:
    """The first rule that it breaks is told."""
    with pytest.raises(ConformanceError) as caught:
        await check_worker(kit)
    assert str(caught.value) == message


async def test_a_worker_that_leaves_something_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given some time, and then told."""
    monkeypatch.setattr("asynctask.testing.conformance._PATIENCE", 0.2)
    with pytest.raises(ConformanceError) as caught:
        await check_worker(replace(SIMULATED, prints=Leaking))
    assert str(caught.value) == (
        "each node prints and ends well: not done within 0.2 s; left behind: 3 asyncio tasks"
    )
    for task in Leaking.left:
        task.cancel()
    await asyncio.wait(Leaking.left)
