"""Batches, attempts, and how a run ends early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from asynctask.cli import rolling as rolling_module
from asynctask.cli.control import retrying
from asynctask.cli.request import Copying, Request
from asynctask.cli.rolling import Batch, Rolling, _Retry, destination
from asynctask.cli.view import View
from asynctask.errors import UsageError
from asynctask.outcome import NodeResult, Outcome
from asynctask.task import Task
from asynctask.timer import Timer

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

REQUEST = Request(targets=("a", "b", "c", "d"), worker="exec", fanout=1)


class _Heard(View):
    """What a view is told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.over_: list[tuple[str, Outcome, int]] = []

    def ev_pickup(self, worker: object, node: str) -> None:
        self.started.append(node)

    def ev_end(self, worker: object, node: str, result: NodeResult) -> None:
        self.ended.append(node)

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        self.over_.append((result.node, result.outcome, attempt))


class _Run:
    """A run of a request, and what was seen of it."""

    def __init__(self, request: Request, verdict: str | None = None) -> None:
        self._request = request
        self._verdict = verdict
        self.gate_is_stuck = False
        self.on_made: Callable[[Rolling], object] = lambda rolling: None
        self.heard = _Heard()
        self.batches: list[tuple[int, int, list[str], int, int]] = []
        self.begun: list[tuple[int, int]] = []

    async def __call__(self) -> Rolling:
        async with Task(fanout=self._request.fanout) as task:
            self.rolling = Rolling(
                self._request,
                task,
                [self.heard],
                {"worker": "exec", "gather": False},
                self._gate,
                lambda number, count: self.begun.append((number, count)),
            )
            self.on_made(self.rolling)
            self.results: Sequence[NodeResult] = await self.rolling.run()
        return self.rolling

    async def _gate(self, batch: Batch) -> str | None:
        nodes = [result.node for result in batch.results]
        self.batches.append((batch.number, batch.count, nodes, batch.done, batch.failed))
        if self.gate_is_stuck:
            await asyncio.Event().wait()
        return self._verdict

    @property
    def outcomes(self) -> list[str]:
        return [str(result.outcome) for result in self.results]


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt comes at once."""
    monkeypatch.setattr(retrying, "pause", lambda attempt, draw: 0.0)


async def test_one_batch() -> None:
    """Results come in the order of the targets, and each node is over once."""
    run = _Run(replace(REQUEST, command="test %h != c", fanout=4))

    rolling = await run()

    assert [result.node for result in run.results] == ["a", "b", "c", "d"]
    assert run.outcomes == ["ok", "ok", "failed", "ok"]
    assert sorted(node for node, _, _ in run.heard.over_) == ["a", "b", "c", "d"]
    assert (run.batches, run.begun, rolling.cut_short, rolling.enough) == ([], [], None, None)


async def test_batches_follow_each_other() -> None:
    """The gate stands between them, not after the last."""
    run = _Run(replace(REQUEST, command="test %h != b", canary=1, batch="2"))

    await run()

    assert run.begun == [(1, 3), (2, 3), (3, 3)]
    assert run.batches == [(1, 3, ["a"], 1, 0), (2, 3, ["b", "c"], 3, 1)]
    assert run.heard.started == ["a", "b", "c", "d"]


async def test_a_gate_that_is_closed() -> None:
    """What has not begun never starts, and is told so."""
    run = _Run(replace(REQUEST, command="true", batch="2"), verdict="no")

    rolling = await run()

    assert rolling.cut_short == "no"
    assert run.outcomes == ["ok", "ok", "never started", "never started"]
    assert run.heard.over_[2:] == [("c", Outcome.NEVER_STARTED, 1), ("d", Outcome.NEVER_STARTED, 1)]


@pytest.mark.usefixtures("no_pause")
async def test_attempts(tmp_path: Path) -> None:
    """A node is over with its last one; others are not tried again."""
    command = f"test %h != b || {{ echo x >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -gt 2; }}"
    run = _Run(replace(REQUEST, command=command, retries=3))

    await run()

    assert run.outcomes == ["ok"] * 4
    assert sorted(run.heard.started) == ["a", "b", "b", "b", "c", "d"]
    assert ("b", Outcome.OK, 3) in run.heard.over_
    assert len(run.heard.over_) == 4


@pytest.mark.parametrize(
    ("halt", "outcomes", "reason"),
    [
        (
            "soon,fail=1",
            ["ok", "failed", "never started", "never started"],
            "1 of 4 nodes failed: --halt soon,fail=1",
        ),
        (
            "now,fail=25%",
            ["ok", "failed", "never started", "never started"],
            "1 of 4 nodes failed: --halt now,fail=25%",
        ),
        ("soon,fail=2", ["ok", "failed", "ok", "ok"], None),
        ("soon,timeout=1", ["ok", "failed", "ok", "ok"], None),
        ("never", ["ok", "failed", "ok", "ok"], None),
    ],
)
async def test_halting(halt: str, outcomes: list[str], reason: str | None) -> None:
    """One node at a time, so the next ones have not begun."""
    run = _Run(replace(REQUEST, command="test %h != b", halt=halt))

    rolling = await run()

    assert (run.outcomes, rolling.cut_short) == (outcomes, reason)


async def test_halting_at_once_stops_what_runs() -> None:
    """And soon does not."""
    command = "case %h in a) sleep 60;; b) exit 1;; esac"
    run = _Run(replace(REQUEST, command=command, fanout=2, halt="now,fail=1"))

    await run()

    assert run.outcomes == ["aborted", "failed", "never started", "never started"]


async def test_a_node_that_waits_for_its_next_attempt_when_the_run_is_halted() -> None:
    """It gets none; its last result counts, and that was its first attempt."""
    command = "case %h in a) exit 1;; b) sleep 0.1; exit 1;; esac"
    run = _Run(replace(REQUEST, command=command, fanout=2, retries=1, targets=("a", "b")))
    run.heard.ev_hup = lambda worker, node, rc: run.rolling.stop() if node == "b" else None  # type: ignore[attr-defined]

    await run()

    assert run.outcomes == ["failed", "failed"]
    assert sorted(run.heard.over_) == [("a", Outcome.FAILED, 1), ("b", Outcome.FAILED, 1)]


async def test_enough() -> None:
    """What still runs is stopped, and that is well."""
    run = _Run(replace(REQUEST, command="test %h = a || test %h = b || sleep 60", fanout=4, quorum="50%"))

    rolling = await run()

    assert run.outcomes == ["ok", "ok", "aborted", "aborted"]
    assert rolling.enough == "enough: 2 of 4 nodes ended well (--quorum 50%)"
    assert rolling.cut_short is None


async def test_a_quorum_out_of_reach() -> None:
    """No more nodes start."""
    run = _Run(replace(REQUEST, command="false", quorum="4"))

    rolling = await run()

    assert run.outcomes == ["failed", "never started", "never started", "never started"]
    assert rolling.cut_short == "only 3 of 4 nodes can still end well: --quorum 4"


async def test_a_deadline() -> None:
    """It is for all batches together."""
    run = _Run(replace(REQUEST, command="sleep 60", batch="2", fanout=2, deadline=0.05))

    rolling = await run()

    assert run.outcomes == ["timed out", "timed out", "never started", "never started"]
    assert rolling.cut_short == "the deadline of 0.05 s was reached (--deadline)"


async def test_no_attempts_after_the_deadline() -> None:
    """A node that it has stopped is not tried again."""
    run = _Run(replace(REQUEST, command="sleep 60", fanout=4, retries=1, deadline=0.05))

    rolling = await run()

    assert run.outcomes == ["timed out"] * 4
    assert sorted(run.heard.over_) == [(node, Outcome.TIMED_OUT, 1) for node in "abcd"]
    assert (rolling.faults, rolling.cut_short) == ([], "the deadline of 0.05 s was reached (--deadline)")


async def test_the_deadline_is_for_the_gate_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that takes too long, or a question that nobody answers, ends with it."""
    run = _Run(replace(REQUEST, command="true", batch="2", deadline=60))
    run.gate_is_stuck = True
    monkeypatch.setattr(rolling_module, "monotonic", lambda: monotonic() + 60 * (len(run.heard.over_) == 2))

    rolling = await run()

    assert len(run.batches) == 1
    assert run.outcomes == ["ok", "ok", "never started", "never started"]
    assert rolling.cut_short == "the deadline of 60 s was reached (--deadline)"


