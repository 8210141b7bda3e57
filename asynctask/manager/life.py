"""One process, from its start until nothing of it is left."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping
from time import time
from typing import TYPE_CHECKING

import anyio

from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit, Order, Running, Usage
from asynctask.manager.signals import signal_number
from asynctask.manager.template import ProcessTemplate
from asynctask.waiting import Grace

if TYPE_CHECKING:
    from asynctask.manager.output import Outlet
    from asynctask.manager.services import Services

__all__ = ("KILL_WAIT", "Life")

#: Seconds that a process may take to vanish after KILL before it is given up as stuck.
KILL_WAIT = 5.0


class Life:
    """A process with the manager's number. It hears its process, and tells what happens to it.

    Its order: :meth:`launch`, :meth:`exited`, :meth:`end` if somebody ends it, :meth:`bury`.
    """

    running: Running
    outlet: Outlet

    def __init__(
        self,
        services: Services,
        template: ProcessTemplate,
        index: int | None,
        node: str | None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._services = services
        self.template = template
        self.index = index
        self.node = node
        self.pid = services.next_pid()
        self.connected = True
        self.started: float | None = None
        self.exit: Exit | None = None
        self.ended_by_us = False
        self._env = env
        self._began = 0.0
        self._grace = Grace(template.graceful_timeout)

    @property
    def os_pid(self) -> int | None:
        """The system's number."""
        return None if self.started is None else self.running.os_pid

    @property
    def uptime(self) -> float:
        """Seconds since its start."""
        return asyncio.get_running_loop().time() - self._began

    # -- its beginning ------------------------------------------------------------------------------------

    async def launch(self) -> None:
        """Start it, or find it.

        Raises:
            LaunchError: it could not be started.

        Cancelling starts nothing.
        """
        services, name = self._services, self.template.name
        order = Order(self.template, self.pid, self.index, self.node, self._env)
        self.outlet = services.hub.outlet(name, self.pid, self.index, self.node, self.template)
        try:
            self.running = await services.launcher(self.node).launch(order, self)
        except BaseException:
            self.outlet.close()
            raise
        self.outlet.source = self.running
        self.started = time()
        self._began = asyncio.get_running_loop().time()
        services.lives[self.pid] = self
        if self.running.found:
            self._tell("found", pid=self.pid)
        else:
            self._tell("spawn", detach=self.template.detach, pid=self.pid)

    def _tell(self, event: str, **more: object) -> None:
        self._services.publisher.process(event, self.template.name, self.node, **more)

    # -- what it hears ------------------------------------------------------------------------------------

    def output(self, stream: str, chunk: bytes) -> None:
        """It printed something."""
        self.outlet.output(stream, chunk)

    def lost(self, reason: str) -> None:
        """Its node is out of reach."""
        self.connected = False
        self._tell("lost", pid=self.pid, reason=reason)

    def found(self) -> None:
        """Its node is within reach again."""
        self.connected = True
        self._tell("found", pid=self.pid)

    def warn(self, text: str) -> None:
        """Something is to be known of it."""
        self._tell("warning", pid=self.pid, text=text)

    # -- what is asked of it --------------------------------------------------------------------------------

    async def exited(self) -> Exit:
        """Wait for its exit, and tell of it. Cancelling leaves it alone."""
        if self.exit is None:
            how = await self.running.wait()
            if self.exit is None:
                self.exit = how
                self._tell("exit", pid=self.pid, exit_code=how.code, term_signal=how.signal)
        return self.exit

    async def signal(self, number: int) -> bool:
        """Send a signal to its group."""
        return await self.running.signal(number)

    async def send(self, data: bytes, stream: str) -> None:
        """Write to one of its inputs."""
        if self.exit is not None:
            raise ManagerError(f"process {self.pid} of {self.template.name!r} has ended: it reads no more")
        await self.running.write(data, stream)

    async def usage(self) -> Usage | None:
        """What it takes."""
        return None if self.exit is not None else await self.running.usage()

    def hurry(self) -> None:
        """No more patience: when it is being ended, KILL is next."""
        self._grace.cut()

    # -- its end --------------------------------------------------------------------------------------------

    async def end(self, template: ProcessTemplate) -> None:
        """End its group: the stop signal, the grace, KILL. Afterwards its exit is known, or it is stuck.

        Args:
            template: whose stop signal and grace count: it may have been changed since the start.
        """
        self.ended_by_us = True
        if self._grace.seconds > 0:
            self._grace.seconds = template.graceful_timeout
        if self.exit is None:
            await self._ladder(signal_number(template.stop_signal))
        if self.exit is None:
            self.warn(self._why_it_is_left(template))
            self.exit = Exit(None)
            self._tell("exit", pid=self.pid, exit_code=None, term_signal=None)

    def _why_it_is_left(self, template: ProcessTemplate) -> str:
        if self.connected:  # something in the kernel holds it
            return f"process {self.os_pid} is still there {KILL_WAIT:g} s after KILL, and is left alone"
        then = "it may go on"
        if not template.detach:
            then += f" until the node ends it, {template.lost_timeout:g} s after the connection was lost"
        return f"process {self.os_pid} could not be told to end, without a connection: {then}"

    async def _ladder(self, number: int) -> None:
        running, gone = self.running, False
        with self._grace.period():
            await running.signal(number)
            if number != signal.SIGKILL:
                await running.signal(signal.SIGCONT)  # who is stopped cannot react
            await self.exited()
            if running.has_group():
                await running.group_gone()
            gone = True
        if not gone:
            with anyio.move_on_after(KILL_WAIT):
                await running.signal(signal.SIGKILL)
                await self.exited()

    async def bury(self, template: ProcessTemplate) -> None:
        """Its exit is known: end what it has left in its group, take the rest of its output, forget it."""
        running = self.running
        if running.has_group():
            number = signal_number(template.stop_signal)
            with self._grace.period():
                await running.signal(number)
                await running.group_gone()
            if running.has_group():
                with anyio.move_on_after(KILL_WAIT):
                    await running.signal(signal.SIGKILL)
                    await running.group_gone()
        await self._let_go()
        if self.ended_by_us:
            self._tell("stop_pid", pid=self.pid)
        self._tell("reap", pid=self.pid)

    async def leave(self) -> None:
        """Let it go on without us."""
        await self._let_go()

    async def _let_go(self) -> None:
        try:
            await self.running.aclose()
        finally:
            self.outlet.close()
            self._services.lives.pop(self.pid, None)

    async def cut_off(self) -> None:
        """There is no time left: KILL, and let go. Bounded, and not to be cancelled."""
        with anyio.move_on_after(KILL_WAIT, shield=True):
            await self.running.signal(signal.SIGKILL)
            if self.exit is None:
                await self.running.wait()
            await self._let_go()
