"""Real processes that do what a test says, in place of fakes: the same tests can be run with both."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
from dataclasses import replace
from pathlib import Path

from asynctask.errors import LaunchError
from asynctask.manager.launching import Ears, Exit, Order, Running
from asynctask.manager.local.launcher import LocalLauncher
from tests.manager.fakes import FakeLauncher, FakeProcess

#: It tells that it is up, and ends with the code that it reads; ``$1`` is where, ``$2`` what comes before.
SCRIPT = 'eval "$2"; echo up >"$1/up"; read code <"$1/end"; exit "$code"'


class RealProcess(FakeProcess):
    """A process that is told over a pipe when to end. What a fake of the plan is to do, it does."""

    def __init__(self, fake: FakeProcess, directory: Path) -> None:
        super().__init__(ignores=fake.ignores, leaves_group=fake._group, on_start=fake.on_start)
        self._directory = directory
        self._real: Running
        directory.mkdir()
        for name in ("up", "end"):
            os.mkfifo(directory / name)
        # For both directions: neither side has to wait for the other to open it.
        self._up = os.open(directory / "up", os.O_RDWR | os.O_NONBLOCK)
        self._end = os.open(directory / "end", os.O_RDWR | os.O_NONBLOCK)

    async def launch(self, launcher: LocalLauncher, order: Order, ears: Ears) -> None:
        """Start it, and wait until it ignores what it is to ignore."""
        before = "".join(f"trap '' {number};" for number in self.ignores)
        before += "sleep 1000 &" if self._group else ""
        script = shlex.join(["/bin/sh", "-c", SCRIPT, "sh", str(self._directory), before])
        self.order, self.ears = order, ears
        template = replace(order.template, command=script, detach=False)
        try:
            self._real = await launcher.launch(replace(order, template=template), ears)
            try:
                await self._is_up()
            except BaseException:
                await self._real.signal(signal.SIGKILL)
                await self._real.wait()
                await self._real.aclose()
                raise
        except BaseException:
            self._close_pipes()
            raise
        self.os_pid = self._real.os_pid

    async def _is_up(self) -> None:
        loop, up = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._up, up.set)
        try:
            async with asyncio.timeout(5):
                await up.wait()
        finally:
            loop.remove_reader(self._up)

    def die(self, code: int | None = 0, signal: int | None = None) -> None:
        """Have it end by itself."""
        if signal is None:
            os.write(self._end, b"%d\n" % (code or 0))
        elif self.os_pid is not None:
            os.killpg(self.os_pid, signal)

    async def signal(self, number: int) -> bool:
        there = await self._real.signal(number)
        if there and number != signal.SIGCONT:
            self.signals.append(number)
        return there

    async def wait(self) -> Exit:
        return await self._real.wait()

    def has_group(self) -> bool:
        return self._real.has_group()

    async def group_gone(self) -> None:
        await self._real.group_gone()

    async def aclose(self) -> None:
        await self._real.aclose()
        self._close_pipes()
        await super().aclose()

    def _close_pipes(self) -> None:
        while self._up >= 0:
            for each in (self._up, self._end):
                os.close(each)
            self._up = self._end = -1


class RealLauncher(FakeLauncher):
    """Launches real processes where a :class:`FakeLauncher` launches fakes, by the same plan."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._directory = directory
        self._local = LocalLauncher(state_dir=directory, guard=False)

    async def launch(self, order: Order, ears: Ears) -> FakeProcess:
        self.attempts += 1
        if self.held is not None:
            await self.held.wait()
        planned = self.plan.popleft() if self.plan else FakeProcess()
        if isinstance(planned, LaunchError):
            nowhere = replace(order.template, env={"PATH": str(self._directory)})
            await self._local.launch(replace(order, template=nowhere), ears)
            raise AssertionError("there is no such program")
        process = RealProcess(planned, self._directory / str(order.pid))
        if process.on_start is not None:
            process.on_start(process)
        await process.launch(self._local, order, ears)
        self.processes.append(process)
        return process

    async def aclose(self) -> None:
        await self._local.aclose()
        await super().aclose()
