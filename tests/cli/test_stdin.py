"""Standard input for all nodes."""

from __future__ import annotations

import asyncio
import os
import pty
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.cli.stdin import PasswordFirst, SharedInput, piped, script_command, source_of_commands
from asynctask.errors import UsageError

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
    source = SharedInput(reader, shared=False)
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
    source = SharedInput(reader, shared=False)
    reading = source.__aiter__()
    os.write(writer, BLOCK)  # the pipe is full

    first = await anext(reading)
    os.write(writer, BLOCK)
    with pytest.raises(BlockingIOError):
        os.write(writer, BLOCK)

    assert first == BLOCK
    await reading.aclose()
    source.close()


async def test_waiting_can_be_cancelled(pipe: tuple[int, int]) -> None:
    """The next reader takes over."""
    reader, writer = pipe
    source = SharedInput(reader, shared=False)
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
    source = SharedInput(reader, shared=False)
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
    source = SharedInput(reader, shared=False)

    reading = source.__aiter__()
    await anext(reading)
    await reading.aclose()
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
    assert (place, len(source._kept)) == (4, 0)


async def test_what_all_have_had_is_not_kept(pipe: tuple[int, int]) -> None:
    """Once as many read as were announced; who begins late still gets all of it."""
    reader, writer = pipe
    source = SharedInput(reader, shared=False, readers=2)
    os.write(writer, BLOCK)
    first, second = source.__aiter__(), source.__aiter__()

    await anext(first)
    kept = [len(source._kept._pieces)]
    await anext(second)
    kept.append(len(source._kept._pieces))
    os.write(writer, b"tail")
    os.close(writer)
    rest = [[chunk async for chunk in each] for each in (first, second)]

    source.close()
    assert kept == [1, 0]
    assert rest == [[b"tail"], [b"tail"]]
    assert len(source._kept._pieces) == 0


async def test_more_than_fits_into_memory(pipe: tuple[int, int]) -> None:
    """It is kept on disk, for who comes late."""
    reader, writer = pipe
    source = SharedInput(reader, shared=False, most_in_memory=10)
    first = asyncio.create_task(_all_of(source))
    for text in (b"in memory ", b"on disk ", b"as well"):
        os.write(writer, text)
        await asyncio.sleep(0.005)
    os.close(writer)

    assert [await first, await _all_of(source)] == [b"in memory on disk as well"] * 2
    source.close()


async def test_no_room_on_disk(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gets an input with a gap: all are told why, also those that come later."""
    reader, writer = pipe
    source = SharedInput(reader, shared=False, most_in_memory=0)
    os.write(writer, b"data")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(2):
        with pytest.raises(
            UsageError, match=r"^standard input is long, .*: No space left on device; give it"
        ):
            await _all_of(source)
    source.close()


async def test_what_is_shared_is_left(pipe: tuple[int, int]) -> None:
    """Each reads all of it, and who has the pipe too finds it there."""
    reader, writer = pipe
    os.write(writer, b"a\nb\n")
    os.close(writer)
    source = SharedInput(reader, shared=True)

    texts = [await _all_of(source), await _all_of(source)]

    source.close()
    assert texts == [b"a\nb\n"] * 2
    assert os.read(reader, 100) == b"a\nb\n"


async def test_a_long_shared_input_is_taken(pipe: tuple[int, int]) -> None:
    """It is given as a whole, and in order."""
    reader, writer = pipe
    data = os.urandom(3 << 20)
    source = SharedInput(reader, shared=True)
    assert source._looked is not None
    source._looked._hold = 0.0

    def feed() -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(writer, view) :]
        os.close(writer)

    feeding = asyncio.create_task(asyncio.to_thread(feed))
    assert await _all_of(source) == data
    await feeding
    source.close()


async def test_a_password_comes_first(pipe: tuple[int, int]) -> None:
    """It is a line of its own before what came through the pipe, for each that reads; no repr shows it."""
    reader, writer = pipe
    os.write(writer, b"rest")
    os.close(writer)
    source = SharedInput(reader, shared=False)
    both, alone = PasswordFirst("sécret", source), PasswordFirst("sécret")

    texts = [b"".join([chunk async for chunk in each]) for each in (both, both, alone)]

    source.close()
    assert texts == ["sécret\nrest".encode()] * 2 + ["sécret\n".encode()]
    assert "cret" not in repr(both)


@pytest.mark.parametrize("password", ["se\ncret", "se\0cret"])
def test_a_password_that_is_no_line(password: str) -> None:
    """It is refused, without showing it."""
    with pytest.raises(UsageError, match=r"^the password cannot be a line") as raised:
        PasswordFirst(password)
    assert "cret" not in str(raised.value)


def test_a_shell_that_reads_commands() -> None:
    """A mode's words cannot be put before a word that only the shell knows."""
    assert script_command() == 'exec "$SHELL" -l'
    assert script_command("sudo -n") == '"$SHELL" -l'


def test_where_commands_come_from(pipe: tuple[int, int]) -> None:
    """The command line, a terminal or a pipe; else there is none."""
    ours, terminal = pty.openpty()
    null = os.open(os.devnull, os.O_RDONLY)

    found = [
        source_of_commands("uptime", False, null),
        source_of_commands("uptime", True, terminal),
        source_of_commands(" ", False, terminal),
        source_of_commands("", False, pipe[0]),
    ]
    with pytest.raises(UsageError, match=r"^-n: without a command you type commands"):
        source_of_commands("", True, terminal)
    for fd, nostdin in ((null, False), (pipe[0], True)):
        with pytest.raises(UsageError, match=r"^no command to run$"):
            source_of_commands("", nostdin, fd)

    for fd in (ours, terminal, null):
        os.close(fd)
    assert found == ["words", "words", "terminal", "input"]