@pytest.mark.usefixtures("no_pause")
async def test_another_attempt_that_waits_for_its_turn() -> None:
    """When the run is stopped, the attempt before it counts, and that is the last that is heard of."""
    command = "test %h = c && { echo; sleep 60; }; exit 3"
    run = _Run(replace(REQUEST, command=command, targets=("a", "b", "c"), retries=1))
    heard = run.heard

    async def stop(worker: object, node: str, sname: str, lines: list[bytes]) -> None:
        run.rolling.stop()

    heard._ev_lines = stop  # type: ignore[attr-defined]

    await run()

    assert run.outcomes == ["failed", "failed", "aborted"]
    assert sorted(run.heard.over_) == [
        ("a", Outcome.FAILED, 1),
        ("b", Outcome.FAILED, 1),
        ("c", Outcome.ABORTED, 1),
    ]
    assert run.heard.ended == ["a", "b", "c"]


@pytest.mark.usefixtures("no_pause")
async def test_an_attempt_whose_time_has_come_when_the_run_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not begin."""
    run = _Run(replace(REQUEST, command="false", targets=("a",), retries=1))
    begin = _Retry.ev_timer

    def stop_and_begin(retry: _Retry, timer: Timer) -> None:
        run.rolling.stop()
        begin(retry, timer)

    monkeypatch.setattr(_Retry, "ev_timer", stop_and_begin)

    rolling = await run()

    assert (run.outcomes, rolling.faults) == (["failed"], [])
    assert run.heard.over_ == [("a", Outcome.FAILED, 1)]


async def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    """Nothing is copied, also if it is not the first."""
    here = tmp_path / "here"
    here.touch()
    copying = Copying(sources=(str(here), str(tmp_path / "none")), dest=str(tmp_path))
    run = _Run(replace(REQUEST, copying=copying))

    with pytest.raises(UsageError, match="none: no such file or directory"):
        await run()

    assert run.heard.ended == []


async def test_what_cannot_be_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a source goes away between two batches: no more nodes start, and it is said why."""
    run = _Run(replace(REQUEST, command="true", batch="2"))
    start = Rolling._start
    gone = UsageError("source x: no such file or directory")

    def start_the_first(rolling: Rolling, nodes: Sequence[str], step: int) -> object:
        if "c" in nodes:
            raise gone
        return start(rolling, nodes, step)

    monkeypatch.setattr(Rolling, "_start", start_the_first)

    rolling = await run()

    assert rolling.cut_short == str(gone)
    assert run.outcomes == ["ok", "ok", "never started", "never started"]


async def test_stopped_before_it_began() -> None:
    """No node starts."""
    run = _Run(replace(REQUEST, command="true"))
    run.on_made = Rolling.stop

    await run()

    assert (run.heard.started, run.outcomes) == ([], ["never started"] * 4)


async def test_a_prefix() -> None:
    """It stands in front of the command."""
    run = _Run(replace(REQUEST, prefix="!", command="false", targets=("a",)))

    await run()

    assert run.outcomes == ["ok"]


@pytest.mark.parametrize(
    ("sources", "dest", "found"),
    [
        (("/etc/hosts",), None, "/etc/"),
        (("/etc/ssh/",), None, "/etc/"),
        (("/hosts",), None, "/"),
        (("hosts",), None, "HERE/"),
        (("sub/hosts",), None, "HERE/sub/"),
        (("/etc/hosts",), "there", "there"),
        (("a", "b"), "there", "there/"),
        (("a", "b"), "there/", "there/"),
    ],
)
def test_where_copies_go(sources: tuple[str, ...], dest: str | None, found: str) -> None:
    """By default to the directory that the source is in; several never to the same file."""
    copying = Copying(sources=sources, dest=dest)

    assert destination(copying, 0) == found.replace("HERE", str(Path.cwd()))
