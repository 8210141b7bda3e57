"""Tests of asynctask.dispatch.queue."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from asynctask.dispatch.queue import DEFAULT_MAXSIZE, EventQueue, Overflow, QueueStatistics
from asynctask.errors import UsageError
from tests.dispatch.helpers import PATIENCE
from tests.support import turns


async def _drain(queue: EventQueue) -> list[Any]:
    """What is in it; it is closed for it."""
    queue.close()
    return [event async for event in _all(queue)]


async def _all(queue: EventQueue) -> Any:
    while (event := await queue.get()) is not None:
        yield event


async def test_first_in_first_out() -> None:
    """Each once, the object itself."""
    queue = EventQueue()
    things = [object() for _ in range(3)]
    assert [await queue.put(thing) for thing in things] == [True] * 3
    assert await _drain(queue) == things
    assert queue.maxsize == DEFAULT_MAXSIZE == 10_000


async def test_a_getter_waits_for_an_event() -> None:
    """And has it."""
    queue = EventQueue()
    getting = asyncio.create_task(queue.get())
    await turns(3)
    assert not getting.done()
    await queue.put("a")
    assert await getting == "a"


async def test_without_room_who_puts_waits_in_turn() -> None:
    """Nobody overtakes; nothing is lost."""
    queue = EventQueue(2)
    await queue.put("a")
    await queue.put("b")
    putting = [asyncio.create_task(queue.put(name)) for name in "cd"]
    await turns(3)
    assert queue.is_full()
    assert queue.statistics().putters == 2
    assert await queue.get() == "a"
    late = asyncio.create_task(queue.put("e"))
    assert await putting[0] is True
    assert [await queue.get() for _ in range(4)] == list("bcde")
    assert await asyncio.gather(*putting, late) == [True, True, True]


async def test_who_is_cancelled_puts_nothing() -> None:
    """Those behind it move up."""
    queue = EventQueue(1)
    await queue.put("a")
    first, second = (asyncio.create_task(queue.put(name)) for name in "bc")
    await turns(3)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await queue.get() == "a"
    assert await second
    assert await _drain(queue) == ["c"]


async def test_a_putter_that_is_cancelled_in_the_turn_in_which_there_is_room() -> None:
    """Its event is in; none is there twice."""
    queue = EventQueue(1)
    await queue.put("a")
    putting = asyncio.create_task(queue.put("b"))
    await turns(3)
    assert await queue.get() == "a"
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await _drain(queue) == ["b"]


async def test_a_getter_that_is_cancelled_loses_nothing() -> None:
    """Even in the turn in which the event came."""
    queue = EventQueue()
    getting = asyncio.create_task(queue.get())
    await turns(3)
    await queue.put("a")
    getting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await getting
    assert await queue.get() == "a"


@pytest.mark.parametrize(
    ("overflow", "taken", "left"),
    [
        ("drop_oldest", [True, True, True, True], ["c", "d"]),
        ("drop_newest", [True, True, False, False], ["a", "b"]),
    ],
)
async def test_what_is_dropped_is_counted_and_logged_once(
    overflow: Overflow, taken: list[bool], left: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Once until the queue was empty again."""
    queue = EventQueue(2, overflow)
    with caplog.at_level(logging.WARNING):
        assert [await queue.put(name) for name in "abcd"] == taken
    assert queue.statistics().dropped == 2
    assert caplog.messages == [f"the queue of 2 events is full: overflow={overflow!r}"]
    assert [await queue.get(), await queue.get()] == left
    with caplog.at_level(logging.WARNING):
        for name in "efg":
            await queue.put(name)
    assert len(caplog.messages) == 2


async def test_a_closed_queue_takes_nothing_and_gives_what_it_has() -> None:
    """Then it says that it is over; closing again changes nothing."""
    queue = EventQueue()
    await queue.put("a")
    queue.close()
    queue.close()
    assert queue.closed
    assert await queue.put("b") is False
    assert [await queue.get(), await queue.get()] == ["a", None]


async def test_closing_tells_all_who_wait() -> None:
    """For an event or for room, and who asked to be told."""
    empty, full = EventQueue(), EventQueue(1)
    told: list[str] = []
    empty.when_closed(lambda: told.append("closed"))
    await full.put("a")
    getting, putting = asyncio.create_task(empty.get()), asyncio.create_task(full.put("b"))
    await turns(3)
    empty.close()
    full.close()
    assert (await getting, await putting) == (None, False)
    assert told == ["closed"]


async def test_who_wants_nothing_any_more_is_woken() -> None:
    """Events stay where they are."""
    queue = EventQueue()
    stopped = False
    getting = asyncio.create_task(queue.get(lambda: stopped))
    await turns(3)
    queue.wake()
    await turns(5)
    assert not getting.done()
    stopped = True
    queue.wake()
    assert await getting is None
    await queue.put("a")
    assert await queue.get(lambda: stopped) is None
    assert queue.statistics().waiting == 1


@pytest.mark.one_loop
def test_its_two_sides_may_be_in_two_threads() -> None:
    """Each with its loop; with a queue so short that both wait, nothing is lost, doubled or out of order."""
    queue = EventQueue(2)
    count = 500

    async def put_all() -> None:
        for number in range(count):
            assert await queue.put(number)
        queue.close()

    async def get_all() -> list[int]:
        return [number async for number in _all(queue)]

    thread = threading.Thread(target=lambda: asyncio.run(put_all()))
    thread.start()
    assert asyncio.run(asyncio.wait_for(get_all(), PATIENCE)) == list(range(count))
    thread.join(PATIENCE)


async def test_what_is_dropped_may_ask_the_queue_when_it_goes() -> None:
    """A finalizer runs where the last reference ends."""
    queue = EventQueue(1, "drop_oldest")
    asked: list[int] = []

    class Asks:
        def __del__(self) -> None:
            asked.append(queue.statistics().waiting)

    await queue.put(Asks())
    await queue.put("b")
    assert asked == [0]


async def test_it_lets_go_of_whom_it_told() -> None:
    """What is called when it is closed is called once, and not kept."""
    queue = EventQueue()
    closed: list[int] = []
    queue.when_closed(lambda: closed.append(1))
    queue.close()
    queue.close()
    assert (closed, queue._when_closed) == ([1], [])


async def test_statistics() -> None:
    """What was and what is."""
    queue = EventQueue(2, "drop_oldest")
    for name in "abc":
        await queue.put(name)
    await queue.get()
    assert queue.statistics() == QueueStatistics(
        maxsize=2, waiting=1, most_waiting=2, putters=0, enqueued=3, dropped=1
    )


@pytest.mark.parametrize("maxsize", [0, -1, 1.5, True, None])
def test_a_size_that_cannot_be(maxsize: Any) -> None:
    """Is refused at the call."""
    with pytest.raises(UsageError, match=r"how many events the queue holds, 1 or more$"):
        EventQueue(maxsize)


def test_a_policy_that_is_none() -> None:
    """The error names those that are."""
    with pytest.raises(UsageError, match=r"^overflow='error': one of wait, drop_oldest, drop_newest$"):
        EventQueue(1, "error")  # type: ignore[arg-type]
