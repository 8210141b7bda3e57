"""What ``--json`` and ``--events`` write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.records import EventsView, JsonView
from asynctask.cli.output.schema import RunStart
from asynctask.cli.terminal import STDOUT
from asynctask.task import Task
from tests.cli.output.recorded import (
    START,
    failed,
    fake_screen,
    objects,
    ok,
    output_bytes,
    unreachable,
    written,
)

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

RUN = RunStart(nodes=("a", "b"), command="id", worker="exec", program="9.9")


async def _lines(kind: str, *events: Any, status: int = 0) -> list[dict[str, Any]]:
    return await objects(await written(kind, RUN, events, status))


# -- an object for each node ------------------------------------------------------------------------


async def test_an_object_for_each_node() -> None:
    """As the nodes end, with their output; and at the end one for all."""
    first, second, last = await _lines(
        "json", ("over", failed("b", 3, b"out\r\n", b"\xff"), 2), ("over", unreachable("a"), 1), status=3
    )
    times = first.pop("times")
    assert first == {
        "v": 1,
        "type": "node",
        "node": "b",
        "outcome": "failed",
        "rc": 3,
        "signal": None,
        "error": None,
        "attempt": 2,
        "unwritten": 0,
        "stdout": "out\r\n",
        "stderr_base64": "/w==",
    }
    assert (times["began"], times["duration"]) == ("2026-03-01T12:00:00.000000Z", 2.0)
    assert second["error"] == {"reason": "no route to it", "hint": "look at its cable"}
    assert (second["stdout"], second["stderr"]) == ("", "")
    assert last == {
        "v": 1,
        "type": "summary",
        "asynctask": "9.9",
        "command": "id",
        "copying": None,
        "worker": "exec",
        "targets": 2,
        "outcomes": {"failed": 1, "unreachable": 1},
        "nodes": {"failed": "b", "unreachable": "a"},
        "status": 3,
        "began": "2026-03-01T12:00:00.000000Z",
        "ended": "2026-03-01T12:00:03.000000Z",
        "duration": 3.0,
    }


# -- an object for each event -----------------------------------------------------------------------


async def test_an_object_for_each_event() -> None:
    """In their order, each with its time."""
    found = await _lines(
        "events",
        ("start", "a"),
        ("chunk", "a", "stdout", b"1\n2\r\n3"),
        ("chunk", "a", "stderr", b"e"),
        ("chunk", "a", "stdout", b"4\n5"),
        ("exit", "a", 0),
        ("end", ok("a")),
        ("over", ok("a"), 1),
        status=130,
    )
    seconds = [each.pop("time")[17:] for each in found]
    assert seconds == [f"{n:02}.000000Z" for n in (0, 1, 2, 2, 4, 5, 5, 5, 6, 7, 8)]
    results = [found.pop(place) for place in (9, 8)]
    assert [each["type"] for each in results] == ["node_ended", "attempt_ended"]
    assert found == [
        {
            "type": "run_started",
            "v": 1,
            "asynctask": "9.9",
            "command": "id",
            "copying": None,
            "worker": "exec",
            "targets": 2,
            "nodes": ["a", "b"],
        },
        {"type": "node_started", "node": "a", "attempt": 1},
        {"type": "output", "node": "a", "stream": "stdout", "text": "1"},
        {"type": "output", "node": "a", "stream": "stdout", "text": "2", "end": "\r\n"},
        {"type": "output", "node": "a", "stream": "stdout", "text": "34"},
        {"type": "output", "node": "a", "stream": "stdout", "text": "5", "end": ""},
        {"type": "output", "node": "a", "stream": "stderr", "text": "e", "end": ""},
        {"type": "node_exited", "node": "a", "rc": 0},
        {
            "type": "run_ended",
            "targets": 1,
            "outcomes": {"ok": 1},
            "nodes": {"ok": "a"},
            "status": 130,
            "duration": 8.0,
        },
    ]


async def test_a_node_that_is_stopped() -> None:
    """What it has printed without an end comes before its end, though it has not exited."""
    found = await _lines("events", ("chunk", "a", "stdout", b"half"), ("end", unreachable("a")))
    assert [each["type"] for each in found[1:-1]] == ["output", "attempt_ended"]
    assert found[1]["end"] == ""


async def test_attempts_are_counted() -> None:
    """Each begins and ends with its number, and has an output of its own."""
    found = await _lines(
        "events",
        ("start", "a"),
        ("chunk", "a", "stdout", b"1"),
        ("end", failed("a")),
        ("start", "a"),
        ("chunk", "a", "stdout", b"2"),
        ("end", ok("a")),
        ("over", ok("a"), 2),
    )
    assert [(each["type"], each["attempt"]) for each in found if "attempt" in each] == [
        ("node_started", 1),
        ("attempt_ended", 1),
        ("node_started", 2),
        ("attempt_ended", 2),
        ("node_ended", 2),
    ]
    assert [each["text"] for each in found if each["type"] == "output"] == ["1", "2"]


async def test_a_very_long_line_comes_in_marked_pieces() -> None:
    """It does not wait in memory for its end."""
    half = b"x" * (600 << 10)
    found = await _lines(
        "events",
        ("chunk", "a", "stdout", half),
        ("chunk", "a", "stdout", half),
        ("chunk", "a", "stdout", b"\n"),
    )
    pieces = [each for each in found if each["type"] == "output"]
    assert [(each.get("end"), each.get("partial")) for each in pieces] == [("", True), (None, None)]
    assert "".join(each["text"] for each in pieces) == (half + half).decode()


async def test_a_record_of_nothing() -> None:
    """No node has come so far."""
    assert [each["type"] for each in await _lines("events")] == ["run_started", "run_ended"]
    assert [each["type"] for each in await _lines("json")] == ["summary"]


@pytest.mark.parametrize("view", [EventsView, JsonView])
async def test_a_terminal_is_not_driven(view: type[EventsView | JsonView]) -> None:
    """What is not ASCII is written as an escape there."""
    screen, as_screen = fake_screen(STDOUT)
    record = view(as_screen)
    await record.run_began(RUN)
    if isinstance(record, EventsView):
        await record._ev_chunk(None, "n\x9b", "stdout", "\x9b2Jä\n".encode())
    await record.node_over(ok("n\x9b", "\x9b2Jä\n".encode(), "\u202e".encode()), 1)
    assert screen.shown[STDOUT].isascii()
    assert b"\x1b" not in screen.shown[STDOUT]


async def test_a_real_run(tmp_path: Path) -> None:
    """Byte for byte what the commands have written, in the time that the run took."""
    screen, as_screen = fake_screen()
    view = EventsView(as_screen)
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(256)) + b"\r\n" + "ä".encode() * 10_000 + b"\nno end")
    async with Task() as task:
        await view.run_began(RUN)
        task.shell(f"cat {path}", nodes="a", worker="exec", handler=view, stderr=True)
        await task.run()
        await view.over(task.result.all())
        await view.run_ended(0)
    found = await objects(screen.shown[STDOUT])
    assert [each["type"] for each in found if each["type"] != "output"] == [
        "run_started",
        "node_started",
        "node_exited",
        "attempt_ended",
        "run_ended",
    ]
    assert b"".join(output_bytes(each) for each in found if each["type"] == "output") == path.read_bytes()
    times = [each["time"] for each in found]
    assert times == sorted(times)
    assert (
        found[0]["time"] <= found[-2]["times"]["queued"] <= found[-2]["times"]["ended"] <= found[-1]["time"]
    )


async def test_times_without_a_clock_are_now() -> None:
    """The clock is the system's, unless a record is replayed."""
    _, as_screen = fake_screen()
    assert isinstance(JsonView(as_screen, RecordClock())._clock, RecordClock)
    assert JsonView(as_screen)._began > START
