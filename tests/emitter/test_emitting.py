"""Tests of asynctask.emitter.emitting."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from asynctask.emitter import EmitterStatistics, EventEmitter, emitting
from asynctask.errors import EmitterClosedError, EmitterFullError, TaskStateError, UsageError
from tests.emitter.support import Blocked, Log
from tests.support import refused, turns

CLOSED = "the emitter is closed: the event is not published"


def _from_a_thread(emitter: EventEmitter, *numbers: int, topic: str = "a") -> None:
    """Let another thread publish, and wait for it without the loop."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for number in numbers:
                emitter.publish_threadsafe(topic, number)
        except BaseException as exc:
            failures.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


# -- subscribing ----------------------------------------------------------------------------------


async def test_the_sample_of_gaffer() -> None:
    """Three subscribers; the one of ``a`` hears of ``a.b.c`` once."""
    async with EventEmitter() as event:
        first, second, third = Log(), Log(), Log()
        event.subscribe("a", first)
        event.subscribe("a.b", second)
        event.subscribe(".", third)
        for topic in ("a.b", "a.b.c", "a", "b"):
            event.publish(topic)
        await turns(1)
        assert first.events == ["a.b", "a.b.c", "a"]
        assert second.events == ["a.b", "a.b.c"]
        assert third.events == ["a.b", "a.b.c", "a", "b"]


async def test_the_same_listener_for_the_same_pattern_is_one_subscription() -> None:
    """Each event once a subscription; another pattern, or once, is another one."""
    async with EventEmitter() as emitter:
        log = Log()
        first = emitter.subscribe("a", log)
        assert emitter.subscribe("a.", log) is first
        assert emitter.subscribe_once("a", log) is not first
        assert emitter.subscribe(".", log) is not first
        emitter.publish("a")
        emitter.publish("a")
        await turns(1)
        assert log.events == ["a"] * 5


async def test_unsubscribe() -> None:
    """It tells whether there was such a subscription; ``once`` has to be said."""
    async with EventEmitter() as emitter:
        log = Log()
        emitter.subscribe(".", log)
        emitter.subscribe_once("a", log)
        assert not emitter.unsubscribe("a", log)
        assert not emitter.unsubscribe_once(".", log)
        assert emitter.unsubscribe(".", log)
        assert emitter.unsubscribe_once("a.", log)
        assert not emitter.unsubscribe("a", log, once=True)
        emitter.publish("a")
        await turns(1)
        assert log.events == []


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (None, []),
        ([], [".", "a", "a", "a.b"]),
        (["a."], [".", "a.b"]),
        ("a", [".", "a.b"]),
        ([".", "a.b", "other"], ["a", "a"]),
    ],
)
async def test_unsubscribe_all(patterns: Any, left: list[str]) -> None:
    """The subscriptions with exactly these patterns, once or not; streams stay."""
    async with EventEmitter() as emitter:
        log = Log()
        kept = [emitter.subscribe(pattern, log) for pattern in (".", "a", "a.b")]
        kept.append(emitter.subscribe_once("a", log))
        stream = emitter.stream("a")
        emitter.unsubscribe_all(patterns)
        assert sorted(one.pattern for one in kept if one.active) == left
        assert not stream.closed


async def test_unsubscribe_all_with_a_wrong_pattern() -> None:
    """Nothing is ended."""
    async with EventEmitter() as emitter:
        subscription = emitter.subscribe("a", Log())
        refused(UsageError, "pattern '': a component is empty", lambda: emitter.unsubscribe_all(["a", ""]))
        assert subscription.active


