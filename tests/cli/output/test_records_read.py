"""Records are read again, whole or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.output.records_read import (
    AttemptEnded,
    Item,
    NodeExited,
    NodeOver,
    NodeStarted,
    Output,
    RecordError,
    RecordReader,
    RunBegan,
    RunOver,
)
from asynctask.cli.output.schema import RunStart
from asynctask.outcome import Outcome
from tests.cli.output.recorded import START, failed, ok, written

pytestmark = pytest.mark.one_loop("no loop is in it")

SECOND = 1_000_000
RUN = RunStart(nodes=("a", "b"), command="id", worker="exec")


def _read(*chunks: bytes) -> tuple[list[Item], RecordReader]:
    reader = RecordReader("file")
    items = [item for chunk in chunks for item in reader.feed(chunk)]
    return [*items, *reader.end()], reader


def _output(items: Sequence[Item]) -> dict[tuple[str, str], bytes]:
    found: dict[tuple[str, str], bytes] = {}
    for item in items:
        if isinstance(item, Output):
            key = item.node, item.stream
            found[key] = found.get(key, b"") + item.data
    return found


async def _events(*events: Any) -> bytes:
    return await written("events", RUN, events)


async def test_events() -> None:
    """Each becomes an item; lines that came together make one."""
    record = await _events(
        ("start", "a"),
        ("chunk", "a", "stdout", b"1\n2\r\n3\n"),
        ("exit", "a", 0),
        ("end", ok("a")),
        ("over", ok("a"), 1),
    )
    items, reader = _read(record)
    began, started, output, exited, ended, over, last = items
    assert began == RunBegan(START, RUN)
    assert started == NodeStarted(START + SECOND, "a")
    assert output == Output(START + 2 * SECOND, "a", "stdout", b"1\n2\r\n3\n")
    assert exited == NodeExited(START + 3 * SECOND, "a", 0)
    assert isinstance(ended, AttemptEnded)
    assert isinstance(over, NodeOver)
    assert (ended.result, over.attempt, over.output) == (ok("a"), 1, None)
    assert last == RunOver(START + 6 * SECOND, 0)
    assert (reader.damaged, reader.cut_off) == (0, False)


async def test_nodes() -> None:
    """Each comes with its output, and the end says what was run."""
    record = await written("json", RUN, [("over", failed("a", 3, b"\xff", b"e\r\n"), 2)], 3)
    node, last = _read(record)[0]
    assert isinstance(node, NodeOver)
    assert (node.time, node.attempt, node.output) == (START + 2 * SECOND, 2, (b"\xff", b"e\r\n"))
    assert (node.result.outcome, node.result.rc) == (Outcome.FAILED, 3)
    assert last == RunOver(START + 2 * SECOND, 3, RunStart(nodes=None, command="id", worker="exec"), START)


CHUNK = st.tuples(
    st.sampled_from(["a", 'b"text":']),
    st.sampled_from(["stdout", "stderr"]),
    st.lists(
        st.sampled_from([b"x", b"\\", b'"', b"\xff", "ä".encode(), b"\n", b"\r\n", b"\r", b'","end":""'])
    ),
)


@given(st.lists(CHUNK, max_size=8), st.integers(1, 200))
async def test_output_byte_for_byte(chunks: list[tuple[str, str, list[bytes]]], size: int) -> None:
    """Whatever was printed, and however the record is cut while it is read."""
    expected: dict[tuple[str, str], bytes] = {}
    events: list[Sequence[Any]] = []
    for node, stream, parts in chunks:
        if data := b"".join(parts):
            events.append(("chunk", node, stream, data))
            expected[node, stream] = expected.get((node, stream), b"") + data
    record = await _events(*events, ("end", ok("a")), ("end", ok('b"text":')))
    items, reader = _read(*(record[start : start + size] for start in range(0, len(record), size)))
    assert _output(items) == expected
    assert reader.damaged == 0


async def test_written_by_somebody_else() -> None:
    """Blanks, another order of fields, fields and types of the future, empty lines: all the same."""
    record = (
        b'{"v": 1, "type": "run_started", "time": "2026-03-01T12:00:00Z", "asynctask": "9.9",'
        b' "command": "id", "copying": null, "worker": "exec", "nodes": ["a"], "new": {}}\n\n'
        b'{"type": "weather", "time": "2026-03-01T12:00:01Z"}\n'
        b'{"text": "x", "new": 1, "time": "2026-03-01T13:00:01+01:00", "node": "a", "stream": "stdout",'
        b' "type": "output"}\n'
        b'{"text": "y", "time": "2026-03-01T12:00:01Z", "node": "a", "stream": "stdout", "type": "output"}'
    )
    items, reader = _read(record)
    assert items[0] == RunBegan(START, RunStart(nodes=("a",), command="id", worker="exec", program="9.9"))
    assert _output(items) == {("a", "stdout"): b"x\ny\n"}
    assert (reader.damaged, reader.cut_off) == (0, False)


# -- what is damaged ----------------------------------------------------------------------------


async def test_every_place_where_a_record_may_be_cut() -> None:
    """What came before is read; a last line that is not whole is left out and told."""
    record = await _events(("chunk", "a", "stdout", b"1\n2\n"), ("over", ok("a"), 1))
    lines = record.splitlines(keepends=True)
    for cut in range(1, len(record)):
        whole = record[:cut].count(b"\n")
        if cut < len(lines[0]) - 1:
            with pytest.raises(RecordError, match="line 1 is no record"):
                _read(record[:cut])
            continue
        items, reader = _read(record[:cut])
        complete = record[:cut].endswith(b"\n") or record[cut : cut + 1] == b"\n"
        assert (reader.cut_off, reader.damaged) == (not complete, 0)
        assert len(b"".join(_output(items).values())) // 2 == min(
            2, max(0, whole - 1 + (record[cut : cut + 1] == b"\n"))
        )


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"\0\0\0",
        b"[1]",
        b"5",
        b"null",
        b'{"type": []}',
        b'{"node": "a"}',
        b'{"type":"output"}',
        b'{"type":"output","time":"noon","node":"a","stream":"stdout","text":"x"}',
        b'{"type":"output","time":"2026-03-01T12:00:00Z","node":1,"stream":"stdout","text":"x"}',
        b'{"type":"output","time":"2026-03-01T12:00:00Z","node":"a","stream":"stdout","text":1}',
        b'{"type":"output","time":"2026-03-01T12:00:00Z","node":"a","stream":"stdout","base64":"?"}',
        b'{"type":"output","time":"2026-03-01T12:00:00Z","node":"a","stream":"stdout","text":"\xff"}',
        b'{"type":"output","time":"2026-03-01T12:00:00Z","node":"\\ud800","stream":"stdout","text":"x"}',
        b'{"type":"output","time":"9999-12-31T23:59:59-01:00","node":"a","stream":"stdout","text":"x"}',
        b'{"type":"node_exited","time":"2026-03-01T12:00:00Z","node":"a","rc":"0"}',
        b'{"type":"node_ended","time":"2026-03-01T12:00:00Z"}',
        b'{"type":"run_started","time":"2026-03-01T12:00:00Z","v":1}',
        b"[" * 100_000,
    ],
)
async def test_a_damaged_line_is_left_out(line: bytes) -> None:
    """It is counted, and the rest is read; at the beginning of a file it says that this is no record."""
    lines = (await _events(("chunk", "a", "stdout", b"1\n2\n"))).splitlines()
    record = b"\n".join([*lines[:2], line, *lines[2:], line, b""])
    items, reader = _read(record)
    assert _output(items) == {("a", "stdout"): b"1\n2\n"}
    assert (reader.damaged, reader.first_damaged) == (2, 3)
    with pytest.raises(
        RecordError, match=r"file: line 1 is no record of a run: write one with asynctask run"
    ):
        _read(line + b"\n" + record)


@pytest.mark.parametrize("record", [b"", b"\n \n"])
def test_an_empty_file(record: bytes) -> None:
    """It says so."""
    with pytest.raises(RecordError, match="file: no record of a run: it is empty"):
        _read(record)


def test_a_file_of_something_else() -> None:
    """JSON as well, or not: the line is named where it begins to be none."""
    with pytest.raises(RecordError, match="line 3 is no record of a run"):
        _read(b'\n\n{"name": "x"}\n')
    with pytest.raises(RecordError, match="line 1 is no record of a run"):
        _read(b'{"type": "module"}\n')


@pytest.mark.parametrize("kind", ["json", "events"])
async def test_a_later_version(kind: str) -> None:
    """It is told, and what to do."""
    record = await written(kind, RUN, [("over", ok("a"), 1)])
    record = record.replace(b'"v":1', b'"v":2')
    with pytest.raises(
        RecordError, match="line 1 is of version 2, and this asynctask reads version 1: update it"
    ):
        _read(record)


async def test_lines_are_told_apart_from_those_of_others() -> None:
    """Nodes and streams that take turns, in the same moment or not."""
    record = await _events(
        ("chunk", "a", "stdout", b"1\n"),
        ("chunk", "b", "stdout", b"2\n"),
        ("chunk", "a", "stderr", b"3\n4\n"),
        ("chunk", "a", "stdout", b"5\n"),
    )
    times = {json.loads(line)["time"].encode() for line in record.splitlines()}
    for time in times:
        record = record.replace(time, b"2026-03-01T12:00:00.000000Z")
    items, _ = _read(record)
    assert [item[1:] for item in items if isinstance(item, Output)] == [
        ("a", "stdout", b"1\n"),
        ("b", "stdout", b"2\n"),
        ("a", "stderr", b"3\n4\n"),
        ("a", "stdout", b"5\n"),
    ]
