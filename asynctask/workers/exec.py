"""The ``exec`` worker: one local process a node."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Sequence
from typing import Any, ClassVar

import anyio

from asynctask.errors import NoCapacityError, SpawnError
from asynctask.nodes import Template
from asynctask.outcome import Ended
from asynctask.processes import KILL_WAIT, KillLadder, LocalProcess, Spawner, kill_group
from asynctask.workers.base import Sink, Worker
from asynctask.workers.feeding import wait_feeding
from asynctask.workers.resources import Resources

__all__ = ("ExecWorker",)

_NO_CAPACITY = {errno.EMFILE, errno.ENFILE, errno.EAGAIN}


class ExecWorker(Worker):
    """Runs ``sh -c command`` on this machine, once for each node.

    In the command ``%h`` and ``%host`` stand for the node, ``%n`` and ``%rank`` for its 0-based
    place, ``%hosts`` for the whole set (then one process serves all nodes), ``%%`` for ``%``; braces
    (``%{host}``) keep a name apart from what follows. Node names are not quoted.

    Args:
        placeholders: replace them; else the command is taken as it is.
        kill: how a process is ended; by default TERM to its group, the grace, KILL.

    The others are those of :class:`~asynctask.Worker`.
    """

    name: ClassVar[str] = "exec"
    announces: ClassVar[bool] = True

    def __init__(
        self,
        command: str,
        nodes: Sequence[str],
        *,
        placeholders: bool = True,
        kill: KillLadder = kill_group,
        **settings: Any,
    ) -> None:
        self._has_placeholders = placeholders
        super().__init__(command, nodes, **settings)
        plain = placeholders and self._arguments is None  # else the arguments fill them
        self._template = Template(command) if plain else None
        self._kill = kill

    @property
    def units(self) -> Sequence[tuple[str, ...]]:
        one_for_all = self._template is not None and self._template.needs_all
        return [self.nodes] if one_for_all else super().units

    def command_for(self, node: str, rank: int) -> str:
        if self._template is None:
            return super().command_for(node, rank)
        return self._template.render(node, rank, self.nodes)

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        node = nodes[0]
        data = self.stdin_for(node)
        spawner = resources.get(Spawner, Spawner)
        command = self.command_for(node, rank)
        env = self.env_for(node)
        more: dict[str, Any] = {"env": {**os.environ, **env}} if env else {}
        announce = resources.announcer(*nodes)
        if announce is not None:
            await announce()
        try:
            process = spawner.spawn(
                ["/bin/sh", "-c", command],
                sink.data,
                separate_stderr=self.stderr,
                stdin=data is not None,
                **more,
            )
        except OSError as exc:
            kind = NoCapacityError if exc.errno in _NO_CAPACITY else SpawnError
            raise kind(node, f"could not start a process: {exc.strerror or exc}") from exc
        except ValueError as exc:  # a NUL byte in the command
            raise SpawnError(node, f"could not start a process: {exc}") from exc
        try:
            sink.started(process)
            if data is None:
                rc = await process.wait()
            else:
                assert process.stdin is not None
                rc = await wait_feeding(node, process.wait, process.stdin, data, sink)
        except BaseException as exc:
            exited = process.returncode
            await self._end(process)
            if exited is None or not isinstance(exc, asyncio.CancelledError):
                raise
            rc = exited  # it ended in time: only its output still waited for somebody to take it
        finally:
            process.close()
        return Ended.from_returncode(rc)

    async def _end(self, process: LocalProcess) -> None:
        try:
            with anyio.move_on_after(self.grace.seconds + KILL_WAIT + 1, shield=True):
                await self._kill(process, self.grace)
        finally:
            if process.returncode is None:  # whatever the ladder did, nothing is left running
                process.signal_group(signal.SIGKILL)
                with anyio.move_on_after(KILL_WAIT, shield=True):
                    await process.wait_exit()
            process.drain()
