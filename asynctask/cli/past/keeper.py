"""Does the work of the history in a thread of its own, one thing after the other, never on the loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

__all__ = ("Keeper",)

_Job = tuple[Callable[[], Any], "asyncio.Future[Any] | None"]


class Keeper:
    """A thread that makes calls, in order; made with the first one. For use on one loop."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread: threading.Thread | None = None
        self._ended = asyncio.Event()

    def call(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Have the thread call ``function``; what it returns or raises."""
        future = self._loop.create_future()
        self._put(function, future)
        return future

    def do(self, function: Callable[[], Any]) -> None:
        """The same for what nobody waits for, nor wants to know what came of it."""
        self._put(function, None)

    async def close(self, last: Callable[[], Any]) -> None:
        """Wait until all is done, ``last`` at last, and the thread has ended. To be given a bound."""
        if self._thread is None:
            return
        self.do(last)
        self._jobs.put(None)
        await self._ended.wait()
        self._thread.join()

    def _put(self, function: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
        if self._thread is None:
            # A daemon: a disk that never answers must not keep a program alive that was told to quit.
            self._thread = threading.Thread(target=self._work, name="asynctask history", daemon=True)
            self._thread.start()
        self._jobs.put((function, future))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, future = job
            result, error = None, None
            try:
                result = function()
            except Exception as exc:
                error = exc
            if future is not None:
                self._tell(_resolve, future, result, error)
            del job, function, future, result, error  # nothing is kept alive while it waits
        self._tell(self._ended.set)

    def _tell(self, callback: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


def _resolve(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():  # nobody waits any more
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
