"""A program that runs a command here, once for each node, and records it: the smallest controller there is.

``python -m tests.cli.past.driver NODES COMMAND`` begins a run, ``... --resume NUMBER`` completes one.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing

from asynctask import nodes
from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import default_path
from asynctask.cli.past.recorder import Recorder
from asynctask.cli.past.store import Store
from asynctask.cli.request import Request
from asynctask.outcome import NodeResult
from asynctask.task import Task
from asynctask.workers.base import Worker

_FANOUT = 20


class _Over:
    """Tells a recorder what has ended."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        await self._recorder.node_over(result, 1)


async def drive(targets: Sequence[str], command: str, resuming: int | None) -> None:
    """Run the command, on record."""
    request = Request(targets=tuple(targets), command=command, worker="exec")
    recorder = Recorder.open(request, sys.stderr.write, gathered=True, resuming=resuming)
    await recorder.begin()
    async with Task(fanout=_FANOUT, before_start=recorder.before_start) as task:
        task.shell(command, nodes=targets, worker="exec", handler=_Over(recorder))
        await task.run()
    await recorder.finish(0)


def main(words: Sequence[str]) -> None:
    """Begin a run, or complete one."""
    if words[0] != "--resume":
        asyncio.run(drive(nodes.expand(words[0]), words[1], None))
        return
    with closing(Store(default_path(), create=False)) as store:
        plan = store.take_over(int(words[1]), Controller.me(), again=False)
    sys.stdout.write(" ".join(node.node for node in plan.unknown))
    sys.stdout.flush()
    if plan.left:
        asyncio.run(drive([node.node for node in plan.left], plan.run.command, plan.run.id))


if __name__ == "__main__":
    main(sys.argv[1:])
