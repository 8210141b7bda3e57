"""Tests of asynctask.manager.local.streams."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Iterator

import pytest

from asynctask.manager.local.streams import Input, Outputs
from asynctask.ssh.turns import Turns
from tests.support import turns


class Ends:
    """Descriptors that are closed at the end of a test, if they are not before."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def pipe(self) -> tuple[int, int]:
        """A pipe of which the writing end is the test's to close."""
        reader, writer = os.pipe()
        self._open.add(writer)
        return reader, writer

    def pipe_to(self) -> tuple[int, int]:
        """A pipe of which the reading end is the test's, and the other does not block."""
        reader, writer = os.pipe()
        self._open.add(reader)
        os.set_blocking(writer, False)
        return reader, writer

    def sockets(self) -> tuple[int, int]:
        """Two sockets, of which the first is the test's."""
        one, other = (each.detach() for each in socket.socketpair())
        self._open.add(one)
        os.set_blocking(other, False)
        return one, other

    def close(self, fd: int) -> None:
        """Close the test's end."""
        self._open.remove(fd)
        os.close(fd)

    def close_all(self) -> None:
        """Close what is left."""
        for fd in list(self._open):
            self.close(fd)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Makes pipes and sockets."""
    made = Ends()
    yield made
    made.close_all()


class Heard:
    """What was read."""

    def __init__(self) -> None:
        self.chunks: list[tuple[str, bytes]] = []
        self.outputs = Outputs(lambda stream, chunk: self.chunks.append((stream, chunk)))

    def of(self, stream: str) -> bytes:
        """All of one stream."""
        return b"".join(chunk for name, chunk in self.chunks if name == stream)


async def test_streams_are_read_to_their_end(ends: Ends) -> None:
    """Each by its name; it has ended when all have."""
    heard = Heard()
    writers = {}
    for name in ("stdout", "stderr"):
        reader, writers[name] = ends.pipe()
        heard.outputs.add(reader, name)
    for name, writer in writers.items():
        os.write(writer, name.encode())
        ends.close(writer)
    await heard.outputs.ended()
    assert sorted(heard.chunks) == [("stderr", b"stderr"), ("stdout", b"stdout")]


async def test_without_streams_it_has_ended() -> None:
    """Nothing is waited for."""
    await Heard().outputs.ended()


async def test_nothing_is_read_while_paused(ends: Ends) -> None:
    """What was written meanwhile comes afterwards; saying it twice changes nothing."""
    heard = Heard()
    reader, writer = ends.pipe()
    heard.outputs.add(reader, "stdout")
    heard.outputs.pause()
    heard.outputs.pause()
    assert heard.outputs.paused
    os.write(writer, b"later")
    ends.close(writer)
    await turns(5)
    assert heard.chunks == []
    heard.outputs.resume()
    heard.outputs.resume()
    await heard.outputs.ended()
    assert heard.chunks == [("stdout", b"later")]


async def test_pausing_from_within(ends: Ends) -> None:
    """Who hears a chunk may want no more; the streams may be closed, too."""
    outputs = Outputs(lambda stream, chunk: outputs.pause() if chunk == b"pause" else outputs.close())
    reader, writer = ends.pipe()
    outputs.add(reader, "stdout")
    os.write(writer, b"pause")
    while not outputs.paused:
        await asyncio.sleep(0)
    os.write(writer, b"close")
    outputs.resume()
    await outputs.ended()


async def test_draining_takes_what_is_there(ends: Ends) -> None:
    """At once, also while paused; a stream that is still open stays so."""
    heard = Heard()
    reader, writer = ends.pipe()
    heard.outputs.add(reader, "stdout")
    heard.outputs.pause()
    os.write(writer, b"a" * 65536)
    heard.outputs.drain()
    assert heard.of("stdout") == b"a" * 65536
    os.write(writer, b"b")
    ends.close(writer)
    heard.outputs.drain()
    await heard.outputs.ended()
    assert heard.of("stdout") == b"a" * 65536 + b"b"


async def test_closing_reads_no_more(ends: Ends) -> None:
    """It may be repeated."""
    heard = Heard()
    reader, writer = ends.pipe()
    heard.outputs.add(reader, "stdout")
    os.write(writer, b"lost")
    heard.outputs.close()
    heard.outputs.close()
    await heard.outputs.ended()
    assert heard.chunks == []


async def test_a_socket_that_was_reset_has_ended(ends: Ends) -> None:
    """Its other end was closed before it had read everything."""
    heard = Heard()
    theirs, ours = ends.sockets()
    os.write(ours, b"unread")
    ends.close(theirs)
    heard.outputs.add(ours, "data")
    await heard.outputs.ended()
    assert heard.chunks == []


# -- inputs -------------------------------------------------------------------------------------


async def test_writers_do_not_mix(ends: Ends) -> None:
    """Each waits for its turn while the pipe is full."""
    reader, writer = ends.pipe_to()
    given = Input(writer)
    tasks = [asyncio.create_task(given.write(letter * 100_000)) for letter in (b"a", b"b")]
    await turns(3)
    heard = Heard()
    heard.outputs.add(os.dup(reader), "all")
    await asyncio.gather(*tasks)
    given.close()
    await heard.outputs.ended()
    assert heard.of("all") == b"a" * 100_000 + b"b" * 100_000


async def test_the_end_of_an_input(ends: Ends) -> None:
    """The reader finds it, and nobody writes any more."""
    reader, writer = ends.pipe_to()
    given = Input(writer)
    await given.write(b"all")
    given.close()
    given.close()
    assert (os.read(reader, 10), os.read(reader, 10)) == (b"all", b"")
    with pytest.raises(BrokenPipeError):
        await given.write(b"more")


async def test_who_waits_for_room_is_told_of_the_end(ends: Ends) -> None:
    """Nobody waits for ever."""
    _, writer = ends.pipe_to()
    given = Input(writer)
    tasks = [asyncio.create_task(given.write(b"x" * 100_000)) for _ in range(2)]
    await turns(3)
    given.close()
    assert [type(each) for each in await asyncio.gather(*tasks, return_exceptions=True)] == [
        BrokenPipeError,
        BrokenPipeError,
    ]


async def test_a_reader_that_has_gone(ends: Ends) -> None:
    """The same for pipes and sockets."""
    reader, writer = ends.pipe_to()
    pipe = Input(writer)
    ends.close(reader)
    theirs, ours = ends.sockets()
    sock = Input(ours, is_socket=True)
    ends.close(theirs)
    for given in (pipe, sock):
        with pytest.raises(BrokenPipeError):
            await given.write(b"x")
        given.close()


async def test_the_other_direction_of_a_socket_stays_open(ends: Ends) -> None:
    """What is written to and what is read from are descriptors of their own."""
    theirs, ours = ends.sockets()
    heard = Heard()
    heard.outputs.add(os.dup(ours), "data")
    given = Input(ours, is_socket=True)
    await given.write(b"question")
    given.close()
    assert (os.read(theirs, 100), os.read(theirs, 100)) == (b"question", b"")
    os.write(theirs, b"answer")
    ends.close(theirs)
    await heard.outputs.ended()
    assert heard.of("data") == b"answer"


class _Crowd:
    """Several outputs, of which one is served in a turn of the loop."""

    def __init__(self, ends: Ends, number: int) -> None:
        self.now = 1.0
        self.heard: list[bytes] = []
        shared = Turns(lambda: self.now)
        self.outputs = [Outputs(self._hear, shared) for _ in range(number)]
        self.writers = []
        for each in self.outputs:
            reader, writer = ends.pipe()
            each.add(reader, "stdout")
            self.writers.append(writer)
            os.write(writer, b"a")

    def _hear(self, stream: str, chunk: bytes) -> None:
        self.heard.append(chunk)
        self.now += 1.0


async def test_many_that_print_at_once_have_turns(ends: Ends) -> None:
    """A thousand of them hold up nobody else; nothing is lost, also at the end of a stream."""
    crowd = _Crowd(ends, 3)
    counts = [0]
    async with asyncio.timeout(5):
        while len(crowd.heard) < 3:
            await turns(1)
            counts.append(len(crowd.heard))
        assert max(after - before for before, after in itertools.pairwise(counts)) == 1
        for writer in crowd.writers:
            os.write(writer, b"b")
            ends.close(writer)
        for each in crowd.outputs:
            await each.ended()
    assert crowd.heard == [b"a"] * 3 + [b"b"] * 3


async def test_who_waits_for_its_turn_may_be_paused_or_closed(ends: Ends) -> None:
    """Then nothing is read."""
    crowd = _Crowd(ends, 3)
    async with asyncio.timeout(5):
        while not crowd.heard:
            await turns(1)
        waiting = [each for each in crowd.outputs if each._open and each is not crowd.outputs[0]]
        waiting[0].pause()
        waiting[1].close()
        before = len(crowd.heard)
        await turns(5)
        assert len(crowd.heard) == before
        waiting[0].resume()
        while len(crowd.heard) == before and before < 2:
            await turns(1)
    for each in crowd.outputs:
        each.close()
