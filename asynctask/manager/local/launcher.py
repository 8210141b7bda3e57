"""Starts processes on this machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio

from asynctask.errors import LaunchError
from asynctask.manager.launching import Ears, Order, Running
from asynctask.manager.local.accounts import Accounts
from asynctask.manager.local.guard import Guard
from asynctask.manager.local.programs import Program, check_of, program_of
from asynctask.manager.local.running import LocalRunning
from asynctask.manager.local.spawning import Child, spawn
from asynctask.manager.local.usage import Meter
from asynctask.manager.signals import signal_number
from asynctask.manager.template import ProcessTemplate
from asynctask.process_groups import ProcessGroups
from asynctask.ssh.turns import Turns
from asynctask.waiting import Places

if TYPE_CHECKING:
    from asynctask.manager.local.detached import Detached

__all__ = ("LocalLauncher", "Watcher")

#: Seconds that what was run beside a process may take to vanish after KILL.
_KILL_WAIT = 2.0


class Watcher(Protocol):
    """Ends processes when we die. See :class:`~asynctask.manager.local.guard.Guard`."""

    def start(self) -> None:
        """Be there, from now on."""

    def marked(self, env: Mapping[str, str]) -> dict[str, str]:
        """An environment by which a process is found."""

    def watch(self, pid: int, *, stop_signal: int = signal.SIGTERM, grace: float = 10.0) -> None:
        """End this group when we die."""

    def forget(self, pid: int) -> None:
        """It is gone."""

    async def aclose(self) -> None:
        """All are."""


class LocalLauncher:
    """Starts processes on this machine. See :class:`~asynctask.manager.launching.Launcher`.

    Each leads a session and group of its own, so Ctrl-C on the terminal does not reach it.

    Args:
        name: of the manager.
        state_dir: where it is kept what runs detached.
        guard: whether what runs is ended when this program dies, even by KILL; or who does that.
    """

    def __init__(
        self, *, name: str = "default", state_dir: Path | None = None, guard: bool | Watcher = True
    ) -> None:
        self._name = name
        self._state_dir = state_dir
        self._guard: Watcher | None = (Guard() if guard else None) if isinstance(guard, bool) else guard
        self._accounts = Accounts()
        self._groups = ProcessGroups()
        self._meter = Meter()
        self._running: dict[int, LocalRunning] = {}
        self._turn = Places(1)
        self._turns = Turns()
        self._detached: Detached | None = None

    async def launch(self, order: Order, ears: Ears) -> Running:
        """Start a process; if it is detached and has a place, find the one that runs there already."""
        template = order.template
        program = await program_of(order, self._accounts)
        if template.detach and order.index is not None:
            return await self.detached.launch(order, ears, program)
        if self._guard is None:
            return await self._start(program, ears, _nothing)
        return await self._start_guarded(self._guard, program, ears, template)

    @property
    def detached(self) -> Detached:
        """The processes that outlive us."""
        if self._detached is None:
            from asynctask.manager.local.detached import Detached

            self._detached = Detached(
                self._name,
                self._state_dir,
                start=self._start,
                groups=self._groups,
                usage=self._meter.usage,
                check=self._check,
            )
        return self._detached

    async def end_strays(self, kept: Mapping[str, int], spared: Collection[str]) -> list[str]:
        """End what was left detached, and no place has; see :meth:`.Detached.end_strays`. What that was."""
        ended = await self.detached.end_strays(kept, spared)
        return [f"{each.name}.{each.index + 1} (pid {each.pid})" for each in ended]

    async def aclose(self) -> None:
        """Let go of what was shared. What is still watched is ended by the guard, who has bounds for that."""
        try:
            await self._meter.aclose()
            if self._detached is not None:
                await self._detached.aclose()
            if self._guard is not None:
                await self._guard.aclose()
        finally:
            for running in self._running.values():
                running.close()
            self._running.clear()

    async def _start_guarded(
        self, guard: Watcher, program: Program, ears: Ears, template: ProcessTemplate
    ) -> LocalRunning:
        born: list[int] = []

        def watch(pid: int) -> None:
            born.append(pid)
            number = signal_number(template.stop_signal)
            guard.watch(pid, stop_signal=number, grace=template.graceful_timeout)

        guard.start()
        try:
            return await self._start(self._marked(program), ears, watch)
        except BaseException:
            for pid in born:
                guard.forget(pid)
            raise

    async def _start(self, program: Program, ears: Ears, born: Callable[[int], None]) -> LocalRunning:
        await self._take_turn()
        child = await spawn(program, born)
        running = self._running[child.popen.pid] = self._listen(child, ears, program)
        return running

    async def _take_turn(self) -> None:
        """One process is started in each turn of the loop: a thousand at once would hold up all else."""
        await self._turn.take()
        asyncio.get_running_loop().call_soon(self._turn.give)

    def _marked(self, program: Program) -> Program:
        """A program that does not outlive us by more than a moment."""
        return program if self._guard is None else replace(program, env=self._guard.marked(program.env))

    def _is_gone(self, running: LocalRunning) -> None:
        if self._running.get(running.os_pid) is running:  # else its number is that of another one by now
            del self._running[running.os_pid]
            if self._guard is not None:
                self._guard.forget(running.os_pid)

    def _listen(self, child: Child, ears: Ears, program: Program) -> LocalRunning:
        return LocalRunning(
            child,
            ears,
            groups=self._groups,
            meter=self._meter,
            check=partial(self._check, program),
            gone=self._is_gone,
            turns=self._turns,
        )

    async def _check(self, program: Program, command: list[str], timeout: float) -> bool:
        try:
            child = await spawn(self._marked(check_of(program, command)), _nothing)
        except LaunchError as exc:
            if exc.temporary:
                raise
            return False
        running = self._listen(child, _Deaf(), program)
        try:
            with anyio.move_on_after(timeout):
                return (await running.wait()).code == 0
            return False
        finally:
            with anyio.move_on_after(_KILL_WAIT, shield=True):
                await running.signal(signal.SIGKILL)
                await running.wait()
            await running.aclose()


def _nothing(pid: int) -> None:
    pass


class _Deaf:
    """Hears nothing."""

    def output(self, stream: str, chunk: bytes) -> None:
        pass

    def lost(self, reason: str) -> None:
        pass

    def found(self) -> None:
        pass

    def warn(self, text: str) -> None:
        pass
