"""P7: the memory of a client that holds many sessions open at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import Sample, library_argv, run_held
from benchmarks.over_ssh import CURVE25519, Place, login_of, serve
from benchmarks.rows import Budget, Contender, Figure, Row, no_program
from benchmarks.runner import Prepared, on_loop, require

COMMAND = "exec sleep 600"  # they are killed as soon as the memory has been read


def bare_asyncssh(loop: str, addresses: list[str], **login: Any) -> Prepared:
    """Use asyncssh itself: one connect and one run a node, files parsed once."""
    asyncssh: Any = import_module("asyncssh")

    async def main() -> int:
        how = {**login_of(asyncssh, **login), "login_timeout": 0}
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
    with serve(scratch, 50 if quick else 500) as place:
        yield _row(place)


def _row(place: Place) -> Row:
    memory = Figure("MB in all", lambda sample: sample.peak / 1e6, ".1f", higher=False)
    reached = Figure("seconds until all are open", lambda sample: sample.wall, ".1f", higher=False)
    budgets = [
        Budget(f"{loop}: ≤ 80 MB in all", f"asynctask, {loop}", memory, 80, at_least=False)
        for loop in ("uvloop", "stock")
    ]
    return Row(
        key="P7",
        title=f"{len(place.addresses)} sessions held open (`sleep`) on addresses of one sshd",
        contenders=_contenders(place),
        figures=[memory, reached],
        budgets=budgets,
        notes=[
            "Memory is that of the program and of all processes that it has started, once all sessions run.",
            "What several of them share counts once (proportional set size); interpreter and modules are in.",
            "clush uses curve25519, as in P2: only so does it have all sessions open in reasonable time.",
        ],
        settle=place.settle,
    )


def _contenders(place: Place) -> list[Contender]:
    count = len(place.addresses)

    def held(argv: list[str]) -> Sample:
        server = place.server
        assert server is not None
        return run_held(argv, lambda: server.running("sleep") == count, server.end_sessions)

    def ours(loop: str) -> Contender:
        params = {
            "command": COMMAND,
            "nodes": place.addresses,
            "fanout": count,
            "count": count,
            "lines": 0,
            "ssh_config": place.config,
        }
        return place.ours(loop, lambda: held(library_argv("ours", "gather", loop=loop, **params)))

    def bare(loop: str) -> Contender:
        params = {"addresses": place.addresses, "known_hosts": place.known_hosts, **place.login}
        return place.bare(loop, lambda: held(library_argv("p7_held", "bare_asyncssh", loop=loop, **params)))

    argv = place.clush(count, COMMAND, CURVE25519)
    clush = Contender("clush", lambda: held(argv), place.missing or no_program("clush"))
    return [ours("uvloop"), bare("stock"), clush, ours("stock"), bare("uvloop")]
