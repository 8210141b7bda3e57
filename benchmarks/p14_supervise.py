"""P14: start many processes, and keep them while nothing happens."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from benchmarks.measure import Sample, resident
from benchmarks.rows import Budget, Contender, Figure, Row
from benchmarks.supervised import (
    TOOLS,
    Program,
    Tool,
    children,
    cpu_seconds,
    managed,
    manager_and_helpers,
    until,
)


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """The processes are `sleep`."""
    number, idle = (20, 1.0) if quick else (200, 5.0)
    start = Figure("s to start", lambda sample: sample.wall, ".2f", higher=False)
    cpu = Figure("% of a core, idle", lambda sample: sample.facts["idle"] * 100, ".2f", higher=False)
    memory = Figure("MB", lambda sample: sample.peak / 1e6, ".1f", higher=False)
    yield Row(
        key="P14",
        title=f"keep {number} processes",
        contenders=[
            Contender(tool.name, _run(tool, number, idle), tool.missing, ours=tool is TOOLS[0])
            for tool in TOOLS
        ],
        figures=[start, cpu, memory],
        budgets=[
            Budget(f"start: ≤ 1x {tool.name}", TOOLS[0].name, start, 1.0, peer=tool.name, at_least=False)
            for tool in TOOLS[1:]
        ],
        notes=[
            "The start is from that of the manager until all processes run.",
            f"Then nothing happens for {idle:g} s; the CPU time of the manager and its helpers counts.",
            "The memory is that of the manager and its helpers, of what is shared its part (PSS).",
        ],
    )


def _run(tool: Tool, number: int, idle: float) -> Callable[[], Sample]:
    def run() -> Sample:
        with tempfile.TemporaryDirectory() as name:
            began = perf_counter()
            with managed(tool, Path(name), Program(["sleep", "1000"], number)) as pid:
                until(lambda: children(pid, "sleep") >= number, f"{number} processes")
                wall = perf_counter() - began
                sleep(1.0)  # what is still to be done after the start is not idle
                family = manager_and_helpers(pid, "sleep")
                before = cpu_seconds(family)
                sleep(idle)
                used = (cpu_seconds(family) - before) / idle
                memory = sum(resident(each) for each in family)
        return Sample(wall, used * idle, 0, memory, {"idle": used})

    return run
