"""What a run keeps books on: lanes (a fanout each), the pace, jobs (a worker each), targets (a unit each)."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

import anyio

from asynctask.calling import Gate
from asynctask.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NodeError,
    SpawnError,
)
from asynctask.events import Hook, Hooks, Progress
from asynctask.outcome import Ended, NodeResult, Outcome, Times
from asynctask.pump import Listener, Pump, Written
from asynctask.results import Result
from asynctask.workers.base import Source, Worker

__all__ = ("Job", "Lane", "Pace", "Target", "ended_by")

_OUTCOME_OF: Sequence[tuple[type[NodeError], Outcome]] = (
    (ConnectionRefusedByNodeError, Outcome.REFUSED),
    (AuthenticationError, Outcome.AUTH_FAILED),
    (HostKeyError, Outcome.HOST_KEY),
    (ConnectionFailedError, Outcome.UNREACHABLE),
    (ConnectionLostError, Outcome.UNREACHABLE),
    (SpawnError, Outcome.SPAWN_FAILED),
    (NodeError, Outcome.ABORTED),
)


def ended_by(error: NodeError) -> Ended:
    """How a target ended whose worker raised."""
    outcome = next(outcome for kind, outcome in _OUTCOME_OF if isinstance(error, kind))
    return Ended(outcome, error=error)


class Lane:
    """Targets that share a fanout: the task's, or a worker's own."""

    __slots__ = ("active", "limit", "pending")

    def __init__(self, limit: Callable[[], int]) -> None:
        self.limit = limit
        self.pending: deque[Target] = deque()
        self.active = 0


class Pace:
    """How soon a target may start after the one before it.

    Args:
        delay: seconds; 0: at once.
    """

    __slots__ = ("_last", "delay")

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self._last = -math.inf

    def start(self, now: float) -> float:
        """Start a target if it is time; else nothing starts, and this is in how many seconds to ask again."""
        early = self._last + self.delay - now
        if early > 0:
            return min(early, self.delay)  # the last one may have been on another loop, with another clock
        self._last = now
        return 0.0


class Job:
    """A worker in a run, with those who listen to it.

    Args:
        handlers: who hears the worker, besides the worker's own.
        abort: stops this job.
    """

    __slots__ = (
        "_abort",
        "_gate",
        "_give_up",
        "lane",
        "left",
        "listeners",
        "part",
        "timed_out",
        "units",
        "worker",
    )

    def __init__(
        self,
        worker: Worker,
        lane: Lane,
        result: Result,
        handlers: Sequence[object],
        gate: Gate,
        give_up: Callable[[BaseException], None],
        abort: Callable[[Job], None],
    ) -> None:
        self.worker = worker
        self.lane = lane
        self.units = worker.units
        self.left = len(self.units)
        self.timed_out = False
        self.part = result._part()
        self._abort = abort
        self._gate = gate
        self._give_up = give_up
        self.listeners: list[Listener] = []
        for handler in (*_handlers(worker), *handlers):
            self.listen(handler)

    def listen(self, handler: object) -> None:
        """Have one more handler hear the worker; before the run begins."""
        self.listeners.append(Listener(self.worker, Hooks(handler), self._gate, self._give_up))

    def abort(self) -> None:
        """Stop the worker."""
        self._abort(self)

    def targets(self, result: Result) -> list[Target]:
        """A target for each unit, in order."""
        targets = []
        rank = 0
        for nodes in self.units:
            targets.append(Target(self, nodes, rank, result))
            rank += len(nodes)
        return targets

    def last_events(self, listener: Listener) -> Iterator[tuple[str, Hook, tuple[object, ...]]]:
        """What a handler hears of the worker when it is over."""
        if listener.hooks.timeout is not None and self.timed_out:
            yield "ev_timeout", listener.hooks.timeout, (self.worker,)
        if listener.hooks.close is not None:
            yield "ev_close", listener.hooks.close, (self.worker, self.timed_out)


def _handlers(worker: Worker) -> Sequence[object]:
    handler = worker.handler
    if isinstance(handler, list | tuple):
        return handler
    return () if handler is None else (handler,)


class Target:
    """One unit of a worker on its way through the run: the sink that the worker reports to."""

    __slots__ = (
        "_pauses",
        "_source",
        "began",
        "connected_at",
        "entered",
        "expiry",
        "first_output",
        "holds_slot",
        "job",
        "nodes",
        "pumps",
        "pumps_left",
        "queued",
        "rank",
        "reading",
        "records",
        "result",
        "scope",
        "started_at",
        "stopped_as",
        "tried_alone",
        "unwritten_bytes",
    )

    def __init__(self, job: Job, nodes: tuple[str, ...], rank: int, result: Result) -> None:
        worker = job.worker
        self.job = job
        self.nodes = nodes
        self.rank = rank
        self.result = result
        self.records = result._add_target(nodes, worker.gather, worker.stderr, job.part)
        self.queued = monotonic()
        self.began: float | None = None
        self.connected_at: float | None = None
        self.started_at: float | None = None
        self.first_output: float | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.scope: anyio.CancelScope | None = None
        self.stopped_as: Outcome | None = None
        self.entered = False  # whether its coroutine has had its first step
        self.holds_slot = False
        self.tried_alone = False
        self.unwritten_bytes = 0
        self.pumps: tuple[Pump, ...] = ()
        self.pumps_left = 0  # that have events to deliver
        self.reading = 0  # pumps that have output to deliver
        self._source: Source | None = None
        self._pauses = 0

    # -- the sink: nothing here waits -----------------------------------------------------------

    def connected(self) -> None:
        self.connected_at = monotonic()

    def started(self, source: Source | None = None) -> None:
        self.started_at = monotonic()
        self._source = source
        if source is not None and self._pauses:
            source.pause_reading()
        timeout = self.job.worker.timeout
        if timeout is not None:
            loop = asyncio.get_running_loop()
            self.expiry = loop.call_later(timeout, self.stop, Outcome.TIMED_OUT)
        for pump in self.pumps:
            pump.started(None if source is None else self)

    def data(self, stream: str, chunk: bytes) -> None:
        if self.first_output is None:
            self.first_output = monotonic()
        record = self.records[0]
        if stream == "stdout":
            if record.out is not None:
                self.result._out.add(record.out, chunk)
        elif stream == "stderr" and record.err is not None:
            self.result._err.add(record.err, chunk)
        for pump in self.pumps:
            pump.data(stream, chunk)

    def written(self, stream: str, size: int) -> None:
        for pump in self.pumps:
            pump.written(Written(stream, size, taken=True))

    def unwritten(self, stream: str, size: int) -> None:
        self.unwritten_bytes += size
        for pump in self.pumps:
            pump.written(Written(stream, size, taken=False))

    def progress(self, progress: Progress) -> None:
        for pump in self.pumps:
            pump.progress(progress)

    # -- its source, which may be paused for several reasons ----------------------------------------

    def pause_reading(self) -> None:
        self._pauses += 1
        if self._pauses == 1 and self._source is not None:
            self._source.pause_reading()

    def resume_reading(self) -> None:
        self._pauses -= 1
        if self._pauses == 0 and self._source is not None:
            self._source.resume_reading()

    # -- its end --------------------------------------------------------------------------------

    def stop(self, outcome: Outcome) -> None:
        """Stop what runs; the first reason counts."""
        if self.stopped_as is None:
            self.stopped_as = outcome
            if self.scope is not None:
                self.scope.cancel()

    def record(self, ended: Ended) -> list[NodeResult]:
        """Write down how it ended, once; the results of its nodes."""
        self._source = None
        if self.expiry is not None:
            self.expiry.cancel()
        if ended.outcome is Outcome.TIMED_OUT:
            self.job.timed_out = True
        worker = self.job.worker
        if worker._input is not None:
            worker._input.over(self.nodes[0])
        if worker._arguments is not None:
            worker._arguments.forget(self.nodes[0])
        times = self._times()
        results = []
        for record in self.records:
            assert record.result is None, f"{record.node} has ended before"
            result = record.result = NodeResult(
                node=record.node,
                outcome=ended.outcome,
                rc=ended.rc,
                signal=ended.signal,
                error=ended.error,
                times=times,
                unwritten=self.unwritten_bytes,
                out=self.result._out_message(record),
                err=self.result._err_message(record),
            )
            results.append(result)
        return results

    def results(self) -> list[NodeResult]:
        """The results of its nodes, once it is recorded."""
        return [record.result for record in self.records if record.result is not None]

    def _times(self) -> Times:
        return Times(
            queued=self.queued,
            began=self.began,
            connected=self.connected_at,
            started=self.started_at,
            first_output=self.first_output,
            ended=monotonic(),
        )
