"""Tests of asynctask.manager.output_events."""

from __future__ import annotations

from typing import Any

from asynctask.emitter import EventEmitter
from asynctask.manager.output_blocks import Block, Printer
from asynctask.manager.output_events import LineEvents
from tests.manager.output_support import block, until
from tests.support import turns


def _lines(first: int, count: int) -> Block:
    return block(b"".join(b"%d\n" % number for number in range(first, first + count)))


async def test_a_line_is_an_event() -> None:
    """Plain data; a node has its name in it."""
    heard: list[Any] = []
    async with EventEmitter() as emitter:
        events = LineEvents(emitter)
        assert not events.hears("output.web")
        emitter.subscribe("output", lambda topic, message: heard.append((topic, message)))
        assert events.hears("output.web")
        events.put(block(b"a\n"))
        events.put(Block(Printer("db", 8, 1, "n1"), "stderr", b"b\n", 2.5, 1))
        await until(lambda: len(heard) == 2)
        assert heard == [
            (
                "output.web",
                {"event": "output.web", "name": "web", "pid": 7, "stream": "stdout", "line": b"a"},
            ),
            (
                "output.db",
                {
                    "event": "output.db",
                    "name": "db",
                    "pid": 8,
                    "stream": "stderr",
                    "line": b"b",
                    "node": "n1",
                },
            ),
        ]
        events.close()


async def test_much_output_does_not_drop_the_events_of_others() -> None:
    """They go in between; and all lines are heard."""
    heard: list[Any] = []
    async with EventEmitter(max_size=300) as emitter:
        emitter.subscribe("output", lambda topic, message: heard.append(int(message["line"])))
        emitter.subscribe("exit", lambda topic: heard.append("exit"))
        events = LineEvents(emitter)
        for first in range(0, 3000, 1000):
            events.put(_lines(first, 1000))
            await turns(1)
            emitter.publish("exit")
        await until(lambda: len(heard) == 3003)
        assert [each for each in heard if each != "exit"] == list(range(3000))
        assert emitter.statistics().dropped == 0
        assert heard.index("exit") < 400
        assert events.missed == 0


async def test_listeners_that_are_too_slow_miss_the_oldest_lines() -> None:
    """That is counted, and its memory has a bound."""
    heard: list[bytes] = []
    async with EventEmitter() as emitter:
        emitter.subscribe("output", lambda topic, message: heard.append(message["line"]))
        events = LineEvents(emitter)
        events.put(_lines(0, 12_000))
        assert events.missed == 2000
        while events.publish():
            await turns(1)
        await until(lambda: len(heard) == 10_000)
        assert heard[0] == b"2000"
        events.close()


async def test_a_strict_stream_that_is_full_refuses_lines() -> None:
    """It is the only one who would have to wait."""
    async with EventEmitter() as emitter:
        with emitter.stream("output", maxsize=1, overflow="error") as stream:
            events = LineEvents(emitter)
            events.put(_lines(0, 3))
            assert not events.publish()
            assert (stream.waiting, events.missed) == (0, 2)
            await turns(2)
            assert (stream.waiting, events.missed) == (1, 2)


async def test_after_the_end_of_the_emitter_nothing_is_published() -> None:
    """Nor is anything kept."""
    emitter = EventEmitter()
    events = LineEvents(emitter)
    emitter.subscribe("output", lambda topic, message: None)
    events.put(_lines(0, 3))
    emitter.close()
    assert not events.publish()
    assert not events.hears("output.web")
