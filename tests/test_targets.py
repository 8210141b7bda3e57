"""Tests of asynctask.targets: the sink of a target, and the books of its worker."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.calling import Gate
from asynctask.events import Progress
from asynctask.outcome import Ended, Outcome
from asynctask.pump import Pump
from asynctask.results import Result
from asynctask.targets import Job, Lane, Target
from asynctask.workers.base import Worker
from tests.support import OK, FakeSource, Recorder, Scripted, greet


class Pairs(Scripted):
    """A worker that serves two nodes at a time."""

    @property
    def units(self) -> Sequence[tuple[str, ...]]:
        return [self.nodes[start : start + 2] for start in range(0, len(self.nodes), 2)]


class Bench:
    """A worker's job and targets, without a run."""

    def __init__(self, worker: Worker | None = None, handlers: Sequence[object] = ()) -> None:
        self.result = Result()
        self.aborted: list[Job] = []
        self.gave_up: list[BaseException] = []
        self.lane = Lane(lambda: 5)
        self.job = Job(
            worker or Scripted(greet, ["a"]),
            self.lane,
            self.result,
            handlers,
            Gate(),
            self.gave_up.append,
            self.aborted.append,
        )
        self.targets = self.job.targets(self.result)
        self.target: Target = self.targets[0]


# -- a job and its targets --------------------------------------------------------------------------


def test_a_job_has_a_target_for_each_unit() -> None:
    """The rank is that of its first node among the worker's nodes."""
    bench = Bench(Pairs(greet, list("abcde")))
    assert [(target.nodes, target.rank) for target in bench.targets] == [
        (("a", "b"), 0),
        (("c", "d"), 2),
        (("e",), 4),
    ]
    assert (bench.job.left, bench.lane.limit(), bench.lane.active) == (3, 5, 0)


@pytest.mark.parametrize(("own", "count"), [(None, 0), (Recorder(), 1), ([Recorder(), Recorder()], 2)])
def test_who_listens_to_a_job(own: Any, count: int) -> None:
    """The worker's own handlers first, then those of the run, then who comes later."""
    run, late = Recorder(), Recorder()
    bench = Bench(Scripted(greet, ["a"], handler=own), [run])
    bench.job.listen(late)
    hooks = [listener.hooks.end for listener in bench.job.listeners]
    owners = [hook.__self__ for hook in hooks if hook is not None]  # type: ignore[attr-defined]
    handlers = own if isinstance(own, list) else [own] * count
    assert [id(owner) for owner in owners] == [id(each) for each in (*handlers, run, late)]


def test_a_job_hands_its_abort_to_the_run() -> None:
    """Which knows its targets."""
    bench = Bench()
    bench.job.abort()
    assert bench.aborted == [bench.job]


# -- pauses -----------------------------------------------------------------------------------------


def test_pauses_are_counted() -> None:
    """The source goes on when the last reason is gone."""
    bench, source = Bench(), FakeSource()
    bench.target.started(source)
    bench.target.pause_reading()
    bench.target.pause_reading()
    bench.target.resume_reading()
    assert source.calls == ["pause"]
    bench.target.resume_reading()
    assert source.calls == ["pause", "resume"]
    bench.target.pause_reading()
    assert source.calls == ["pause", "resume", "pause"]


def test_a_target_that_was_paused_before_it_started_starts_paused() -> None:
    """The run was suspended meanwhile."""
    bench, source = Bench(), FakeSource()
    bench.target.pause_reading()
    bench.target.started(source)
    assert source.calls == ["pause"]
    bench.target.resume_reading()
    assert source.calls == ["pause", "resume"]


def test_a_target_without_a_source_can_be_paused_all_the_same() -> None:
    """Nobody is told: a worker need not have one, and one that is over has none."""
    bench, source = Bench(), FakeSource()
    bench.target.started()
    bench.target.pause_reading()
    bench.target.resume_reading()
    other = Bench()
    other.target.started(source)
    other.target.record(OK)
    other.target.pause_reading()
    other.target.resume_reading()
    assert source.calls == []


# -- what it is told --------------------------------------------------------------------------------


def test_standard_streams_are_gathered_and_named_ones_are_not() -> None:
    """Handlers hear of all; standard error counts where it is kept apart."""
    heard: list[tuple[str, bytes]] = []
    bench = Bench(Scripted(greet, ["a"], stderr=True))
    bench.target.pumps = (SimpleNamespace(data=lambda *args: heard.append(args)),)  # type: ignore[assignment]
    for stream in ("stdout", "console", "stderr"):
        bench.target.data(stream, stream.encode())
    assert (bench.result.node_buffer("a"), bench.result.node_error("a")) == (b"stdout", b"stderr")
    assert heard == [("stdout", b"stdout"), ("console", b"console"), ("stderr", b"stderr")]


@pytest.mark.parametrize(
    ("settings", "out", "err"),
    [
        ({}, b"o", b""),
        ({"stderr": True, "gather": "stdout"}, b"o", b""),
        ({"stderr": True, "gather": "stderr"}, b"", b"e"),
        ({"stderr": True, "gather": False}, b"", b""),
    ],
)
def test_what_is_gathered_is_the_workers_choice(settings: dict[str, Any], out: bytes, err: bytes) -> None:
    """What is not wanted is not kept."""
    bench = Bench(Scripted(greet, ["a"], **settings))
    bench.target.data("stdout", b"o")
    bench.target.data("stderr", b"e")
    assert (bench.result.node_buffer("a"), bench.result.node_error("a")) == (out, err)


