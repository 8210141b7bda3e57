"""P5: every node prints other lines, and the output is gathered; speed and peak memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Sample, run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Write one file a node."""
    count, lines = (8, 2000) if quick else (64, 20_000)
    for node in range(count):
        text = "".join(f"{node * lines + line:06x}\n" for line in range(lines))
        Path(scratch, f"n{node}").write_text(text, encoding="ascii")
    work = {
        "command": f"cat {scratch}/%h",
        "nodes": f"n[0-{count - 1}]",
        "fanout": count,
        "count": count,
        "lines": lines,
        "different": True,
    }
    megabytes = count * lines * len("000000\n") / 1e6
    speed = Figure("M lines/s", lambda sample: count * lines / sample.wall / 1e6, ".3f")
    memory = Figure("MB peak above base", lambda sample: sample.peak / 1e6, ".1f", higher=False)
    size = Figure("x the output", _memory_ratio, ".2f", higher=False)

    def ours(loop: str) -> Contender:
        return Contender(
            f"asynctask library, {loop}",
            lambda: run_library("ours", "gather", loop=loop, **work),
            no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    budgets = []
    for loop in ("uvloop", "stock"):
        name = f"asynctask library, {loop}"
        budgets += [
            Budget(f"{loop}: ≥ 10x ClusterShell", name, speed, 10.0, "ClusterShell library"),
            Budget(f"{loop}: peak ≤ base + 4x the output", name, size, 4.0, at_least=False),
        ]
    yield Row(
        key="P5",
        title=f"gather {count} nodes x {lines} lines, all different (local, {megabytes:.1f} MB)",
        contenders=[
            ours("uvloop"),
            Contender(
                "ClusterShell library",
                lambda: run_library("clustershell", "gather", **work),
                no_module("ClusterShell"),
            ),
            ours("stock"),
        ],
        figures=[speed, memory, size],
        budgets=budgets,
        notes=[
            "Peak is the process's largest resident memory (VmHWM) above what it held before the run.",
            "The output is walked once after the run, one node's bytes at a time.",
        ],
    )


def _memory_ratio(sample: Sample) -> float:
    return sample.peak / sample.facts["bytes"]
