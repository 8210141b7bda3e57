"""A conformance suite for worker classes: what every worker of asynctask does, checked for yours.

It needs no test framework::

    from asynctask.testing import WorkerKit, check_worker

    def kit() -> WorkerKit:
        return WorkerKit(
            prints=lambda nodes, **settings: MyWorker("echo hello", nodes, **settings),
            fails=lambda nodes, **settings: MyWorker("exit 3", nodes, **settings),
            hangs=lambda nodes, **settings: MyWorker("sleep 3600", nodes, **settings),
        )

    async def test_my_worker():
        await check_worker(kit())
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asynctask.errors import AsyncTaskError, EmptyTargetsError, TaskStateError, UsageError
from asynctask.events import EventHandler
from asynctask.outcome import NodeResult, Outcome
from asynctask.results import Result
from asynctask.task import Task
from asynctask.workers.base import Worker

__all__ = ("ConformanceError", "WorkerKit", "check_worker")

#: Seconds between TERM and KILL in the checks.
_GRACE = 0.5
#: Seconds after which a check has failed.
_PATIENCE = 30.0

MakeWorker = Callable[..., Worker]


class ConformanceError(AsyncTaskError, AssertionError):
    """A worker does not do what every worker does; the text says what was expected and what came."""


@dataclass(frozen=True)
class WorkerKit:
    """How to make the workers that the checks need: each a function of ``(nodes, **settings)``.

    The settings are those of :class:`asynctask.Worker`; pass all of them on.
    """

    prints: MakeWorker
    """A worker whose nodes print some line and end with exit status 0."""
    fails: MakeWorker
    """One whose nodes end with exit status 3."""
    hangs: MakeWorker
    """One whose nodes start and do not end by themselves."""
    floods: MakeWorker | None = None
    """One whose nodes print a megabyte or more, and end with exit status 0; checked for if it is given."""
    nodes: Sequence[str] = ("node1", "node2", "node3")
    """Three nodes or more that it can reach."""


async def check_worker(kit: WorkerKit) -> None:
    """Check a worker class against everything that a run relies on.

    Run it in a program that does nothing else meanwhile: it looks for descriptors, child processes and
    asyncio tasks that are left behind. It takes a few seconds.

    Raises:
        ConformanceError: a check failed; the first one is told.
    """
    with suppress(TimeoutError, ConformanceError):  # what a process opens once and keeps is open from now on
        async with asyncio.timeout(_PATIENCE):
            await _each_node_prints_and_ends_well(kit)
    for check in _CHECKS:
        before = _Left.now()
        try:
            async with asyncio.timeout(_PATIENCE):
                await check(kit)
                await before.wait_for_the_same()
        except TimeoutError:
            left = _Left.now().beyond(before)
            what = f"{_title(check)}: not done within {_PATIENCE:g} s"
            raise ConformanceError(f"{what}; left behind: {left}" if left else what) from None


# -- the checks -------------------------------------------------------------------------------------


async def _each_node_prints_and_ends_well(kit: WorkerKit) -> None:
    log, result = await _run(kit.prints, kit.nodes)
    for node in kit.nodes:
        _same("outcome", result[node].outcome, Outcome.OK)
        _same("exit status", result[node].rc, 0)
        _true(f"{node} has printed a line", result[node].stdout.strip())
        kinds = [event for event in log.of(node) if event != "read"]
        _same(f"events of {node}", kinds, ["pickup", "hup 0", "end ok"])
        _true(f"ev_read between ev_pickup and ev_hup of {node}", "read" in log.of(node)[1:-2])
    _same("first event", log.events[0], ("", "start"))
    _same("last event", log.events[-1], ("", "close False"))


async def _each_node_fails_with_its_exit_status(kit: WorkerKit) -> None:
    log, result = await _run(kit.fails, kit.nodes)
    for node in kit.nodes:
        _same("outcome", result[node].outcome, Outcome.FAILED)
        _same("exit status", result[node].rc, 3)
        _same(f"last events of {node}", log.of(node)[-2:], ["hup 3", "end failed"])


async def _a_timeout_stops_a_node(kit: WorkerKit) -> None:
    log, result = await _run(kit.hangs, kit.nodes, timeout=0.3)
    for node in kit.nodes:
        _same("outcome", result[node].outcome, Outcome.TIMED_OUT)
        _same("exit status", result[node].rc, None)
        _same(f"events of {node}", _without_output(log, node), ["pickup", "end timed out"])
    _same("last event", log.events[-1], ("", "close True"))


async def _an_abort_stops_what_runs_and_what_waits(kit: WorkerKit) -> None:
    first, *rest = kit.nodes
    log = _Log()
    task = Task()
    worker = task.schedule(kit.hangs(list(kit.nodes), handler=log, fanout=1, grace=_GRACE))
    running = asyncio.create_task(task.run())
    await log.picked_up.wait()
    worker.abort()
    result = await running
    _same("outcome of the node that ran", result[first].outcome, Outcome.ABORTED)
    for node in rest:
        _same("outcome of a node that waited", result[node].outcome, Outcome.NEVER_STARTED)
        _same(f"events of {node}", log.of(node), ["end never started"])


async def _cancelling_the_run_stops_every_node(kit: WorkerKit) -> None:
    log = _Log()
    task = Task()
    task.schedule(kit.hangs(list(kit.nodes), handler=log, grace=_GRACE))
    running = asyncio.create_task(task.run())
    await log.picked_up.wait()
    running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        pass
    else:
        raise ConformanceError("cancelling the run: it was not raised again")
    for node in kit.nodes:
        _true(f"{node} ended as aborted", task.result[node].outcome is Outcome.ABORTED)


async def _cancelling_at_once_stops_every_node(kit: WorkerKit) -> None:
    for turns in range(12):
        task = Task()
        task.schedule(kit.hangs(list(kit.nodes), grace=_GRACE))
        running = asyncio.create_task(task.run())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        _true("every node has one outcome or none", len(task.result.all()) in (0, len(kit.nodes)))


async def _nodes_start_in_order_and_fanout_holds(kit: WorkerKit) -> None:
    log, _ = await _run(kit.prints, kit.nodes, fanout=1)
    _same("order of ev_pickup", [node for node, event in log.events if event == "pickup"], list(kit.nodes))
    ends = [event.split(" ")[0] for node, event in log.events if event == "pickup" or event.startswith("end")]
    _same("one node at a time", ends, ["pickup", "end"] * len(kit.nodes))


async def _a_slow_reader_loses_nothing(kit: WorkerKit) -> None:
    if kit.floods is None:
        return
    node = kit.nodes[0]
    _, plain = await _run(kit.floods, [node])
    count = 0

    class Slow(EventHandler):
        async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            nonlocal count
            count += 1
            if count % 1000 == 1:
                await asyncio.sleep(0.01)

    task = Task()
    task.schedule(kit.floods([node], handler=Slow()))
    result = await task.run()
    _same("bytes printed to a slow reader", len(result[node].stdout), len(plain[node].stdout))
    _same("lines heard by a slow reader", count, len(plain[node].out.lines()))


async def _a_worker_runs_once(kit: WorkerKit) -> None:
    task = Task()
    worker = task.schedule(kit.prints(list(kit.nodes)))
    try:
        task.schedule(worker)
    except TaskStateError:
        pass
    else:
        raise ConformanceError("a worker that is scheduled twice: TaskStateError was expected")
    await task.run()


async def _an_empty_set_of_nodes_is_refused(kit: WorkerKit) -> None:
    try:
        kit.prints([])
    except EmptyTargetsError:
        return
    raise ConformanceError("a worker without nodes: EmptyTargetsError was expected")


async def _settings_that_make_no_sense_are_refused(kit: WorkerKit) -> None:
    for settings in ({"timeout": -1}, {"fanout": 0}, {"grace": float("inf")}):
        try:
            kit.prints(list(kit.nodes), **settings)
        except UsageError:
            continue
        raise ConformanceError(f"a worker with {settings}: UsageError was expected")


async def _every_node_is_in_one_unit(kit: WorkerKit) -> None:
    worker = kit.prints(list(kit.nodes))
    _same("nodes of its units", [node for unit in worker.units for node in unit], list(kit.nodes))
    _same("its nodes", list(worker.nodes), list(kit.nodes))


_CHECKS: Sequence[Callable[[WorkerKit], Awaitable[None]]] = (
    _every_node_is_in_one_unit,
    _an_empty_set_of_nodes_is_refused,
    _settings_that_make_no_sense_are_refused,
    _each_node_prints_and_ends_well,
    _each_node_fails_with_its_exit_status,
    _nodes_start_in_order_and_fanout_holds,
    _a_slow_reader_loses_nothing,
    _a_worker_runs_once,
    _a_timeout_stops_a_node,
    _an_abort_stops_what_runs_and_what_waits,
    _cancelling_the_run_stops_every_node,
    _cancelling_at_once_stops_every_node,
)


# -- tools ------------------------------------------------------------------------------------------


class _Log(EventHandler):
    """What a handler hears, as (node, event)."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.picked_up = asyncio.Event()

    def of(self, node: str) -> list[str]:
        return [event for name, event in self.events if name == node]

    def ev_start(self, worker: Worker) -> None:
        self.events.append(("", "start"))

    def ev_pickup(self, worker: Worker, node: str) -> None:
        self.events.append((node, "pickup"))
        self.picked_up.set()

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        if self.events[-1:] != [(node, "read")]:  # a flood is one event here
            self.events.append((node, "read"))

    def ev_hup(self, worker: Worker, node: str, rc: int) -> None:
        self.events.append((node, f"hup {rc}"))

    def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        self.events.append((node, f"end {result.outcome}"))

    def ev_close(self, worker: Worker, timedout: bool) -> None:
        self.events.append(("", f"close {timedout}"))


