"""Tests of asynctask.emitter.serial."""

from __future__ import annotations

import asyncio
import functools
import logging
import types
from collections.abc import Coroutine
from time import monotonic
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from tests.emitter.support import Blocked, Log
from tests.support import turns


async def test_one_event_at_a_time_in_order() -> None:
    """The next call begins when the one before has ended."""
    async with EventEmitter() as emitter:
        subscription = emitter.subscribe("a", blocked := Blocked())
        for number in range(3):
            emitter.publish("a", number)
        await turns(3)
        assert (blocked.events, subscription.waiting, subscription.heard) == ([("a", 0)], 2, 3)
        for number in range(1, 3):
            blocked.leave.release()
            await turns(2)
            assert blocked.events[-1] == ("a", number)
        blocked.leave.release()
        await turns(2)
        assert blocked.ended == ["a", "a", "a"]


async def test_a_slow_listener_holds_up_nobody_else() -> None:
    """Others hear everything meanwhile, plain or async."""
    async with EventEmitter() as emitter:
        quick: list[int] = []

        async def hear(topic: str, number: int) -> None:
            quick.append(number)

        emitter.subscribe("a", blocked := Blocked())
        emitter.subscribe("a", log := Log())
        emitter.subscribe("a", hear)
        for number in range(3):
            emitter.publish("a", number)
        await turns(4)
        assert (len(blocked.events), len(log.events), quick) == (1, 3, [0, 1, 2])


async def test_a_task_is_there_only_while_there_is_work() -> None:
    """An emitter that waits for events costs no task."""
    async with EventEmitter() as emitter:
        before = asyncio.all_tasks()
        emitter.subscribe("a", blocked := Blocked())
        assert emitter.statistics().running == 0
        emitter.publish("a")
        await turns(2)
        assert emitter.statistics().running == 1
        (task,) = asyncio.all_tasks() - before
        assert task.get_name() == "listener tests.emitter.support.Blocked of a"
        blocked.leave.release()
        await turns(3)
        assert (emitter.statistics().running, asyncio.all_tasks()) == (0, before)


async def test_an_event_that_comes_when_the_task_ends() -> None:
    """It is not left in the queue."""
    async with EventEmitter() as emitter:
        heard = []

        async def listen(topic: str, number: int) -> None:
            heard.append(number)
            if number < 5:
                emitter.publish("a", number + 1)

        emitter.subscribe("a", listen)
        emitter.publish("a", 0)
        await turns(30)
        assert heard == [0, 1, 2, 3, 4, 5]


async def test_the_policy_holds_for_its_queue() -> None:
    """Only this listener misses something."""
    async with EventEmitter(max_size=2, overflow="drop_oldest") as emitter:
        subscription = emitter.subscribe("a", blocked := Blocked())
        emitter.subscribe("a", log := Log())
        for number in range(5):
            emitter.publish("a", number)
            await turns(2)
        for _ in range(3):
            blocked.leave.release()
        await turns(6)
        assert blocked.events == [("a", 0), ("a", 3), ("a", 4)]
        assert len(log.events) == 5
        assert (subscription.dropped, emitter.statistics().missed, emitter.statistics().dropped) == (2, 2, 0)


async def test_publish_wait_waits_for_the_queue_of_a_listener() -> None:
    """When the policy is that nothing is dropped."""
    async with EventEmitter(max_size=1, overflow="error") as emitter:
        emitter.subscribe("a", blocked := Blocked())
        emitter.publish("a", 0)
        await turns(2)
        emitter.publish("a", 1)
        await turns(2)
        waiting = asyncio.create_task(emitter.publish_wait("a", 2))
        await turns(2)
        assert not waiting.done()
        blocked.leave.release()
        await waiting
        await turns(2)
        blocked.leave.release()
        await turns(3)
        assert blocked.events == [("a", 0), ("a", 1), ("a", 2)]


async def test_a_listener_that_raises_is_logged_and_kept(caplog: pytest.LogCaptureFixture) -> None:
    """Topic, name and traceback; never the arguments."""
    async with EventEmitter() as emitter:

        async def listen(topic: str, secret: str) -> None:
            raise ValueError("bad")

        subscription = emitter.subscribe("a", functools.partial(listen))
        emitter.publish("a.b", "hush")
        emitter.publish("a.b", "hush")
        await turns(4)
        assert (subscription.failed, subscription.active, emitter.statistics().failed) == (2, True, 2)
    name = listen.__qualname__
    text = f"topic a.b: listener {__name__}.{name} raised"
    assert caplog.record_tuples == [("asynctask.emitter", logging.ERROR, text)] * 2
    assert "ValueError: bad" in caplog.text
    assert "hush" not in caplog.text


async def test_what_a_listener_waits_for_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    """That is its failure, not the end of its task."""
    async with EventEmitter() as emitter:
        other = asyncio.get_running_loop().create_future()
        heard = []

        async def listen(topic: str, number: int) -> None:
            heard.append(number)
            if number == 0:
                await other

        subscription = emitter.subscribe("a", listen)
        emitter.publish("a", 0)
        emitter.publish("a", 1)
        await turns(3)
        other.cancel()
        await turns(3)
        assert (heard, subscription.failed) == ([0, 1], 1)
    assert "CancelledError" in caplog.text


