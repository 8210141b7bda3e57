"""Tests of asynctask.emitter.subscriptions."""

from __future__ import annotations

import asyncio
import functools
import gc
import weakref
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.emitter.subscriptions import key_of, name_of
from tests.emitter.support import Blocked, Log
from tests.support import turns


async def test_a_subscription_is_a_token() -> None:
    """It tells what it is, and ends itself."""
    async with EventEmitter() as emitter:
        subscription = emitter.subscribe("a.", log := Log())
        emitter.publish("a.b", 1)
        await turns(1)
        assert (subscription.pattern, subscription.once, subscription.heard) == ("a", False, 1)
        assert repr(subscription) == "<Subscription a tests.emitter.support.Log active>"
        subscription.cancel()
        subscription.cancel()
        emitter.publish("a.b", 2)
        await turns(1)
        assert (subscription.active, subscription.heard, log.events) == (False, 1, [("a.b", 1)])
        assert repr(subscription) == "<Subscription a tests.emitter.support.Log ended>"


async def test_a_with_block_ends_the_subscription() -> None:
    """Also what was published within it and not delivered yet is not heard."""
    async with EventEmitter() as emitter:
        with emitter.subscribe("a", log := Log()) as subscription:
            emitter.publish("a")
        await turns(1)
        assert (log.events, subscription.active, emitter.statistics().subscriptions) == ([], False, 0)


async def test_an_ended_subscription_lets_go_of_its_listener() -> None:
    """No cycle keeps it: it is gone without the garbage collector."""
    async with EventEmitter() as emitter:
        listeners: list[Any] = [Log(), Blocked(), Log()]
        gone = [weakref.ref(listener) for listener in listeners]
        kept = [emitter.subscribe("a", listener, once=place == 2) for place, listener in enumerate(listeners)]
        gc.disable()
        try:
            emitter.publish("a")
            await turns(2)
            blocked = listeners[1]
            blocked.leave.release()
            await turns(3)
            for subscription in kept:
                subscription.cancel()
            del listeners, blocked
            emitter.publish("a")
            assert [reference() for reference in gone] == [None] * 3
        finally:
            gc.enable()


async def test_a_once_async_listener_is_let_go_when_it_has_ended() -> None:
    """The subscription itself had ended before."""
    async with EventEmitter() as emitter:
        listener = Blocked()
        gone = weakref.ref(listener)
        subscription = emitter.subscribe_once("a", listener)
        emitter.publish("a")
        emitter.publish("a")
        await turns(2)
        assert (subscription.active, listener.events) == (False, ["a"])
        listener.leave.release()
        await turns(3)
        assert listener.ended == ["a"]
        del listener
        assert gone() is None


async def test_a_listener_that_returns_a_coroutine_is_async_from_then_on() -> None:
    """What a lambda hands on is awaited, one event at a time."""
    async with EventEmitter() as emitter:
        blocked = Blocked()
        emitter.subscribe("a", lambda topic, number: blocked(topic, number, "by lambda"))
        for number in range(3):
            emitter.publish("a", number)
        await turns(3)
        assert blocked.events == [("a", 0, "by lambda")]
        for _ in range(3):
            blocked.leave.release()
        await turns(5)
        assert [number for _, number, _ in blocked.events] == [0, 1, 2]


async def test_a_listener_that_becomes_async_has_its_bound_from_the_start() -> None:
    """What is on its way to it counts, so that an error comes before anything is lost."""
    async with EventEmitter(max_size=3, overflow="error") as emitter:
        blocked = Blocked()
        subscription = emitter.subscribe("a", lambda topic, number: blocked(topic, number, "by lambda"))
        for number in range(3):
            emitter.publish("a", number)
        await turns(3)
        assert subscription.waiting == 2
        emitter.publish("a", 3)
        with pytest.raises(Exception, match=r": 3 events wait: nobody gets this one$"):
            emitter.publish("a", 4)
        for _ in range(4):
            blocked.leave.release()
        await turns(8)
        assert [number for _, number, _ in blocked.events] == [0, 1, 2, 3]
        emitter.publish("a", 5)


async def test_a_once_listener_that_returns_a_coroutine() -> None:
    """It is awaited, and hears nothing more."""
    async with EventEmitter() as emitter:
        blocked = Blocked()
        emitter.subscribe_once("a", lambda topic: blocked(topic, 1))
        emitter.publish("a")
        emitter.publish("a")
        blocked.leave.release()
        await turns(4)
        assert (blocked.events, blocked.ended) == ([("a", 1)], ["a"])


async def test_closed_by_the_listener_that_returns_a_coroutine() -> None:
    """It is not awaited any more, and nobody is warned."""
    emitter, blocked = EventEmitter(), Blocked()

    def listen(topic: str) -> object:
        emitter.close()
        return blocked(topic)

    emitter.subscribe("a", listen)
    emitter.publish("a")
    await turns(3)
    assert blocked.events == []


async def test_an_async_listener_for_one_event_is_let_go() -> None:
    """When it has ended nothing keeps the subscription either."""
    async with EventEmitter() as emitter:
        listener = Blocked()
        listener.leave.release()
        subscription = emitter.subscribe_once("a", listener)
        gone = weakref.ref(listener)
        emitter.publish("a")
        await turns(4)
        del listener
        assert (gone(), subscription._caller) == (None, None)


class _Equal:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Equal)

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, topic: str) -> None:
        raise AssertionError


@pytest.mark.one_loop("no loop is used")
def test_what_is_the_same_subscription() -> None:
    """Methods of one object are equal; what cannot be hashed is itself alone."""
    log, unhashable = Log(), _Equal()
    assert key_of(("a",), log.__call__, 0) == key_of(("a",), log.__call__, False)
    assert key_of(("a",), log, True) != key_of(("a",), log, False)
    assert key_of((), unhashable, False) == key_of((), unhashable, False)
    assert key_of((), unhashable, False) != key_of((), _Equal(), False)


async def _coroutine_function(topic: str) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("listener", "name"),
    [
        (_coroutine_function, "tests.emitter.test_subscriptions._coroutine_function"),
        (functools.partial(functools.partial(_coroutine_function)), "_coroutine_function"),
        (_Equal(), "tests.emitter.test_subscriptions._Equal"),
        (_Equal, "tests.emitter.test_subscriptions._Equal"),
        (Log().__call__, "tests.emitter.support.Log.__call__"),
        ([].append, "list.append"),
        ({}.__setitem__, "dict.__setitem__"),  # it has no __module__ at all
    ],
)
def test_the_name_of_a_listener(listener: Any, name: str) -> None:
    """It says where to look, and never what the listener holds."""
    assert name_of(listener).endswith(name)
    assert "0x" not in name_of(listener)
