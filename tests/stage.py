"""Targets that begin when their turn comes and end when the test says."""

from __future__ import annotations

import asyncio

from asynctask.outcome import Ended
from asynctask.results import Result
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.support import OK, turns

__all__ = ("Stage", "begin", "numbered")


class Stage:
    """Targets that begin when their turn comes and end when the test says."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.running: dict[str, asyncio.Future[Ended]] = {}
        self.most = 0

    async def play(self, node: str, sink: Sink) -> Ended:
        """One target."""
        self.begun.append(node)
        self.running[node] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.running))
        sink.started()
        try:
            return await self.running[node]
        finally:
            del self.running[node]

    async def end(self, *nodes: str, ended: Ended = OK) -> None:
        """End some, and let the others begin."""
        for node in nodes:
            self.running[node].set_result(ended)
        await turns(6)

    async def end_all(self) -> None:
        """End all, as they come."""
        while self.running:
            await self.end(*self.running)


def numbered(count: int, prefix: str = "n") -> list[str]:
    """So many names of nodes."""
    return [f"{prefix}{number}" for number in range(count)]


def begin(task: Task, timeout: float | None = None) -> asyncio.Task[Result]:
    """Run the task, beside the test."""
    return asyncio.create_task(task.run(timeout))
