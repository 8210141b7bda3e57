"""Tests of asynctask.emitter.delivery."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from asynctask.emitter import EmittedEvent, EventEmitter, EventStream
from asynctask.errors import EmitterClosedError, EmitterFullError, TaskStateError, UsageError
from tests.emitter.support import Log
from tests.support import refused, turns

# -- order and slices -------------------------------------------------------------------------------


async def test_publish_delivers_in_a_later_turn() -> None:
    """Never within the call."""
    async with EventEmitter() as emitter:
        emitter.subscribe("a", log := Log())
        emitter.publish("a", 1)
        assert log.events == []
        await turns(1)
        assert log.events == [("a", 1)]


async def test_one_order_for_all_patterns() -> None:
    """That of publication, wildcard or not."""
    async with EventEmitter() as emitter:
        log = Log()
        for pattern in ("a.b", ".", "*.b", "a"):
            emitter.subscribe(pattern, lambda topic, pattern=pattern: log(pattern, topic))
        for topic in ("a.b", "c", "a"):
            emitter.publish(topic)
        await turns(1)
        assert log.events == [
            *[("a.b", "a.b"), (".", "a.b"), ("*.b", "a.b"), ("a", "a.b")],
            (".", "c"),
            *[(".", "a"), ("a", "a")],
        ]


async def test_arguments_arrive_as_they_were_given() -> None:
    """With any names, also those of publish's own parameters."""
    async with EventEmitter() as emitter:
        heard: list[Any] = []
        emitter.subscribe("a", lambda *args, **kwargs: heard.append((args, kwargs)))
        emitter.publish("a", None, self=1, topic=2)
        emitter.publish("a")
        await turns(1)
        assert heard == [(("a", None), {"self": 1, "topic": 2}), (("a",), {})]


async def test_a_burst_is_delivered_in_slices(slice_seconds: float) -> None:
    """The loop is given to others every few milliseconds, and the order stays."""
    async with EventEmitter() as emitter:
        heard = []

        def busy(topic: str, number: int) -> None:
            heard.append(number)
            until = monotonic() + slice_seconds / 4
            while monotonic() < until:
                pass

        emitter.subscribe("a", busy)
        for number in range(12):
            emitter.publish("a", number)
        spans = []
        while len(heard) < 12:
            before = len(heard)
            await asyncio.sleep(0)
            spans.append(len(heard) - before)
        assert max(spans) <= 4
        assert heard == list(range(12))


async def test_one_event_for_many_listeners_is_delivered_in_slices(slice_seconds: float) -> None:
    """The next event comes when all have heard the first."""
    async with EventEmitter() as emitter:
        heard = []

        def busy(number: int) -> Callable[[str], None]:
            def listen(topic: str) -> None:
                heard.append((topic, number))
                until = monotonic() + slice_seconds / 4
                while monotonic() < until:
                    pass

            return listen

        for number in range(12):
            emitter.subscribe(".", busy(number))
        emitter.publish("a")
        emitter.publish("b")
        spans = []
        while len(heard) < 24:
            before = len(heard)
            await asyncio.sleep(0)
            spans.append(len(heard) - before)
        assert max(spans) <= 4
        assert heard == [(topic, number) for topic in "ab" for number in range(12)]
        assert emitter.statistics().published == 2


async def test_listeners_run_in_the_context_of_the_emitter() -> None:
    """Not in that of whoever happens to publish first."""
    variable = contextvars.ContextVar("variable", default="outside")
    async with EventEmitter() as emitter:
        heard = []
        emitter.subscribe("a", lambda topic: heard.append(variable.get()))
        token = variable.set("publisher")
        emitter.publish("a")
        variable.reset(token)
        await turns(1)
        assert heard == ["outside"]


# -- listeners that change something -------------------------------------------------------------------


async def test_a_listener_that_publishes() -> None:
    """Its event comes after what was published before."""
    async with EventEmitter() as emitter:
        log = Log()
        emitter.subscribe(".", log)
        emitter.subscribe("a", lambda topic: emitter.publish("c"))
        emitter.publish("a")
        emitter.publish("b")
        await turns(2)
        assert log.events == ["a", "b", "c"]


async def test_a_listener_that_subscribes() -> None:
    """The new one hears what is published from then on, and not what was before."""
    async with EventEmitter() as emitter:
        log = Log()
        emitter.subscribe("a", lambda topic, number: emitter.subscribe("a", log))
        emitter.publish("a", 1)
        emitter.publish("a", 2)
        await turns(1)
        emitter.publish("a", 3)
        await turns(1)
        assert log.events == [("a", 3)]


async def test_a_listener_that_unsubscribes_another() -> None:
    """The other hears nothing more, not even this event."""
    async with EventEmitter() as emitter:
        later = Log()
        emitter.subscribe("a", lambda topic: emitter.unsubscribe(".", later))
        emitter.subscribe(".", later)
        emitter.publish("a")
        await turns(1)
        assert later.events == []


