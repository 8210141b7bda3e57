"""Tests of asynctask.workers.streams: what is written."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from asynctask.workers.streams import StreamWorker
from asynctask.workers.writing import HIGH_WATER
from tests.support import turns
from tests.workers.ends import Ends, Log, begin, is_open, run, until_read

# -- writing ----------------------------------------------------------------------------------------


async def test_what_is_written_arrives_and_ends(ends: Ends) -> None:
    """Written before the start or later; its size is told."""
    source, end = ends.pipe()
    worker = StreamWorker(log := Log(), "box")
    worker.set_writer("commands", end)
    worker.write(b"one\n")
    running = begin(worker)
    assert await until_read(source, 4) == b"one\n"
    worker.write(b"second\n", "commands")
    worker.set_write_eof("commands")
    worker.set_write_eof()
    await running
    assert os.read(source, 100) == b"second\n"
    assert os.read(source, 100) == b""
    assert log.events == [
        "start",
        "pickup box",
        "written box commands 4",
        "written box commands 7",
        "end box ok",
        "close False",
    ]
    assert not is_open(end)


async def test_writing_to_all_or_to_one(ends: Ends) -> None:
    """Without a name it is for every writer."""
    (first, first_end), (second, second_end) = ends.pipe(), ends.pipe()
    worker = StreamWorker()
    worker.set_writer("a", first_end)
    worker.set_writer("b", second_end)
    worker.write(b"all ")
    worker.write(b"one", "b")
    worker.set_write_eof()
    await run(worker)
    assert (os.read(first, 100), os.read(second, 100)) == (b"all ", b"all one")


async def test_a_plain_file_can_be_written(tmp_path: Path) -> None:
    """All of it."""
    worker = StreamWorker()
    worker.set_writer("file", (tmp_path / "out").open("wb"))
    worker.write(data := os.urandom(20_000))
    worker.set_write_eof()
    await run(worker)
    assert (tmp_path / "out").read_bytes() == data


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("kind", ["pipe", "terminal"])
async def test_a_slow_reader_makes_the_writer_wait_and_nobody_else(
    ends: Ends, kind: str, blocking: bool
) -> None:
    """Far more than fits; draining waits, the loop goes on, and every byte arrives."""
    if kind == "pipe":
        source, end = ends.pipe()
    else:
        end, source = ends.terminal()
    os.set_blocking(end, blocking)
    data = os.urandom(HIGH_WATER + 50_000)
    worker = StreamWorker()
    worker.set_writer("out", end)
    running = begin(worker)
    worker.write(data)
    worker.write(b"more")
    await asyncio.sleep(0.02)
    draining = asyncio.create_task(worker.drain())
    await turns(3)
    assert (draining.done(), running.done()) == (False, False)
    assert await until_read(source, len(data) + 4) == data + b"more"
    await draining
    worker.set_write_eof()  # not before: a terminal forgets what is in it
    await running


async def test_what_was_taken_is_not_kept(ends: Ends) -> None:
    """A worker may write as long as the program lives."""
    source, end = ends.pipe()
    worker = StreamWorker()
    worker.set_writer("out", end)
    running = begin(worker)
    for _ in range(3):
        worker.write(b"x")
        await until_read(source, 1)
    writer = worker._writers["out"].input
    assert writer is not None
    assert len(writer._chunks) == 0
    worker.set_write_eof()
    await running


async def test_what_nobody_reads_is_told(ends: Ends) -> None:
    """Once, and it is no failure of the worker."""
    source, end = ends.pipe()
    os.close(source)
    worker = StreamWorker(log := Log())
    worker.set_writer("out", end)
    worker.write(b"data")
    worker.write(b"more")
    result = await run(worker)
    assert log.events == [
        "start",
        "pickup streams",
        "unwritten streams out 4",
        "end streams ok",
        "close False",
    ]
    assert (result["streams"].unwritten, is_open(end)) == (4, False)


async def test_what_is_left_when_the_worker_ends_is_told(ends: Ends) -> None:
    """The writer does not retain the worker, and its reader is slow."""
    (source, end), (slow, full) = ends.pipe(), ends.pipe()
    os.set_blocking(full, False)
    fits = 0
    with suppress(BlockingIOError):
        while True:
            fits += os.write(full, bytes(4096))
    worker = StreamWorker(log := Log())
    worker.set_reader("in", source)
    worker.set_writer("out", full, retain=False)
    worker.write(b"x" * 100)
    running = begin(worker)
    await turns(10)
    os.close(end)
    result = await running
    assert log.of("streams") == ["pickup streams", "unwritten streams out 100", "end streams ok"]
    assert result["streams"].unwritten == 100
    assert len(await until_read(slow, fits)) == fits