async def test_input_is_told_to_all_who_listen() -> None:
    """What was not written is added up."""
    heard: list[tuple[object, ...]] = []
    handler = SimpleNamespace(
        ev_written=lambda worker, *args: heard.append(("written", *args)),
        ev_unwritten=lambda worker, *args: heard.append(("unwritten", *args)),
    )
    bench = Bench(Scripted(greet, ["a"], handler=[handler, handler]))
    target = bench.target
    target.pumps = tuple(Pump(each, target.nodes, lambda: None) for each in bench.job.listeners)
    target.started()
    target.written("stdin", 5)
    target.unwritten("stdin", 7)
    target.unwritten("other", 1)
    (result,) = target.record(OK)
    for pump in target.pumps:
        pump.end([result])
        await pump.run()
    each = [("written", "a", "stdin", 5), ("unwritten", "a", "stdin", 7), ("unwritten", "a", "other", 1)]
    assert (heard, result.unwritten) == (each * 2, 8)


# -- its end ----------------------------------------------------------------------------------------


def test_each_node_of_a_target_has_its_result() -> None:
    """With the same end, output and times."""
    bench = Bench(Pairs(greet, ["a", "b"]))
    bench.target.connected()
    bench.target.started()
    bench.target.data("stdout", b"hi\n")
    results = bench.target.record(Ended(Outcome.SIGNALLED, rc=137, signal=9))
    assert [(each.node, each.outcome, each.rc, each.signal, each.stdout) for each in results] == [
        ("a", Outcome.SIGNALLED, 137, 9, b"hi\n"),
        ("b", Outcome.SIGNALLED, 137, 9, b"hi\n"),
    ]
    times = results[0].times
    assert times == results[1].times
    assert times.queued <= (times.connected or 0) <= (times.started or 0) <= (times.ended or 0)
    assert (times.began, times.first_output is not None) == (None, True)
    assert (bench.job.part.all(), bench.target.results()) == (results, results)


def test_a_target_ends_once() -> None:
    """A second end would be a defect of the run."""
    bench = Bench()
    bench.target.record(OK)
    with pytest.raises(AssertionError, match=r"^a has ended before"):
        bench.target.record(OK)


def test_a_timeout_is_the_workers_too() -> None:
    """``ev_close`` tells it."""
    bench = Bench(Scripted(greet, ["a", "b"]))
    bench.targets[0].record(OK)
    assert not bench.job.timed_out
    bench.targets[1].record(Ended(Outcome.TIMED_OUT))
    assert bench.job.timed_out


async def test_the_timeout_of_the_command_counts_from_its_start() -> None:
    """It stops the target, unless that has ended before."""
    late, done = (Bench(Scripted(greet, ["a"], timeout=0.01)) for _ in range(2))
    assert late.target.expiry is None
    for bench in (late, done):
        bench.target.started()
    done.target.record(OK)
    await asyncio.sleep(0.03)
    assert (late.target.stopped_as, done.target.stopped_as) == (Outcome.TIMED_OUT, None)


def test_the_first_reason_to_stop_counts() -> None:
    """What runs is cancelled once."""
    cancelled: list[str] = []
    bench = Bench()
    bench.target.scope = SimpleNamespace(cancel=lambda: cancelled.append("x"))  # type: ignore[assignment]
    bench.target.stop(Outcome.TIMED_OUT)
    bench.target.stop(Outcome.ABORTED)
    assert (bench.target.stopped_as, cancelled) == (Outcome.TIMED_OUT, ["x"])


def test_a_target_that_is_over_reads_no_more_input() -> None:
    """So that it is not kept for it."""
    worker = Scripted(greet, ["a", "b"], stdin=True)
    bench = Bench(worker)
    worker.write(b"data")
    bench.targets[0].record(OK)
    assert len(worker._opened_input()._chunks) == 1
    bench.targets[1].record(Ended(Outcome.NEVER_STARTED))
    assert len(worker._opened_input()._chunks) == 0


# -- copies, and what differs from node to node -------------------------------------------------------------


def test_progress_reaches_every_handler() -> None:
    """As it is."""
    bench = Bench()
    told: list[Progress] = []
    bench.target.pumps = (SimpleNamespace(progress=told.append), SimpleNamespace(progress=told.append))  # type: ignore[assignment]
    progress = Progress("file", 1, 2, 0)
    bench.target.progress(progress)
    assert told == [progress] * 2


def test_what_a_function_has_said_of_a_node_is_forgotten_at_its_end() -> None:
    """Memory stays bounded, however many nodes there are."""
    worker = Scripted(greet, ["a"], args=lambda node: {"x": "1"})
    bench = Bench(worker)
    assert worker._arguments is not None
    worker.command_for("a", 0)
    assert list(worker._arguments._given) == ["a"]
    bench.target.record(OK)
    assert worker._arguments._given == {}
