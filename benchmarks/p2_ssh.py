"""P2: a cold `hostname` on many addresses of one sshd."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import sshd
from benchmarks.measure import Sample, expect_lines, run_command, run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module, no_program, program
from benchmarks.runner import Prepared, on_loop, require

FANOUT = 64
CURVE25519 = "-o KexAlgorithms=curve25519-sha256"

WHY_NOT_LESS = (
    "The floor is asyncssh: key exchange and packets, without asynctask, are in the lines `bare asyncssh`."
    " asynctask takes no more than that, with pool, throttle and host keys."
)


def bare_asyncssh(
    loop: str, addresses: list[str], port: int, user: str, key: str, known_hosts: str
) -> Prepared:
    """Use asyncssh itself: one connect and one run a node behind a semaphore, files parsed once."""
    asyncssh: Any = import_module("asyncssh")

    async def main() -> list[str]:
        turns = asyncio.Semaphore(FANOUT)
        how = {
            "port": port,
            "username": user,
            "client_keys": [asyncssh.read_private_key(key)],
            "known_hosts": asyncssh.read_known_hosts(known_hosts),
        }

        async def one(address: str) -> str:
            async with turns, asyncssh.connect(address, **how) as connection:
                done = await connection.run("hostname", check=True)
                return str(done.stdout)

        return await asyncio.gather(*(one(address) for address in addresses))

    def check(outputs: list[str]) -> dict[str, float]:
        require(len([output for output in outputs if output.strip()]) == len(addresses), "output lost")
        return {"nodes": len(outputs)}

    return on_loop(loop, main), check


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
    count = 30 if quick else 300
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
    no_server = sshd.missing()
    if no_server:
        yield _row(addresses, None, no_server)
        return
    with sshd.serve(scratch, addresses) as server:
        yield _row(addresses, server, "")


def _row(addresses: list[str], server: sshd.Server | None, no_server: str) -> Row:
    count = len(addresses)
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
        contenders=_contenders(addresses, server, no_server),
        figures=[speed, cpu],
        budgets=budgets,
        notes=[
            "Client CPU is that of the program and of the processes it starts; the server shares the cores.",
            "Every client uses the same key; all check the host key but parallel-ssh, which cannot.",
            WHY_NOT_LESS,
            f"Account on the server: {whose(server)}",
        ],
        settle=server.settle if server else lambda: None,
    )


def whose(server: sshd.Server | None) -> str:
    """Say which account the commands run as."""
    if server is None:
        return "none, there is no server."
    if server.user == sshd.ACCOUNT:
        return "one made for the run, with /bin/sh."
    return "the user who ran this; their login shell and its start-up files count in every figure."


def _contenders(addresses: list[str], server: sshd.Server | None, no_server: str) -> list[Contender]:
    where = {"port": server.port, "user": server.user, "key": str(server.key)} if server else {}
    config = str(server.config) if server else ""
    user = server.user if server else ""
    known_hosts = str(server.known_hosts) if server else ""

    def ours(loop: str) -> Contender:
        params = {
            "command": "hostname",
            "nodes": addresses,
            "fanout": FANOUT,
            "count": len(addresses),
            "lines": 1,
        }
        return Contender(
            f"asynctask, {loop}",
            lambda: run_library("ours", "gather", loop=loop, ssh_config=config, **params),
            no_server or no_module("asynctask", *(["uvloop"] if loop == "uvloop" else [])),
            ours=True,
        )

    def bare(loop: str) -> Contender:
        return Contender(
            f"bare asyncssh, {loop}",
            lambda: run_library(
                "p2_ssh", "bare_asyncssh", loop=loop, addresses=addresses, known_hosts=known_hosts, **where
            ),
            no_server or no_module("asyncssh", *(["uvloop"] if loop == "uvloop" else [])),
        )

    def clush(name: str, *options: str) -> Contender:
        argv = [
            program("clush"),
            "-n",
            "-f",
            str(FANOUT),
            "-l",
            user,
            "-o",
            " ".join(["-F", config, *options]),
        ]
        argv += ["-w", ",".join(addresses), "hostname"]
        return Contender(name, lambda: _command(argv, addresses), no_server or no_program("clush"))

    pssh = Contender(
        "parallel-ssh",
        lambda: run_library("p2_ssh", "parallel_ssh", addresses=addresses, **where),
        no_server or no_module("pssh"),
    )
    pdsh = Contender(
        "pdsh",
        lambda: _command(
            [
                program("pdsh"),
                "-R",
                "ssh",
                "-l",
                user,
                "-f",
                str(FANOUT),
                "-w",
                ",".join(addresses),
                "hostname",
            ],
            addresses,
            {"PDSH_SSH_ARGS_APPEND": f"-F {config}"},
        ),
        no_server or no_program("pdsh"),
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
