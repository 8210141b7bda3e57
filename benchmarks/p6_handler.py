"""P6: every line of many nodes goes to a handler's `ev_read`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module

_BOUNDS = {"plain": 0.5, "async": 0.35}
"""Millions of lines a second."""


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Write the file that every node prints."""
    count, lines = (8, 2000) if quick else (64, 20_000)
    Path(scratch, "lines").write_text("".join(f"{line:06d}\n" for line in range(lines)), encoding="ascii")
    work = {
        "command": f"cat {scratch}/lines",
        "nodes": f"n[1-{count}]",
        "fanout": count,
        "count": count,
        "lines": lines,
    }
    speed = Figure("M lines/s", lambda sample: count * lines / sample.wall / 1e6, ".3f")

    def ours(style: str, loop: str) -> Contender:
        return Contender(
            f"asynctask {style} handler, {loop}",
            lambda: run_library("ours", "handle", style=style, loop=loop, **work),
            no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    yield Row(
        key="P6",
        title=f"{count} nodes x {lines} lines to a handler's `ev_read` (local)",
        contenders=[
            ours("plain", "uvloop"),
            ours("async", "uvloop"),
            Contender(
                "ClusterShell plain handler",
                lambda: run_library("clustershell", "handle", **work),
                no_module("ClusterShell"),
            ),
            ours("plain", "stock"),
            ours("async", "stock"),
        ],
        figures=[speed],
        budgets=[
            Budget(
                f"{style}, {loop}: ≥ {bound} M lines/s", f"asynctask {style} handler, {loop}", speed, bound
            )
            for loop in ("uvloop", "stock")
            for style, bound in _BOUNDS.items()
        ],
        notes=["The handler counts its calls; a run that loses a line is no result."],
    )
