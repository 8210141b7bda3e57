"""P11: a supervised process exits by itself and is started again."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, time_ns

from benchmarks.measure import Sample
from benchmarks.rows import Budget, Contender, Figure, Row
from benchmarks.supervised import TOOLS, Program, Tool, managed, noting, until

_BARE = "start of the process alone"


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Each sample is the median of several restarts; what the start of the process takes is a contender."""
    restarts = 3 if quick else 10
    delay = Figure("ms from end to start", lambda sample: sample.facts["delay"] * 1000, ".1f", higher=False)
    above = Figure(
        "ms above the start alone", lambda sample: sample.facts["above"] * 1000, ".1f", higher=False
    )
    yield Row(
        key="P11",
        title="a process ends, and is started again",
        contenders=[
            *(
                Contender(tool.name, _run(tool, restarts), tool.missing, ours=tool is TOOLS[0])
                for tool in TOOLS
            ),
            Contender(_BARE, lambda: _sample(_starts(restarts))),
        ],
        figures=[delay, above],
        budgets=[
            Budget("≤ 10 ms above the start of the process", TOOLS[0].name, above, 10.0, at_least=False)
        ],
        notes=[
            "The process is `python -S`, notes its first and its last moment, and ends.",
            "The delay is from one's last moment to the next one's first.",
            "No back-off: supervisor with `startsecs=0`, circus with `warmup_delay = 0`.",
            "circus looks at its processes every 5 s by default; here `check_delay = 0.1`.",
            "asynctask has `flapping = false`; the rest is as it is by default.",
            f"A sample is the median of {restarts} restarts.",
        ],
    )


def _run(tool: Tool, restarts: int) -> Callable[[], Sample]:
    def run() -> Sample:
        with tempfile.TemporaryDirectory() as name:
            notes = Path(name, "notes")
            began = perf_counter()
            with managed(tool, Path(name), Program(noting(notes))):
                until(lambda: _count(notes) > restarts + 1, f"{restarts} restarts")
            times = [line.split() for line in notes.read_text().splitlines() if line.count(" ") == 1]
            delays = [(int(later[0]) - int(one[1])) / 1e9 for one, later in pairwise(times[: restarts + 2])]
        return _sample(delays[1:], perf_counter() - began, median(_starts(3)))

    return run


def _sample(delays: list[float], wall: float = 0.0, start: float = 0.0) -> Sample:
    delay = median(delays)
    return Sample(wall, 0, 0, facts={"delay": delay, "above": delay - start})


def _starts(number: int) -> list[float]:
    """Seconds from the wish to start the process to its first moment."""
    delays = []
    with tempfile.TemporaryDirectory() as name:
        notes = Path(name, "notes")
        for _ in range(number):
            began = time_ns()
            subprocess.run(noting(notes), check=True, stdin=subprocess.DEVNULL)
            delays.append((int(notes.read_text().split()[-2]) - began) / 1e9)
    return delays


def _count(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
