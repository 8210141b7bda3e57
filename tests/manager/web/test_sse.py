"""Streams of events as an ASGI server sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from typing import Any

import pytest

from asynctask.manager.web.sse import EventSource, Message


class Client:
    """The other side of an ASGI application."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.ended = False
        self.gone = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()

    async def receive(self) -> MutableMapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self.reads.wait()
            self.sent.append(message["body"])
            self.ended = not message["more_body"]


class Source:
    """Messages, and whether their generator was closed."""

    def __init__(self, *messages: Message, endless: bool = False) -> None:
        self.messages = messages
        self.endless = endless
        self.closed = False

    async def read(self) -> AsyncGenerator[list[Message], None]:
        try:
            for message in self.messages:
                yield [message]
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True


@pytest.mark.one_loop("it is text")
def test_a_message_is_written_on_lines() -> None:
    """No data can end a line, or begin a field."""
    message = Message("output", {"line": "a\n\nevent: b\r\u2028\udcff"}, "7")

    assert message.encode() == (
        b'id: 7\nevent: output\ndata: {"line":"a\\n\\nevent: b\\r\\u2028\\udcff"}\n\n'
    )
    assert Message("stats", 1).encode() == b"event: stats\ndata: 1\n\n"


async def test_a_stream_ends_with_one_of_its_sources() -> None:
    """The others are closed, and the client is told the end."""
    client, short, long = Client(), Source(Message("a", 1)), Source(endless=True)

    await EventSource(long.read(), short.read())({}, client.receive, client.send)

    assert client.sent == [b"retry: 2000\n\n" + Message("a", 1).encode(), b""]
    assert client.ended
    assert (long.closed, short.closed) == (True, True)


async def test_a_stream_ends_when_the_client_goes() -> None:
    """Its sources are closed."""
    client, source = Client(), Source(Message("a", 1), endless=True)
    answer = asyncio.create_task(EventSource(source.read())({}, client.receive, client.send))
    while not client.sent:
        await asyncio.sleep(0)

    client.gone.set()
    await answer

    assert source.closed


async def test_a_silent_stream_gives_signs_of_life() -> None:
    """A comment, which clients overlook."""
    client, source = Client(), Source(endless=True)
    answer = asyncio.create_task(
        EventSource(source.read(), keep_alive=0.001)({}, client.receive, client.send)
    )
    while len(client.sent) < 3:
        await asyncio.sleep(0.001)
    client.gone.set()
    await answer

    assert client.sent[1:3] == [b": here\n\n"] * 2


async def test_who_asks_for_the_head_gets_it_alone() -> None:
    """There is no stream, and so nothing to wait for."""
    client, source = Client(), Source(Message("a", 1), endless=True)

    await EventSource(source.read())({"method": "HEAD"}, client.receive, client.send)

    assert client.sent == [b""]
    assert client.ended


async def test_a_source_that_never_pauses_leaves_the_loop_to_others() -> None:
    """What comes in one turn is written at once, but only so much."""
    client, source = Client(), Source(*[Message("output", "x" * 80)] * 2000, endless=True)
    answer = asyncio.create_task(EventSource(source.read())({}, client.receive, client.send))
    turns = 0
    while sum(map(len, client.sent)) < 2000 * 100:
        await asyncio.sleep(0)
        turns += 1
    client.gone.set()
    await answer

    assert max(map(len, client.sent)) < 33_000
    assert 7 <= len(client.sent) <= turns