async def test_what_cannot_be_subscribed() -> None:
    """It is refused at the call."""
    async with EventEmitter() as emitter:
        listener: Any = "no"
        refused(UsageError, "a listener is callable: str is not", lambda: emitter.subscribe("a", listener))
        refused(UsageError, "pattern '': a component is empty", lambda: emitter.subscribe("", Log()))
        refused(UsageError, "pattern '': a component is empty", lambda: emitter.stream(""))
        size = "maxsize=0: how many events it holds, 1 or more"
        refused(UsageError, size, lambda: emitter.stream("a", maxsize=0))
        policies = "overflow='x': one of drop_oldest, drop_newest, error, wait"
        policy: Any = "x"
        refused(UsageError, policies, lambda: emitter.stream("a", overflow=policy))
        assert emitter.statistics().subscriptions == emitter.statistics().streams == 0


@pytest.mark.one_loop("no loop is used")
def test_what_no_emitter_can_be() -> None:
    """It is refused at the call."""
    wait: Any = "wait"
    text = "overflow='wait': one of drop_oldest, drop_newest, error"
    refused(UsageError, text, lambda: EventEmitter(overflow=wait))
    text = "max_size=0: how many events it holds, 1 or more"
    refused(UsageError, text, lambda: EventEmitter(max_size=0))


# -- publish_wait -----------------------------------------------------------------------------------


async def test_publish_wait_waits_for_room_in_the_emitter() -> None:
    """Whatever the policy: nothing is dropped or refused, and the order is that of the calls."""
    async with EventEmitter(max_size=2) as emitter:
        emitter.subscribe("a", log := Log())
        await asyncio.gather(*(emitter.publish_wait("a", number) for number in range(7)))
        await turns(2)
        assert log.events == [("a", number) for number in range(7)]
        assert (emitter.statistics().dropped, emitter.statistics().refused) == (0, 0)


async def test_publish_wait_that_nobody_hears() -> None:
    """There is nothing to wait for."""
    async with EventEmitter(max_size=1) as emitter:
        for _ in range(3):
            await emitter.publish_wait("a")
        assert emitter.statistics().unheard == 3


@pytest.mark.parametrize("late", [False, True])
async def test_a_cancelled_publish_wait_publishes_nothing(late: bool) -> None:
    """Also when there is room in the turn in which it is cancelled."""
    async with EventEmitter() as emitter:
        stream = emitter.stream("a", maxsize=1, overflow="wait")
        emitter.publish("a", 0)
        cancelled = asyncio.create_task(emitter.publish_wait("a", 1))
        other = asyncio.create_task(emitter.publish_wait("a", 2))
        await turns(2)
        read = []
        if late:
            read.append((await anext(stream)).args[0])
        cancelled.cancel()
        while len(read) < 2:
            read.append((await anext(stream)).args[0])
        await other
        assert (read, cancelled.cancelled()) == ([0, 2], True)
        stream.close()


async def test_a_stream_that_is_opened_while_an_event_is_let_in() -> None:
    """It gets the event, as it was there before it, and keeps its bound."""
    async with EventEmitter() as emitter:
        first = emitter.stream("a", maxsize=1, overflow="wait")
        emitter.publish("a", 0)
        waiting = asyncio.create_task(emitter.publish_wait("a", 1))
        await turns(2)
        await anext(first)
        second = emitter.stream("a", maxsize=1, overflow="wait")
        await waiting
        with pytest.raises(EmitterFullError, match=r"^stream of a: 1 events wait"):
            emitter.publish("a", 2)
        emitter.close()
        for stream in (first, second):
            assert [event.args async for event in stream] == [(1,)]


# -- who hears ---------------------------------------------------------------------------------------


async def test_whether_anybody_hears() -> None:
    """Listeners and streams, now; nobody when it is closed."""
    async with EventEmitter() as emitter:
        assert not emitter.hears("a.b")
        with emitter.stream("a"):
            assert emitter.hears("a.b")
            assert not emitter.hears("b")
        once = emitter.subscribe_once("*.b", Log())
        assert [emitter.hears(topic) for topic in ("a.b", "a")] == [True, False]
        emitter.publish("a.b")
        await turns(1)
        assert (emitter.hears("a.b"), once.active) == (False, False)
        emitter.subscribe(".", Log())
        assert emitter.hears("a.b")
        wrong: Any
        for wrong in ("", "a.*", None, []):
            with pytest.raises(UsageError, match=r"^topic "):
                emitter.hears(wrong)
    assert not emitter.hears("a.b")


