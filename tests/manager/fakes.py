"""Processes that do what a test says, in place of real ones."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from asynctask.emitter import EventStream
from asynctask.errors import LaunchError, ManagerError
from asynctask.manager.launching import Ears, Exit, Order, Usage
from asynctask.manager.manager import Manager


class FakeProcess:
    """A process without a process.

    Args:
        ignores: signals to which it does not react; KILL it does.
        leaves_group: when it has ended, others of its group are left until they get a signal.
        found: it is not started, but found.
        on_start: called when it was launched.
    """

    def __init__(
        self,
        *,
        ignores: Iterable[int] = (),
        leaves_group: bool = False,
        found: bool = False,
        on_start: Callable[[FakeProcess], object] | None = None,
    ) -> None:
        self.ignores = frozenset(ignores)
        self.found = found
        self.os_pid: int | None = None
        self.on_start = on_start
        self.signals: list[int] = []
        self.written: list[tuple[str, bytes]] = []
        self.closed = False
        self.order: Order
        self.ears: Ears
        self._group = leaves_group
        self._group_gone = asyncio.Event()
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()

    def die(self, code: int | None = 0, signal: int | None = None) -> None:
        """End by itself."""
        if not self._exit.done():
            self._exit.set_result(Exit(None if signal else code, signal))
            if not self._group:
                self._group_gone.set()

    async def wait(self) -> Exit:
        return await asyncio.shield(self._exit)

    async def signal(self, number: int) -> bool:
        there = not self._exit.done() or self._group
        if there and number != signal.SIGCONT:
            self.signals.append(number)
            if number not in self.ignores or number == signal.SIGKILL:
                self._group = False
                self._group_gone.set()
                self.die(signal=number)
        return there

    def has_group(self) -> bool:
        return self._exit.done() and self._group

    async def group_gone(self) -> None:
        await self.wait()
        await self._group_gone.wait()

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        if not self.order.template.stdin:
            raise ManagerError(f"it has no stream {stream!r}")
        self.written.append((stream, data))

    async def close_input(self, stream: str = "stdin") -> None:
        self.written.append((stream, b""))

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    async def usage(self) -> Usage | None:
        return Usage(1.5, 1000)

    async def check(self, command: list[str], timeout: float) -> bool:
        return True

    async def aclose(self) -> None:
        self.closed = True


class FakeLauncher:
    """Launches fakes: those of its plan first, then ordinary ones."""

    def __init__(self) -> None:
        self.plan: deque[FakeProcess | LaunchError] = deque()
        self.processes: list[FakeProcess] = []
        self.attempts = 0
        self.held: asyncio.Event | None = None
        self.closed = False

    async def launch(self, order: Order, ears: Ears) -> FakeProcess:
        self.attempts += 1
        if self.held is not None:
            await self.held.wait()
        planned = self.plan.popleft() if self.plan else FakeProcess()
        if isinstance(planned, LaunchError):
            raise planned
        planned.order, planned.ears = order, ears
        planned.os_pid = 1000 + order.pid
        self.processes.append(planned)
        if planned.on_start is not None:
            planned.on_start(planned)
        return planned

    async def aclose(self) -> None:
        self.closed = True


class Heard:
    """The events of a manager, as lines: ``proc.web.exit 1 0`` (the number, then what tells of the end)."""

    def __init__(self, manager: Manager, pattern: str = ".") -> None:
        self.stream: EventStream = manager.events(pattern)
        self.messages: list[dict[str, Any]] = []

    async def until(self, topic: str, times: int = 1) -> list[str]:
        """What was heard since the last call, up to so many events of a topic."""
        heard = []
        while times:
            event = await self.stream.__anext__()
            message = event.args[0]
            self.messages.append(message)
            assert message["event"] == event.topic
            heard.append(short(message))
            times -= event.topic == topic
        return heard


def short(message: dict[str, Any]) -> str:
    """An event in a line."""
    told = [message["event"]]
    if "pid" in message:
        told.append(str(message["pid"]))
    if "exit_code" in message:
        signal = message["term_signal"]
        told.append(f"signal {signal}" if signal else str(message["exit_code"]))
    return " ".join(told)
