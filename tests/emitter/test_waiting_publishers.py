"""Random publishers who wait, are cancelled, and readers: nothing lost, nothing twice, one order."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asynctask.emitter import EventEmitter, EventStream
from tests.support import turns

_SIZES = {"a": 2, "b": 1, ".": 3}
_CALL = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["a", "b", "c"])),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("read"), st.sampled_from(list(_SIZES))),
    st.tuples(st.just("turn"), st.integers(1, 3)),
)


class _Play:
    def __init__(self) -> None:
        self.emitter = EventEmitter(max_size=2)
        self.streams = {
            pattern: self.emitter.stream(pattern, maxsize=size, overflow="wait")
            for pattern, size in _SIZES.items()
        }
        self.read: dict[str, list[Any]] = {pattern: [] for pattern in _SIZES}
        self.heard: list[Any] = []
        self.emitter.subscribe(".", lambda topic, number: self.heard.append((topic, number)))
        self.sent: list[asyncio.Task[None]] = []

    async def do(self, name: str, value: Any) -> None:
        if name == "send":
            self.sent.append(asyncio.create_task(self.emitter.publish_wait(value, len(self.sent))))
        elif name == "cancel" and self.sent:
            self.sent[-1 - value % len(self.sent)].cancel()
        elif name == "read":
            await self._read(value)
        elif name == "turn":
            await turns(value)
        assert all(stream.waiting <= _SIZES[pattern] for pattern, stream in self.streams.items())

    async def _read(self, pattern: str) -> None:
        stream: EventStream = self.streams[pattern]
        if stream.waiting:
            event = await anext(stream)
            self.read[pattern].append((event.topic, *event.args))

    async def end(self) -> None:
        while not all(task.done() for task in self.sent):
            await turns(1)
            for pattern in self.streams:
                await self._read(pattern)
        await turns(2)
        for pattern, stream in self.streams.items():
            while stream.waiting:
                await self._read(pattern)


@settings(max_examples=150)
@given(st.lists(_CALL, max_size=30))
async def test_nothing_is_lost_and_one_order_is_kept(calls: list[Any]) -> None:
    """What was not cancelled is heard once; all see the same order; no place stays promised."""
    play = _Play()
    async with play.emitter:
        for call in calls:
            await play.do(*call)
        await play.end()
        published = {number for number, task in enumerate(play.sent) if not task.cancelled()}
        assert sorted(number for _, number in play.heard) == sorted(published)
        assert play.read["."] == play.heard
        for topic in "ab":
            assert play.read[topic] == [event for event in play.heard if event[0] == topic]
        assert [stream._box.promised for stream in play.streams.values() if stream._box is not None] == [
            0,
            0,
            0,
        ]
        assert play.emitter._admission.limit == 2
