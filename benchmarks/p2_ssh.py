"""P2: a cold `hostname` on many addresses of one sshd."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import Sample, expect_lines, run_command, run_library
from benchmarks.over_ssh import CURVE25519, Place, login_of, serve
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program
from benchmarks.runner import Prepared, all_printed, on_loop, require

FANOUT = 64

WHY_NOT_LESS = (
    "The floor is asyncssh: key exchange and packets, without asynctask, are in the lines `bare asyncssh`."
    " asynctask takes no more than that, with pool, throttle and host keys."
)


def bare_asyncssh(loop: str, addresses: list[str], **login: Any) -> Prepared:
    """Use asyncssh itself: one connect and one run a node behind a semaphore, files parsed once."""
    asyncssh: Any = import_module("asyncssh")

    async def main() -> list[str]:
        turns = asyncio.Semaphore(FANOUT)
        how = login_of(asyncssh, **login)

        async def one(address: str) -> str:
            async with turns, asyncssh.connect(address, **how) as connection:
                done = await connection.run("hostname", check=True)
                return str(done.stdout)

        return await asyncio.gather(*(one(address) for address in addresses))

    return on_loop(loop, main), all_printed(len(addresses))


def parallel_ssh(addresses: list[str], port: int, user: str, key: str) -> Prepared:
    """Use parallel-ssh's native client; it has no host key checking to switch on."""
    client_class: Any = import_module("pssh.clients").ParallelSSHClient

    def work() -> list[list[str]]:
        client = client_class(
            addresses,
            user=user,
            port=port,
            pkey=key,
            pool_size=FANOUT,
            allow_agent=False,
            identity_auth=False,
        )
        hosts = client.run_command("hostname")
        client.join(hosts)
        return [list(host.stdout) for host in hosts]

    def check(outputs: list[list[str]]) -> dict[str, float]:
        require(len([lines for lines in outputs if len(lines) == 1]) == len(addresses), "output lost")
        return {"nodes": len(outputs)}

    return work, check


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Start the server for the time of the row."""
    with serve(scratch, 30 if quick else 300) as place:
        yield _row(place)


def _row(place: Place) -> Row:
    count = len(place.addresses)
    speed = Figure("nodes/s", lambda sample: count / sample.wall, ".1f")
    cpu = Figure("ms client CPU a node", lambda sample: sample.cpu / count * 1000, ".2f", higher=False)
    budgets = []
    for loop in ("uvloop", "stock"):
        name = f"asynctask, {loop}"
        budgets += [
            Budget(f"{loop}: ≥ 1.4x parallel-ssh", name, speed, 1.4, "parallel-ssh"),
            Budget(f"{loop}: ≥ 4.5x clush as installed", name, speed, 4.5, "clush"),
            Budget(f"{loop}: ≥ 1.5x clush with curve25519", name, speed, 1.5, "clush, curve25519"),
            Budget(f"{loop}: ≤ 2.0 ms client CPU a node", name, cpu, 2.0, at_least=False),
        ]
    return Row(
        key="P2",
        title=f"cold `hostname` on {count} addresses of one sshd, fanout {FANOUT}",
        contenders=_contenders(place),
        figures=[speed, cpu],
        budgets=budgets,
        notes=[
            "Client CPU is that of the program and of the processes it starts; the server shares the cores.",
            "Every client uses the same key; all check the host key but parallel-ssh, which cannot.",
            WHY_NOT_LESS,
            f"Account on the server: {place.whose()}",
        ],
        settle=place.settle,
    )


def _contenders(place: Place) -> list[Contender]:
    addresses, config = place.addresses, place.config

    def ours(loop: str) -> Contender:
        params = {
            "command": "hostname",
            "nodes": addresses,
            "fanout": FANOUT,
            "count": len(addresses),
            "lines": 1,
        }
        return place.ours(loop, lambda: run_library("ours", "gather", loop=loop, ssh_config=config, **params))

    def bare(loop: str) -> Contender:
        params = {"addresses": addresses, "known_hosts": place.known_hosts, **place.login}
        return place.bare(loop, lambda: run_library("p2_ssh", "bare_asyncssh", loop=loop, **params))

    def clush(name: str, *options: str) -> Contender:
        argv = place.clush(FANOUT, "hostname", *options)
        return Contender(name, lambda: _command(argv, addresses), place.missing or no_program("clush"))

    pssh = Contender(
        "parallel-ssh",
        lambda: run_library("p2_ssh", "parallel_ssh", addresses=addresses, **place.login),
        place.missing or no_module("pssh"),
    )
    pdsh = Contender(
        "pdsh",
        lambda: _command(
            [
                program("pdsh"),
                "-R",
                "ssh",
                "-l",
                place.user,
                "-f",
                str(FANOUT),
                "-w",
                ",".join(addresses),
                "hostname",
            ],
            addresses,
            {"PDSH_SSH_ARGS_APPEND": f"-F {config}"},
        ),
        place.missing or no_program("pdsh"),
    )
    return [
        ours("uvloop"),
        pssh,
        bare("stock"),
        clush("clush, curve25519", CURVE25519),
        ours("stock"),
        bare("uvloop"),
        clush("clush"),
        pdsh,
    ]


def _command(argv: list[str], addresses: list[str], env: dict[str, str] | None = None) -> Sample:
    return run_command(argv, env=env, check=expect_lines(len(addresses)))
