"""Pollers for programs without asyncio: they block.

poller = make_poller("/srv/inbox", recurse=True)
for url, event in poller.get_new_events(): ...
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from asynctask.errors import TaskStateError
from asynctask.pollers import registry
from asynctask.pollers.base import Poller as AsyncPoller
from asynctask.pollers.changes import Change
from asynctask.pollers.records import PollerStatistics
from asynctask.pollers.registry import register_poller
from asynctask.sync.objects import loop_runs_here

__all__ = ("Poller", "make_poller", "register_poller")

T = TypeVar("T")


class Poller:
    """A poller that blocks. Made by :func:`make_poller`.

    Its methods are those of :class:`asynctask.pollers.Poller`, and raise what these raise. Any thread may
    call them; two that call at once are served one after the other. Ctrl-C ends a call, and loses nothing.
    Who does not close it leaves that to the garbage collector.

    Args:
        poller: what does the work.
    """

    def __init__(self, poller: AsyncPoller) -> None:
        self._poller = poller
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._lock = threading.Lock()
        self._finish = weakref.finalize(self, _finish, poller, self._runner, os.getpid())

    @property
    def url(self) -> str:
        """What is watched, without credentials."""
        return self._poller.url

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._poller.closed

    def start(self) -> None:
        """Take down what is there: what changes from now on is reported."""
        self._run(self._poller.start)

    def get_new_events(self) -> list[Change]:
        """Everything that has changed since the last call; the first one starts."""
        return self._run(self._poller.get_new_events)

    def watch(self, *, interval: float = 1.0, debounce: float = 0.0) -> Iterator[tuple[Change, ...]]:
        """Batches of changes, as they come: ``for changes in poller.watch()``."""
        watch = self._poller.watch(interval=interval, debounce=debounce)

        async def batch() -> tuple[Change, ...]:
            try:
                return await anext(watch)
            except StopAsyncIteration:  # as a default of anext(), a tuple is an error of CPython 3.11
                return ()

        def batches() -> Iterator[tuple[Change, ...]]:
            while not self.closed and (changes := self._run(batch)):
                yield changes

        return batches()

    def save(self) -> bytes:
        """What was delivered until now, for ``state=`` of a later poller."""
        return self._run(self._poller.save)

    def statistics(self) -> PollerStatistics:
        """Counters, now."""
        return self._poller.statistics()

    def close(self) -> None:
        """End it, and what another thread waits for in it. Closing again does nothing."""
        if loop_runs_here():
            raise TaskStateError(_LOOP_HERE)
        if self._lock.locked():
            with suppress(RuntimeError):  # it was closed before
                self._runner.get_loop().call_soon_threadsafe(self._poller._begin_to_end)
        with self._lock:
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._poller)

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if loop_runs_here():
            raise TaskStateError(_LOOP_HERE)
        with self._lock:
            if not self._finish.alive:
                raise TaskStateError(f"{self.url}: the poller is closed")
            return self._runner.run(work())


_LOOP_HERE = "this thread runs an asyncio loop: use asynctask.pollers there, and await it"


def make_poller(url: str | os.PathLike[str], *, inotify: bool = True, **extra: Any) -> Poller:
    """A poller for a URL: see :func:`asynctask.pollers.make_poller`."""
    return Poller(registry.make_poller(url, inotify=inotify, **extra))


def _finish(poller: AsyncPoller, runner: asyncio.Runner, process: int) -> None:
    if os.getpid() != process:  # a fork: the loop's selector is that of the parent
        return
    if loop_runs_here():  # the garbage collector came at an odd moment
        threading.Thread(target=_finish, args=(poller, runner, process), daemon=True).start()
        return
    with runner:
        runner.run(poller.aclose())