async def test_once_is_once() -> None:
    """Also for a listener that publishes the same topic, and subscribes once again."""
    async with EventEmitter() as emitter:
        heard = []

        def listen(topic: str, number: int) -> None:
            heard.append(number)
            if number < 12:
                emitter.subscribe_once("a", listen)
            emitter.publish("a", number + 10)

        subscription = emitter.subscribe_once("a", listen)
        emitter.publish("a", 1)
        emitter.publish("a", 2)
        await turns(5)
        assert (heard, subscription.heard, subscription.active) == ([1, 11, 21], 1, False)


async def test_a_listener_that_closes_the_emitter() -> None:
    """Nobody is called after it; streams have what was published."""
    emitter = EventEmitter()
    before, after = Log(), Log()
    emitter.subscribe("a", before)
    emitter.subscribe("a", lambda topic: emitter.close())
    emitter.subscribe("a", after)
    stream = emitter.stream("a")
    emitter.publish("a")
    emitter.publish("a")
    await turns(2)
    assert (before.events, after.events) == (["a"], [])
    assert [event.topic async for event in stream] == ["a", "a"]
    assert emitter.statistics().dropped == 1


# -- listeners that fail -------------------------------------------------------------------------------


async def test_a_listener_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged without arguments, counted, and kept; others hear the event."""
    async with EventEmitter() as emitter:

        def fails(topic: str, secret: str) -> None:
            raise ValueError("bad")

        subscription = emitter.subscribe("a", fails)
        emitter.subscribe("a", log := Log())
        emitter.publish("a", "hush")
        emitter.publish("a", "hush")
        await turns(1)
        assert (subscription.heard, subscription.failed, emitter.statistics().failed) == (2, 2, 2)
        assert log.events == [("a", "hush")] * 2
    text = f"topic a: listener {__name__}.{fails.__qualname__} raised"
    assert caplog.record_tuples == [("asynctask.emitter", logging.ERROR, text)] * 2
    assert "ValueError: bad" in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize("error", [StopIteration, GeneratorExit, BaseExceptionGroup("", [GeneratorExit()])])
async def test_whatever_a_listener_raises_is_counted(error: Any) -> None:
    """Also what is no Exception."""
    async with EventEmitter() as emitter:

        def fails(topic: str) -> None:
            raise error

        emitter.subscribe("a", fails)
        emitter.subscribe("a", log := Log())
        emitter.publish("a")
        await turns(1)
        assert (log.events, emitter.statistics().failed) == (["a"], 1)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_program_is_not_swallowed(error: type[BaseException]) -> None:
    """And when the loop goes on, everybody else hears the event, and those after it."""
    loop = asyncio.new_event_loop()
    emitter = EventEmitter()
    log = Log()

    def ends(topic: str) -> None:
        if topic == "a":
            raise error

    async def main() -> None:
        emitter.subscribe(".", ends)
        emitter.subscribe(".", log)
        emitter.publish("a")
        emitter.publish("b")
        await turns(3)

    try:
        with pytest.raises(error):
            loop.run_until_complete(main())
        loop.run_until_complete(turns(3))
        assert log.events == ["a", "b"]
        assert emitter.statistics().published == 2
        for task in asyncio.all_tasks(loop):
            loop.run_until_complete(task)
    finally:
        loop.close()


# -- bounds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overflow", "left", "which"), [("drop_oldest", [2, 3], "oldest"), ("drop_newest", [0, 1], "newest")]
)
async def test_a_full_emitter_drops(
    overflow: Any, left: list[int], which: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, and logged once until the queue has been empty."""
    async with EventEmitter(max_size=2, overflow=overflow) as emitter:
        emitter.subscribe("a", log := Log())
        for _ in range(2):
            for number in range(4):
                emitter.publish("a", number)
            await turns(1)
        assert [number for _, number in log.events] == left * 2
        assert (emitter.statistics().dropped, emitter.statistics().published) == (4, 8)
    text = f"2 events wait: from now on the {which} are dropped"
    assert caplog.record_tuples == [("asynctask.emitter", logging.WARNING, text)] * 2


async def test_a_full_emitter_that_refuses() -> None:
    """The event goes to nobody, and those that are in stay in."""
    async with EventEmitter(max_size=1, overflow="error") as emitter:
        emitter.subscribe("a", log := Log())
        emitter.publish("a", 0)
        refused(EmitterFullError, "1 events wait: this one is refused", lambda: emitter.publish("a", 1))
        await turns(1)
        assert (log.events, emitter.statistics().refused) == ([("a", 0)], 1)


