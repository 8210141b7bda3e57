"""P15: what a process prints goes into a log file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.measure import BenchmarkError, Sample
from benchmarks.rows import Budget, Contender, Figure, Row
from benchmarks.supervised import TOOLS, Program, Tool, cpu_seconds, managed, until

_LINE = b"a line of a log as it may be, eighty bytes long, of which there are very many: ...\n"


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """The process copies a file of lines to its standard output, as fast as it is taken, and waits."""
    size = (2 if quick else 200) * 1_000_000 // len(_LINE) * len(_LINE)
    source = scratch / "lines"
    source.write_bytes(_LINE * (size // len(_LINE)))
    rate = Figure("MB/s", lambda sample: size / sample.wall / 1e6)
    cpu = Figure("CPU s a GB", lambda sample: sample.cpu_self / size * 1e9, ".2f", higher=False)
    yield Row(
        key="P15",
        title=f"{size // 1_000_000} MB of lines into a log file",
        contenders=[
            Contender(tool.name, _run(tool, source, size), tool.missing, ours=tool is TOOLS[0])
            for tool in TOOLS
        ],
        figures=[rate, cpu],
        budgets=[Budget(f"≥ 1x {tool.name}", TOOLS[0].name, rate, 1.0, peer=tool.name) for tool in TOOLS[1:]],
        notes=[
            "From the first to the last byte in the file; without rotation, since the peers' is not by age.",
            "The file is compared with what was printed.",
        ],
    )


def _run(tool: Tool, source: Path, size: int) -> Callable[[], Sample]:
    def run() -> Sample:
        with tempfile.TemporaryDirectory() as name:
            log = Path(name, "log")
            argv = ["sh", "-c", f"cat {source}; sleep 1000"]
            with managed(tool, Path(name), Program(argv, log=log, once=True)) as pid:
                until(lambda: _size(log) > 0, "the first line")
                began, before = perf_counter(), cpu_seconds([pid])
                until(lambda: _size(log) >= size, "the last line")
                wall, used = perf_counter() - began, cpu_seconds([pid]) - before
            if log.read_bytes() != source.read_bytes():
                raise BenchmarkError("the log is not what was printed")
        return Sample(wall, used, 0)

    return run


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
