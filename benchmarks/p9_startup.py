"""P9: start-up of the command lines and of the imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.measure import Sample, run_command
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Each sample is the median of several starts, since one lasts only milliseconds."""
    starts = 3 if quick else 9

    def command(ours: bool, name: str, *args: str) -> Contender:
        label = " ".join((name, *args))
        return Contender(label, lambda: _median([program(name), *args], starts), no_program(name), ours=ours)

    def python(statement: str, *modules: str, ours: bool = False) -> Contender:
        argv = [sys.executable, "-c", statement]
        return Contender(
            f"python -c '{statement}'", lambda: _median(argv, starts), no_module(*modules), ours=ours
        )

    wall = Figure("ms", lambda sample: sample.wall * 1000, ".1f", higher=False)
    version = command(True, "asynctask", "--version")
    fold = command(True, "asynctask", "nodes", "-f", "a1", "a2")
    package = python("import asynctask", "asynctask", ours=True)
    task = python("import asynctask; asynctask.Task", "asynctask", ours=True)
    yield Row(
        key="P9",
        title="start-up",
        contenders=[
            version,
            command(False, "clush", "--version"),
            fold,
            command(False, "nodeset", "-f", "a1", "a2"),
            package,
            task,
            python("pass"),
            python("import asyncio"),
            python("import asyncssh", "asyncssh"),
        ],
        figures=[wall],
        budgets=[
            Budget("`asynctask --version` ≤ 60 ms", version.name, wall, 60.0, at_least=False),
            Budget("`asynctask nodes -f …` ≤ 80 ms", fold.name, wall, 80.0, at_least=False),
            Budget("`import asynctask` ≤ 110 ms", package.name, wall, 110.0, at_least=False),
            Budget("`import asynctask; asynctask.Task` ≤ 110 ms", task.name, wall, 110.0, at_least=False),
        ],
        notes=[
            f"A sample is the median of {starts} starts with warm caches.",
            "Names of the package load at first use, so an import that touches `Task` is shown as well.",
        ],
    )


def _median(argv: list[str], starts: int) -> Sample:
    samples = [run_command(argv) for _ in range(starts)]
    return Sample(
        wall=median(sample.wall for sample in samples),
        cpu_self=median(sample.cpu_self for sample in samples),
        cpu_children=median(sample.cpu_children for sample in samples),
    )
