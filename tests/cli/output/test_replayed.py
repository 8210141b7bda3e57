"""A record is told to views as a run is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.records import EventsView, JsonView
from asynctask.cli.output.records_read import Item, NodeStarted, RecordReader
from asynctask.cli.output.replayed import ReplayedRun
from asynctask.cli.output.schema import RunStart
from asynctask.cli.terminal import STDOUT
from asynctask.cli.view import View
from asynctask.messages import group
from asynctask.outcome import NodeResult
from tests.cli.output.recorded import START, failed, fake_screen, ok, unreachable, written

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

RUN = RunStart(nodes=("b", "a"), command="id", worker="exec")


class Witness(View):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.results: Sequence[NodeResult] = ()

    def ev_start(self, worker: object) -> None:
        self.heard.append("start")

    async def ev_pickup(self, worker: object, node: str) -> None:
        self.heard.append(f"pickup {node}")

    def ev_read(self, worker: object, node: str, sname: str, msg: bytes) -> None:
        self.heard.append(f"read {node} {sname} {msg!r}")

    def ev_hup(self, worker: object, node: str, rc: int) -> None:
        self.heard.append(f"hup {node} {rc}")

    def ev_end(self, worker: object, node: str, result: NodeResult) -> None:
        self.heard.append(f"end {node} {result.outcome} {result.stdout!r}")

    def ev_close(self, worker: object, timedout: bool) -> None:
        self.heard.append(f"close {timedout}")

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        self.heard.append(f"over {result.node} {attempt} {result.stdout!r} {result.stderr!r}")

    async def over(self, results: Sequence[NodeResult]) -> None:
        self.heard.append("all")
        self.results = results


class Lines(View):
    """Hears lines in bulk."""

    def __init__(self) -> None:
        self.heard: list[list[bytes]] = []

    async def _ev_lines(self, worker: object, node: str, sname: str, lines: list[bytes]) -> None:
        self.heard.append(lines)


def _items(record: bytes) -> list[Item]:
    reader = RecordReader("file")
    return [*reader.feed(record), *reader.end()]


async def _replayed(record: bytes | Sequence[Item], *views: View, **how: bool) -> ReplayedRun:
    run = ReplayedRun(RecordClock(), lambda _: views, **how)
    for item in _items(record) if isinstance(record, bytes) else record:
        await run.take(item)
    if run.status is None:
        await run.finish()
    return run


EVENTS: list[Sequence[Any]] = [
    ("start", "a"),
    ("chunk", "a", "stdout", b"1\r\n2\nre"),
    ("chunk", "a", "stderr", b"e\n"),
    ("chunk", "a", "stdout", b"st"),
    ("exit", "a", 3),
    ("end", failed("a")),
    ("start", "a"),
    ("chunk", "a", "stdout", b"again\n"),
    ("exit", "a", 0),
    ("end", ok("a")),
    ("over", ok("a"), 2),
    ("end", unreachable("b")),
    ("over", unreachable("b"), 1),
]


async def test_events_are_told_as_they_happened() -> None:
    """In their order; a node's result has the output of its last attempt."""
    witness = Witness()
    run = await _replayed(await written("events", RUN, EVENTS, 3), witness)
    assert witness.heard == [
        "start",
        "pickup a",
        "read a stdout b'1'",
        "read a stdout b'2'",
        "read a stderr b'e'",
        "read a stdout b'rest'",
        "hup a 3",
        r"end a failed b'1\r\n2\nrest'",
        "pickup a",
        "read a stdout b'again'",
        "hup a 0",
        r"end a ok b'again\n'",
        r"over a 2 b'again\n' b''",
        "end b unreachable b''",
        "over b 1 b'' b''",
        "close False",
        "all",
    ]
    assert [result.node for result in witness.results] == ["b", "a"]
    assert (run.status, run.headless) == (3, False)
    assert str(run.results[0].error) == "b: no route to it; look at its cable"


async def test_nodes_are_told_one_after_the_other() -> None:
    """With the events that they must have had."""
    record = await written(
        "json", RUN, [("over", failed("a", 3, b"1\n2", b"e"), 2), ("over", unreachable("b"), 1)], 3
    )
    witness = Witness()
    run = await _replayed(record, witness)
    assert witness.heard == [
        "start",
        "pickup a",
        "read a stdout b'1'",
        "read a stdout b'2'",
        "read a stderr b'e'",
        "hup a 3",
        r"end a failed b'1\n2'",
        r"over a 2 b'1\n2' b'e'",
        "end b unreachable b''",
        "over b 1 b'' b''",
        "close False",
        "all",
    ]
    assert (run.status, run.headless) == (3, False)


async def test_lines_in_bulk() -> None:
    """For those who hear them so."""
    lines = Lines()
    await _replayed(await written("events", RUN, [("chunk", "a", "stdout", b"1\n2\n3\n")]), lines)
    assert lines.heard == [[b"1", b"2", b"3"]]


