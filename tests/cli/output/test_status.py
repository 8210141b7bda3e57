"""How a run goes, in a line and in full."""

from __future__ import annotations

import time

import pytest

from asynctask.cli import screen
from asynctask.cli.output.status import Status, seconds_left, span
from asynctask.outcome import NodeResult, Outcome, Times

pytestmark = pytest.mark.one_loop("no loop is used")


class Run:
    """A run that a test plays to a status, second by second."""

    def __init__(self, total: int) -> None:
        self.now = 1000.0
        self.active: list[str] = []
        self.status = Status(total, lambda: self.active, lambda: self.now)
        self._began: dict[str, float] = {}

    def start(self, *nodes: str) -> None:
        for node in nodes:
            self._began[node] = self.now
            self.active.append(node)
            self.status.ev_pickup(None, node)

    async def end(self, *nodes: str, rc: int = 0, over: bool = True) -> None:
        for node in nodes:
            began = self._began.pop(node, None)
            if began is not None:
                self.active.remove(node)
            outcome = Outcome.FAILED if rc else Outcome.OK
            times = Times(queued=1000.0, began=began, ended=self.now)
            result = NodeResult(node, outcome, rc, None, None, times)
            self.status.ev_end(None, node, result)
            if over:
                await self.status.node_over(result, 1)

    def line(self, width: int = 200) -> str:
        return self.status.line(width).removeprefix("asynctask: ")


def _names(count: int, first: int = 1) -> list[str]:
    return [f"n{number}" for number in range(first, first + count)]


async def test_the_counts() -> None:
    """Done, running, failed, waiting; what is not there is not told, except that nothing runs."""
    run = Run(8)
    lines = [run.line()]
    run.start(*_names(4))
    lines.append(run.line())
    await run.end("n1")
    await run.end("n2", rc=1)
    lines.append(run.line())
    run.start("n5", "n6", "n7", "n8")
    lines.append(run.line())
    await run.end(*_names(6, 3))
    lines.append(run.line())

    assert lines == [
        "0/8 done, 0 running, 8 waiting",
        "0/8 done, 4 running, 4 waiting",
        "2/8 done, 2 running, 1 failed, 4 waiting: n[3-4]",
        "2/8 done, 6 running, 1 failed",
        "8/8 done, 0 running, 1 failed",
    ]


async def test_the_last_are_named() -> None:
    """When nine of ten are done; the longest first, and how long once that is long."""
    run = Run(100)
    run.start(*_names(95))
    await run.end(*_names(89))
    run.now += 1
    run.start(*_names(5, 96))
    assert run.line() == "89/100 done, 11 running"

    await run.end("n90")
    assert run.line() == "90/100 done, 10 running: n[91-100]"
    run.now += 60
    assert run.line() == "90/100 done, 10 running: n[91-100] (1:01)"


async def test_stragglers_are_named() -> None:
    """Nodes that run much longer than others did."""
    run = Run(100)
    run.start("slow1", "slow2", *_names(8))
    run.now += 4
    await run.end(*_names(8))
    run.start(*_names(8, 9))
    run.now += 5

    assert run.line() == "8/100 done, 10 running, 82 waiting, 0:41 left: slow[1-2] (0:09)"


async def test_what_runs_for_seconds_only_is_no_straggler() -> None:
    """However short others ran."""
    run = Run(100)
    run.start(*_names(10))
    await run.end(*_names(6))
    run.now += 4

    assert run.line() == "6/100 done, 4 running, 90 waiting, 0:36 left"


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (10, "asynctask: 1/6 done"),
        (29, "asynctask: 1/6 done"),
        (30, "asynctask: 1/6 done, 3 running"),
        (42, "asynctask: 1/6 done, 3 running, 2 waiting"),
        (49, "asynctask: 1/6 done, 3 running, 2 waiting: n2, …"),
        (58, "asynctask: 1/6 done, 3 running, 2 waiting: n[2-3], …"),
        (61, "asynctask: 1/6 done, 3 running, 2 waiting: n[2-3],other-node"),
    ],
)
async def test_a_narrow_terminal(width: int, line: str) -> None:
    """Whole words, and as many names as fit."""
    run = Run(6)
    run.start("n1", "n2", "n3", "other-node")
    await run.end("n1")

    assert run.status.line(width) == line


async def test_many_names() -> None:
    """Not more than a line has room for, and it is said that there are others."""
    run = Run(100)
    run.start(*_names(100))
    await run.end(*_names(90))
    run.start(*_names(30, 200))

    assert run.line() == "90/100 done, 40 running: n[91-100,200-213], …"


