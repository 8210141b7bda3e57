"""What the rows over ssh share: many addresses of one sshd, and how each client gets there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import sshd
from benchmarks.measure import Sample
from benchmarks.rows import Contender, no_module, program

CURVE25519 = "-o KexAlgorithms=curve25519-sha256"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the commands of a row run; `missing` says why there is no server."""

    addresses: list[str]
    server: sshd.Server | None
    missing: str

    @property
    def user(self) -> str:
        """Return the account that logs in."""
        return self.server.user if self.server else ""

    @property
    def config(self) -> str:
        """Return the path of the configuration file."""
        return str(self.server.config) if self.server else ""

    @property
    def known_hosts(self) -> str:
        """Return the path of the file with the host key."""
        return str(self.server.known_hosts) if self.server else ""

    @property
    def login(self) -> dict[str, Any]:
        """Return what a client is told that reads no configuration."""
        if self.server is None:
            return {}
        return {"port": self.server.port, "user": self.user, "key": str(self.server.key)}

    def settle(self) -> None:
        """Wait until the server has nothing left to do."""
        if self.server is not None:
            self.server.settle()

    def whose(self) -> str:
        """Say which account the commands run as."""
        if self.server is None:
            return "none, there is no server."
        if self.user == sshd.ACCOUNT:
            return "one made for the run, with /bin/sh."
        return "the user who ran this; their login shell and its start-up files count in every figure."

    def clush(self, fanout: int, command: str, *options: str) -> list[str]:
        """Return clush's command line for all addresses, with options for its ssh."""
        how = " ".join(["-F", self.config, *options])
        to = ["-w", ",".join(self.addresses), command]
        return [program("clush"), "-n", "-f", str(fanout), "-l", self.user, "-o", how, *to]

    def ours(self, loop: str, run: Callable[[], Sample]) -> Contender:
        """Make asynctask on a loop a contender."""
        return Contender(f"asynctask, {loop}", run, self.missing or _no_library("asynctask", loop), ours=True)

    def bare(self, loop: str, run: Callable[[], Sample]) -> Contender:
        """Make asyncssh by itself a contender."""
        return Contender(f"bare asyncssh, {loop}", run, self.missing or _no_library("asyncssh", loop))


@contextmanager
def serve(scratch: Path, count: int) -> Iterator[Place]:
    """Start a server with so many addresses for the time of a row, if there is one."""
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
    missing = sshd.missing()
    if missing:
        yield Place(addresses, None, missing)
        return
    with sshd.serve(scratch, addresses) as server:
        yield Place(addresses, server, "")


def login_of(asyncssh: Any, port: int, user: str, key: str, known_hosts: str) -> dict[str, Any]:
    """Return the options of a connection of asyncssh, with its files parsed."""
    return {
        "port": port,
        "username": user,
        "client_keys": [asyncssh.read_private_key(key)],
        "known_hosts": asyncssh.read_known_hosts(known_hosts),
    }


def _no_library(name: str, loop: str) -> str:
    return no_module(name, *(["uvloop"] if loop == "uvloop" else []))
