"""Tests of asynctask.rules.inbox."""

from __future__ import annotations

import asyncio
from typing import Any

from asynctask.rules.inbox import Inbox
from asynctask.rules.tracking import Deliveries
from tests.rules.support import happening, rule
from tests.support import turns


async def _taken(inbox: Inbox) -> list[str]:
    async with asyncio.timeout(10):
        await inbox.wait()
    return [each.name for each in inbox.take()]


def _inbox(**settings: Any) -> Inbox:
    return Inbox(rule(**settings))


async def test_one_at_a_time_in_order() -> None:
    """Without debounce each event is for itself."""
    inbox = _inbox()
    for name in "ab":
        await inbox.put(happening(name))
    assert [await _taken(inbox), await _taken(inbox), len(inbox)] == [["a"], ["b"], 0]


async def test_waiting_for_the_first() -> None:
    """Nothing is taken before it is there."""
    inbox = _inbox()
    waiting = asyncio.create_task(_taken(inbox))
    await turns(5)
    assert not waiting.done()
    inbox.offer(happening("a"))
    assert await waiting == ["a"]


async def test_a_batch_when_it_is_quiet() -> None:
    """Not before; by the clock of the inbox."""
    now = 0.0
    inbox = Inbox(rule("make", debounce=0.02), lambda: now)
    await inbox.put(happening("a"))
    waiting = asyncio.create_task(_taken(inbox))
    await asyncio.sleep(0.03)  # the loop's clock alone does not do it
    now = 0.01
    await inbox.put(happening("b"))
    await turns(5)
    assert not waiting.done()
    now = 0.04
    assert await waiting == ["a", "b"]


async def test_what_goes_on_and_on_is_taken_in_the_end() -> None:
    """After ten times the debounce."""
    now = 0.0
    inbox = Inbox(rule("make", debounce=1), lambda: now)
    for tenths in range(0, 100, 5):
        now = tenths / 10
        await inbox.put(happening("a", "modified"))
    now = 10.0
    assert await _taken(inbox) == ["a"]
    assert inbox.covered == 19


async def test_each_entry_once_when_it_is_quiet() -> None:
    """A command that names something of one event is run for each."""
    inbox = _inbox(run="cat %{path}", debounce=0.001)
    for name in "aba":
        await inbox.put(happening(name, "modified"))
    assert sorted([await _taken(inbox), await _taken(inbox)]) == [["a"], ["b"]]
    assert (len(inbox), inbox.covered) == (0, 1)


async def test_a_poller_waits_for_room() -> None:
    """Nothing is dropped."""
    inbox = _inbox(queue=1)
    await inbox.put(happening("a"))
    putting = asyncio.create_task(inbox.put(happening("b")))
    await turns(5)
    assert not putting.done()
    assert await _taken(inbox) == ["a"]
    await putting
    assert (await _taken(inbox), inbox.dropped) == (["b"], 0)


async def test_a_full_inbox_does_not_wait_for_quiet() -> None:
    """Who waits for room could wait for ever."""
    inbox = _inbox(run="make", queue=2, debounce=1000)
    for name in "ab":
        await inbox.put(happening(name))
    assert await _taken(inbox) == ["a", "b"]


async def test_topics_drop_the_oldest() -> None:
    """And that is counted."""
    inbox = _inbox(queue=2)
    for name in "abcd":
        inbox.offer(happening(name))
    assert [await _taken(inbox), await _taken(inbox), inbox.dropped] == [["c"], ["d"], 2]


async def test_topics_drop_the_newest() -> None:
    """As the rule says."""
    inbox = _inbox(queue=2, overflow="drop_newest")
    for name in "abcd":
        inbox.offer(happening(name))
    assert [await _taken(inbox), await _taken(inbox), inbox.dropped] == [["a"], ["b"], 2]


async def test_what_is_dropped_or_covered_holds_no_state_back() -> None:
    """It is handled as far as it will ever be."""
    deliveries = Deliveries()
    delivery = deliveries.open(b"1")
    inbox = _inbox(run="make", queue=1, debounce=0.001)
    for _ in "ab":
        delivery.hold()
        inbox.offer(happening("a", delivery=delivery))
    delivery.release()
    assert not delivery.over
    async with asyncio.timeout(10):
        await inbox.wait()
    for each in inbox.take():
        each.handled()
    assert delivery.over
