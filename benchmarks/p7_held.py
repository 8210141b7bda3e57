"""P7: the memory of a client that holds many sessions open at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import sshd
from benchmarks.measure import Sample, library_argv, run_held
from benchmarks.p2_ssh import CURVE25519
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program
from benchmarks.runner import Prepared, on_loop, require

COMMAND = "exec sleep 600"  # they are killed as soon as the memory has been read


def bare_asyncssh(
    loop: str, addresses: list[str], port: int, user: str, key: str, known_hosts: str
) -> Prepared:
    """Use asyncssh itself: one connect and one run a node, files parsed once."""
    asyncssh: Any = import_module("asyncssh")

    async def main() -> int:
        how = {
            "port": port,
            "username": user,
            "client_keys": [asyncssh.read_private_key(key)],
            "known_hosts": asyncssh.read_known_hosts(known_hosts),
            "login_timeout": 0,
        }
        turns = asyncio.Semaphore(64)

        async def one(address: str) -> None:
            async with turns:
                connection = await asyncssh.connect(address, **how)
            async with connection:
                await connection.run(COMMAND, check=True)

        await asyncio.gather(*(one(address) for address in addresses))
        return len(addresses)

    def check(count: int) -> dict[str, float]:
        require(count == len(addresses), "sessions lost")
        return {"nodes": count}

    return on_loop(loop, main), check


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Start the server for the time of the row."""
    count = 50 if quick else 500
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
    no_server = sshd.missing()
    if no_server:
        yield _row(addresses, None, no_server)
        return
    with sshd.serve(scratch, addresses) as server:
        yield _row(addresses, server, "")


def _row(addresses: list[str], server: sshd.Server | None, no_server: str) -> Row:
    memory = Figure("MB in all", lambda sample: sample.peak / 1e6, ".1f", higher=False)
    reached = Figure("seconds until all are open", lambda sample: sample.wall, ".1f", higher=False)
    budgets = [
        Budget(f"{loop}: ≤ 80 MB in all", f"asynctask, {loop}", memory, 80, at_least=False)
        for loop in ("uvloop", "stock")
    ]
    return Row(
        key="P7",
        title=f"{len(addresses)} sessions held open (`sleep`) on addresses of one sshd",
        contenders=_contenders(addresses, server, no_server),
        figures=[memory, reached],
        budgets=budgets,
        notes=[
            "Memory is that of the program and of all processes that it has started, once all sessions run.",
            "What several of them share counts once (proportional set size); interpreter and modules are in.",
            "clush uses curve25519, as in P2: only so does it have all sessions open in reasonable time.",
        ],
        settle=server.settle if server else lambda: None,
    )


def _contenders(addresses: list[str], server: sshd.Server | None, no_server: str) -> list[Contender]:
    count = len(addresses)
    config = str(server.config) if server else ""
    where = (
        {
            "port": server.port,
            "user": server.user,
            "key": str(server.key),
            "known_hosts": str(server.known_hosts),
        }
        if server
        else {}
    )

    def held(argv: list[str]) -> Sample:
        assert server is not None
        return run_held(argv, lambda: server.running("sleep") == count, server.end_sessions)

    def ours(loop: str) -> Contender:
        params = {
            "command": COMMAND,
            "nodes": addresses,
            "fanout": count,
            "count": count,
            "lines": 0,
            "ssh_config": config,
        }
        return Contender(
            f"asynctask, {loop}",
            lambda: held(library_argv("ours", "gather", loop=loop, **params)),
            no_server or no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    def bare(loop: str) -> Contender:
        return Contender(
            f"bare asyncssh, {loop}",
            lambda: held(library_argv("p7_held", "bare_asyncssh", loop=loop, addresses=addresses, **where)),
            no_server or no_module("asyncssh", *(["uvloop"] if loop == "uvloop" else [])),
        )

    user = server.user if server else ""
    argv = [program("clush"), "-n", "-f", str(count), "-l", user, "-o", f"-F {config} {CURVE25519}"]
    argv += ["-w", ",".join(addresses), COMMAND]
    clush = Contender("clush", lambda: held(argv), no_server or no_program("clush"))
    return [ours("uvloop"), bare("stock"), clush, ours("stock"), bare("uvloop")]
