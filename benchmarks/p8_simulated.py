"""P8: many simulated nodes, no transport: what the scheduler, the events and the results cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module
from benchmarks.runner import Prepared, load_ours, on_loop, require

_HELD = 3.0
"""Seconds that a held node stays: longer than it takes to start all the others."""


def simulated(loop: str, count: int, fanout: int, held: float) -> Prepared:
    """Run simulated nodes that print one line each, with a plain handler for three events a node."""
    asynctask = load_ours()
    simulation = import_module("asynctask.testing.simulated")
    base: Any = asynctask.EventHandler

    class Counter(base):  # type: ignore[misc]
        picked = read = hung = most = 0

        def ev_pickup(self, worker: Any, node: str) -> None:
            self.picked += 1
            self.most = max(self.most, self.picked - self.hung)

        def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
            self.read += 1

        def ev_hup(self, worker: Any, node: str, rc: int) -> None:
            self.hung += 1

    counter = Counter()
    steps = [b"up\n", held] if held else [b"up\n"]

    async def main() -> Any:
        return await asynctask.run(
            "true",
            nodes=f"n[1-{count}]",
            worker=simulation.SimulatedWorker,
            options={"script": simulation.Script(steps)},
            fanout=fanout,
            handler=counter,
        )

    def check(result: Any) -> dict[str, float]:
        seen = (counter.picked, counter.read, counter.hung)
        require(seen == (count, count, count), f"events {seen} instead of {count} each")
        require(not held or counter.most == count, f"only {counter.most} nodes ran at once")
        return {"nodes": count, "most": counter.most}

    return on_loop(loop, main), check


def bare_tasks(loop: str, count: int) -> Prepared:
    """The floor under held nodes: as many asyncio tasks that sleep, and nothing else."""

    async def main() -> int:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(asyncio.sleep(_HELD))
        return count

    return on_loop(loop, main), lambda most: {"nodes": most, "most": most}


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Nothing to prepare: there is no transport."""
    count = 1000 if quick else 10_000
    cpu = Figure("µs CPU a node", lambda sample: sample.cpu_self / count * 1e6, ".1f", higher=False)
    memory = Figure("KB peak a node", lambda sample: sample.peak / count / 1024, ".2f", higher=False)
    most = Figure("nodes at once", lambda sample: sample.facts["most"])

    def ours(loop: str, fanout: int, held: float) -> Contender:
        name = f"asynctask, fanout {fanout}{', held' if held else ''}, {loop}"
        return Contender(
            name,
            lambda: run_library(
                "p8_simulated", "simulated", loop=loop, count=count, fanout=fanout, held=held
            ),
            no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    ways = ((64, 0.0), (count, 0.0), (count, _HELD))
    contenders = [ours(loop, *way) for way in ways for loop in ("uvloop", "stock")]
    budgets = []
    for one in contenders:
        if "held" in one.name:
            continue
        which = one.name.removeprefix("asynctask, ")
        budgets += [
            Budget(f"{which}: ≤ 100 µs CPU a node", one.name, cpu, 100.0, at_least=False),
            Budget(f"{which}: ≤ 3 KB a node", one.name, memory, 3.0, at_least=False),
        ]
    floor = Contender(
        "bare asyncio tasks, held, stock",
        lambda: run_library("p8_simulated", "bare_tasks", loop="stock", count=count),
    )
    yield Row(
        key="P8",
        title=f"{count} simulated nodes, three events each",
        contenders=[*contenders, floor],
        figures=[cpu, memory, most],
        budgets=budgets,
        notes=[
            "No peer has such a worker; the last line is the floor under held nodes.",
            "A node prints its line and ends, so hardly two are there at once, whatever the fanout.",
            f"Held nodes stay {_HELD:.0f} s: all are there at once, each with its own timer of the loop.",
            "No budget is set for held nodes; they show what a node costs while it waits.",
            "Memory is the largest resident memory (VmHWM) above what the process held before the run.",
        ],
    )