async def _run(make: MakeWorker, nodes: Sequence[str], **settings: Any) -> tuple[_Log, Result]:
    log = _Log()
    task = Task()
    task.schedule(make(list(nodes), handler=log, grace=_GRACE, **settings))
    result = await task.run()
    for node in nodes:
        _same(f"ev_end of {node}", sum(event.startswith("end") for event in log.of(node)), 1)
    _same("ev_close", sum(event.startswith("close") for _, event in log.events), 1)
    return log, result


def _without_output(log: _Log, node: str) -> list[str]:
    return [event for event in log.of(node) if event != "read"]


@dataclass(frozen=True)
class _Left:
    """What a program holds: descriptors, children, asyncio tasks."""

    descriptors: int
    children: frozenset[str]
    tasks: int

    @classmethod
    def now(cls) -> _Left:
        children: set[str] = set()
        for thread in Path("/proc/self/task").glob("*/children"):
            children.update(thread.read_text().split())
        return cls(len(os.listdir("/proc/self/fd")), frozenset(children), len(asyncio.all_tasks()))  # noqa: PTH208

    def beyond(self, before: _Left) -> str:
        more = {
            "descriptors": self.descriptors - before.descriptors,
            "child processes": len(self.children - before.children),
            "asyncio tasks": self.tasks - before.tasks,
        }
        return ", ".join(f"{count} {what}" for what, count in more.items() if count > 0)

    async def wait_for_the_same(self) -> None:
        """Wait until nothing more is held than before; what a server holds goes a little later."""
        while _Left.now().beyond(self):  # noqa: ASYNC110 - nobody says when it is gone
            await asyncio.sleep(0.01)


def _title(check: Callable[..., object]) -> str:
    return check.__name__.strip("_").replace("_", " ")


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise ConformanceError(f"{what}: expected {expected!r}, not {found!r}")


def _true(what: str, holds: object) -> None:
    if not holds:
        raise ConformanceError(f"it does not hold that {what}")