async def test_cancelled_by_a_loop_that_ends() -> None:
    """The task ends, and is not started again at once; the next event finds a working listener."""
    async with EventEmitter() as emitter:
        emitter.subscribe("a", blocked := Blocked())
        before = asyncio.all_tasks()
        emitter.publish("a", 0)
        emitter.publish("a", 1)
        await turns(3)
        (task,) = asyncio.all_tasks() - before
        task.cancel()
        await turns(3)
        assert (blocked.ended, emitter.statistics().running) == (["cancelled"], 0)
        emitter.publish("a", 2)
        blocked.leave.release()
        blocked.leave.release()
        await turns(5)
        assert blocked.events == [("a", 0), ("a", 1), ("a", 2)]


async def test_cancelling_a_subscription_lets_the_call_come_to_its_end() -> None:
    """What waited behind it is dropped."""
    async with EventEmitter() as emitter:
        subscription = emitter.subscribe("a", blocked := Blocked())
        emitter.publish("a", 0)
        emitter.publish("a", 1)
        await turns(3)
        subscription.cancel()
        blocked.leave.release()
        await turns(3)
        assert (blocked.events, blocked.ended, subscription.dropped) == ([("a", 0)], ["a"], 1)
        assert emitter.statistics().missed == 1


async def test_listeners_that_never_wait_let_others_run(slice_seconds: float) -> None:
    """Many events do not keep the loop."""
    async with EventEmitter() as emitter:
        spans: list[float] = []
        calls = []

        async def busy(topic: str) -> None:
            calls.append(topic)
            until = monotonic() + slice_seconds / 4
            while monotonic() < until:
                pass

        emitter.subscribe("a", busy)
        for _ in range(12):
            emitter.publish("a")
        while len(calls) < 12:
            before = len(calls)
            await asyncio.sleep(0)
            spans.append(len(calls) - before)
        assert max(spans) <= 5


@pytest.mark.parametrize("error", [GeneratorExit, BaseExceptionGroup("two", [GeneratorExit()])])
async def test_whatever_a_listener_raises_is_logged_and_counted(
    error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Also what is no Exception; it hears the next event."""
    async with EventEmitter() as emitter:
        heard = []

        async def fails(topic: str, number: int) -> None:
            heard.append(number)
            raise error

        emitter.subscribe("a", fails)
        for number in range(2):
            emitter.publish("a", number)
        await turns(6)
        assert (heard, emitter.statistics().failed) == ([0, 1], 2)
    assert [record.getMessage() for record in caplog.records] == [
        f"topic a: listener {__name__}.{fails.__qualname__} raised"
    ] * 2


async def test_a_coroutine_that_is_a_generator_is_awaited_each_time() -> None:
    """Not only when it is new."""
    async with EventEmitter() as emitter:
        heard = []

        @types.coroutine
        def listen(topic: str, number: int) -> Any:
            yield
            heard.append(number)

        emitter.subscribe("a", listen)
        for number in range(3):
            emitter.publish("a", number)
        await turns(6)
        assert heard == [0, 1, 2]


@pytest.mark.one_loop("asyncio's own handling of tasks")
def test_in_the_next_loop_it_goes_on() -> None:
    """Its task was cancelled, or left behind, with the loop before; what waited is not lost."""
    for end in (asyncio.run, _run_and_leave_tasks):
        emitter = EventEmitter()
        heard: list[int] = []

        async def listen(topic: str, number: int, heard: list[int] = heard) -> None:
            heard.append(number)
            await asyncio.Event().wait()

        emitter.subscribe("a", listen)
        end(_publish(emitter, 0, 1))
        assert heard == [0]
        asyncio.run(_publish(emitter))
        assert heard == [0, 1]
        emitter.close()


async def _publish(emitter: EventEmitter, *numbers: int) -> None:
    assert not emitter.unsubscribe("b", print)  # it is used here
    for number in numbers:
        emitter.publish("a", number)
    await turns(3)
    assert emitter.statistics().running == 1


def _run_and_leave_tasks(main: Coroutine[Any, Any, None]) -> None:
    loop = asyncio.new_event_loop()
    loop.run_until_complete(main)
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()


@pytest.mark.one_loop("asyncio's own handling of tasks")
def test_keyboard_interrupt_loses_no_other_event() -> None:
    """It ends the loop's run as always; when the loop goes on, so does the listener."""
    loop = asyncio.new_event_loop()
    emitter = EventEmitter()
    heard = []

    async def listen(topic: str, number: int) -> None:
        heard.append(number)
        if number == 0:
            raise KeyboardInterrupt

    async def main() -> None:
        emitter.subscribe("a", listen)
        emitter.publish("a", 0)
        emitter.publish("a", 1)
        await turns(3)

    try:
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(main())
        loop.run_until_complete(turns(4))
        assert heard == [0, 1]
        loop.run_until_complete(emitter.aclose())
        for task in asyncio.all_tasks(loop):
            loop.run_until_complete(task)
    finally:
        loop.close()


async def test_it_closes_the_emitter_itself() -> None:
    """It is not cancelled by that, and does not wait for itself."""
    emitter = EventEmitter()
    ended = []

    async def listen(topic: str) -> None:
        await emitter.aclose()
        await asyncio.sleep(0)
        ended.append(topic)

    emitter.subscribe("a", listen)
    emitter.publish("a")
    emitter.publish("a")
    await turns(5)
    assert ended == ["a"]
