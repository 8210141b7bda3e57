"""Standard input for all nodes."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.cli.stdin import SharedInput, piped

BLOCK = b"x" * 65536


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe; a test may close them."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:  # the test has done it
            continue


async def _all_of(source: SharedInput) -> bytes:
    return b"".join([chunk async for chunk in source])


def test_what_is_given_to_nodes(tmp_path: Path, pipe: tuple[int, int]) -> None:
    """A pipe, a file, a socket; no terminal, no device, nothing that is closed."""
    terminal, other_side = pty.openpty()
    ours, theirs = socket.socketpair()
    (tmp_path / "file").write_bytes(b"")
    file = os.open(tmp_path / "file", os.O_RDONLY)
    directory = os.open(tmp_path, os.O_RDONLY)
    null = os.open(os.devnull, os.O_RDONLY)

    answers = {name: piped(fd) for name, fd in [
        ("pipe", pipe[0]), ("file", file), ("socket", ours.fileno()),
        ("terminal", other_side), ("null", null), ("directory", directory),
    ]}  # fmt: skip

    for fd in (terminal, other_side, file, directory, null):
        os.close(fd)
    ours.close()
    theirs.close()
    assert answers == {
        "pipe": True, "file": True, "socket": True,
        "terminal": False, "null": False, "directory": False,
    }  # fmt: skip
    assert not piped(file)


async def test_each_reads_all_of_a_pipe(pipe: tuple[int, int]) -> None:
    """Also who comes when it is over."""
    reader, writer = pipe
    source = SharedInput(reader)
    first = asyncio.create_task(_all_of(source))
    second = asyncio.create_task(_all_of(source))
    os.write(writer, b"one ")
    await asyncio.sleep(0.01)
    os.write(writer, b"two")
    os.close(writer)

    assert [await first, await second, await _all_of(source)] == [b"one two"] * 3
    source.close()


async def test_a_pipe_is_read_as_far_as_somebody_wants(pipe: tuple[int, int]) -> None:
    """Who feeds it is slowed down to the speed of the fastest reader."""
    reader, writer = pipe
    os.set_blocking(writer, False)
    source = SharedInput(reader)
    reading = aiter(source)
    os.write(writer, BLOCK)  # the pipe is full

    first = await anext(reading)
    os.write(writer, BLOCK)
    with pytest.raises(BlockingIOError):
        os.write(writer, BLOCK)

    assert first == BLOCK
    await reading.aclose()  # type: ignore[attr-defined]
    source.close()


async def test_waiting_can_be_cancelled(pipe: tuple[int, int]) -> None:
    """The next reader takes over."""
    reader, writer = pipe
    source = SharedInput(reader)
    first = asyncio.create_task(_all_of(source))
    second = asyncio.create_task(_all_of(source))
    await asyncio.sleep(0)

    first.cancel()
    os.write(writer, b"data")
    os.close(writer)

    assert await second == b"data"
    assert first.cancelled()
    source.close()


async def test_somebody_else_is_faster(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is readable may be gone when it is read: then it is waited for again."""
    reader, writer = pipe
    os.set_blocking(reader, False)
    source = SharedInput(reader)
    os.write(writer, b"data")
    os.close(writer)
    read = os.read
    taken = iter([True])

    def read_or_not(fd: int, size: int) -> bytes:
        if fd == reader and next(taken, False):
            raise BlockingIOError
        return read(fd, size)

    monkeypatch.setattr(os, "read", read_or_not)
    assert await _all_of(source) == b"data"
    source.close()


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_pipe_is_left_as_it_was(pipe: tuple[int, int], blocking: bool) -> None:
    """Others have it, too: event loops make it non-blocking, and their next read would fail."""
    reader, writer = pipe
    os.set_blocking(reader, blocking)
    os.write(writer, b"data")
    source = SharedInput(reader)

    reading = aiter(source)
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]
    source.close()

    assert os.get_blocking(reader) is blocking


async def test_a_file_is_read_from_where_it_is(tmp_path: Path) -> None:
    """Each reads all of the rest, nothing is kept, and the place in it is left to who has it too."""
    path = tmp_path / "file"
    path.write_bytes(b"head" + BLOCK + b"tail")
    fd = os.open(path, os.O_RDONLY)
    os.lseek(fd, 4, os.SEEK_SET)
    source = SharedInput(fd)

    texts = [await _all_of(source), await _all_of(source)]

    place = os.lseek(fd, 0, os.SEEK_CUR)
    source.close()
    os.close(fd)
    assert texts == [BLOCK + b"tail"] * 2
    assert (place, source._chunks) == (4, [])
