"""Input that is looked at, not taken."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from asynctask.cli import stdin_looking
from asynctask.cli.stdin_looking import Looked, is_shared

pytestmark = [
    pytest.mark.one_loop("the command line runs on its own loop"),
    pytest.mark.skipif(sys.platform != "linux", reason="other systems show nothing"),
]


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


def _sockets() -> tuple[int, int]:
    one, other = socket.socketpair()
    return one.detach(), other.detach()


@pytest.fixture(params=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """The two ends of a pipe or a pair of sockets."""
    made = os.pipe() if request.param == "pipe" else _sockets()
    yield made
    for fd in made:
        try:
            os.close(fd)
        except OSError:  # the test has done it
            continue


async def test_it_is_still_there(ends: tuple[int, int]) -> None:
    """What was looked at can be read, and is shown once."""
    reader, writer = ends
    looked = Looked(reader)
    os.write(writer, b"one ")
    first = await looked.more()
    os.write(writer, b"two")
    second = await looked.more()
    os.close(writer)
    end = [await looked.more(), await looked.more()]
    looked.close()

    assert [first, second, *end] == [b"one ", b"two", b"", b""]
    assert os.read(reader, 100) == b"one two"


async def test_an_end_without_anything(ends: tuple[int, int]) -> None:
    """The end is seen where nothing ever came."""
    looked = Looked(ends[0])
    os.close(ends[1])
    assert await looked.more() == b""
    looked.close()


async def test_it_waits_for_more(pipe: tuple[int, int]) -> None:
    """What comes later is seen later."""
    reader, writer = pipe
    looked = Looked(reader)
    os.write(writer, b"one")
    assert await looked.more() == b"one"
    waiting = asyncio.create_task(looked.more())
    await asyncio.sleep(0)
    os.write(writer, b"two")

    assert await waiting == b"two"
    looked.close()


async def test_a_full_pipe_is_taken_when_more_is_wanted(pipe: tuple[int, int]) -> None:
    """Not before: a command that does not read wants no more."""
    reader, writer = pipe
    looked = Looked(reader, hold=0.03)
    os.set_blocking(writer, False)
    written = sum(iter(lambda: _written(writer), 0))

    seen = await looked.more()
    waiting = asyncio.create_task(looked.more())
    await asyncio.sleep(0.01)
    still_there = stdin_looking._waiting(reader)

    assert seen is not None
    assert len(seen) == written == still_there
    assert await waiting is None
    assert stdin_looking._waiting(reader) == 0
    looked.close()


async def test_a_pipe_of_another_user(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there is room cannot be asked: half of what it can hold is much."""
    reader, writer = pipe
    looked = Looked(reader, hold=0.0)
    monkeypatch.setattr(stdin_looking, "_room", lambda fd: 8)

    def refused(*_: object) -> int:
        raise PermissionError

    os.write(writer, b"123")
    assert await looked.more() == b"123"
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refused)
        assert not looked._is_full(0.0)
        os.write(writer, b"4")
        assert await looked.more() == b"4"
        assert looked._is_full(0.0)
    looked.close()


def _written(fd: int) -> int:
    """How much could be written; 0 if there is no room."""
    try:
        return os.write(fd, bytes(4096))
    except BlockingIOError:
        return 0


def _same_as_parent(stdin: int, script: str) -> str:
    """What a program says whose parent is a shell with this input."""
    code = "from asynctask.cli.stdin_looking import is_shared; print(is_shared())"
    finished = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, code], stdin=stdin, capture_output=True, check=True
    )
    return finished.stdout.decode().strip()


def test_who_shares_it(pipe: tuple[int, int]) -> None:
    """In a loop of a shell its input is ours, too; what a pipe is made for is ours alone."""
    assert _same_as_parent(pipe[0], '"$1" -c "$2"; :') == "True"
    assert _same_as_parent(pipe[0], 'echo | "$1" -c "$2"; :') == "False"


def test_a_parent_that_nobody_may_look_at(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as one that shares the input."""
    monkeypatch.setattr(os, "getppid", lambda: 0)
    assert is_shared(pipe[0])


def test_where_nothing_can_be_looked_at(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems input is read."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not is_shared(pipe[0])