# -- other threads ----------------------------------------------------------------------------------


async def test_publish_from_another_thread() -> None:
    """In the order of that thread, without anybody publishing here."""
    async with EventEmitter() as emitter:
        emitter.subscribe("a", log := Log())
        _from_a_thread(emitter, *range(1200))
        assert emitter.statistics().waiting == 1200
        while emitter.statistics().waiting:
            await turns(1)
        assert log.events == [("a", number) for number in range(1200)]


async def test_publish_threadsafe_on_the_loop_s_own_thread() -> None:
    """It is the same."""
    async with EventEmitter() as emitter:
        emitter.subscribe("a", log := Log())
        emitter.publish_threadsafe("a", 1)
        await turns(3)
        assert log.events == [("a", 1)]


async def test_a_log_of_dropped_events_may_wait_for_a_thread_that_publishes() -> None:
    """Nothing is locked while it is written."""
    ended: list[bool] = []

    class Publishes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            thread = threading.Thread(target=emitter.publish_threadsafe, args=("log",), daemon=True)
            thread.start()
            thread.join(5)
            ended.append(not thread.is_alive())

    log, handler = logging.getLogger("asynctask.emitter"), Publishes()
    log.addHandler(handler)
    try:
        async with EventEmitter(max_size=1) as emitter:
            for _ in range(2):
                emitter.publish_threadsafe("a")
    finally:
        log.removeHandler(handler)
    assert ended == [True]


@pytest.mark.parametrize(("overflow", "left"), [("drop_oldest", [3, 4]), ("drop_newest", [0, 1])])
async def test_too_many_events_of_other_threads(overflow: Any, left: list[int]) -> None:
    """They are dropped as the policy says, and counted."""
    async with EventEmitter(max_size=2, overflow=overflow) as emitter:
        emitter.subscribe("a", log := Log())
        _from_a_thread(emitter, *range(5))
        await turns(4)
        assert [number for _, number in log.events] == left
        assert (emitter.statistics().dropped, emitter.statistics().published) == (3, 5)


async def test_too_many_events_of_other_threads_are_an_error() -> None:
    """Raised in that thread; what is in goes on when there is room."""
    async with EventEmitter(max_size=1, overflow="error") as emitter:
        emitter.subscribe("a", log := Log())
        emitter.publish("a", 0)
        _from_a_thread(emitter, 1)
        with pytest.raises(EmitterFullError, match=r"^1 events of other threads wait: this one is refused$"):
            _from_a_thread(emitter, 2)
        await turns(4)
        _from_a_thread(emitter, 3)
        await turns(4)
        assert [number for _, number in log.events] == [0, 1, 3]


