"""One run of a task: which target starts when, how it is stopped, how its end is recorded.

Decisions are plain functions without ``await``; the coroutines around them do the waiting. Every
target goes through :meth:`Run._record` exactly once, on every path.

Targets do not hear of outside cancellation: the run does, and stops them in order, each with its
outcome, its last output and a bounded time to end. So their tasks live in an ``asyncio.TaskGroup``,
which costs a third of anyio's; each target has an anyio scope of its own, for a cancellation
that some library swallows must not make it immortal.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any
from weakref import WeakSet

import anyio

from asynctask.errors import (
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NoCapacityError,
    NodeError,
    SpawnError,
)
from asynctask.events import Hook, Hooks
from asynctask.outcome import Ended, NodeResult, Outcome, Times
from asynctask.pump import Busy, Listener, Pump
from asynctask.results import Result
from asynctask.waiting import wait_out
from asynctask.workers.base import Source, Worker
from asynctask.workers.resources import Resources

__all__ = ("Run", "RunStatistics")

#: How many targets start in one turn of the loop. Starting a process takes about half a
#: millisecond, and others want their turn.
_STARTS_A_TURN = 8
#: How long handlers may go on, beyond the grace, once the run is being stopped, in seconds.
_LAST_WORDS = 1.0
#: How many targets that never started end in one turn of the loop.
_DROPS_A_TURN = 500
#: How many handlers hear at once that their target never started.
_TELLERS = 32

_OUTCOME_OF: Sequence[tuple[type[NodeError], Outcome]] = (
    (ConnectionRefusedByNodeError, Outcome.REFUSED),
    (AuthenticationError, Outcome.AUTH_FAILED),
    (HostKeyError, Outcome.HOST_KEY),
    (ConnectionFailedError, Outcome.UNREACHABLE),
    (ConnectionLostError, Outcome.UNREACHABLE),
    (SpawnError, Outcome.SPAWN_FAILED),
    (NodeError, Outcome.ABORTED),
)


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """A look at a run."""

    pending: int
    """Targets whose turn has not come."""
    active: int
    """Targets that hold a slot of a fanout."""
    done: int
    """Targets whose outcome is known."""
    paused: int
    """How often output was paused because a handler was behind."""
    deferred: int
    """How often a start was put off for lack of descriptors or processes."""


class _Lane:
    """Targets that share a fanout: the task's, or a worker's own."""

    __slots__ = ("active", "limit", "pending")

    def __init__(self, limit: Callable[[], int]) -> None:
        self.limit = limit
        self.pending: deque[_Target] = deque()
        self.active = 0


class _Job:
    """A worker in a run."""

    __slots__ = ("lane", "left", "listener", "timed_out", "worker")

    def __init__(
        self, worker: Worker, lane: _Lane, left: int, give_up: Callable[[BaseException], None], busy: Busy
    ) -> None:
        self.worker = worker
        self.lane = lane
        self.left = left
        self.timed_out = False
        self.listener = None
        if worker.handler is not None:
            self.listener = Listener(worker, Hooks(worker.handler), give_up, busy)


class _Target:
    """One unit of a worker on its way through the run: the sink that the worker reports to."""

    __slots__ = (
        "began",
        "connected_at",
        "expiry",
        "first_output",
        "holds_slot",
        "job",
        "nodes",
        "pump",
        "queued",
        "rank",
        "records",
        "result",
        "scope",
        "started_at",
        "stopped_as",
        "tried_alone",
    )

    def __init__(self, job: _Job, nodes: tuple[str, ...], rank: int, result: Result) -> None:
        self.job = job
        self.nodes = nodes
        self.rank = rank
        self.result = result
        self.records = result._add_target(nodes, job.worker.gather, job.worker.stderr)
        self.queued = monotonic()
        self.began: float | None = None
        self.connected_at: float | None = None
        self.started_at: float | None = None
        self.first_output: float | None = None
        self.expiry: asyncio.TimerHandle | None = None
        self.scope: anyio.CancelScope | None = None
        self.stopped_as: Outcome | None = None
        self.holds_slot = False
        self.tried_alone = False
        self.pump: Pump | None = None

    # The sink: nothing here waits.

    def connected(self) -> None:
        self.connected_at = monotonic()

    def started(self, source: Source | None = None) -> None:
        self.started_at = monotonic()
        timeout = self.job.worker.timeout
        if timeout is not None:
            loop = asyncio.get_running_loop()
            self.expiry = loop.call_later(timeout, self.stop, Outcome.TIMED_OUT)
        if self.pump is not None:
            self.pump.started(source)

    def data(self, stream: str, chunk: bytes) -> None:
        if self.first_output is None:
            self.first_output = monotonic()
        record = self.records[0]
        if stream == "stderr":
            if record.err is not None:
                self.result._err.add(record.err, chunk)
        elif record.out is not None:
            self.result._out.add(record.out, chunk)
        if self.pump is not None:
            self.pump.data(stream, chunk)

    def stop(self, outcome: Outcome) -> None:
        """Stop what runs; the first reason counts."""
        if self.stopped_as is None:
            self.stopped_as = outcome
            if self.scope is not None:
                self.scope.cancel()

    def times(self) -> Times:
        return Times(
            queued=self.queued,
            began=self.began,
            connected=self.connected_at,
            started=self.started_at,
            first_output=self.first_output,
            ended=monotonic(),
        )


class Run:
    """One run of a task's workers.

    Args:
        fanout: asked whenever a slot may be free, so a change takes effect at once.
        result: where everything is recorded.
        resources: what the workers share.
        on_end: called with the results of each target that is over.
        on_stop: called once if the run is stopped before its end, whatever the reason.
    """

    def __init__(
        self,
        fanout: Callable[[], int],
        result: Result,
        resources: Resources,
        on_end: Callable[[Sequence[NodeResult]], None],
        on_stop: Callable[[], None],
    ) -> None:
        self.result = result
        self.accepting = True
        """Whether workers may still be added."""
        self._resources = resources
        self._on_end = on_end
        self._on_stop = on_stop
        self._shared = _Lane(fanout)
        self._lanes = [self._shared]
        self._jobs: list[_Job] = []
        self._busy = Busy()
        self._open_jobs = 0
        self._active: dict[_Target, None] = {}
        self._deliveries: WeakSet[anyio.CancelScope] = WeakSet()
        self._untold: deque[_Target] = deque()  # that never started, and whose handler has to hear it
        self._tellers = 0
        self._worker_errors: list[Exception] = []
        self._fatal: BaseException | None = None  # what ends the program, not a node or a handler
        self._all_over = asyncio.Event()
        self._all_over.set()
        self._group: asyncio.TaskGroup | None = None
        self._refill: asyncio.Handle | None = None
        self._stopped_as: Outcome | None = None
        self._stop_by = math.inf  # when handlers must be done, once the run is being stopped
        self._ceiling: int | None = None  # of all lanes together, once there was no more room
        self._done = 0
        self._deferred = 0

    # -- what the task calls ----------------------------------------------------------------

    def add(self, worker: Worker) -> None:
        """Take a worker in, before or while running."""
        lane = self._shared if worker.fanout is None else _Lane(lambda: worker.fanout or 1)
        units = worker.units
        job = _Job(worker, lane, len(units), self._give_up, self._busy)
        if lane is not self._shared:
            self._lanes.append(lane)
        rank = 0
        for nodes in units:
            lane.pending.append(_Target(job, nodes, rank, self.result))
            rank += len(nodes)
        self._jobs.append(job)
        self._open_jobs += 1
        self._all_over.clear()
        if self._stopped_as is None:
            self.fill()
        else:
            self._drop_pending()

    def stop(self, outcome: Outcome) -> None:
        """Stop everything: what runs ends as ``outcome``, what waits as never started."""
        if self._stopped_as is not None:
            return
        self._stopped_as = outcome
        self._on_stop()
        grace = max((target.job.worker.grace.seconds for target in self._active), default=0.0)
        self._stop_by = asyncio.get_running_loop().time() + grace + _LAST_WORDS
        for scope in self._deliveries:
            scope.deadline = self._stop_by
        for target in list(self._active):
            target.stop(outcome)
        self._drop_pending()

    def hurry(self) -> None:
        """What is being stopped gets no more grace."""
        for job in self._jobs:
            job.worker.grace.cut()

    def fill(self) -> None:
        """Start what may start now, a few a turn of the loop."""
        if self._group is None or self._refill is not None or self._stopped_as is not None:
            return
        started = 0
        for lane in self._lanes:
            while lane.pending and lane.active < lane.limit() and self._has_room():
                if started == _STARTS_A_TURN:
                    self._refill = asyncio.get_running_loop().call_soon(self._continue_filling)
                    return
                self._begin(lane.pending.popleft())
                started += 1

    def statistics(self) -> RunStatistics:
        """Counters of this run, now."""
        return RunStatistics(
            pending=sum(len(lane.pending) for lane in self._lanes),
            active=self._holding(),
            done=self._done,
            paused=sum(job.listener.paused for job in self._jobs if job.listener is not None),
            deferred=self._deferred,
        )

    def active_nodes(self) -> list[str]:
        """The nodes that have begun and have no outcome yet, in the order in which they began."""
        return [record.node for target in self._active for record in target.records if record.result is None]

    def errors(self) -> list[Exception]:
        """What handlers, and workers against their contract, have raised."""
        raised = [exc for job in self._jobs if job.listener is not None for exc in job.listener.errors]
        return raised + self._worker_errors

    async def execute(self, timeout: float | None) -> bool:
        """Run until every worker is closed; whether ``timeout`` seconds were enough.

        Cancelling stops all targets as aborted, waits for them to be gone, which is bounded by
        their grace, and raises the cancellation again. What ends the program, raised by a handler or
        a worker (``SystemExit``, ``KeyboardInterrupt``), does the same.
        """
        in_time = True
        async with asyncio.TaskGroup() as group:
            self._group = group
            self.fill()
            try:
                with anyio.move_on_after(timeout) as limit:
                    await self._wait_all_over()
                if limit.cancelled_caught:
                    in_time = False
                    self.stop(Outcome.TIMED_OUT)
                    await self._wait_all_over()
            except BaseException:
                self.stop(Outcome.ABORTED)
                await wait_out(self._all_over)
                raise
            finally:
                self.accepting = False
                self._group = None
        if self._fatal is not None:
            raise self._fatal
        return in_time

    async def _wait_all_over(self) -> None:
        while self._open_jobs:  # a worker may have been added since the event was set
            await self._all_over.wait()

    # -- decisions: no await ----------------------------------------------------------------

    def _give_up(self, exc: BaseException) -> None:
        if self._fatal is None:
            self._fatal = exc
        self.stop(Outcome.ABORTED)

    def _continue_filling(self) -> None:
        self._refill = None
        self.fill()

    def _holding(self) -> int:
        return sum(lane.active for lane in self._lanes)

    def _has_room(self) -> bool:
        return self._ceiling is None or self._holding() < self._ceiling

    def _begin(self, target: _Target) -> None:
        target.holds_slot = True
        target.job.lane.active += 1
        target.began = monotonic()
        target.scope = None
        self._active[target] = None
        listener = target.job.listener
        if listener is not None and listener.hooks.wants_node_events and target.pump is None:
            target.pump = Pump(listener, target.nodes, lambda: self._free_slot(target))
            self._spawn(self._run_pump, target, target.pump)
        self._spawn(self._run_target, target)

    def _spawn(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Run one of the coroutines below, which end by themselves, cancelled or not."""
        assert self._group is not None
        task = self._group.create_task(function(*args))
        # A loop that is closing cancels also tasks that have not had their first step: they never would.
        task.add_done_callback(lambda task: self._spawn(function, *args) if task.cancelled() else None)

    def _free_slot(self, target: _Target) -> None:
        if target.holds_slot:
            target.holds_slot = False
            target.job.lane.active -= 1
            self.fill()

    def _defer(self, target: _Target) -> bool:
        """Put a target back for lack of room; false if there is nothing left to wait for."""
        others = self._holding() - 1
        if target.stopped_as is not None or (others == 0 and target.tried_alone):
            return False
        target.tried_alone = others == 0
        self._ceiling = max(1, others - others // 8)  # leave some room for handlers, too
        self._deferred += 1
        del self._active[target]
        target.job.lane.pending.appendleft(target)
        self._free_slot(target)
        return True

    def _drop_pending(self) -> None:
        """End all targets that have not begun, or were put back; so many a turn of the loop."""
        left = _DROPS_A_TURN
        for lane in self._lanes:
            while lane.pending:
                if not left:
                    asyncio.get_running_loop().call_soon(self._drop_pending)
                    return
                left -= 1
                self._drop(lane.pending.popleft())

    def _drop(self, target: _Target) -> None:
        self._record(target, Ended(Outcome.NEVER_STARTED))
        listener = target.job.listener
        if target.pump is not None:  # it was put back; its pump goes on
            target.pump.end(self._results(target))
        elif listener is not None and listener.hooks.end is not None:
            target.pump = Pump(listener, target.nodes, _nothing)
            target.pump.end(self._results(target))
            self._untold.append(target)
            if self._tellers < _TELLERS:
                self._tellers += 1
                self._spawn(self._tell_never_started)
        else:
            self._over(target)

    def _record(self, target: _Target, ended: Ended) -> None:
        """The one place where a target's outcome becomes known."""
        if target.expiry is not None:
            target.expiry.cancel()
        if ended.outcome is Outcome.TIMED_OUT:
            target.job.timed_out = True
        times = target.times()
        for record in target.records:
            assert record.result is None, f"{record.node} has ended before"
            record.result = NodeResult(
                node=record.node,
                outcome=ended.outcome,
                rc=ended.rc,
                signal=ended.signal,
                error=ended.error,
                times=times,
                out=self.result._out_message(record),
                err=self.result._err_message(record),
            )
        self._done += 1
        self._on_end(self._results(target))

    def _results(self, target: _Target) -> list[NodeResult]:
        return [record.result for record in target.records if record.result is not None]

    def _over(self, target: _Target) -> None:
        """All is said about a target; the last one of a worker closes it."""
        self._active.pop(target, None)
        job = target.job
        job.left -= 1
        if job.left:
            return
        if job.listener is not None and job.listener.hooks.close is not None:
            self._spawn(self._close, job, job.listener, job.listener.hooks.close)
        else:
            self._closed()

    def _closed(self) -> None:
        self._open_jobs -= 1
        if self._open_jobs == 0:
            self._all_over.set()

    # -- the coroutines around them ---------------------------------------------------------

    async def _run_target(self, target: _Target) -> None:
        ended = await self._attempt(target)
        if ended is None:
            return
        self._record(target, ended)
        if target.pump is not None:
            target.pump.end(self._results(target))
        else:
            self._over(target)
            self._free_slot(target)

    async def _attempt(self, target: _Target) -> Ended | None:
        """Run a target; how it ended, or ``None`` if it was put back."""
        worker = target.job.worker
        if target.stopped_as is not None:
            return Ended(target.stopped_as)
        try:
            # Made here, for anyio makes scopes in a task alone: in a callback it may not know its loop.
            with anyio.CancelScope() as target.scope:
                return await worker.run_target(target.nodes, target.rank, target, self._resources)
        except NoCapacityError as exc:
            return None if self._defer(target) else Ended(Outcome.SPAWN_FAILED, error=exc)
        except NodeError as exc:
            if target.stopped_as is None:
                outcome = next(outcome for kind, outcome in _OUTCOME_OF if isinstance(exc, kind))
                return Ended(outcome, error=exc)
        except Exception as exc:
            exc.add_note(f"raised by the worker for {target.nodes[0]}")
            self._worker_errors.append(exc)
            error = NodeError(target.nodes[0], f"the worker raised {exc!r}")
            return Ended(target.stopped_as or Outcome.ABORTED, error=error)
        except asyncio.CancelledError:
            pass  # not through the scope: the loop is closing, and cancels every task there is
        except GeneratorExit:
            raise
        except BaseException as exc:  # raised by the run when all has ended
            self._give_up(exc)
        return Ended(target.stopped_as or Outcome.ABORTED)

    async def _run_pump(self, target: _Target, pump: Pump) -> None:
        listener = pump.listener
        if not await self._heard(listener, self._all_events(pump)):
            await pump.over()
            await self._heard(listener, pump.finish(), _LAST_WORDS)
        self._over(target)

    async def _all_events(self, pump: Pump) -> None:
        await pump.run()
        await pump.finish()

    async def _tell_never_started(self) -> None:
        while self._untold:
            target = self._untold.popleft()
            assert target.pump is not None
            await self._heard(target.pump.listener, target.pump.finish())
            self._over(target)
        self._tellers -= 1

    async def _close(self, job: _Job, listener: Listener, hook: Hook) -> None:
        await self._heard(
            listener, listener.call("ev_close", "", hook, job.worker, job.timed_out), _LAST_WORDS
        )
        self._closed()

    async def _heard(
        self, listener: Listener, delivery: Coroutine[Any, Any, object], at_least: float = 0.0
    ) -> bool:
        """Deliver something in the time that there is; whether it was heard to its end."""
        try:
            with self._delivery(at_least) as scope:
                await delivery
        except asyncio.CancelledError as exc:  # by the handler itself, or by a loop that is closing
            listener.note_cancelled(exc)
            return False
        return not scope.cancelled_caught

    def _delivery(self, at_least: float = 0.0) -> anyio.CancelScope:
        """For handlers at work: without a bound while the run goes on, bounded once it is being stopped.

        What is plain in a handler is done also when the time is up; what waits is cancelled.
        """
        if self._stopped_as is None:
            scope = anyio.CancelScope()
            self._deliveries.add(scope)
            return scope
        return anyio.CancelScope(deadline=max(self._stop_by, asyncio.get_running_loop().time() + at_least))


def _nothing() -> None:
    pass
