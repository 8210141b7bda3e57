"""A run with displays and a screen that keeps what is shown, without the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from asynctask.cli.output.choosing import displays
from asynctask.cli.request import Request
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.cli.view import View
from asynctask.messages import MsgTree
from asynctask.nodes import expand
from asynctask.outcome import NodeResult, Outcome
from asynctask.task import Task
from asynctask.workers.base import Worker
from tests.support import node_result

__all__ = ("NO_WORKER", "FakeScreen", "fake_screen", "over", "results_of", "run_shown")

NO_WORKER = cast("Worker", None)


class FakeScreen:
    """Keeps what is shown; each stream may be a terminal."""

    def __init__(self, *terminals: int) -> None:
        self._terminals = terminals
        self.writes: list[tuple[int, bytes]] = []
        self.said: list[str] = []

    @property
    def shown(self) -> dict[int, bytes]:
        """All that was written to each stream."""
        return {fd: b"".join(data for to, data in self.writes if to == fd) for fd in (STDOUT, STDERR)}

    def is_terminal(self, fd: int) -> bool:
        return fd in self._terminals

    async def write(self, fd: int, data: bytes) -> None:
        self.writes.append((fd, data))

    def say(self, text: str) -> None:
        self.said.append(text)


def fake_screen(*terminals: int) -> Any:
    """A screen whose streams are pipes, but for these."""
    return FakeScreen(*terminals)


def results_of(
    *parts: tuple[str, int | None, bytes] | tuple[str, int | None, bytes, bytes],
) -> list[NodeResult]:
    """Results of nodes: name, exit code, standard output and standard error."""
    trees = MsgTree(), MsgTree()
    results = []
    for node, rc, *texts in parts:
        messages = []
        for tree, text in zip(trees, [*texts, b""], strict=False):
            cursor = tree.cursor()
            tree.add(cursor, text)
            messages.append(tree.message(cursor))
        outcome = Outcome.TIMED_OUT if rc is None else Outcome.OK if rc == 0 else Outcome.FAILED
        results.append(node_result(node, outcome, rc, out=messages[0], err=messages[1]))
    return results


async def over(view: View, results: Sequence[NodeResult]) -> None:
    """Tell a display that all is over."""
    for result in results:
        await view.node_over(result, 1)
    await view.over(results)


class _All:
    """Tells several displays what happens, as the command line does."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views

    async def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        for view in self._views:
            if hasattr(view, "_ev_lines"):
                await view._ev_lines(worker, node, sname, lines)

    async def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        for view in self._views:
            await view.node_over(result, 1)


async def run_shown(command: str, nodes: str, **request: Any) -> dict[int, bytes]:
    """Run a command here for each node, and give back what a request shows of it."""
    targets = expand(nodes)
    screen = fake_screen()
    wanted = Request(targets=targets, command=command, **request)
    views = displays(wanted, screen, targets)
    async with Task() as task:
        task.shell(command, nodes=targets, worker="exec", stderr=not wanted.gather_both, handler=_All(views))
        results = (await task.run()).all()
    for view in views:
        await view.over(results)
    shown: dict[int, bytes] = screen.shown
    return shown
