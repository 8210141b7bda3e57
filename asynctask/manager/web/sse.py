"""Server-sent events: how they are written, and an answer that goes on until the client goes or we close."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import anyio
from starlette.types import Receive, Scope, Send

__all__ = ("EventSource", "Message", "Source")

#: Seconds between two signs of life: proxies and clients give a silent connection up.
KEEP_ALIVE = 15.0
#: Bytes that may wait to be written, a few hundred lines: no longer does one client keep the loop busy.
_MOST_BUFFERED = 32 << 10
#: Milliseconds after which a browser comes back.
_RETRY = 2000

_HEADERS = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"))


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a stream."""

    event: str
    data: Any
    """What JSON has."""
    id: str | None = None
    """With this in ``Last-Event-ID`` a client goes on after it."""

    def encode(self) -> bytes:
        """As it is sent. JSON is written without line ends, so there is one ``data`` line."""
        head = "" if self.id is None else f"id: {self.id}\n"
        return f"{head}event: {self.event}\ndata: {json.dumps(self.data, separators=(',', ':'))}\n\n".encode()


#: Messages in bunches; each bunch is written at once.
Source: TypeAlias = AsyncGenerator[Sequence[Message], None]


class EventSource:
    """An answer that goes on until one of its sources ends, or the client goes.

    A client that does not read is the server's to break off.

    Args:
        sources: read at the same time, and closed at the end.
        keep_alive: seconds between two signs of life.
    """

    def __init__(self, *sources: Source, keep_alive: float = KEEP_ALIVE) -> None:
        self._sources = sources
        self._keep_alive = keep_alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        if scope.get("method") != "HEAD":
            await self._stream(receive, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream(self, receive: Receive, send: Send) -> None:
        writing = _Writing(send)
        await writing.put(f"retry: {_RETRY}\n\n".encode())
        async with anyio.create_task_group() as tasks:
            for source in self._sources:
                tasks.start_soon(_carry, source, writing, tasks.cancel_scope)
            tasks.start_soon(writing.run)
            tasks.start_soon(_stay_alive, writing, self._keep_alive)
            await _until_gone(receive)
            tasks.cancel_scope.cancel()
        await writing.flush()


class _Writing:
    """Writes what several tasks have to say: all that came in one turn of the loop at once."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._buffer = bytearray()
        self._filled = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, data: bytes) -> None:
        """Take something to be written; waits for room, else for nothing."""
        self._buffer += data
        self._filled.set()
        if len(self._buffer) > _MOST_BUFFERED:
            self._room.clear()
            await self._room.wait()

    async def run(self) -> None:
        """Write until this is cancelled."""
        while True:
            await self._filled.wait()
            await self.flush()
            self._room.set()

    async def flush(self) -> None:
        """Write what is there."""
        data, self._buffer = bytes(self._buffer), bytearray()
        self._filled.clear()
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})


async def _carry(source: Source, writing: _Writing, whole: anyio.CancelScope) -> None:
    async with aclosing(source):
        async for bunch in source:
            if bunch:
                await writing.put(b"".join(message.encode() for message in bunch))
    whole.cancel()


async def _stay_alive(writing: _Writing, interval: float) -> None:
    while True:
        await anyio.sleep(interval)
        await writing.put(b": here\n\n")


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
