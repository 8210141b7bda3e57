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

from asynctask.attachments import Attachments
from asynctask.calling import Caller, Gate
from asynctask.errors import NoCapacityError, NodeError
from asynctask.outcome import Ended, NodeResult, Outcome
from asynctask.port import Port
from asynctask.pump import Listener, Pump
from asynctask.results import Result
from asynctask.spawning import Function, Spawned
from asynctask.targets import Job, Lane, Pace, Target, ended_by
from asynctask.timer import Timer
from asynctask.waiting import wait_out
from asynctask.workers.base import Worker
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


class Run:
    """One run of a task's workers.

    Args:
        fanout: asked whenever a slot may be free, so a change takes effect at once.
        pace: of the starts.
        result: where everything is recorded.
        resources: what the workers share.
        on_end: called with the results of each target that is over.
        on_stop: called once if the run is stopped before its end, whatever the reason.
    """

    def __init__(
        self,
        fanout: Callable[[], int],
        pace: Pace,
        result: Result,
        resources: Resources,
        on_end: Callable[[Sequence[NodeResult]], None],
        on_stop: Callable[[], None],
    ) -> None:
        self.result = result
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where it runs."""
        self.timeout: float | None = None
        """Seconds for all of it, as they were given last."""
        self.gate = Gate()
        self._watchers: list[object] = []
        self.attachments = Attachments(self, self._watchers)
        self.accepting = True
        """Whether workers may still be added."""
        self.stop_at_once = False
        """Whether it is aborted as soon as it begins."""
        self._halted = False
        self._pace = pace
        self._resources = resources
        self._on_end = on_end
        self._on_stop = on_stop
        self._shared = Lane(fanout)
        self._lanes = [self._shared]
        self._jobs: list[Job] = []
        self._open_jobs = 0
        self._keeping = 0  # open jobs that keep the run going
        self._limit: anyio.CancelScope | None = None
        self._active: dict[Target, None] = {}
        self._deliveries: WeakSet[anyio.CancelScope] = WeakSet()
        self._untold: deque[Target] = deque()  # that never started, and whose handler has to hear it
        self._tellers = 0
        self._dropped: deque[Target] = deque()  # that will not begin, and are not recorded yet
        self._worker_errors: list[Exception] = []
        self._fatal: BaseException | None = None  # what ends the program, not a node or a handler
        self._all_over = asyncio.Event()
        self._all_over.set()
        self._spawned: Spawned | None = None  # while the run goes on
        self._refill: asyncio.Handle | None = None
        self._stopped_as: Outcome | None = None
        self._stop_by = math.inf  # when handlers must be done, once the run is being stopped
        self._ceiling: int | None = None  # of all lanes together, once there was no more room
        self._done = 0
        self._deferred = 0

    # -- what the task calls ----------------------------------------------------------------

    def add(self, worker: Worker, listeners: Sequence[object] = ()) -> None:
        """Take a worker in, before or while running.

        Args:
            worker: it has not been in a run.
            listeners: handlers that hear this worker, besides its own and those of the run.
        """
        lane = self._shared if worker.fanout is None else Lane(lambda: worker.fanout or 1)
        if worker.stdin is True:
            worker._opened_input()
        job = Job(
            worker, lane, self.result, [*listeners, *self._watchers], self.gate, self.give_up, self._abort
        )
        if lane is not self._shared:
            self._lanes.append(lane)
        lane.pending += job.targets(self.result)
        worker._job = job
        worker._part = job.part
        self._jobs.append(job)
        self._open_jobs += 1
        self._keeping += not worker.autoclose
        self._all_over.clear()
        if self._stopped_as is None and not self._halted:
            self.fill()
        else:
            self._drop_pending()

    def watch(self, handler: object) -> None:
        """Have a handler hear every worker, timer and port, besides their own; before the run begins."""
        self._watchers.append(handler)
        for job in self._jobs:
            job.listen(handler)

    def add_timer(self, timer: Timer) -> None:
        """Take a timer in, before or while running."""
        self.attachments.add_timer(timer)
        self.settle()

    def add_port(self, port: Port) -> None:
        """Take a port with a handler in, before or while running."""
        self.attachments.add_port(port)
        self.settle()

    def suspend(self) -> None:
        """Hold still: read nothing, start nothing, deliver nothing."""
        self.gate.close()
        for target in self._active:
            target.pause_reading()

    def resume(self, timeout: float | None) -> None:
        """Go on; ``timeout`` is for the rest of the run, if it is given."""
        self._open_gate()
        if timeout is not None and self._limit is not None:
            self.timeout = timeout
            self._limit.deadline = asyncio.get_running_loop().time() + timeout
        self.fill()
        self.attachments.arm()

    def _open_gate(self) -> None:
        if self.gate.closed:
            self.gate.open()
            for target in self._active:
                target.resume_reading()

    def is_inside(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether an asyncio task is one of the run's own, which call handlers."""
        return self._spawned is not None and task in self._spawned

    def stop(self, outcome: Outcome) -> None:
        """Stop everything: what runs ends as ``outcome``, what waits as never started."""
        if self._stopped_as is not None:
            return
        self._stopped_as = outcome
        self._on_stop()
        self._open_gate()
        grace = max((target.job.worker.grace.seconds for target in self._active), default=0.0)
        self._stop_by = asyncio.get_running_loop().time() + grace + _LAST_WORDS
        for scope in self._deliveries:
            scope.deadline = self._stop_by
        for target in list(self._active):
            target.stop(outcome)
        self.attachments.stop()
        self._drop_pending()
        self.settle()

    def halt(self) -> None:
        """Start no more targets: what waits never starts, what runs goes on."""
        if not self._halted:
            self._halted = True
            self._drop_pending()

    def _abort(self, job: Job) -> None:
        """Stop one worker."""
        for target in [target for target in self._active if target.job is job]:
            target.stop(Outcome.ABORTED)
        lane = job.lane
        dropped = [target for target in lane.pending if target.job is job]
        lane.pending = deque(target for target in lane.pending if target.job is not job)
        self._dropped += dropped
        self._drop_pending()

    def hurry(self) -> None:
        """What is being stopped gets no more grace."""
        for job in self._jobs:
            job.worker.grace.cut()

    def fill(self) -> None:
        """Start what may start now, a few a turn of the loop."""
        if self._spawned is None or self._refill is not None or self._stopped_as or self.gate.closed:
            return
        started = 0
        for lane in self._lanes:
            while lane.pending and lane.active < lane.limit() and self._has_room():
                if started == _STARTS_A_TURN:
                    self._refill = asyncio.get_running_loop().call_soon(self._continue_filling)
                    return
                if self._pace.delay and self._is_early():
                    return
                self._begin(lane.pending.popleft())
                started += 1

    def fill_anew(self) -> None:
        """The pace is another one."""
        self._forget_refill()
        self.fill()

    def statistics(self) -> RunStatistics:
        """Counters of this run, now."""
        return RunStatistics(
            pending=sum(len(lane.pending) for lane in self._lanes),
            active=self._holding(),
            done=self._done,
            paused=sum(listener.paused for job in self._jobs for listener in job.listeners),
            deferred=self._deferred,
        )

    def active_nodes(self) -> list[str]:
        """The nodes that have begun and have no outcome yet, in the order in which they began."""
        return [record.node for target in self._active for record in target.records if record.result is None]

    def errors(self) -> list[Exception]:
        """What handlers, and workers against their contract, have raised."""
        raised = [exc for job in self._jobs for listener in job.listeners for exc in listener.errors]
        return raised + self.attachments.errors() + self._worker_errors

    async def execute(self, timeout: float | None) -> bool:
        """Run until every worker is closed; whether ``timeout`` seconds were enough.

        Cancelling stops all targets as aborted, waits for them to be gone, which is bounded by
        their grace, and raises the cancellation again. What ends the program, raised by a handler or
        a worker (``SystemExit``, ``KeyboardInterrupt``), does the same.
        """
        in_time = True
        self.timeout = timeout
        async with asyncio.TaskGroup() as group:
            self._spawned = Spawned(group)
            self.loop = asyncio.get_running_loop()
            self._drop_pending()
            if self.stop_at_once:
                self.stop(Outcome.ABORTED)
            self.fill()
            self.attachments.start()
            self.settle()
            try:
                with anyio.move_on_after(timeout) as self._limit:
                    await self._wait_all_over()
                if self._limit.cancelled_caught:
                    in_time = False
                    self.stop(Outcome.TIMED_OUT)
                    await self._wait_all_over()
            except BaseException:
                self.stop(Outcome.ABORTED)
                await wait_out(self._all_over)
                raise
            finally:
                self.accepting = False
                self._spawned = None
                self._forget_refill()
        if self._fatal is not None:
            raise self._fatal
        return in_time

    async def _wait_all_over(self) -> None:
        while self._is_open() or self.gate.closed:  # a worker may have been added since the event was set
            await self._all_over.wait()
            await self.gate.passed()

    # -- decisions: no await ----------------------------------------------------------------

    def give_up(self, exc: BaseException) -> None:
        if self._fatal is None:
            self._fatal = exc
        self.stop(Outcome.ABORTED)

    def settle(self) -> None:
        """What does not keep the run going ends when all else has."""
        if self._spawned is None:
            return
        if self._stopped_as is None and not self._keeping and not self.attachments.keep_going():
            self.attachments.end()
            for job in self._jobs:
                if job.left and job.worker.autoclose:
                    self._abort(job)
        if self._is_open():
            self._all_over.clear()
        else:
            self._all_over.set()

    def _is_open(self) -> bool:
        return bool(self._open_jobs) or not self.attachments.are_over()

    def _continue_filling(self) -> None:
        self._refill = None
        self.fill()

    def _is_early(self) -> bool:
        """Whether the next target has to wait; there is another look at it in time."""
        loop = asyncio.get_running_loop()
        wait = self._pace.start(loop.time())
        if wait:
            self._refill = loop.call_later(wait, self._continue_filling)
        return wait > 0

    def _forget_refill(self) -> None:
        if self._refill is not None:
            self._refill.cancel()
            self._refill = None

    def _holding(self) -> int:
        return sum(lane.active for lane in self._lanes)

    def _has_room(self) -> bool:
        return self._ceiling is None or self._holding() < self._ceiling

    def _begin(self, target: Target) -> None:
        target.holds_slot = True
        target.job.lane.active += 1
        target.began = monotonic()
        target.entered = False
        target.scope = None
        self._active[target] = None
        if not target.pumps:
            self._add_pumps(target)
        assert self._spawned is not None
        self._spawned.start_marked(target, self._run_target, target)

    def _add_pumps(self, target: Target) -> None:
        listeners = [each for each in target.job.listeners if each.hooks.wants_node_events]
        target.pumps = tuple(Pump(each, target.nodes, lambda: self._read(target)) for each in listeners)
        target.pumps_left = target.reading = len(listeners)
        assert self._spawned is not None
        for pump in target.pumps:
            self._spawned.start_marked(pump, self._run_pump, target, pump)

    def _read(self, target: Target) -> None:
        """One of its handlers has had all of the output."""
        target.reading -= 1
        if not target.reading:
            self._free_slot(target)

    def spawn(self, function: Function, *args: object) -> None:
        """Run a coroutine that ends by itself, cancelled or not."""
        assert self._spawned is not None
        self._spawned.start(function, *args)

    def _free_slot(self, target: Target) -> None:
        if target.holds_slot:
            target.holds_slot = False
            target.job.lane.active -= 1
            self.fill()

    def _defer(self, target: Target) -> bool:
        """Put a target back for lack of room; false if there is nothing left to wait for."""
        others = self._holding() - 1
        if target.stopped_as is not None or (others == 0 and target.tried_alone):
            return False
        target.tried_alone = others == 0
        self._ceiling = max(1, others - others // 8)  # leave some room for handlers, too
        self._deferred += 1
        del self._active[target]
        if self.gate.closed:
            target.resume_reading()  # it holds still without
        target.job.lane.pending.appendleft(target)
        self._drop_pending()
        self._free_slot(target)
        return True

    def _drop_pending(self) -> None:
        """End targets that will not begin: those of aborted workers, all if the run is stopped or halted."""
        if self._spawned is None:
            return  # not before the run begins, which ends them first
        if self._halted or self._stopped_as is not None:
            for lane in self._lanes:
                self._dropped += lane.pending
                lane.pending.clear()
        for _ in range(_DROPS_A_TURN):
            if not self._dropped:
                return
            self._drop(self._dropped.popleft())
        asyncio.get_running_loop().call_soon(self._drop_pending)

    def _drop(self, target: Target) -> None:
        results = self._record(target, Ended(Outcome.NEVER_STARTED))
        if target.pumps:  # it was put back; its pumps go on
            for pump in target.pumps:
                pump.end(results)
            return
        listeners = [each for each in target.job.listeners if each.hooks.end is not None]
        if not listeners:
            self._over(target)
            return
        target.pumps = tuple(Pump(each, target.nodes, _nothing) for each in listeners)
        target.pumps_left = len(listeners)
        for pump in target.pumps:
            pump.end(results)
        self._untold.append(target)
        if self._tellers < _TELLERS:
            self._tellers += 1
            self.spawn(self._tell_never_started)

    def _record(self, target: Target, ended: Ended) -> Sequence[NodeResult]:
        """The one place where a target's outcome becomes known."""
        results = target.record(ended)
        self._done += 1
        self._on_end(results)
        return results

    def _over(self, target: Target) -> None:
        """All is said about a target; the last one of a worker closes it."""
        self._active.pop(target, None)
        job = target.job
        job.left -= 1
        if job.left:
            return
        closing = [
            each for each in job.listeners if each.hooks.close is not None or each.hooks.timeout is not None
        ]
        if closing:
            self.spawn(self._close, job, closing)
        else:
            self._closed(job)

    def _closed(self, job: Job) -> None:
        job.worker.release()
        self._open_jobs -= 1
        self._keeping -= not job.worker.autoclose
        self.settle()

    # -- the coroutines around them ---------------------------------------------------------

    async def _run_target(self, target: Target) -> None:
        target.entered = True
        ended = await self._attempt(target)
        if ended is None:
            return
        results = self._record(target, ended)
        if target.pumps:
            for pump in target.pumps:
                pump.end(results)
        else:
            self._over(target)
            self._free_slot(target)

    async def _attempt(self, target: Target) -> Ended | None:
        """Run a target; how it ended, or ``None`` if it was put back."""
        worker = target.job.worker
        if target.stopped_as is not None:
            return Ended(target.stopped_as)
        try:
            # Made here, for anyio makes scopes in a task alone: in a callback it may not know its loop.
            with anyio.CancelScope() as target.scope:
                announce = None if worker.announces else self._resources.announcer(*target.nodes)
                if announce is not None:
                    await announce()
                return await worker.run_target(target.nodes, target.rank, target, self._resources)
        except NoCapacityError as exc:
            return None if self._defer(target) else Ended(Outcome.SPAWN_FAILED, error=exc)
        except NodeError as exc:
            if target.stopped_as is None:
                return ended_by(exc)
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
            self.give_up(exc)
        return Ended(target.stopped_as or Outcome.ABORTED)

    async def _run_pump(self, target: Target, pump: Pump) -> None:
        pump.entered = True
        listener = pump.listener
        try:
            if not await self.heard(listener, self._all_events(pump)):
                await pump.over()
                await self.heard(listener, pump.finish(), _LAST_WORDS)
        finally:  # whatever a handler did to the task that calls it, its target ends
            self._told(target)

    def _told(self, target: Target) -> None:
        """One of its handlers has heard all."""
        target.pumps_left -= 1
        if not target.pumps_left:
            self._over(target)

    async def _all_events(self, pump: Pump) -> None:
        await pump.run()
        await pump.finish()

    async def _tell_never_started(self) -> None:
        while self._untold:
            target = self._untold.popleft()
            for pump in target.pumps:
                try:
                    await self.heard(pump.listener, self._tell(pump))
                finally:
                    self._told(target)
        self._tellers -= 1

    async def _tell(self, pump: Pump) -> None:
        await self.gate.passed()
        await pump.finish()

    async def _close(self, job: Job, listeners: Sequence[Listener]) -> None:
        try:
            for listener in listeners:
                for event, hook, args in job.last_events(listener):
                    await self.heard(listener, listener.call(event, "", hook, *args), _LAST_WORDS)
        finally:
            self._closed(job)

    async def heard(
        self, caller: Caller, delivery: Coroutine[Any, Any, object], at_least: float = 0.0
    ) -> bool:
        """Deliver something in the time that there is; whether it was heard to its end."""
        try:
            with self._delivery(at_least) as scope:
                await delivery
        except asyncio.CancelledError as exc:  # by the handler itself, or by a loop that is closing
            caller.note_cancelled(exc)
            return False
        except Exception as exc:  # anyio's, of a scope or group that a handler opened and left open
            caller.note("a handler", "", exc)
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