async def test_what_nobody_hears_takes_no_room() -> None:
    """It is only counted."""
    async with EventEmitter(max_size=1, overflow="error") as emitter:
        for _ in range(3):
            emitter.publish("a")
        assert (emitter.statistics().unheard, emitter.statistics().waiting) == (3, 0)


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
async def test_what_a_stream_must_not_lose_is_not_dropped(overflow: Any) -> None:
    """While it is the oldest, the new one is dropped; when it is the new one, it is refused."""
    async with EventEmitter(max_size=1, overflow=overflow) as emitter:
        stream = emitter.stream("a", overflow="wait")
        emitter.subscribe("b", log := Log())
        emitter.publish("a", 0)
        emitter.publish("b")
        text = "1 events wait, and this one must not be dropped: it is refused"
        refused(EmitterFullError, text, lambda: emitter.publish("a", 1))
        await turns(1)
        assert ((await anext(stream)).args, log.events) == ((0,), [])
        assert (emitter.statistics().dropped, emitter.statistics().refused) == (1, 1)


async def test_the_oldest_makes_room_for_what_a_stream_must_not_lose() -> None:
    """If it may be dropped itself."""
    async with EventEmitter(max_size=1) as emitter:
        stream = emitter.stream("a", overflow="wait")
        emitter.subscribe("b", log := Log())
        emitter.publish("b")
        emitter.publish("a", 0)
        assert ((await anext(stream)).args, log.events) == ((0,), [])


# -- where it can be used ----------------------------------------------------------------------------


def test_publish_without_a_loop() -> None:
    """It says what to do."""
    text = "publish() is for the loop that delivers, and none runs here: see publish_threadsafe()"
    refused(TaskStateError, text, lambda: EventEmitter().publish("a"))


async def test_publish_in_another_thread() -> None:
    """Also for a topic that is known."""
    async with EventEmitter() as emitter:
        emitter.subscribe("a", Log())
        emitter.publish("a")
        with pytest.raises(TaskStateError, match=r"^publish\(\) is for the loop that delivers"):
            await asyncio.to_thread(emitter.publish, "a")
        with pytest.raises(
            TaskStateError, match=r"^subscribe: the loop of the emitter runs in another thread$"
        ):
            await asyncio.to_thread(emitter.subscribe, "a", Log())


async def test_publish_in_another_loop() -> None:
    """The emitter belongs to the first one."""

    async def publish(emitter: EventEmitter) -> None:
        emitter.publish("a")

    async with EventEmitter() as emitter:
        with pytest.raises(TaskStateError, match=r"^publish: the emitter is used in another event loop$"):
            await asyncio.to_thread(asyncio.run, publish(emitter))


def test_a_loop_after_the_first_is_closed() -> None:
    """The emitter goes on there, with what it had; subscribing needs no loop."""
    emitter = EventEmitter()
    log = Log()
    emitter.subscribe("a", log)

    async def publish(number: int) -> None:
        emitter.publish("a", number)

    async def wait() -> None:
        emitter.publish("a", 3)
        await turns(2)

    asyncio.run(publish(1))
    emitter.unsubscribe("b", log)
    asyncio.run(wait())
    assert log.events == [("a", 1), ("a", 3)]
    emitter.close()


@pytest.mark.one_loop("asyncio's own handling of tasks")
@pytest.mark.parametrize("goes_on", [True, False])
def test_those_who_waited_in_a_loop_that_is_closed(goes_on: bool) -> None:
    """They are forgotten: the next reader gets the event, the next publisher the place, and it closes."""
    emitter = EventEmitter(max_size=1)
    full, empty = emitter.stream("a", maxsize=1, overflow="wait"), emitter.stream("b")
    loop = asyncio.new_event_loop()

    async def wait() -> None:
        emitter.publish("a")
        emitter.stream("c")
        waiting = [asyncio.ensure_future(emitter.publish_wait("a")), asyncio.ensure_future(_next(empty))]
        await turns(2)
        for task in waiting:
            task._log_destroy_pending = False  # type: ignore[attr-defined]

    async def go_on() -> None:
        emitter.publish("b", 1)
        assert (await _next(empty)).args == (1,)
        await _next(full)
        await emitter.publish_wait("a", 2)
        assert (await _next(full)).args == (2,)

    async def _next(stream: EventStream) -> EmittedEvent:
        return await anext(stream)

    loop.run_until_complete(wait())
    loop.close()
    if goes_on:
        asyncio.run(go_on())
    emitter.close()
    assert (emitter.statistics().streams, emitter.statistics().failed) == (0, 0)


async def test_a_wrong_topic() -> None:
    """Whoever hears of what."""
    async with EventEmitter() as emitter:
        emitter.subscribe(".", Log())
        wrong: Any
        for wrong in ("", "a.", "*", 7, ["a"]):
            with pytest.raises(UsageError, match=r"^topic "):
                emitter.publish(wrong)
        with pytest.raises(UsageError, match=r"^topic "):
            await emitter.publish_wait("*")


async def test_publish_when_closed() -> None:
    """Nothing is published, whatever was known of the topic."""
    emitter = EventEmitter()
    emitter.subscribe("a", Log())
    emitter.publish("a")
    emitter.close()
    text = "the emitter is closed: the event is not published"
    refused(EmitterClosedError, text, lambda: emitter.publish("a"))
    with pytest.raises(EmitterClosedError, match=text):
        await emitter.publish_wait("a")
