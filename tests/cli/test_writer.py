"""The thread that writes to the standard streams."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Iterator

import pytest

from asynctask.cli import writer as module
from asynctask.cli.writer import Writer

MEBIBYTE = b"x" * (1 << 20)


class Pipe:
    """Stands for standard output."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def read_all(self) -> bytes:
        """To the end; the writing side must be closed by then, or be so soon."""
        data = b""
        while chunk := os.read(self.reader, 1 << 20):
            data += chunk
        return data

    def close(self, *ends: str) -> None:
        """Close one end, by default both."""
        for end in ends or ("reader", "writer"):
            if (fd := getattr(self, end)) >= 0:
                os.close(fd)
                setattr(self, end, -1)


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """A pipe in the place of standard output."""
    opened = Pipe()
    monkeypatch.setattr(module, "STDOUT", opened.writer)
    yield opened
    opened.close()


def _never() -> None:
    pytest.fail("standard output is not broken")


async def test_everything_is_written_in_order(pipe: Pipe) -> None:
    """Also between the two streams, here one and the same."""
    writer = Writer(_never)
    other = os.dup(pipe.writer)

    for number in range(100):
        await writer.write(pipe.writer, b"%d " % number)
        writer.put(other, b"%d, " % number)
    await writer.close()

    os.close(other)
    pipe.close("writer")
    assert pipe.read_all() == b"".join(b"%d %d, " % (number, number) for number in range(100))
    assert not writer.behind


async def test_who_writes_waits_while_nobody_reads(pipe: Pipe) -> None:
    """The loop goes on; as soon as somebody reads, so does the writer."""
    writer = Writer(_never)
    writing = asyncio.create_task(writer.write(pipe.writer, MEBIBYTE + b"more"))

    done, _ = await asyncio.wait([writing], timeout=0.05)
    assert (done, writer.behind) == (set(), True)

    reading = asyncio.create_task(asyncio.to_thread(pipe.read_all))
    await writing
    await writer.close()
    pipe.close("writer")
    assert len(await reading) == len(MEBIBYTE) + 4


async def test_little_waits_for_nobody(pipe: Pipe) -> None:
    """Below the high-water mark a write returns at once, though the pipe is full."""
    writer = Writer(_never)

    await writer.write(pipe.writer, b"x" * (1 << 20))

    assert writer.behind
    pipe.close("reader")
    writer.give_up()
    await writer.close()


@pytest.mark.parametrize("round_", range(3))
async def test_room_is_never_missed(round_: int) -> None:
    """A sink that is quicker than the loop does not leave a writer waiting."""
    writer = Writer(_never)
    sink = os.open(os.devnull, os.O_WRONLY)

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(writer.write(sink, MEBIBYTE + b"more"))
    await writer.close()

    os.close(sink)


async def test_a_reader_that_leaves_is_told_once(pipe: Pipe) -> None:
    """What was still to come is dropped, and nobody waits any more."""
    told: asyncio.Queue[None] = asyncio.Queue()
    writer = Writer(lambda: told.put_nowait(None))
    pipe.close("reader")

    await writer.write(pipe.writer, b"x")
    await told.get()
    await writer.write(pipe.writer, MEBIBYTE + MEBIBYTE)
    await writer.close()

    assert isinstance(writer.error, BrokenPipeError)
    assert (told.empty(), writer.behind) == (True, False)


async def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the stream."""
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(module, "STDOUT", full)
    told = asyncio.Event()
    writer = Writer(told.set)

    await writer.write(full, b"x")
    await told.wait()
    await writer.close()

    os.close(full)
    assert writer.error is not None
    assert (writer.error.errno, writer.error.filename) == (errno.ENOSPC, "standard output")


async def test_standard_error_may_be_lost(pipe: Pipe) -> None:
    """What cannot be written there is dropped; standard output goes on."""
    writer = Writer(_never)
    full = os.open("/dev/full", os.O_WRONLY)

    await writer.write(full, b"x")
    await writer.write(pipe.writer, b"y")
    await writer.close()

    os.close(full)
    pipe.close("writer")
    assert (pipe.read_all(), writer.error) == (b"y", None)


async def test_a_stream_that_does_not_block(pipe: Pipe) -> None:
    """Somebody else has made it so; all is written all the same."""
    os.set_blocking(pipe.writer, False)
    writer = Writer(_never)

    reading = asyncio.create_task(asyncio.to_thread(pipe.read_all))
    for _ in range(4):
        await writer.write(pipe.writer, MEBIBYTE)
    await writer.close()
    pipe.close("writer")

    assert len(await reading) == 4 * len(MEBIBYTE)


async def test_given_up(pipe: Pipe) -> None:
    """Neither who writes nor who closes waits for a reader who does not read."""
    writer = Writer(_never)
    writing = asyncio.create_task(writer.write(pipe.writer, MEBIBYTE + MEBIBYTE))
    await asyncio.sleep(0)

    writer.give_up()
    await writing
    await writer.write(pipe.writer, MEBIBYTE + MEBIBYTE)
    await writer.close()

    pipe.close("reader")  # so that the thread ends, too


async def test_no_thread_without_output() -> None:
    """Who writes nothing has nothing to close."""
    threads = threading.enumerate()
    writer = Writer(_never)

    await writer.write(1, b"")
    assert threading.enumerate() == threads
    await writer.close()


def test_the_loop_may_be_gone(pipe: Pipe) -> None:
    """A thread that comes out of a long write finds nobody to tell, and ends."""

    async def leave_it() -> Writer:
        writer = Writer(_never)
        writer.put(pipe.writer, MEBIBYTE)
        return writer

    writer = asyncio.run(leave_it())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "asynctask output"]
    writer.give_up()
    pipe.close("reader")

    thread.join(10)
    assert not thread.is_alive()
