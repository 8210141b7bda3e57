"""Where a client that comes back goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from asynctask.manager.web import streams
from asynctask.manager.web.feeds import Feed
from asynctask.manager.web.sampling import Sampler
from asynctask.manager.web.sse import Message
from asynctask.manager.web.streams import Position

RUN = "r1"


def feed_of(*topics: str, size: int = 10) -> Feed[dict[str, Any]]:
    """A feed with events in it."""
    feed: Feed[dict[str, Any]] = Feed(size)
    for topic in topics:
        feed.put({"topic": topic})
    return feed


def lines(*moments: float) -> AsyncGenerator[dict[str, Any], None]:
    """Output that was printed at these moments, ``1.5`` for the second of two at 1."""

    async def read() -> AsyncGenerator[dict[str, Any], None]:
        for moment in moments:
            yield {"time": float(int(moment)), "line": str(moment)}

    return read()


async def told(source: AsyncGenerator[list[Message], None]) -> list[str]:
    """What a source says until its end, shortly."""
    found = []
    async for bunch in source:
        for message in bunch:
            if message.event == "missed":
                found.append(f"missed {message.data['count']}")
            else:
                found.append(message.data.get("topic") or message.data["line"])
    return found


async def test_events_begin_now_for_who_is_new() -> None:
    """What was before is not told."""
    feed = feed_of("start", "spawn")
    position = Position.of(None, RUN, feed.last)
    feed.put({"topic": "proc.web.exit"})
    feed.close()

    assert await told(streams.events(feed, position, ())) == ["proc.web.exit"]
    assert str(position) == "r1:3:0.0:0"


async def test_events_go_on_for_who_comes_back() -> None:
    """After the last that it has."""
    feed = feed_of("start", "spawn", "exit")
    feed.close()

    assert await told(streams.events(feed, Position.of("r1:1:0.0:0", RUN, 3), ())) == ["spawn", "exit"]


async def test_events_that_are_not_kept_any_more_are_counted() -> None:
    """In the place of what is missing."""
    feed = feed_of("a", "b", "c", "d", size=2)
    feed.close()

    assert await told(streams.events(feed, Position.of("r1:1:0.0:0", RUN, 4), ())) == ["missed 1", "c", "d"]


@pytest.mark.parametrize("last", ["r0:1:0.0:0", "r1:99:0.0:0", "r1:-1:0.0:0", "nonsense", "r1:x:0:0", "::::"])
async def test_of_another_run_nobody_knows_what_is_missing(last: str) -> None:
    """After a restart of the manager, numbers begin anew; what a client makes up does no harm."""
    feed = feed_of("a", "b")
    position = Position.of(last, RUN, feed.last)
    source = streams.events(feed, position, ())

    assert [message.data for message in await anext(source)] == [{"what": "events", "count": None}]
    assert position.event == 2
    await source.aclose()


async def test_events_of_a_pattern() -> None:
    """Others are passed over, and count for the position."""
    feed = feed_of()
    position = Position.of(None, RUN, 0)
    for topic in ("start", "proc.web.spawn", "proc.db.spawn", "proc.web.exit"):
        feed.put({"topic": topic})
    feed.close()

    assert await told(streams.events(feed, position, ("proc", "web"))) == ["proc.web.spawn", "proc.web.exit"]
    assert position.event == 4


async def test_nothing_until_a_feed_is_closed() -> None:
    """Beside sources without an end."""
    feed = feed_of("a")
    source = asyncio.create_task(told(streams.until_closed(feed)))
    await asyncio.sleep(0)
    feed.put({"topic": "b"})
    await asyncio.sleep(0)
    assert not source.done()
    feed.close()

    assert await source == []


async def test_samples_are_of_one_template_or_of_all() -> None:
    """Always the newest."""

    async def look() -> AsyncGenerator[dict[str, Any], None]:
        yield {"templates": [{"name": "web"}, {"name": "db"}]}
        await asyncio.Event().wait()

    sampler = Sampler(look)
    running = asyncio.create_task(sampler.run())
    one, both = streams.samples(sampler, "db"), streams.samples(sampler, None)
    first, second = await asyncio.gather(anext(one), anext(both))
    sampler.feed.close()

    assert first[0].data == {"templates": [{"name": "db"}]}
    assert second[0].data == {"templates": [{"name": "web"}, {"name": "db"}]}
    assert [each async for each in one] == [each async for each in both] == []
    running.cancel()
    await asyncio.wait([running])


async def test_output_for_who_is_new() -> None:
    """All of the history that was asked for."""
    position = Position(RUN)

    assert await told(streams.output(lines(1, 2, 2.5), position)) == ["1", "2", "2.5"]
    assert str(position) == "r1:0:2.0:2"


async def test_output_goes_on_for_who_comes_back() -> None:
    """In the middle of lines of one moment, too."""
    history = (1, 2, 2.5, 2.75, 3)

    assert await told(streams.output(lines(*history), Position(RUN, 0, 2.0, 1))) == ["2.5", "2.75", "3"]
    assert await told(streams.output(lines(*history), Position(RUN, 0, 2.0, 3))) == ["3"]


async def test_output_that_is_not_kept_any_more_is_missed() -> None:
    """The history begins after what the client has."""
    assert await told(streams.output(lines(7, 8), Position(RUN, 0, 2.0, 1))) == ["missed None", "7", "8"]


async def test_output_is_not_held_back_when_the_clock_was_set_back() -> None:
    """What the client has is later than anything that comes now."""
    now = int(time.time())

    async def read() -> AsyncGenerator[dict[str, Any], None]:
        yield {"time": now - 100.0, "line": "old"}
        yield {"time": now + 100.0, "line": "new"}

    assert await told(streams.output(read(), Position(RUN, 0, now + 9999.0, 1))) == ["new"]


async def test_lines_that_were_dropped_are_told() -> None:
    """As the operations tell it."""

    async def read() -> AsyncGenerator[dict[str, Any], None]:
        yield {"missed": 5}

    assert await told(streams.output(read(), Position(RUN))) == ["missed 5"]
