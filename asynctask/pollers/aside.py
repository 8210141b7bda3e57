"""Work in a thread that nothing waits for.

What asks a file system may hang for as long as a server does not answer. The loop's own threads would then be
used up, and a program would not end before they do.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from asynctask.waiting import Places

__all__ = ("Aside",)

T = TypeVar("T")


class Aside:
    """Does one thing at a time in a thread of its own.

    Args:
        name: of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._places = Places(1)

    @property
    def busy(self) -> bool:
        """Whether something is being done, wanted or not."""
        return self._places.free == 0

    async def do(self, work: Callable[[], T]) -> T:
        """Do some work. What was begun before is waited for, also when nobody wants it any more.

        Raises:
            OSError: no thread can be started.
            BaseException: what the work raises.

        Cancelling waits for nothing: the work goes on, and what comes of it is forgotten.
        """
        await self._places.take()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def in_thread() -> None:
            found: Any = None
            error: BaseException | None = None
            try:
                found = work()
            except BaseException as exc:  # SystemExit, too: else its place would be taken for ever
                error = exc
            with suppress(RuntimeError):  # the loop is closed: nobody wants to know
                loop.call_soon_threadsafe(tell, found, error)

        def tell(found: T, error: BaseException | None) -> None:
            self._places.give()
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(found)

        try:
            threading.Thread(target=in_thread, name=self._name, daemon=True).start()
        except RuntimeError as exc:  # no thread can be started
            self._places.give()
            raise OSError(str(exc)) from exc
        return await answer
