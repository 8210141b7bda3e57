"""The asyncio tasks of a run: each coroutine has its first step, whatever becomes of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

__all__ = ("Function", "Marked", "Spawned")

Function: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


class Marked(Protocol):
    """Something that tells whether its coroutine has had its first step."""

    entered: bool


class Spawned:
    """The coroutines that a run has started, which end by themselves, cancelled or not.

    A loop that is closing cancels every task there is, also those that have not had their first step; these
    never would. They are started again.

    Args:
        group: what owns the tasks.
    """

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: dict[asyncio.Task[None], tuple[Marked, Function, tuple[object, ...]]] = {}

    def start(self, function: Function, *args: object) -> None:
        """Run a coroutine."""
        mark = _Mark()
        self.start_marked(mark, mark.enter, function, args)

    def start_marked(self, mark: Marked, function: Function, *args: object) -> None:
        """The same for a coroutine that sets its mark first of all, which is cheaper."""
        task = self._group.create_task(function(*args))
        self._tasks[task] = (mark, function, args)
        task.add_done_callback(self._done)

    def __contains__(self, task: object) -> bool:
        """Whether an asyncio task is one of them."""
        return task in self._tasks

    def _done(self, task: asyncio.Task[None]) -> None:
        mark, function, args = self._tasks.pop(task)
        if not mark.entered:
            self.start_marked(mark, function, *args)


class _Mark:
    """A mark for a coroutine that has nothing else to set."""

    def __init__(self) -> None:
        self.entered = False

    async def enter(self, function: Function, args: tuple[object, ...]) -> None:
        self.entered = True
        await function(*args)
