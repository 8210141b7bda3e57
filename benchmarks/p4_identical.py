"""P4: many nodes print the same lines, and the output is gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import BenchmarkError, Sample, run_command, run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Write the file that every node prints."""
    count, lines = (8, 2000) if quick else (64, 20_000)
    nodes, command = f"n[1-{count}]", f"cat {scratch}/lines"
    Path(scratch, "lines").write_text("".join(f"{line:06d}\n" for line in range(lines)), encoding="ascii")
    work = {"command": command, "nodes": nodes, "fanout": count, "count": count, "lines": lines}
    runs = ["-R", "exec", "-f", str(count), "-w", nodes, "cat", f"{scratch}/lines"]

    def shell(*argv: str) -> Sample:
        return run_command(argv, check=_once(lines))

    speed = Figure("M lines/s", lambda sample: count * lines / sample.wall / 1e6, ".3f")
    cpu = Figure("s CPU with children", lambda sample: sample.cpu, ".2f", higher=False)
    library, peer = "asynctask library", "ClusterShell library"
    yield Row(
        key="P4",
        title=f"gather {count} nodes x {lines} identical lines (local)",
        contenders=[
            Contender(
                f"{library}, uvloop",
                lambda: run_library("ours", "gather", loop="uvloop", **work),
                no_module("asynctask", "uvloop"),
                ours=True,
            ),
            Contender(
                peer,
                lambda: run_library("clustershell", "gather", **work),
                no_module("ClusterShell"),
            ),
            Contender(
                f"{library}, stock",
                lambda: run_library("ours", "gather", loop="stock", **work),
                no_module("asynctask"),
                ours=True,
            ),
            Contender(
                "asynctask run -b",
                lambda: shell(program("asynctask"), "run", "-b", *runs),
                no_program("asynctask"),
                ours=True,
            ),
            Contender("clush -b", lambda: shell(program("clush"), "-n", "-b", *runs), no_program("clush")),
            Contender(
                "pdsh | dshbak -c",
                lambda: shell("/bin/sh", "-c", '"$@" | dshbak -c', "sh", program("pdsh"), *runs),
                no_program("pdsh", "dshbak"),
            ),
        ],
        figures=[speed, cpu],
        budgets=[
            Budget("library, uvloop: ≥ 5x ClusterShell's", f"{library}, uvloop", speed, 5.0, peer),
            Budget("library, stock: ≥ 5x ClusterShell's", f"{library}, stock", speed, 5.0, peer),
            Budget("`asynctask run -b`: ≥ 20x `clush -b`", "asynctask run -b", speed, 20.0, "clush -b"),
        ],
        notes=["Command lines include their start."],
    )


def _once(lines: int) -> Callable[[Path], None]:
    """Check that the output was printed once under one header, not once a node."""

    def check(output: Path) -> None:
        with output.open("rb") as printed:
            found = sum(1 for line in printed if line.strip().isdigit())
        if found != lines:
            raise BenchmarkError(f"printed {found} lines instead of {lines} once")

    return check
