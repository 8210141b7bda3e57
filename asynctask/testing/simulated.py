"""Nodes that exist only as a script: no process, no socket, thousands in a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from asynctask.errors import NodeError
from asynctask.outcome import Ended
from asynctask.workers.base import Sink, Worker
from asynctask.workers.resources import Resources

__all__ = ("Script", "SimulatedWorker", "Step")

#: What a simulated node does next: print bytes on standard output, print on a named stream, or let
#: some seconds pass.
Step: TypeAlias = bytes | tuple[str, bytes] | float


@dataclass(frozen=True, slots=True)
class Script:
    r"""What a simulated node does.

    ::

        Script([b"working\\n", 0.5, b"done\\n"], rc=3)
    """

    steps: Sequence[Step] = ()
    """In order."""
    rc: int = 0
    """How it exits; negative for a signal."""
    error: Callable[[str], NodeError] | None = None
    """Instead of running it fails like this: ``lambda node: ConnectionFailedError(node, "no route")``."""
    connect: float = 0.0
    """Seconds until the command starts."""


_NOTHING = Script()


class SimulatedWorker(Worker):
    r"""Runs no command: each node follows a script.

    ::

        task.shell("uptime", nodes="n[1-10000]", worker=SimulatedWorker,
                   options={"script": lambda node: Script([b"up\\n"])})

    Args:
        script: what every node does, or a function that tells for a node.
    """

    name: ClassVar[str] = "simulated"

    def __init__(
        self,
        command: str,
        nodes: Sequence[str],
        *,
        script: Script | Callable[[str], Script] = _NOTHING,
        **settings: Any,
    ) -> None:
        super().__init__(command, nodes, **settings)
        self._script = script

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        node = nodes[0]
        script = self._script if isinstance(self._script, Script) else self._script(node)
        if script.connect:
            await asyncio.sleep(script.connect)
        if script.error is not None:
            raise script.error(node)
        gate = _Gate()
        sink.started(gate)
        for step in script.steps:
            if isinstance(step, int | float):
                await asyncio.sleep(step)
                continue
            stream, data = ("stdout", step) if isinstance(step, bytes) else step
            if not gate.open:
                await gate.wait()
            sink.data(stream if self.stderr else "stdout", data)
        return Ended.from_returncode(script.rc)


class _Gate:
    """Closed while the output is not wanted."""

    __slots__ = ("_opened", "open")

    def __init__(self) -> None:
        self.open = True
        self._opened: asyncio.Event | None = None

    def pause_reading(self) -> None:
        self.open = False

    def resume_reading(self) -> None:
        self.open = True
        if self._opened is not None:
            self._opened.set()

    async def wait(self) -> None:
        while not self.open:
            self._opened = asyncio.Event()
            await self._opened.wait()
