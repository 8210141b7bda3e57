"""Tests of asynctask.workers.feeding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from asynctask.errors import ConnectionLostError, NodeError
from asynctask.workers.feeding import wait_feeding
from tests.support import FakeSink, turns


class Reader:
    """Takes what is written; may go away after some bytes, or stop reading."""

    def __init__(self, *, goes_after: int | None = None, stops: bool = False) -> None:
        self.data = b""
        self.ends = 0
        self.ended = asyncio.Event()
        self.reading = asyncio.Event()
        self._goes_after = goes_after
        self._stops = stops

    async def write(self, data: bytes | memoryview) -> None:
        if self._stops:
            self.reading.set()
            await asyncio.Event().wait()
        self.data += memoryview(data)
        if self._goes_after is not None and len(self.data) > self._goes_after:
            raise BrokenPipeError

    def close(self) -> None:
        self.ends += 1
        self.ended.set()


async def _stream(*chunks: bytes | Exception) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


@pytest.mark.parametrize("chunks", [[], [b""], [b"one"], [b"one", b"", b"two"]])
async def test_a_stream_is_written_and_ended(chunks: list[bytes]) -> None:
    """Chunk by chunk, and then the end, once."""
    reader = Reader()
    await wait_feeding("a", reader.ended.wait, reader, _stream(*chunks), FakeSink())
    assert (reader.data, reader.ends) == (b"".join(chunks), 1)


async def test_bytes_are_written_and_ended() -> None:
    """In one go."""
    reader = Reader()
    await wait_feeding("a", reader.ended.wait, reader, b"data", FakeSink())
    assert (reader.data, reader.ends) == (b"data", 1)


async def test_the_answer_of_the_wait_is_returned() -> None:
    """It is the exit status, or whatever the worker waits for."""
    reader = Reader()

    async def wait() -> int:
        await reader.ended.wait()
        return 7

    assert await wait_feeding("a", wait, reader, b"", FakeSink()) == 7


async def test_writing_stops_when_the_wait_is_over() -> None:
    """A command need not read its input; the stream is then closed, too."""
    reader = Reader(stops=True)
    cleaned: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            cleaned.append("closed")

    await wait_feeding("a", reader.reading.wait, reader, endless(), FakeSink())
    assert cleaned == ["closed"]


@pytest.mark.parametrize("data", [b"x" * 10, _stream(b"xxx", b"xxx", b"xxx")], ids=["bytes", "stream"])
async def test_a_reader_that_goes_away_is_no_error(data: bytes | AsyncIterator[bytes]) -> None:
    """``head`` does that; what is left is not written."""
    reader = Reader(goes_after=4)
    await wait_feeding("a", reader.ended.wait, reader, data, FakeSink())
    assert (len(reader.data) in {6, 10}, reader.ends) == (True, 1)


async def test_a_generator_is_closed_when_its_reader_goes_away() -> None:
    """Before the target ends, not some time later by the garbage collector."""
    reader = Reader(goes_after=0)
    cleaned: list[str] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            await turns(3)
            cleaned.append("closed")

    await wait_feeding("a", reader.ended.wait, reader, endless(), FakeSink())
    assert cleaned == ["closed"]


async def test_a_stream_that_raises_is_the_nodes_error() -> None:
    """The input is not ended as if it were complete, and the wait is given up."""
    reader = Reader()
    broken = OSError("disk on fire")
    with pytest.raises(NodeError) as caught:
        await wait_feeding("web7", asyncio.Event().wait, reader, _stream(b"one", broken), FakeSink())
    assert str(caught.value) == "web7: its input raised OSError('disk on fire'); the command was stopped"
    assert caught.value.__cause__ is broken
    assert (reader.data, reader.ends) == (b"one", 0)


async def test_a_broken_pipe_in_the_stream_itself_is_not_the_readers() -> None:
    """The stream may read from a pipe of its own."""
    reader = Reader()
    with pytest.raises(
        NodeError, match=r"^a: its input raised BrokenPipeError\(\); the command was stopped$"
    ):
        await wait_feeding("a", asyncio.Event().wait, reader, _stream(b"one", BrokenPipeError()), FakeSink())
    assert reader.ends == 0


async def test_a_stream_of_something_else_than_bytes_is_an_error() -> None:
    """Text has to be encoded by its owner."""
    with pytest.raises(
        NodeError, match=r"^a: its input raised TypeError\(.*'str'.*\); the command was stopped$"
    ):
        await wait_feeding("a", asyncio.Event().wait, Reader(), _stream("text"), FakeSink())  # type: ignore[arg-type]


async def test_what_the_wait_raises_comes_as_it_is() -> None:
    """Not wrapped in a group: the run decides by its type."""

    async def wait() -> None:
        await asyncio.sleep(0)
        raise ConnectionLostError("a", "gone")

    with pytest.raises(ConnectionLostError, match=r"^a: gone$"):
        await wait_feeding("a", wait, Reader(), b"data", FakeSink())


async def test_cancelling_stops_the_stream() -> None:
    """And nothing is left."""
    reader = Reader(stops=True)
    feeding = asyncio.create_task(
        wait_feeding("a", asyncio.Event().wait, reader, _stream(b"one"), FakeSink())
    )
    await reader.reading.wait()
    feeding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeding
    assert reader.ends == 0


async def test_an_endless_quick_stream_gives_way_to_others() -> None:
    """Neither it nor its reader ever waits; the loop goes round all the same."""
    reader = Reader()
    over = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b""

    asyncio.get_running_loop().call_later(0.05, over.set)
    await wait_feeding("a", over.wait, reader, endless(), FakeSink())
    assert reader.ends == 0
