"""P3: the second `hostname` on many addresses of one sshd, over the connections that the first has left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import sshd
from benchmarks.measure import BenchmarkError, Sample, expect_lines, run_command, run_library
from benchmarks.p2_ssh import whose
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program
from benchmarks.runner import Pause, Prepared, Warm, require

FANOUT = 64
_PATIENCE = 10.0  # seconds for the masters to end


def bare_asyncssh(
    loop: str, addresses: list[str], port: int, user: str, key: str, known_hosts: str
) -> Prepared:
    """Use asyncssh itself: connections made before, one run a node behind a semaphore."""
    asyncssh: Any = import_module("asyncssh")

    async def main(pause: Pause) -> None:
        turns = asyncio.Semaphore(FANOUT)
        how = {
            "port": port,
            "username": user,
            "client_keys": [asyncssh.read_private_key(key)],
            "known_hosts": asyncssh.read_known_hosts(known_hosts),
        }
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

    def check(outputs: list[str]) -> dict[str, float]:
        warm.close()
        require(len([output for output in outputs if output.strip()]) == len(addresses), "output lost")
        return {"nodes": len(outputs)}

    warm = Warm(loop, main)
    require(all(warm()), "the first command did not work")
    return warm, check


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Start the server for the time of the row."""
    count = 30 if quick else 300
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
    no_server = sshd.missing()
    if no_server:
        yield _row(addresses, scratch, None, no_server)
        return
    with sshd.serve(scratch, addresses) as server:
        yield _row(addresses, scratch, server, "")


def _row(addresses: list[str], scratch: Path, server: sshd.Server | None, no_server: str) -> Row:
    count = len(addresses)
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
        contenders=_contenders(addresses, scratch, server, no_server),
        figures=[speed, cpu],
        budgets=budgets,
        notes=[
            "Each client has run `hostname` on all nodes before; that and its logins are not measured.",
            "clush starts new `ssh` processes, which go through the masters of the first (`ControlPersist`).",
            "What the masters use is not in clush's client CPU.",
            f"Account on the server: {whose(server)}",
        ],
        settle=server.settle if server else lambda: None,
    )


def _contenders(
    addresses: list[str], scratch: Path, server: sshd.Server | None, no_server: str
) -> list[Contender]:
    where = {"port": server.port, "user": server.user, "key": str(server.key)} if server else {}
    config = str(server.config) if server else ""
    known_hosts = str(server.known_hosts) if server else ""

    def ours(loop: str) -> Contender:
        params = {"command": "hostname", "nodes": addresses, "fanout": FANOUT, "ssh_config": config}
        return Contender(
            f"asynctask, {loop}",
            lambda: run_library("ours", "again", loop=loop, **params),
            no_server or no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    def bare(loop: str) -> Contender:
        return Contender(
            f"bare asyncssh, {loop}",
            lambda: run_library(
                "p3_kept", "bare_asyncssh", loop=loop, addresses=addresses, known_hosts=known_hosts, **where
            ),
            no_server or no_module("asyncssh", *(["uvloop"] if loop == "uvloop" else [])),
        )

    clush = Contender(
        "clush + ControlMaster",
        lambda: _through_masters(addresses, server, scratch),
        no_server or no_program("clush"),
    )
    return [ours("uvloop"), clush, bare("stock"), ours("stock"), bare("uvloop")]


def _through_masters(addresses: Sequence[str], server: sshd.Server | None, scratch: Path) -> Sample:
    assert server is not None
    sockets = scratch / "masters"
    sockets.mkdir(mode=0o700, exist_ok=True)
    path = f"{sockets}/%%h"  # clush makes one % of two
    options = f"-F {server.config} -o ControlMaster=auto -o ControlPersist=600 -o ControlPath={path}"
    argv = [program("clush"), "-n", "-f", str(FANOUT), "-l", server.user, "-o", options]
    argv += ["-w", ",".join(addresses), "hostname"]
    check = expect_lines(len(addresses))
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
