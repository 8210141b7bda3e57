"""Places with nodes to run commands on, and what is said about them afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import asynctask
from asynctask import NodeResult, Outcome, Result, SSHOptions

__all__ = ("PATIENCE", "Site", "check")

PATIENCE = 20.0  # seconds; a test that needs them has failed


@dataclass
class Site:
    """Some nodes and the way to them."""

    options: SSHOptions
    nodes: tuple[str, ...]

    @property
    def node(self) -> str:
        """The first of them."""
        return self.nodes[0]

    async def run(self, command: str, **settings: Any) -> NodeResult:
        """Run a command on one node."""
        return (await self.run_all(command, **{"nodes": [self.node], **settings}))[self.node]

    async def run_all(self, command: str, **settings: Any) -> Result:
        """Run a command on nodes, all of them by default."""
        values: dict[str, Any] = {"nodes": self.nodes, "ssh": self.options, **settings}
        async with asyncio.timeout(PATIENCE):
            return await asynctask.run(command, **values)


def check(
    result: NodeResult,
    outcome: Outcome,
    rc: int | None = None,
    *,
    signal: int | None = None,
    out: bytes = b"",
    err: bytes = b"",
    error: str = "None",
) -> None:
    """All that a result says."""
    assert (result.outcome, result.rc, result.signal, result.stdout, result.stderr, str(result.error)) == (
        outcome,
        rc,
        signal,
        out,
        err,
        error,
    )
