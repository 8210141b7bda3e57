"""Tests of asynctask.emitter.streams."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.emitter import EmittedEvent, EventEmitter, EventStream
from asynctask.errors import EmitterClosedError, EmitterFullError
from tests.emitter.support import Log
from tests.support import turns


async def _numbers(stream: EventStream) -> list[Any]:
    return [event.args[0] async for event in stream]


async def test_events_come_with_topic_and_arguments() -> None:
    """As they were published, in order."""
    async with EventEmitter() as emitter:
        with emitter.stream("a") as stream:
            emitter.publish("a.b", 1, two=2)
            emitter.publish("b")
            emitter.publish("a")
            assert await anext(stream) == EmittedEvent("a.b", (1,), {"two": 2})
            assert await anext(stream) == EmittedEvent("a", (), {})
        assert stream.closed


@pytest.mark.parametrize("what", ["emitter", "stream"])
async def test_iteration_ends_when_what_came_was_read(what: str) -> None:
    """Closing either of them is enough; all readers hear of it, and those who come later."""
    emitter = EventEmitter()
    stream = emitter.stream("a")
    readers = [asyncio.create_task(_numbers(stream)) for _ in range(2)]
    await turns(1)
    for number in range(3):
        emitter.publish("a", number)
    if what == "stream":
        await turns(1)
        stream.close()
    emitter.close()
    assert sorted([number for reader in readers for number in await reader]) == [0, 1, 2]
    assert await _numbers(stream) == []


async def test_a_stream_that_is_closed_hears_nothing_more() -> None:
    """What was published before is still there, delivered or not."""
    async with EventEmitter() as emitter:
        stream = emitter.stream("a")
        emitter.publish("a", 0)
        await turns(1)
        emitter.publish("a", 1)
        stream.close()
        stream.close()
        emitter.publish("a", 2)
        await turns(1)
        assert repr(stream) == "<EventStream a closed, 2 events>"
        assert await _numbers(stream) == [0, 1]


async def test_cancelling_a_reader_loses_nothing() -> None:
    """Also when its event has just come."""
    async with EventEmitter() as emitter:
        with emitter.stream("a") as stream:
            first = asyncio.ensure_future(anext(stream))
            second = asyncio.ensure_future(anext(stream))
            await turns(1)
            emitter.publish("a", 0)
            asyncio.get_running_loop().call_soon(first.cancel)
            assert (await second).args == (0,)
            assert first.cancelled()


async def test_readers_share() -> None:
    """Each event goes to one of them, in turn."""
    async with EventEmitter() as emitter:
        with emitter.stream("a") as stream:
            readers = [asyncio.ensure_future(anext(stream)) for _ in range(3)]
            await turns(1)
            for number in range(3):
                emitter.publish("a", number)
            assert [(await reader).args for reader in readers] == [(0,), (1,), (2,)]


@pytest.mark.parametrize(("overflow", "left"), [("drop_oldest", [3, 4]), ("drop_newest", [0, 1])])
async def test_a_full_stream_drops(overflow: Any, left: list[int]) -> None:
    """It alone misses something, and the place of what was dropped is not given twice."""
    async with EventEmitter() as emitter:
        stream = emitter.stream("a", maxsize=2, overflow=overflow)
        emitter.subscribe("a", log := Log())
        for number in range(5):
            emitter.publish("a", number)
        await turns(1)
        assert (stream.dropped, stream.waiting, stream.heard) == (3, 2, 5)
        assert len(log.events) == 5
        stream.close()
        assert await _numbers(stream) == left
        assert emitter.statistics().missed == 3


@pytest.mark.parametrize("overflow", ["error", "wait"])
async def test_publishing_to_a_full_stream_that_drops_nothing(overflow: Any) -> None:
    """Nobody gets the event; what is on its way to the stream counts."""
    async with EventEmitter() as emitter:
        stream = emitter.stream("a.b", maxsize=2, overflow=overflow)
        emitter.subscribe("a", log := Log())
        emitter.publish("a.b", 0)
        emitter.publish("a.b", 1)
        message = r"^stream of a\.b: 2 events wait: nobody gets this one$"
        with pytest.raises(EmitterFullError, match=message):
            emitter.publish("a.b", 2)
        emitter.publish("a", 3)
        await turns(1)
        with pytest.raises(EmitterFullError, match=message):
            emitter.publish("a.b", 4)
        await anext(stream)
        emitter.publish("a.b", 5)
        await turns(1)
        assert log.events == [("a.b", 0), ("a.b", 1), ("a", 3), ("a.b", 5)]
        stream.close()
        assert await _numbers(stream) == [1, 5]
        assert emitter.statistics().refused == 2


async def test_publish_wait_raises_for_a_stream_whose_policy_is_error() -> None:
    """Only for one that is full."""
    async with EventEmitter() as emitter:
        with emitter.stream("a", maxsize=1, overflow="error"):
            await emitter.publish_wait("a")
            with pytest.raises(EmitterFullError, match=r"nobody gets this one$"):
                await emitter.publish_wait("a")


async def test_publish_wait_waits_for_the_reader() -> None:
    """And the order of publication is that in which there was room."""
    async with EventEmitter() as emitter:
        stream = emitter.stream("a", maxsize=1, overflow="wait")
        emitter.subscribe(".", log := Log())
        await emitter.publish_wait("a", 0)
        waiting = [asyncio.create_task(emitter.publish_wait("a", number)) for number in (1, 2)]
        await turns(2)
        await emitter.publish_wait("b", "not for the stream")
        assert emitter.statistics().publishers == 2
        read = [(await anext(stream)).args[0] for _ in range(3)]
        await asyncio.gather(*waiting)
        assert read == [0, 1, 2]
        assert log.events == [("a", 0), ("b", "not for the stream"), ("a", 1), ("a", 2)]
        stream.close()


async def test_closing_a_full_stream_lets_publishers_go_on() -> None:
    """Others still hear of the event."""
    async with EventEmitter() as emitter:
        stream = emitter.stream("a", maxsize=1, overflow="wait")
        emitter.subscribe("a", log := Log())
        emitter.publish("a", 0)
        waiting = asyncio.create_task(emitter.publish_wait("a", 1))
        await turns(2)
        assert not waiting.done()
        stream.close()
        await waiting
        await turns(1)
        assert log.events == [("a", 0), ("a", 1)]


async def test_closing_the_emitter_tells_those_who_wait() -> None:
    """Their event is not published."""
    emitter = EventEmitter()
    stream = emitter.stream("a", maxsize=1, overflow="wait")
    emitter.publish("a", 0)
    waiting = asyncio.create_task(emitter.publish_wait("a", 1))
    await turns(2)
    emitter.close()
    with pytest.raises(EmitterClosedError, match=r"^the emitter was closed: the event is not published$"):
        await waiting
    assert await _numbers(stream) == [0]
