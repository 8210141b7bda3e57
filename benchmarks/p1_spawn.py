"""P1: many short local processes, the output gathered a node."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import expect_lines, run_command, run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program
from benchmarks.runner import Prepared, on_loop, require

FANOUT = 64
SHELL = ("/bin/sh", "-c", "echo hi")

WHY_NOT_FASTER = (
    "The floor of one Python thread: a loop round `subprocess.Popen` and an epoll, with no nodes, events or"
    " outcomes, takes 0.11 to 0.13 ms of its own where `xargs` takes 0.11, and Python waits until the child"
    " has called exec. What asynctask adds is spread over many small parts."
)


def asyncio_processes(loop: str, count: int) -> Prepared:
    """Spawn with asyncio's own subprocesses behind a semaphore."""

    async def main() -> list[bytes]:
        turns = asyncio.Semaphore(FANOUT)

        async def one() -> bytes:
            async with turns:
                process = await asyncio.create_subprocess_exec(*SHELL, stdout=PIPE)
                output, _ = await process.communicate()
                return output

        return await asyncio.gather(*(one() for _ in range(count)))

    def check(outputs: list[bytes]) -> dict[str, float]:
        require(outputs == [b"hi\n"] * count, "output lost")
        return {"nodes": count}

    return on_loop(loop, main), check


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Prepare the list of names that `xargs` reads."""
    count = 200 if quick else 2000
    nodes = f"n[1-{count}]"
    names = scratch / "names"
    names.write_text("".join(f"n{number}\n" for number in range(1, count + 1)), encoding="ascii")

    def ours(loop: str) -> Contender:
        return Contender(
            f"asynctask, {loop}",
            lambda: run_library(
                "ours",
                "gather",
                loop=loop,
                command="echo hi",
                nodes=nodes,
                fanout=FANOUT,
                count=count,
                lines=1,
            ),
            no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    def library(name: str, loop: str, missing: str = "") -> Contender:
        return Contender(
            name, lambda: run_library("p1_spawn", "asyncio_processes", loop=loop, count=count), missing
        )

    clustershell = Contender(
        "ClusterShell library",
        lambda: run_library(
            "clustershell", "gather", command="echo hi", nodes=nodes, fanout=FANOUT, count=count, lines=1
        ),
        no_module("ClusterShell"),
    )
    xargs = Contender(
        "xargs -P",
        lambda: run_command(
            [program("xargs"), "-P", str(FANOUT), "-n", "1", *SHELL], stdin=names, check=expect_lines(count)
        ),
        no_program("xargs"),
    )
    pdsh = Contender(
        "pdsh -R exec",
        lambda: run_command(
            [program("pdsh"), "-R", "exec", "-f", str(FANOUT), "-w", nodes, *SHELL], check=expect_lines(count)
        ),
        no_program("pdsh"),
    )
    speed = Figure("nodes/s", lambda sample: count / sample.wall)
    own = Figure("ms own CPU a node", lambda sample: sample.cpu_self / count * 1000, ".3f", higher=False)
    budgets = []
    for loop in ("uvloop", "stock"):
        name = f"asynctask, {loop}"
        budgets += [
            Budget(f"{loop}: ≥ 1x `xargs -P`", name, speed, 1.0, "xargs -P"),
            Budget(f"{loop}: ≥ 3.5x ClusterShell", name, speed, 3.5, "ClusterShell library"),
            Budget(f"{loop}: ≤ 0.25 ms own CPU a node", name, own, 0.25, at_least=False),
        ]
    yield Row(
        key="P1",
        title=f"{count} local `sh -c 'echo hi'`, fanout {FANOUT}, output gathered a node",
        contenders=[
            ours("uvloop"),
            xargs,
            library("asyncio", "stock"),
            ours("stock"),
            clustershell,
            library("uvloop's subprocess", "uvloop", no_module("uvloop")),
            pdsh,
        ],
        figures=[speed, own],
        budgets=budgets,
        notes=[
            "Own CPU is that of the program without its children. `xargs` and `pdsh` include their start.",
            "`xargs` writes all output to one file, so it gathers nothing a node.",
            WHY_NOT_FASTER,
        ],
    )
