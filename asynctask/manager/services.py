"""What the parts of one manager share."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import anyio

from asynctask.manager.launching import Launcher
from asynctask.manager.messages import Publisher

if TYPE_CHECKING:
    from asynctask.manager.life import Life
    from asynctask.manager.output import OutputHub

__all__ = ("Services", "Turns", "first")

_log = logging.getLogger(__name__)


class Services:
    """Numbers, registers and partners of one manager.

    Args:
        publisher: tells of events.
        hub: takes output.
        launcher: who starts processes on a node, or here (``None``).
        chance: for jitter.
    """

    def __init__(
        self,
        publisher: Publisher,
        hub: OutputHub,
        launcher: Callable[[str | None], Launcher],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.publisher = publisher
        self.hub = hub
        self.launcher = launcher
        self.chance = chance
        self.lives: dict[int, Life] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.turns = Turns()
        self._last_pid = 0

    def next_pid(self) -> int:
        """A number that no process had."""
        self._last_pid += 1
        return self._last_pid

    def spawn(self, work: Coroutine[Any, Any, None], name: str, *, over: asyncio.Event | None = None) -> None:
        """Have something go on beside; the manager's end waits for it. What it raises is logged: a defect.

        Args:
            work: to be done.
            name: for logs.
            over: is set when it is over, also if it was cancelled before it began.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        if over is not None:
            task.add_done_callback(lambda _: over.set())

    async def others_over(self) -> None:
        """Wait until all that goes on beside is over, but for whoever asks."""
        while others := self.tasks - {asyncio.current_task()}:
            await asyncio.wait(others)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            _log.error("%s broke off", task.get_name(), exc_info=exc)


class Turns:
    """Lets so many coroutines go on in a turn of the loop, for others are on it, too.

    A thousand processes that start, end or are stopped at the same moment have 0.1 ms of work each.

    Args:
        most: how many in a turn.
    """

    def __init__(self, most: int = 50) -> None:
        self._most = self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._going = False

    async def take(self) -> None:
        """Go on now, or in a later turn."""
        if self._left > 0 and not self._waiting:
            self._left -= 1
            if not self._going:
                self._going = True
                asyncio.get_running_loop().call_soon(self._next)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        self._left = self._most
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():  # else its waiter was cancelled
                turn.set_result(None)
                self._left -= 1
        self._going = self._left < self._most
        if self._going:
            asyncio.get_running_loop().call_soon(self._next)


async def first(*functions: Callable[[], Awaitable[Any]]) -> tuple[int, Any]:
    """Await several until one returns; the others are cancelled. Which it was, and what it returned."""
    result: list[tuple[int, Any]] = []

    async def run(place: int, function: Callable[[], Awaitable[Any]]) -> None:
        value = await function()
        if not result:
            result.append((place, value))
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for place, function in enumerate(functions):
            group.start_soon(run, place, function)
    return result[0]
