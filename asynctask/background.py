"""A run that goes on beside its owner's code; the owner's ``async with`` block ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from asynctask.results import Result

__all__ = ("Background",)


class Background:
    """An asyncio task for a run, and whether somebody was told how it ended.

    Args:
        run: a coroutine that ends in bounded time once its task is aborted.
    """

    def __init__(self, run: Coroutine[Any, Any, Result]) -> None:
        self._task = asyncio.get_running_loop().create_task(run)
        self._task.add_done_callback(self._done)
        self._told = False
        self.over = asyncio.Event()

    def _done(self, task: asyncio.Task[Result]) -> None:
        self.over.set()

    def done(self) -> bool:
        """Whether it has ended; :attr:`over` is set one turn of the loop later."""
        return self._task.done()

    def tell(self) -> None:
        """Raise what the finished run raised, once."""
        if not self._told:
            self._told = True
            self._task.result()

    def hush(self) -> None:
        """There is a worse error to tell: mark the run's own as seen."""
        self._told = True
        if not self._task.cancelled():
            self._task.exception()
