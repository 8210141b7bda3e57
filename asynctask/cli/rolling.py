"""Carries a request out on a task: batches, attempts, several copies; and decides when it ends early."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import monotonic
from typing import Any

from asynctask.cli.control.batches import plan
from asynctask.cli.control.halting import Halt, HaltWatch, is_failure
from asynctask.cli.control.quorum import QuorumWatch
from asynctask.cli.control.retrying import Retrying
from asynctask.cli.control.shares import Share
from asynctask.cli.course import Again, Course, Next, Over
from asynctask.cli.fan import fan
from asynctask.cli.request import Copying, Request
from asynctask.cli.view import View
from asynctask.errors import AsyncTaskError, HandlerErrors, TaskTimeoutError
from asynctask.outcome import NodeResult, Outcome
from asynctask.states import TaskState
from asynctask.task import Task
from asynctask.timer import Timer
from asynctask.workers.base import Worker

__all__ = ("Batch", "Gate", "Rolling")


class Batch:
    """A batch that is over, for those who decide whether the next one begins."""

    def __init__(
        self, number: int, count: int, results: Sequence[NodeResult], before: Sequence[NodeResult]
    ) -> None:
        self.number = number
        """From 1."""
        self.count = count
        """How many batches the run has."""
        self.results = results
        """Of the nodes of this one."""
        self.done = len(before) + len(results)
        """How many nodes are over, in all batches."""
        self.failed = sum(map(is_failure, [*before, *results]))
        """How many of these have not ended well."""


#: Asked after each batch but the last: why not to go on, or ``None``.
Gate = Callable[[Batch], Awaitable[str | None]]


class Rolling:
    """One run of a request.

    Args:
        request: what to do.
        task: where; it is entered, and runs nothing else.
        views: who hears it.
        settings: keywords for the workers.
        gate: asked after each batch but the last.
        on_batch: called with the number of a batch that begins and how many there are, if there are several.
    """

    def __init__(
        self,
        request: Request,
        task: Task,
        views: Sequence[View],
        settings: dict[str, Any],
        gate: Gate,
        on_batch: Callable[[int, int], object] = lambda number, count: None,
    ) -> None:
        self._request = request
        self._task = task
        self._views = views
        self._settings = {**settings, "handler": fan(views, self._after, self._is_heard)}
        self._gate = gate
        self._on_batch = on_batch
        total = len(request.targets)
        self._batches = plan(request.targets, _share(request.batch), request.canary)
        steps = 1 if request.copying is None else len(request.copying.sources)
        self._course = Course(request.targets, steps, Retrying(request.retries).pause_after)
        self._halt = HaltWatch(None if request.halt is None else Halt.parse(request.halt), total)
        self._quorum = QuorumWatch(_share(request.quorum), total)
        self._decided: dict[str, Again | Next | Over] = {}  # what comes next, until views have heard the end
        self._waiting: dict[Timer, str] = {}  # for the next attempt at a node
        # Told in the turn in which a node ends, before its place goes to the next one.
        task._on_ends.append(self._decide)
        self._end_by = math.inf
        self.cut_short: str | None = None
        """Why the run ended early and that is a failure, in words."""
        self.enough: str | None = None
        """Why it ended early and that is well."""
        self.faults: list[Exception] = []
        """What views have raised, against their contract."""

    @property
    def stopping(self) -> bool:
        """Whether no node begins anything again."""
        return self._course.stopping or self._task.state is TaskState.STOPPING  # that is the deadline

    async def run(self) -> Sequence[NodeResult]:
        """Do it; how each node ended, in the order of the targets.

        Cancelling stops all nodes and waits until they are gone, as for :meth:`Task.run`.

        Raises:
            AsyncTaskError: it cannot be done; nothing was run.
        """
        self._check_copies()
        if self._request.deadline is not None:
            self._end_by = monotonic() + self._request.deadline
        over: list[NodeResult] = []
        for number, nodes in enumerate(self._batches, 1):
            if self.stopping:
                break
            if len(self._batches) > 1:
                self._on_batch(number, len(self._batches))
            await self._run_batch(number, nodes)
            results = self._course.results(nodes)
            if number < len(self._batches) and not self.stopping:
                reason = await self._pass_gate(Batch(number, len(self._batches), results, over))
                if reason is not None:
                    self._cut_short(reason)
            over += results
        await self._finish(self._request.targets)
        return self._course.results(self._request.targets)

    def stop(self, *, kill: bool = False) -> None:
        """Stop all nodes; may be called again to give them no more time."""
        self._course.stopping = True
        self._task.abort(kill=kill)

    # -- what it does -----------------------------------------------------------------------------

    def _check_copies(self) -> None:
        """A source that is not there is said before the first one is copied."""
        copying = self._request.copying
        if copying is None or len(copying.sources) == 1:
            return
        from asynctask.workers.copy import CopyWorker

        for step, source in enumerate(copying.sources):
            nodes = self._request.targets[:1]
            CopyWorker(source, destination(copying, step), nodes, reverse=copying.back)

    async def _run_batch(self, number: int, nodes: Sequence[str]) -> None:
        left = self._end_by - monotonic()
        if left <= 0:
            self._cut_short(_late(self._request.deadline))
            return
        if number == 1:
            self._start(nodes, 0)
        else:
            self._go_on(nodes, 0)
        try:
            await self._task.run(None if left == math.inf else left)
        except TaskTimeoutError:
            self._cut_short(_late(self._request.deadline))
        except HandlerErrors as exc:
            late, faults = exc.split(TaskTimeoutError)
            if late is not None:
                self._cut_short(_late(self._request.deadline))
            self.faults += [] if faults is None else faults.exceptions
        self._waiting.clear()
        await self._finish(nodes)

    async def _pass_gate(self, batch: Batch) -> str | None:
        left = self._end_by - monotonic()
        try:
            async with asyncio.timeout(None if left == math.inf else left):
                return await self._gate(batch)
        except TimeoutError:
            return _late(self._request.deadline)

    def _start(self, nodes: Sequence[str], step: int) -> Worker:
        request = self._request
        copying = request.copying
        if copying is None:
            return self._task.shell(_command(request), nodes=nodes, **self._settings)
        source = copying.sources[step]
        put = self._task.rcopy if copying.back else self._task.copy
        return put(source, destination(copying, step), nodes, preserve=copying.preserve, **self._settings)

    def _is_heard(self, node: str, result: NodeResult) -> bool:
        """Nobody has heard of the beginning of another attempt that never started."""
        decided = self._decided[node]
        return result.outcome is not Outcome.NEVER_STARTED or decided == Over(result, 1)

    async def _after(self, node: str, result: NodeResult) -> None:
        """All views have heard that something has ended on a node."""
        match self._decided.pop(node):
            case Next(step):
                self._go_on([node], step)
            case Again(pause, step) if not self.stopping:
                timer = self._task.timer(pause, _Retry(lambda: self._go_on([node], step)))
                self._waiting[timer] = node
            case Over(last, attempt):
                await self._tell(last, attempt)

    def _go_on(self, nodes: Sequence[str], step: int) -> None:
        if self.stopping:  # also in this very turn
            return
        try:
            self._start(nodes, step)
        except AsyncTaskError as exc:  # what is copied has gone meanwhile
            self._cut_short(str(exc))

    async def _finish(self, nodes: Iterable[str]) -> None:
        """End what was left: nodes that never started, and those that waited for another attempt."""
        for left in self._course.unfinished(nodes, monotonic()):
            self._judge(left.result)
            await self._tell(left.result, left.attempt)

    async def _tell(self, result: NodeResult, attempt: int) -> None:
        for view in self._views:
            await view.node_over(result, attempt)

    # -- what it decides --------------------------------------------------------------------------

    def _decide(self, results: Sequence[NodeResult]) -> None:
        self._course.stopping = self.stopping
        for result in results:
            decided = self._decided[result.node] = self._course.after(result)
            if isinstance(decided, Over):
                self._judge(decided.result)

    def _judge(self, result: NodeResult) -> None:
        """Whether the run ends early, now that this node is over."""
        if self.stopping:
            return
        how = self._halt.hear(result)
        if how is not None:
            self._cut_short(self._halt.reason, now=how == "now")
            return
        decision = self._quorum.hear(result)
        if decision == "reached" and self._course.is_left():
            self.enough = self._quorum.reason
            self.stop()
        elif decision == "missed":
            self._cut_short(self._quorum.reason)

    def _cut_short(self, reason: str | None, *, now: bool = False) -> None:
        if self.cut_short is None:
            self.cut_short = reason
        self._course.stopping = True
        for timer in self._waiting:
            timer.invalidate()
        self._waiting.clear()
        if now:
            self._task.abort()
        else:
            self._task.halt()


class _Retry:
    """Starts the next attempt when its time has come."""

    def __init__(self, start: Callable[[], object]) -> None:
        self._start = start

    def ev_timer(self, timer: Timer) -> None:
        self._start()


def _command(request: Request) -> str:
    return f"{request.prefix} {request.command}" if request.prefix else request.command


def destination(copying: Copying, step: int) -> str:
    """Where a copy goes: by default to the directory that its source is in, as clush has it.

    A directory is named as one: where there is none, a file in its place would be a surprise, and of several
    copies only the last one would be left.
    """
    dest = copying.dest
    if dest is None:
        dest = os.path.dirname(os.path.abspath(copying.sources[step]))  # noqa: PTH100, PTH120 (a path there)
    elif len(copying.sources) == 1:
        return dest
    return os.path.join(dest, "")  # noqa: PTH118


def _share(text: str | None) -> Share | None:
    return None if text is None else Share.parse(text)


def _late(deadline: float | None) -> str:
    return f"the deadline of {deadline:g} s was reached (--deadline)"
