"""Ten thousand random runs: whatever happens in them, invariants 1, 6 and 7 hold."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from asynctask.errors import ConnectionFailedError, HandlerErrors, TaskTimeoutError
from asynctask.events import EventHandler
from asynctask.outcome import NodeResult, Outcome
from asynctask.states import TaskState
from asynctask.task import Task
from asynctask.testing import Script, SimulatedWorker
from asynctask.workers.base import Worker
from tests.support import turns

RUNS = 10_000
AT_A_TIME = 200


class Witness(EventHandler):
    """Checks the order of events as they come; raises, waits, aborts and suspends at random."""

    def __init__(self, chance: random.Random, task: Task) -> None:
        self.ends: Counter[str] = Counter()
        self.closes = 0
        self.outcomes: dict[str, Outcome] = {}
        self.raised = 0
        self._chance = chance
        self._task = task
        self._busy: set[str] = set()  # nodes whose handler is at work: one event at a time
        self._stage: dict[str, int] = {}

    async def _hear(self, node: str, stage: int) -> None:
        assert self.closes == 0, "an event after ev_close"
        assert node not in self._busy, "two events of a node at once"
        assert self._stage.get(node, 0) <= stage, "events of a node out of order"
        self._stage[node] = stage
        self._busy.add(node)
        try:
            await self._act()
        finally:
            self._busy.discard(node)

    async def _act(self) -> None:
        dice = self._chance.random()
        if dice < 0.1:
            await turns(self._chance.randrange(1, 4))
        elif dice < 0.12:
            self._task.fanout = self._chance.randrange(1, 6)
        elif dice < 0.125:
            self._task.abort(kill=self._chance.random() < 0.5)
        elif dice < 0.15:
            self.raised += 1
            raise ValueError("a handler raises")

    async def ev_pickup(self, worker: Worker, node: str) -> None:
        await self._hear(node, 1)

    async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        await self._hear(node, 2)

    async def ev_hup(self, worker: Worker, node: str, rc: int) -> None:
        await self._hear(node, 3)

    async def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        self.ends[node] += 1
        self.outcomes[node] = result.outcome
        await self._hear(node, 4)

    def ev_close(self, worker: Worker, timedout: bool) -> None:
        self.closes += 1
        assert timedout == (Outcome.TIMED_OUT in self.outcomes.values())


def _script(chance: random.Random) -> Script:
    dice = chance.random()
    if dice < 0.1:
        return Script(error=lambda node: ConnectionFailedError(node, "no route"))
    if dice < 0.2:
        return Script([b"on and on\n", 60.0])
    steps: list[Any] = [b"a line\n"] * chance.randrange(4)
    if dice < 0.5:
        steps.insert(0, chance.choice([0.0, 0.0, 0.001]))
    return Script(steps, rc=chance.choice([0, 0, 0, 3, -9]))


async def _one_run(seed: int) -> Counter[str]:
    chance = random.Random(seed)
    task = Task(fanout=chance.randrange(1, 5), grace=0)
    jobs: list[tuple[Witness, Worker]] = []
    for number in range(chance.randrange(1, 3)):
        witness = Witness(chance, task)
        nodes = [f"w{number}n{index}" for index in range(chance.randrange(1, 5))]
        worker: Worker = SimulatedWorker(
            "",
            nodes,
            script=lambda node: _script(chance),
            handler=witness,
            timeout=chance.choice([None, 0.0, 0.002]),
            fanout=chance.choice([None, 1, 2]),
            autoclose=chance.random() < 0.1,
            grace=0,
        )
        jobs.append((witness, task.schedule(worker)))
    running = asyncio.create_task(task.run(chance.choice([None, 0.0, 0.003, 1.0])))
    for _ in range(chance.randrange(4)):
        await turns(chance.randrange(4))
        dice = chance.random()
        if dice < 0.3 and task.suspend():
            await turns(2)
            if task.state is TaskState.SUSPENDED:
                await task.resume()
        elif dice < 0.4:
            chance.choice(jobs)[1].abort()
        elif dice < 0.45:
            running.cancel()
    await asyncio.sleep(0.005)
    task.abort()  # some would never end
    with suppress(asyncio.CancelledError, HandlerErrors, TaskTimeoutError):
        await running
    assert task.state is TaskState.IDLE
    found: Counter[str] = Counter()
    if not task.result.all():  # cancelled before its first step
        return found
    for witness, worker in jobs:
        results = {result.node: result.outcome for result in worker.results()}
        assert list(results) == list(worker.nodes)
        assert (witness.ends, witness.closes) == (Counter(worker.nodes), 1)
        assert witness.outcomes == results
        found.update(outcome.value for outcome in results.values())
    return found


@contextmanager
def _garbage_by_hand() -> Iterator[None]:
    """Who collects when much is known to be garbage need not go through all that is alive again and again."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.timeout(180)
@pytest.mark.one_loop("what is random here is simulated, and comes at the same moments on every loop")
@pytest.mark.blocks_loop("the garbage of so many runs takes its time")
async def test_ten_thousand_random_runs() -> None:
    """Each target has one end and one outcome, each worker one ev_close; nothing is left.

    Every way to end occurs.
    """
    tasks = asyncio.all_tasks()
    found: Counter[str] = Counter()
    with _garbage_by_hand():
        for start in range(0, RUNS, AT_A_TIME):
            for outcomes in await asyncio.gather(*map(_one_run, range(start, start + AT_A_TIME))):
                found += outcomes
            gc.collect()
            assert asyncio.all_tasks() == tasks
    assert found.keys() == {
        outcome.value
        for outcome in (
            Outcome.OK,
            Outcome.FAILED,
            Outcome.SIGNALLED,
            Outcome.TIMED_OUT,
            Outcome.UNREACHABLE,
            Outcome.ABORTED,
            Outcome.NEVER_STARTED,
        )
    }