async def test_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked each time, as it may change."""
    run = Run(3)
    widths = iter([80, 20, 31])
    monkeypatch.setattr(screen, "columns", lambda: next(widths))

    lines = [run.status.line() for _ in range(3)]

    assert [len(line) for line in lines] == [41, 19, 30]


async def test_nodes_that_still_connect() -> None:
    """They run too, from the last look on, and are gone with their end."""
    run = Run(5)
    run.line()
    run.active = ["n1"]
    run.now += 7

    assert run.line() == "0/5 done, 1 running, 4 waiting: n1 (0:07)"
    run.active = []
    await run.end("n1", rc=1)
    assert run.line() == "1/5 done, 0 running, 1 failed, 4 waiting"


async def test_nodes_that_are_tried_again() -> None:
    """They are neither running nor done nor failed; then they run."""
    run = Run(3)
    run.start("n1", "n2")
    await run.end("n1", rc=1, over=False)
    lines = [run.line()]
    run.start("n1")
    lines.append(run.line())
    await run.end("n1", "n2")
    lines.append(run.line())

    assert lines == [
        "0/3 done, 1 running, 1 waiting, 1 to try again: n2",
        "0/3 done, 2 running, 1 waiting: n[1-2]",
        "2/3 done, 0 running, 1 waiting",
    ]


async def test_batches_and_pauses() -> None:
    """Which batch runs, and what goes on between two."""
    run = Run(4)
    run.status.batch = (2, 5)
    run.status.doing = "checks the batch"

    assert run.line() == "0/4 done, 0 running, 4 waiting, batch 2/5, checks the batch"


async def test_names_that_are_no_node_set() -> None:
    """They are listed as they are."""
    run = Run(2)
    run.start("a[", "b")

    assert run.line() == "0/2 done, 2 running: a[,b"


async def test_who_runs() -> None:
    """Who runs how long, the longest first; who is tried again; who failed: sets to paste."""
    run = Run(20)
    run.start("web3", "web4")
    run.now += 60
    run.start("db1", "n1", "n2", "n3")
    run.now += 23
    await run.end("n1", "n2", rc=1)
    await run.end("n3", rc=1, over=False)

    assert list(run.status.who_runs()) == [
        "2 of 20 done, 3 running, 2 failed, 14 waiting, 1 to try again",
        "running for 1:23: web[3-4] (2)",
        "running for 0:23: db1",
        "to try again: n3",
        "failed so far: n[1-2] (2)",
    ]


async def test_who_runs_before_and_after() -> None:
    """Nobody."""
    run = Run(1)
    before = list(run.status.who_runs())
    run.start("n1")
    await run.end("n1")

    assert before == ["0 of 1 done, 0 running, 1 waiting"]
    assert list(run.status.who_runs()) == ["1 of 1 done, 0 running"]


async def test_who_runs_of_many_ages() -> None:
    """A dozen lines; the youngest are together in the last."""
    run = Run(30)
    for name in _names(30):
        run.start(name)
        run.now += 1

    lines = list(run.status.who_runs())

    assert lines[1:3] == ["running for 0:30: n1", "running for 0:29: n2"]
    assert lines[11:] == ["running for 0:20: n11", "running for 0:19 and less: n[12-30] (19)"]


@pytest.mark.parametrize(
    ("ended", "busy", "ages", "waiting", "left"),
    [
        (4, 40.0, [1.0], 10, None),  # too few to know
        (10, 100.0, [], 10, None),  # nothing runs
        (10, 100.0, [0.0, 0.0], 8, 50.0),  # 10 s each, two at once
        (10, 100.0, [4.0, 6.0], 0, 6.0),  # the younger one is the last
        (10, 100.0, [5.0], 2, 25.0),
        (10, 100.0, [30.0], 0, None),  # it is late already
        (9, 90.0, [30.0], 1, 12.0),  # and makes one think that others take longer, too
        (10, 100.0, [30.0, 0.0], 0, pytest.approx(130 / 11)),
        (10, 0.0, [0.0], 5, 0.0),
    ],
)
def test_the_time_left(ended: int, busy: float, ages: list[float], waiting: int, left: float | None) -> None:
    """As those that ended took, with as many at once as now; never made up."""
    assert seconds_left(ended, busy, ages, waiting) == left


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0:00"), (45.9, "0:45"), (130, "2:10"), (3599.9, "59:59"), (3723, "1:02:03"), (90000, "25:00:00")],
)
def test_a_span_of_time(seconds: float, text: str) -> None:
    """As a clock shows it."""
    assert span(seconds) == text


def test_ten_thousand_nodes_cost_nothing() -> None:
    """A refresh takes a small part of the quarter of a second between two."""
    names = _names(10_000)
    run = Run(20_000)
    run.start(*names)
    for _ in range(2):  # the second one has nothing to load
        run.now += 1
        before = time.process_time()
        run.line()
        took = time.process_time() - before

    assert took < 0.025