async def test_an_event_of_another_thread_for_a_full_stream(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody gets it, which is logged and counted; it does not hold up those behind it."""
    async with EventEmitter() as emitter:
        emitter.stream("a", maxsize=1, overflow="wait")
        emitter.subscribe(".", log := Log())
        _from_a_thread(emitter, 0, 1)
        _from_a_thread(emitter, 2, topic="b")
        await turns(4)
        assert (log.events, emitter.statistics().refused) == ([("a", 0), ("b", 2)], 1)
    text = "topic a, from another thread: stream of a: 1 events wait: nobody gets this one"
    assert caplog.record_tuples == [("asynctask.emitter", logging.WARNING, text)]


@pytest.mark.one_loop("no loop is used")
def test_publish_threadsafe_before_and_after() -> None:
    """It says why it cannot work."""
    emitter = EventEmitter()
    publish = lambda: emitter.publish_threadsafe("a")  # noqa: E731
    text = "the emitter belongs to no running loop yet: the event is not published"
    refused(TaskStateError, text, publish)
    refused(UsageError, "topic '': a component is empty", lambda: emitter.publish_threadsafe(""))

    async def use() -> None:
        emitter.publish("a")

    asyncio.run(use())
    refused(TaskStateError, "the loop of the emitter is closed: the event is not published", publish)
    emitter.close()
    refused(EmitterClosedError, CLOSED, publish)


# -- its end ----------------------------------------------------------------------------------------


async def test_close() -> None:
    """At once: what waits is dropped and counted, subscriptions end, nothing can be made."""
    emitter = EventEmitter()
    subscription = emitter.subscribe("a", log := Log())
    emitter.publish("a")
    emitter.publish_threadsafe("a")
    emitter.close()
    emitter.close()
    await turns(3)
    assert (log.events, subscription.active, emitter.closed) == ([], False, True)
    assert (emitter.statistics().dropped, emitter.statistics().published) == (2, 2)
    refused(EmitterClosedError, "the emitter is closed", lambda: emitter.subscribe("a", log))
    refused(EmitterClosedError, "the emitter is closed", lambda: emitter.stream("a"))
    assert not emitter.unsubscribe("a", log)
    assert repr(emitter) == "<EventEmitter closed, 0 of 10000 events>"


async def test_a_with_block_closes() -> None:
    """Without waiting."""
    with EventEmitter() as emitter:
        assert repr(emitter) == "<EventEmitter open, 0 of 10000 events>"
    assert emitter.closed


async def test_close_cancels_async_listeners() -> None:
    """They are gone a few turns later."""
    emitter = EventEmitter()
    emitter.subscribe("a", blocked := Blocked())
    emitter.publish("a", 0)
    emitter.publish("a", 1)
    await turns(3)
    emitter.close()
    await turns(3)
    assert (blocked.events, blocked.ended, emitter.statistics().running) == ([("a", 0)], ["cancelled"], 0)


async def test_close_before_an_async_listener_has_begun() -> None:
    """It is never called."""
    emitter = EventEmitter()
    emitter.subscribe("a", blocked := Blocked())
    emitter.publish("a")
    asyncio.get_running_loop().call_soon(emitter.close)
    await turns(4)
    assert (blocked.events, emitter.statistics().running) == ([], 0)


async def test_aclose_waits_for_async_listeners() -> None:
    """For what they do when they are cancelled; also when it is cancelled itself."""
    emitter = EventEmitter()
    ended = []
    leave = asyncio.Event()

    async def listen(topic: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await leave.wait()
            ended.append(topic)

    emitter.subscribe("a", listen)
    emitter.publish("a")
    await turns(3)
    closing = asyncio.create_task(emitter.aclose())
    await turns(3)
    closing.cancel()
    await turns(3)
    assert (closing.done(), ended) == (False, [])
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert ended == ["a"]


async def test_aclose_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It says who goes on."""
    monkeypatch.setattr(emitting, "CLOSING_SECONDS", 0.01)
    leave = asyncio.Event()

    async def listen(topic: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await leave.wait()

    emitter = EventEmitter()
    emitter.subscribe("a", listen)
    emitter.publish("a")
    await turns(3)
    await emitter.aclose()
    (record,) = caplog.record_tuples
    assert (
        record[2]
        == f"listener {__name__}.{listen.__qualname__} of a: was cancelled, and goes on after 0.01 s"
    )
    leave.set()
    await turns(3)
    assert emitter.statistics().running == 0


async def test_statistics() -> None:
    """All the counters."""
    async with EventEmitter(max_size=2) as emitter:
        emitter.subscribe("a", Blocked())
        emitter.subscribe("b", Log())
        emitter.stream("b", maxsize=1)
        for topic in ("a", "b", "b", "c"):
            emitter.publish(topic)
        await turns(2)
        emitter.publish("b")
        assert emitter.statistics() == EmitterStatistics(
            subscriptions=2,
            streams=1,
            published=5,
            unheard=1,
            waiting=1,
            dropped=1,
            missed=1,
            refused=0,
            failed=0,
            publishers=0,
            running=0,
        )
