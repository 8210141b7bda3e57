"""Tests of asynctask.workers.writing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.errors import TaskStateError, UsageError
from asynctask.workers.writing import HIGH_WATER, Input, InputReader
from tests.support import refused, turns


async def _take(reader: InputReader, count: int) -> list[bytes]:
    return [await anext(reader) for _ in range(count)]


async def _read_all(reader: InputReader) -> list[bytes]:
    return [chunk async for chunk in reader]


def _kept(source: Input) -> list[bytes]:
    return list(source._chunks)


# -- one input, many readers ------------------------------------------------------------------------


async def test_each_reader_gets_everything_in_order() -> None:
    """And then the end."""
    source = Input("ab")
    source.write(b"one")
    source.write(b"two")
    source.end()
    for node in "ab":
        assert await _read_all(source.reader(node)) == [b"one", b"two"]


async def test_all_readers_share_one_copy() -> None:
    """The very bytes that were written."""
    source, data = Input("abc"), b"x" * 100
    source.write(data)
    chunks = [await anext(source.reader(node)) for node in "abc"]
    assert all(chunk is data for chunk in chunks)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
async def test_what_may_change_is_copied_once(kind: type[Any]) -> None:
    """Its owner may use it again; the readers share the copy."""
    source, buffer = Input("ab"), bytearray(b"data")
    source.write(kind(buffer))
    buffer[:] = b"gone"
    first, second = [await anext(source.reader(node)) for node in "ab"]
    assert first == b"data"
    assert first is second


async def test_nothing_is_no_chunk() -> None:
    """A reader would take it for something."""
    source = Input("a")
    source.write(b"")
    source.write(b"x")
    source.end()
    assert await _read_all(source.reader("a")) == [b"x"]


async def test_a_reader_waits_for_more() -> None:
    """All who wait hear of it at once."""
    source = Input("ab")
    reading = [asyncio.create_task(_take(source.reader(node), 2)) for node in "ab"]
    await turns(2)
    source.write(b"one")
    await turns(2)
    assert not any(task.done() for task in reading)
    source.write(b"two")
    assert await asyncio.gather(*reading) == [[b"one", b"two"]] * 2


async def test_a_reader_that_waits_hears_of_the_end() -> None:
    """The end may be written again."""
    source = Input("a")
    reading = asyncio.create_task(_read_all(source.reader("a")))
    await turns(2)
    for _ in range(2):
        source.end()
    assert await reading == []
    assert source.ended


async def test_a_late_reader_gets_everything() -> None:
    """Though the others have had it, and the end, long ago."""
    source = Input("ab")
    source.write(b"one")
    source.write(b"two")
    source.end()
    assert await _read_all(source.reader("a")) == [b"one", b"two"]
    assert _kept(source) == [b"one", b"two"]
    assert await _read_all(source.reader("b")) == [b"one", b"two"]
    assert _kept(source) == []


# -- what is kept -----------------------------------------------------------------------------------


async def test_what_all_have_had_is_not_kept() -> None:
    """The slowest reader counts."""
    source = Input("ab")
    quick, slow = source.reader("a"), source.reader("b")
    for data in (b"1", b"2", b"3"):
        source.write(data)
    await _take(quick, 3)
    assert _kept(source) == [b"1", b"2", b"3"]
    await _take(slow, 2)
    assert _kept(source) == [b"3"]
    await _take(slow, 1)
    assert _kept(source) == []
    source.write(b"4")
    assert await _take(slow, 1) + await _take(quick, 1) == [b"4", b"4"]


async def test_a_reader_that_goes_away_is_not_waited_for() -> None:
    """What only it had not had is dropped."""
    source = Input("ab")
    quick, slow = source.reader("a"), source.reader("b")
    for data in (b"1", b"2", b"3"):
        source.write(data)
    await _take(slow, 1)
    await _take(quick, 3)
    await slow.aclose()
    await slow.aclose()
    assert _kept(source) == []


@pytest.mark.parametrize("count", [0, 1])
async def test_a_reader_that_went_away_gets_nothing_more(count: int) -> None:
    """Whether it has read before or not; asking again is no error."""
    source = Input("ab")
    reader = source.reader("a")
    source.write(b"1")
    await _take(reader, count)
    await reader.aclose()
    source.write(b"2")
    for _ in range(2):
        assert await _read_all(reader) == []
    source.end()
    assert await _read_all(source.reader("b")) == [b"1", b"2"]


async def test_a_node_that_will_not_read_is_not_waited_for() -> None:
    """It never started, or ended before it asked."""
    source = Input("ab")
    source.write(b"1")
    await _take(source.reader("a"), 1)
    assert _kept(source) == [b"1"]
    source.over("b")
    source.over("b")
    assert _kept(source) == []


async def test_what_nobody_will_read_is_not_kept() -> None:
    """All nodes are over: what is written then costs nothing."""
    source = Input("ab")
    for node in "ab":
        source.over(node)
    source.write(b"1")
    assert _kept(source) == []
    source.end()
    refused(
        TaskStateError,
        "the end of the input has been written: nothing can follow it",
        lambda: source.write(b"2"),
    )


async def test_a_reader_that_has_not_asked_yet_counts_as_late() -> None:
    """To make a reader is not to read."""
    source = Input("a")
    reader = source.reader("a")
    source.write(b"1")
    source.end()
    assert _kept(source) == [b"1"]
    assert await _read_all(reader) == [b"1"]


# -- back-pressure ----------------------------------------------------------------------------------


async def test_draining_does_not_wait_for_who_has_not_started() -> None:
    """They may wait for a slot of the fanout as long as this program writes."""
    source = Input("ab")
    source.write(bytes(HIGH_WATER * 2))
    await source.drain()


async def test_draining_waits_for_the_slowest_that_has_started() -> None:
    """It may be so far behind and no more; asking for more tells what was taken."""
    source = Input("ab")
    quick, slow = source.reader("a"), source.reader("b")
    source.write(b"1")
    for reader in (quick, slow):
        await anext(reader)
    source.write(bytes(HIGH_WATER - 1))
    await source.drain()
    source.write(b"2")
    draining = asyncio.create_task(source.drain())
    await _take(quick, 2)
    await turns(3)
    assert not draining.done()
    await anext(slow)
    await draining


async def test_a_reader_that_goes_away_ends_the_wait() -> None:
    """Nobody else is behind."""
    source = Input("a")
    reader = source.reader("a")
    source.write(bytes(HIGH_WATER + 1))
    await anext(reader)
    draining = asyncio.create_task(source.drain())
    await turns(2)
    assert not draining.done()
    await reader.aclose()
    await draining


async def test_several_may_drain_at_once() -> None:
    """All hear when it is done."""
    source = Input("a")
    reader = source.reader("a")
    source.write(bytes(HIGH_WATER + 1))
    await anext(reader)
    draining = [asyncio.create_task(source.drain()) for _ in range(3)]
    await turns(2)
    source.end()
    with pytest.raises(StopAsyncIteration):
        await anext(reader)
    async with asyncio.timeout(10):
        await asyncio.gather(*draining)


async def test_cancelling_a_drain_changes_nothing() -> None:
    """What was written is still read."""
    source = Input("a")
    reader = source.reader("a")
    source.write(bytes(HIGH_WATER + 1))
    await anext(reader)
    draining = asyncio.create_task(source.drain())
    await turns(2)
    draining.cancel()
    await turns(2)
    assert draining.cancelled()
    source.write(b"more")
    assert await anext(reader) == b"more"
    await source.drain()


async def test_cancelling_a_reader_that_waits_loses_nothing() -> None:
    """What comes next is given to who asks next."""
    source = Input("a")
    reader = source.reader("a")
    asking = asyncio.create_task(_take(reader, 1))
    await turns(2)
    asking.cancel()
    await turns(2)
    source.write(b"1")
    assert (asking.cancelled(), await anext(reader)) == (True, b"1")


# -- misuse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["text", 5, None, [b"x"]])
def test_input_is_bytes(data: Any) -> None:
    """Text has to be encoded by its owner."""
    source = Input("a")
    refused(
        UsageError,
        f"input is written as bytes, not {type(data).__name__}",
        lambda: source.write(data),
    )
    assert _kept(source) == []


@pytest.mark.parametrize("data", [b"x", b""])
def test_nothing_can_follow_the_end(data: bytes) -> None:
    """It is an error at the call."""
    source = Input("a")
    source.end()
    refused(
        TaskStateError,
        "the end of the input has been written: nothing can follow it",
        lambda: source.write(data),
    )


# -- whatever happens -------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["write", "a", "b", "c", "over a", "over b", "over c"]), max_size=40))
def test_readers_get_what_was_written_and_no_more_is_kept_than_needed(steps: list[str]) -> None:
    """In any order of writing, reading and giving up."""

    async def play() -> None:
        source, written = Input("abc"), list[bytes]()
        readers = {node: source.reader(node) for node in "abc"}
        given = dict.fromkeys("abc", 0)
        for step in steps:
            node = step[-1]
            if step == "write":
                written.append(bytes([len(written)]))
                source.write(written[-1])
            elif step.startswith("over"):
                if node in given:
                    del given[node]
                    await readers[node].aclose()
                    source.over(node)
            elif node in given and given[node] < len(written):
                assert await anext(readers[node]) == written[given[node]]
                given[node] += 1
        late = any(not readers[node]._open for node in given)
        needed = 0 if late else min(given.values(), default=len(written))
        if not given:
            assert _kept(source) == []
        elif late:
            assert _kept(source) == written
        else:
            assert _kept(source) == written[needed:]
        source.end()
        for node, count in given.items():
            assert await _read_all(readers[node]) == written[count:]

    asyncio.run(play())
