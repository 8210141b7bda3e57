"""Tests of asynctask.manager.output_streams."""

from __future__ import annotations

import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.errors import UsageError
from asynctask.lines import PartialLine
from asynctask.manager.output_streams import MOST_BYTES, LineQueue, OutputStream, Readers
from tests.manager.output_support import block, raw
from tests.support import turns


@given(st.lists(st.integers(1, 9)), st.integers(1, 12), st.integers(1, 5))
def test_a_queue_keeps_the_newest_lines_and_counts_the_others(
    sizes: list[int], maxsize: int, most: int
) -> None:
    """To the line, whatever the blocks are."""
    queue, number = LineQueue(maxsize), 0
    for size in sizes:
        queue.put(block(b"".join(b"%d\n" % each for each in range(number, number + size))))
        number += size
    kept = min(number, maxsize)
    assert (queue.waiting, queue.missed) == (kept, number - kept)
    lines: list[bytes] = []
    while taken := queue.take(most):
        assert len(taken) <= most
        lines += raw(taken)
    assert lines == [b"%d" % each for each in range(number - kept, number)]
    assert queue.is_empty()


@pytest.mark.one_loop("no loop")
def test_a_queue_has_a_bound_for_long_lines_too() -> None:
    """The oldest go, but never the newest."""
    queue = LineQueue(100)
    long = b"x" * (MOST_BYTES // 2) + b"\n"
    for _ in range(3):
        queue.put(block(long))
    assert (queue.waiting, queue.missed) == (1, 2)


@pytest.mark.one_loop("no loop")
@pytest.mark.parametrize("maxsize", [0, -1, 1.5, True, "9"])
def test_a_queue_that_holds_nothing_is_refused(maxsize: int) -> None:
    """At the call."""
    with pytest.raises(UsageError, match="1 or more"):
        OutputStream([], maxsize)


async def test_pieces_of_a_long_line_are_marked() -> None:
    """So the line can be put together again."""
    stream = OutputStream([], 9)
    stream._take_in(block(b"ab", is_piece=True))
    stream._take_in(block(b"c\n"))
    stream.close()
    lines = raw([line async for line in stream])
    assert [(type(line), line) for line in lines] == [(PartialLine, b"ab"), (bytes, b"c")]


async def test_lines_come_while_they_are_waited_for() -> None:
    """The reader is woken; at the end, too."""
    stream = OutputStream([], 9)
    reader = asyncio.create_task(anext(stream))
    await turns(3)
    stream._take_in(block(b"a\nb\n"))
    assert (await reader).line == b"a"
    assert (await anext(stream)).line == b"b"
    rest = asyncio.create_task(_all(stream))
    await turns(3)
    stream.close()
    assert await rest == []


async def _all(stream: OutputStream) -> list[bytes]:
    return raw([line async for line in stream])


async def test_readers_share_the_lines() -> None:
    """Each goes to one of them, and all end."""
    stream = OutputStream([], 1000)
    readers = [asyncio.create_task(_all(stream)) for _ in range(3)]
    await turns(3)
    stream._take_in(block(b"".join(b"%d\n" % number for number in range(600))))
    await turns(3)
    stream.close()
    lines = [line for reader in readers for line in await reader]
    assert sorted(map(int, lines)) == list(range(600))


async def test_cancelling_a_reader_loses_no_line() -> None:
    """Whenever it is cancelled."""
    stream = OutputStream([], 100)
    lines: list[bytes] = []
    for number in range(20):
        reader = asyncio.create_task(anext(stream))
        await turns(number % 4)
        stream._take_in(block(b"%d\n" % number))
        await turns(number % 3)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        if not reader.cancelled():
            lines.append(reader.result().line)
    stream.close()
    assert lines + await _all(stream) == [b"%d" % number for number in range(20)]


async def test_a_reader_with_much_to_read_lets_others_have_their_turn() -> None:
    """It needs no other await."""
    stream = OutputStream([], 10_000)
    stream._take_in(block(b"x\n" * 10_000))
    stream.close()
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert len(await _all(stream)) == 10_000
    task.cancel()
    assert others >= 39


async def test_history_comes_first() -> None:
    """It counts as read already: it drops nothing, nor is it dropped."""
    old = list(block(b"1\n2\n").to_lines([b"1", b"2"]))
    stream = OutputStream(old, 2)
    stream._take_in(block(b"3\n4\n5\n"))
    assert "open, 4 lines" in repr(stream)
    stream.close()
    assert await _all(stream) == [b"1", b"2", b"4", b"5"]
    assert stream.missed == 1


async def test_what_came_before_the_end_can_be_read_after_it() -> None:
    """And nothing comes then."""
    readers = Readers()
    with OutputStream([], 9) as stream:
        readers.add(stream)
        readers.put(block(b"a\n"))
    readers.put(block(b"b\n"))
    assert stream.closed
    assert not readers
    assert await _all(stream) == [b"a"]


async def test_a_stream_can_be_used_with_async_with() -> None:
    """Whichever comes to mind."""
    async with OutputStream([], 9) as stream:
        pass
    assert stream.closed


async def test_a_stream_that_nobody_holds_is_forgotten() -> None:
    """As after a ``break`` out of ``async for``."""
    readers = Readers()
    stream = OutputStream([], 9)
    readers.add(stream)
    readers.put(block(b"a\n"))
    assert readers
    del stream
    gc.collect()
    readers.put(block(b"b\n"))
    assert not readers


async def test_closing_the_readers_ends_their_streams() -> None:
    """Nothing more comes."""
    readers, stream = Readers(), OutputStream([], 9)
    readers.add(stream)
    readers.put(block(b"a\n"))
    readers.close()
    assert await _all(stream) == [b"a"]