async def test_the_same_output_is_kept_once() -> None:
    """As in a run: displays gather it by the place in the tree."""
    events = [
        (name, *rest)
        for node in "ab"
        for name, *rest in (("chunk", node, "stdout", b"same\n"), ("end", ok(node)), ("over", ok(node), 1))
    ]
    run = await _replayed(await written("events", RUN, events))
    ((_, nodes),) = group((result.node, result.out) for result in run.results)
    assert nodes == ["b", "a"]
    run = await _replayed(await written("events", RUN, events), keep=False)
    assert not any(result.out for result in run.results)


async def test_standard_error_mixed_in() -> None:
    """As ``-B`` has it."""
    witness = Witness()
    events = [("chunk", "a", "stderr", b"e\n"), ("chunk", "a", "stdout", b"o\n"), ("end", ok("a"))]
    run = await _replayed(await written("events", RUN, events), witness, merge=True)
    assert witness.heard[:2] == ["read a stdout b'e'", "read a stdout b'o'"]
    assert run.results[-1].stdout == b"e\no\n"


@pytest.mark.parametrize("kind", ["events", "json"])
async def test_written_again_it_is_the_same(kind: str) -> None:
    """Byte for byte, with all times."""
    record = await written(kind, RUN, EVENTS, 3)
    screen, as_screen = fake_screen()
    clock = RecordClock()
    view = (JsonView if kind == "json" else EventsView)(as_screen, clock)
    run = ReplayedRun(clock, lambda _: [view])
    for item in _items(record):
        await run.take(item)
    assert screen.shown[STDOUT] == record


async def test_one_kind_made_of_the_other() -> None:
    """Of nodes with the events that they must have had; and nodes again of these."""
    record = await written("json", RUN, [("over", failed("a", 3, b"1\n\xff", b"e\r\n"), 1)], 3)
    clock = RecordClock()
    screen, as_screen = fake_screen()
    events = EventsView(as_screen, clock)
    run = ReplayedRun(clock, lambda _: [events], whole=True)
    for item in _items(record):
        await run.take(item)
    again, as_screen = fake_screen()
    clock = RecordClock()
    nodes = JsonView(as_screen, clock)
    run = ReplayedRun(clock, lambda _: [nodes])
    for item in _items(screen.shown[STDOUT]):
        await run.take(item)
    assert again.shown[STDOUT] == record


async def test_who_is_shown_is_known_when_the_whole_is_wanted() -> None:
    """A record of nodes says at its end what was run: then views are made only there."""
    record = await written("json", RUN, [("over", ok("a"), 1), ("over", ok("b"), 1)])
    made: list[RunStart] = []

    def make(run: RunStart) -> list[View]:
        made.append(run)
        return []

    for whole in (False, True):
        run = ReplayedRun(RecordClock(), make, whole=whole)
        for item in _items(record):
            await run.take(item)
        assert run.begun
    assert [run.nodes for run in made] == [None, ("a", "b")]
    assert made[1].command == "id"


# -- records that are not whole ---------------------------------------------------------------------


async def test_a_record_without_an_end() -> None:
    """Nodes that have no end get one that says so; what they have printed is there."""
    record = await written("events", RUN, [("start", "a"), ("chunk", "a", "stdout", b"1\n")])
    witness = Witness()
    run = await _replayed(_items(record)[:-1], witness)
    assert run.status is None
    assert [str(result.error) for result in run.results] == [
        "b: never started, or it ended later: the record does not tell",
        "a: aborted, or it ended later: the record does not tell",
    ]
    assert run.results[1].stdout == b"1\n"
    assert witness.heard[-1] == "all"


async def test_a_node_between_two_attempts() -> None:
    """The last that ended counts."""
    record = await written("events", RUN, EVENTS[:6])
    run = await _replayed(_items(record)[:-1])
    assert [(result.node, result.rc) for result in run.results] == [("b", None), ("a", 3)]


async def test_a_record_without_a_beginning() -> None:
    """It is told of as far as it goes."""
    record = await written("events", RUN, EVENTS)
    witness = Witness()
    run = await _replayed(_items(record)[2:], witness)
    assert run.headless
    assert witness.heard[0] == "read a stdout b'1'"
    assert [result.node for result in witness.results] == ["a", "b"]


async def test_nodes_without_an_end() -> None:
    """A record of nodes that is cut off tells of those that are there, also when the whole is wanted."""
    record = await written("json", RUN, [("over", ok("a", b"1\n"), 1)])
    for whole in (False, True):
        run = await _replayed(_items(record)[:-1], whole=whole)
        assert [(result.node, result.stdout) for result in run.results] == [("a", b"1\n")]
        assert (run.status, run.headless) == (None, False)


async def test_time_goes_forward() -> None:
    """Also where two lines of a record lie the wrong way round."""
    clock = RecordClock()
    run = ReplayedRun(clock, lambda _: [])
    for item in (NodeStarted(START, "a"), NodeStarted(START - 1, "b")):
        await run.take(item)
    assert clock.time == START
