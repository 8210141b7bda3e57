"""Tests of asynctask.ssh.transport."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from asynctask.ssh.transport import CorkedTransport
from asynctask.ssh.turns import Turns
from tests.support import turns


class Inner(asyncio.Transport):
    """A transport that notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[Any] = []
        self.limits: tuple[int, int] = (0, 0)
        self.reading = True
        self.closing = False
        self.protocol = asyncio.Protocol()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("close")
        self.closing = True

    def abort(self) -> None:
        self.done.append("abort")
        self.closing = True

    def write_eof(self) -> None:
        self.done.append("eof")

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return 100

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.limits = (high or 0, low or 0)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self.limits

    def is_closing(self) -> bool:
        return self.closing

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 22)}.get(name, default)


@pytest.fixture
def inner() -> Inner:
    """The transport that is written to."""
    return Inner()


async def test_one_write_a_turn(inner: Inner) -> None:
    """What is written in one turn of the loop goes out at once, in order, at its end."""
    corked = CorkedTransport(inner, asyncio.get_running_loop(), Turns())
    for piece in (b"a", b"b", b"c"):
        corked.write(piece)
    assert inner.done == []
    await turns(1)
    assert inner.done == [b"abc"]
    corked.write(b"d")
    await turns(1)
    corked.write(b"e")
    corked.writelines([b"f", b"g"])
    await turns(2)
    assert inner.done == [b"abc", b"d", b"efg"]


async def test_nothing_is_written_for_nothing(inner: Inner) -> None:
    """A turn without a write costs none."""
    CorkedTransport(inner, asyncio.get_running_loop(), Turns())
    await turns(3)
    assert inner.done == []


async def test_a_buffer_that_is_used_again(inner: Inner) -> None:
    """What was written does not change with the caller's buffer, as with every transport."""
    corked = CorkedTransport(inner, asyncio.get_running_loop(), Turns())
    buffer = bytearray(b"one ")
    corked.write(buffer)
    buffer[:] = b"two "
    corked.write(memoryview(buffer))
    buffer[:] = b"lost"
    await turns(1)
    assert inner.done == [b"one two "]


@pytest.mark.parametrize(("name", "done"), [("close", "close"), ("abort", "abort"), ("write_eof", "eof")])
async def test_the_end_comes_after_what_was_written(inner: Inner, name: str, done: str) -> None:
    """What was written goes out before the transport is closed, and nothing is written twice."""
    corked = CorkedTransport(inner, asyncio.get_running_loop(), Turns())
    corked.write(b"a")
    corked.write(b"b")
    getattr(corked, name)()
    assert inner.done == [b"ab", done]
    await turns(2)
    assert inner.done == [b"ab", done]


async def test_what_waits_counts(inner: Inner) -> None:
    """The size of the buffer includes what has not gone out yet."""
    corked = CorkedTransport(inner, asyncio.get_running_loop(), Turns())
    corked.write(b"x" * 7)
    assert corked.get_write_buffer_size() == 107
    await turns(1)
    assert corked.get_write_buffer_size() == 100


async def test_the_rest_is_passed_on(inner: Inner) -> None:
    """Everything else is the inner transport's business."""
    corked = CorkedTransport(inner, asyncio.get_running_loop(), Turns())
    corked.set_write_buffer_limits(high=9, low=3)
    corked.pause_reading()
    protocol = asyncio.Protocol()
    corked.set_protocol(protocol)
    assert corked.get_write_buffer_limits() == (9, 3)
    assert not corked.is_reading()
    corked.resume_reading()
    assert corked.is_reading()
    assert corked.get_protocol() is inner.protocol is protocol
    assert corked.can_write_eof()
    assert not corked.is_closing()
    assert corked.get_extra_info("peername") == ("127.0.0.1", 22)
    assert corked.get_extra_info("nothing", "else") == "else"


class _Collect(asyncio.Protocol):
    def __init__(self) -> None:
        self.data = b""
        self.over: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.over.set_result(exc)


async def test_over_a_real_connection() -> None:
    """All bytes arrive, in order, also when the connection is closed right after the last ones."""
    loop = asyncio.get_running_loop()
    collected: list[_Collect] = []

    def accept() -> _Collect:
        collected.append(_Collect())
        return collected[-1]

    server = await loop.create_server(accept, "127.0.0.1", 0)
    transport, client = await loop.create_connection(_Collect, *server.sockets[0].getsockname())
    corked = CorkedTransport(transport, loop, Turns())
    pieces = [os.urandom(size) for size in (1, 70_000, 3, 200_000, 5)]
    for piece in pieces:
        corked.write(piece)
        if len(piece) == 3:
            await turns(2)
    corked.close()
    assert await asyncio.wait_for(client.over, 10) is None
    assert await asyncio.wait_for(collected[0].over, 10) is None
    assert collected[0].data == b"".join(pieces)
    server.close()
    await server.wait_closed()


async def test_a_write_after_the_end_is_lost_quietly() -> None:
    """asyncssh may write once more to a connection that is closed, on either loop."""
    loop = asyncio.get_running_loop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: problems.append(context))
    server = await loop.create_server(_Collect, "127.0.0.1", 0)
    transport, client = await loop.create_connection(_Collect, *server.sockets[0].getsockname())
    corked = CorkedTransport(transport, loop, Turns())
    corked.write(b"before")
    transport.abort()
    corked.write(b"after")
    await asyncio.wait_for(client.over, 10)
    corked.write(b"long after")
    await turns(3)
    corked.abort()
    server.close()
    await server.wait_closed()
    assert problems == []


async def test_written_when_what_carries_it_is_closed() -> None:
    """A channel of a bastion that is gone: nobody hears of it but by the end of the connection."""
    problems: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))

    class Closed(Inner):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            raise BrokenPipeError("Channel not open for sending")

    inner = Closed()
    transport = CorkedTransport(inner, loop, Turns())
    transport.write(b"x")
    await turns(2)
    transport.write(b"y")
    transport.close()
    assert (problems, inner.done) == ([], ["close"])
