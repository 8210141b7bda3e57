"""P3: the second `hostname` on many addresses of one sshd, over the connections that the first has left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import BenchmarkError, Sample, expect_lines, run_command, run_library
from benchmarks.over_ssh import Place, login_of, serve
from benchmarks.rows import Budget, Contender, Figure, Row, no_program
from benchmarks.runner import Pause, Prepared, second_time

FANOUT = 64
_PATIENCE = 10.0  # seconds for the masters to end


def bare_asyncssh(loop: str, addresses: list[str], **login: Any) -> Prepared:
    """Use asyncssh itself: connections made before, one run a node behind a semaphore."""
    asyncssh: Any = import_module("asyncssh")

    async def main(pause: Pause) -> None:
        turns = asyncio.Semaphore(FANOUT)
        how = login_of(asyncssh, **login)
        async with AsyncExitStack() as connections:

            async def connect(address: str) -> Any:
                async with turns:
                    return await connections.enter_async_context(asyncssh.connect(address, **how))

            async def one(connection: Any) -> str:
                async with turns:
                    return str((await connection.run("hostname", check=True)).stdout)

            made = await asyncio.gather(*map(connect, addresses))
            for _ in range(2):
                await pause(await asyncio.gather(*map(one, made)))

    return second_time(loop, main, len(addresses))


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Start the server for the time of the row."""
    with serve(scratch, 30 if quick else 300) as place:
        yield _row(place, scratch)


def _row(place: Place, scratch: Path) -> Row:
    count = len(place.addresses)
    speed = Figure("nodes/s", lambda sample: count / sample.wall, ".1f")
    cpu = Figure("ms client CPU a node", lambda sample: sample.cpu / count * 1000, ".2f", higher=False)
    budgets = []
    for loop in ("uvloop", "stock"):
        name = f"asynctask, {loop}"
        budgets += [
            Budget(f"{loop}: ≥ 4x clush + ControlMaster", name, speed, 4, "clush + ControlMaster"),
            Budget(f"{loop}: ≤ 0.6 ms client CPU a node", name, cpu, 0.6, at_least=False),
        ]
    return Row(
        key="P3",
        title=f"the second `hostname` on {count} addresses of one sshd, fanout {FANOUT}",
        contenders=_contenders(place, scratch),
        figures=[speed, cpu],
        budgets=budgets,
        notes=[
            "Each client has run `hostname` on all nodes before; that and its logins are not measured.",
            "clush starts new `ssh` processes, which go through the masters of the first (`ControlPersist`).",
            "What the masters use is not in clush's client CPU.",
            f"Account on the server: {place.whose()}",
        ],
        settle=place.settle,
    )


def _contenders(place: Place, scratch: Path) -> list[Contender]:
    def ours(loop: str) -> Contender:
        params = {"command": "hostname", "nodes": place.addresses, "ssh_config": place.config}
        return place.ours(loop, lambda: run_library("ours", "again", loop=loop, fanout=FANOUT, **params))

    def bare(loop: str) -> Contender:
        params = {"addresses": place.addresses, "known_hosts": place.known_hosts, **place.login}
        return place.bare(loop, lambda: run_library("p3_kept", "bare_asyncssh", loop=loop, **params))

    clush = Contender(
        "clush + ControlMaster",
        lambda: _through_masters(place, scratch),
        place.missing or no_program("clush"),
    )
    return [ours("uvloop"), clush, bare("stock"), ours("stock"), bare("uvloop")]


def _through_masters(place: Place, scratch: Path) -> Sample:
    sockets = scratch / "masters"
    sockets.mkdir(mode=0o700, exist_ok=True)
    path = f"{sockets}/%%h"  # clush makes one % of two
    options = f"-o ControlMaster=auto -o ControlPersist=600 -o ControlPath={path}"
    argv = place.clush(FANOUT, "hostname", options)
    check = expect_lines(len(place.addresses))
    try:
        run_command(argv, check=check)
        return run_command(argv, check=check)
    finally:
        _end_masters(sockets)


def _end_masters(sockets: Path) -> None:
    """Masters name their socket in their title, and remove it when they are asked to end."""
    deadline = time.monotonic() + _PATIENCE
    while masters := _with_title(str(sockets)):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{len(masters)} ControlMasters do not end")
        for pid in masters:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.1)


def _with_title(part: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            title = entry.read_bytes()
            if part.encode() in title and title.startswith(b"ssh: "):
                found.append(int(entry.parent.name))
    return found
