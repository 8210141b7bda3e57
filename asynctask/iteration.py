"""A run seen from outside: each result as its node ends, each event as a record as it happens."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ParamSpec

from asynctask import events
from asynctask.background import Background
from asynctask.errors import PortClosedError
from asynctask.outcome import NodeResult
from asynctask.port import Port
from asynctask.results import Result

if TYPE_CHECKING:
    from asynctask.task import Task
    from asynctask.timer import Timer
    from asynctask.workers.base import Worker

__all__ = ("AsCompleted", "Recording", "TaskEvents")

_P = ParamSpec("_P")

#: How many events wait for the reader before those who cause them do.
_EVENTS = 1024


class AsCompleted(AsyncIterator[NodeResult]):
    """The results of a run, each as its target ends. Made by :meth:`asynctask.Task.as_completed`.

    Cancelling ``__anext__`` loses no result.
    """

    def __init__(self, task: Task, timeout: float | None) -> None:
        self._task = task
        self._timeout = timeout
        self._ended: deque[NodeResult] = deque()
        self._more = asyncio.Event()
        self._background: Background | None = None

    async def __anext__(self) -> NodeResult:
        if self._background is None:
            self._background = self._task._in_background(self._go())
        while not self._ended:
            if self._background.over.is_set():
                self._background.tell()
                raise StopAsyncIteration
            self._more.clear()
            await self._more.wait()
        return self._ended.popleft()

    async def _go(self) -> Result:
        self._task._on_ends.append(self._see)
        try:
            return await self._task.run(self._timeout)
        finally:
            self._task._on_ends.remove(self._see)
            asyncio.get_running_loop().call_soon(self._more.set)  # after the background is over

    def _see(self, results: Sequence[NodeResult]) -> None:
        self._ended += results
        self._more.set()


class Recording(ABC):
    """A handler that makes a record of each event."""

    @abstractmethod
    async def _add(self, kind: Callable[_P, events.TaskEvent], *args: _P.args, **kwargs: _P.kwargs) -> None:
        """Make a record of this kind with these values, and do something with it."""

    def _abandon(self) -> None:
        """The task's block ends: the run must not wait for who reads."""
        return

    async def ev_start(self, worker: Worker) -> None:
        await self._add(events.WorkerStarted, worker)

    async def ev_pickup(self, worker: Worker, node: str) -> None:
        await self._add(events.NodeStarted, worker, node)

    async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        await self._add(events.NodeOutput, worker, node, sname, msg)

    async def ev_written(self, worker: Worker, node: str, sname: str, size: int) -> None:
        await self._add(events.InputWritten, worker, node, sname, size)

    async def ev_unwritten(self, worker: Worker, node: str, sname: str, size: int) -> None:
        await self._add(events.InputUnwritten, worker, node, sname, size)

    async def ev_progress(self, worker: Worker, node: str, progress: events.Progress) -> None:
        await self._add(events.CopyProgress, worker, node, progress)

    async def ev_hup(self, worker: Worker, node: str, rc: int) -> None:
        await self._add(events.NodeExited, worker, node, rc)

    async def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        await self._add(events.NodeEnded, worker, node, result)

    async def ev_close(self, worker: Worker, timedout: bool) -> None:
        await self._add(events.WorkerClosed, worker, timedout)

    async def ev_port_start(self, port: Port) -> None:
        await self._add(events.PortStarted, port)

    async def ev_msg(self, port: Port, msg: Any) -> None:
        await self._add(events.MessageReceived, port, msg)

    async def ev_timer(self, timer: Timer) -> None:
        await self._add(events.TimerFired, timer)


class TaskEvents(Recording, AsyncIterator[events.TaskEvent]):
    """The events of a run. Made by :meth:`asynctask.Task.events`.

    Cancelling ``__anext__`` loses no event.
    """

    def __init__(self, task: Task, timeout: float | None) -> None:
        self._task = task
        self._timeout = timeout
        self._port = Port(_EVENTS)
        self._background: Background | None = None

    async def __anext__(self) -> events.TaskEvent:
        if self._background is None:
            self._background = self._task._in_background(self._go())
        try:
            event: events.TaskEvent = await self._port.msg_recv()
        except PortClosedError:
            await self._background.over.wait()
            self._background.tell()
            raise StopAsyncIteration from None
        return event

    async def _go(self) -> Result:
        self._task._watch(self)
        try:
            return await self._task.run(self._timeout)
        finally:
            self._task._unwatch(self)
            self._port.close()

    def _abandon(self) -> None:
        self._port.close()

    async def _add(self, kind: Callable[_P, events.TaskEvent], *args: _P.args, **kwargs: _P.kwargs) -> None:
        with suppress(PortClosedError):
            await self._port.msg_send(kind(*args, **kwargs))
