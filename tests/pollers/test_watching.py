"""Tests of asynctask.pollers.watching."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from asynctask.errors import PollerError, TaskStateError, UsageError
from asynctask.pollers.base import MANY
from asynctask.pollers.watching import Watch
from tests.pollers.fakes import FakePoller, failure
from tests.support import refused, turns


def texts(batch: tuple[tuple[str, str], ...]) -> list[str]:
    """A batch as ``"created a"``."""
    return [f"{event} {url.rpartition('/')[2]}" for url, event in batch]


async def test_batches_come_as_things_change() -> None:
    """None is empty; between looks it waits for the interval."""
    poller = FakePoller()
    poller.clock.at(2, lambda: poller.put(a=1, b=1))
    poller.clock.at(4, lambda: poller.put(a=None))
    watch = poller.observe(interval=0.5)
    assert texts(await anext(watch)) == ["created a", "created b"]
    assert poller.clock.slept == [0.5] * 4
    assert texts(await anext(watch)) == ["deleted a"]
    assert poller.clock.slept == [0.5] * 8


async def test_what_exists_is_the_first_batch() -> None:
    """At once."""
    poller = FakePoller(existing=True)
    poller.put(a=1)
    assert texts(await anext(poller.observe())) == ["created a"]
    assert poller.clock.slept == []


async def test_a_slow_consumer_is_not_kept_waiting() -> None:
    """Its own time counts for the interval; nothing is skipped and nothing comes twice."""
    poller = FakePoller(existing=True)
    poller.put(a=1)
    watch = poller.observe(interval=1.0)
    await anext(watch)
    poller.clock.now += 0.75
    poller.put(b=1)
    assert texts(await anext(watch)) == ["created b"]
    assert poller.clock.slept == [0.25]
    poller.clock.now += 10
    poller.put(c=1)
    assert texts(await anext(watch)) == ["created c"]
    assert poller.clock.slept == [0.25, 0.0]


async def test_debounce_waits_until_it_is_quiet() -> None:
    """All changes of a file that is being written are one."""
    poller = FakePoller()
    for number in range(5):
        poller.clock.at(1 + number * 0.4, lambda number=number: poller.put(a=number))  # type: ignore[misc]
    watch = poller.observe(interval=0.2, debounce=0.5)
    assert texts(await anext(watch)) == ["created a"]
    assert poller.listing == {"a": ("file", 4)}
    assert poller.clock.now - 100 == pytest.approx(2.6 + 0.5)
    assert await asyncio.wait_for(poller.get_new_events(), 1) == []


async def test_debounce_looks_in_time_though_the_interval_is_long() -> None:
    """When it is over, not one interval later."""
    poller = FakePoller()
    poller.clock.at(10, lambda: poller.put(a=1))
    await anext(poller.observe(interval=10, debounce=0.5))
    assert poller.clock.slept == [10, 0.5]


async def test_debounce_does_not_wait_for_ever() -> None:
    """Ten times as long at most."""
    poller = FakePoller()
    for number in range(1, 100):
        poller.clock.at(number * 0.25, lambda number=number: poller.put(a=number))  # type: ignore[misc]
    assert texts(await anext(poller.observe(interval=0.25, debounce=0.5))) == ["created a"]
    assert poller.clock.now - 100 == pytest.approx(0.25 + 5.0)


async def test_debounce_may_end_in_nothing() -> None:
    """A file that came and went is no batch, and no reason to look more often."""
    poller = FakePoller()
    poller.clock.at(1, lambda: poller.put(a=1))
    poller.clock.at(1.5, lambda: poller.put(a=None))
    poller.clock.at(5, lambda: poller.put(b=1))
    assert texts(await anext(poller.observe(interval=1.0, debounce=0.5))) == ["created b"]
    assert poller.clock.slept == [1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 0.5]


async def test_a_state_in_the_loop_has_the_batch() -> None:
    """A batch is delivered when it is handed out, not while it is held back."""
    poller = FakePoller()
    poller.put(a=1)
    await poller.start()
    watch = poller.observe(interval=0.1, debounce=1.0)
    poller.clock.at(0.1, lambda: poller.put(b=1))
    early = []

    async def save() -> None:
        early.append(await poller.save())

    tasks = []
    poller.clock.at(0.5, lambda: tasks.append(asyncio.create_task(save())))
    await anext(watch)
    late = await poller.save()
    assert b'"b"' not in early[0]
    assert b'"b"' in late
    assert len(tasks) == 1


async def test_a_cancelled_watch_loses_nothing() -> None:
    """It goes on when it is asked again, also where a batch was held back."""
    poller = FakePoller()
    watch = poller.observe(interval=0.1, debounce=1.0)
    poller.clock.at(0.1, lambda: poller.put(a=1))
    waiting = asyncio.ensure_future(anext(watch))
    poller.clock.at(0.5, waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert texts(await anext(watch)) == ["created a"]


async def test_what_was_not_dealt_with_comes_again() -> None:
    """With what has happened since."""
    poller = FakePoller(existing=True)
    poller.put(a=1, b=1, c=1)
    watch = poller.observe()
    assert texts(await anext(watch)) == ["created a", "created b", "created c"]
    watch.give_back(2)
    assert poller.statistics().delivered["created"] == 1
    poller.put(a=2, c=None)
    assert texts(await anext(watch)) == ["modified a", "created b"]


async def test_what_is_given_back_is_not_in_the_state() -> None:
    """Another process gets it."""
    poller = FakePoller(existing=True)
    poller.put(a=1, b=1)
    watch = poller.observe()
    await anext(watch)
    watch.give_back(1)
    later = FakePoller(state=await poller.save())
    later.listing = poller.listing
    assert texts(tuple(await later.get_new_events())) == ["created b"]


async def test_giving_back_while_another_looks() -> None:
    """It is told after that look."""
    poller = FakePoller(existing=True)
    poller.put(a=1, b=1)
    watch = poller.observe()
    await anext(watch)
    poller.gate = asyncio.Event()
    other = asyncio.create_task(poller.get_new_events())
    await turns(3)
    watch.give_back(1)
    saving = asyncio.create_task(poller.save())
    await turns(1)
    poller.gate.set()
    assert await other == []
    assert b'"b"' not in await saving
    assert texts(tuple(await poller.get_new_events())) == ["created b"]


@pytest.mark.parametrize("cancelled", [False, True])
async def test_giving_back_much(cancelled: bool) -> None:
    """The loop has its turns meanwhile; who is cancelled then leaves the rest to the next look."""
    poller = FakePoller(existing=True)
    poller.put(**{f"n{number:04}": 1 for number in range(1500)})
    watch = poller.observe()
    batch = await anext(watch)
    watch.give_back(len(batch))
    assert poller.statistics().pending == 1500
    looking = asyncio.create_task(poller.get_new_events())
    await turns(2)
    assert 0 < len(poller._returned[0][0]) < 1500
    if cancelled:
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
    assert await (poller.get_new_events() if cancelled else looking) == list(batch)


async def test_a_batch_that_cannot_be_handed_out(caplog: pytest.LogCaptureFixture) -> None:
    """It is much, and there is no thread for it: it is tried again."""
    poller = FakePoller(existing=True)
    poller.put(**{f"n{number:04}": 1 for number in range(MANY + 1)})
    do, refusals = poller._aside.do, iter([False, True, False, False])

    async def refuse(work: Any) -> Any:
        if next(refusals):
            raise OSError("can't start new thread")
        return await do(work)

    poller._aside.do = refuse  # type: ignore[method-assign]
    assert len(await anext(poller.observe())) == MANY + 1
    assert poller.clock.slept == [1.0]
    assert caplog.messages == ["test://host: cannot be looked at: can't start new thread; tried again"]


async def test_more_than_there_was_cannot_be_given_back() -> None:
    """Nor twice the same."""
    poller = FakePoller(existing=True)
    poller.put(a=1, b=1)
    watch = poller.observe()
    await anext(watch)
    watch.give_back(1)
    refused(UsageError, "give_back: 0 to 1 changes, not 2", lambda: watch.give_back(2))


# -- failures -------------------------------------------------------------------------------------


async def test_what_is_temporary_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """After longer and longer pauses, with one record of the beginning and one of the end."""
    caplog.set_level(logging.INFO, "asynctask.pollers")
    poller = FakePoller()
    poller.put(a=1)
    await poller.start()
    poller.error = failure()
    poller.put(b=1)

    def heal() -> None:
        poller.error = None

    poller.clock.at(400, heal)
    assert texts(await anext(poller.observe())) == ["created b"]
    assert poller.clock.slept == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert caplog.messages == [
        "test://host: is away; tried again",
        "test://host: well again after 9 failures",
    ]
    assert poller.statistics().failures == 9


async def test_the_pauses_do_not_grow_for_ever() -> None:
    """Five minutes at most, and less by chance, so that not all come back at the same moment."""
    poller = FakePoller()
    poller.error = failure()

    def heal() -> None:
        poller.error = None
        poller.put(a=1)

    poller.clock.at(3000, heal)
    poller.clock.at(4000, lambda: poller.put(b=1))
    await anext(poller.observe(interval=100, chance=0.0))
    assert poller.clock.slept[:13] == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150, 150]


async def test_a_start_that_fails_is_tried_again() -> None:
    """A root that is missing may come; what is there then is the baseline."""
    poller = FakePoller()
    poller.error = failure()

    def heal() -> None:
        poller.error = None
        poller.put(a=1)

    poller.clock.at(1, heal)
    poller.clock.at(5, lambda: poller.put(b=1))
    assert texts(await anext(poller.observe())) == ["created b"]


async def test_the_pauses_begin_anew_after_a_success() -> None:
    """Each outage is one of its own."""
    poller = FakePoller()
    await poller.start()
    for seconds, error in ((1, failure()), (3.5, None), (5, failure()), (7, None)):
        poller.clock.at(seconds, lambda error=error: setattr(poller, "error", error))  # type: ignore[misc]
    poller.clock.at(9, lambda: poller.put(a=1))
    await anext(poller.observe())
    assert poller.clock.slept == [1, 1, 2, 1, 1, 2, 1]


async def test_a_failure_does_not_hold_back_what_is_known() -> None:
    """A batch that waited for quiet is handed out."""
    poller = FakePoller()
    await poller.start()
    poller.put(a=1)
    poller.clock.at(0.5, lambda: setattr(poller, "error", failure()))
    assert texts(await anext(poller.observe(interval=0.5, debounce=5.0))) == ["created a"]


async def test_what_cannot_be_helped_is_raised() -> None:
    """The watch can be asked again all the same."""
    poller = FakePoller()
    poller.put(a=1)
    await poller.start()
    watch = poller.observe()
    poller.put(b=1)
    poller.error = failure("is forbidden", temporary=False)
    with pytest.raises(PollerError, match="is forbidden"):
        await anext(watch)
    poller.error = None
    assert texts(await anext(watch)) == ["created b"]


async def test_what_is_no_failure_of_the_poller_is_raised() -> None:
    """A defect, or a call that cannot work, is not endured."""
    poller = FakePoller()
    for error in (ZeroDivisionError(), TaskStateError("of something else")):
        poller.error = error
        with pytest.raises(type(error)):
            await anext(poller.observe())


# -- its end --------------------------------------------------------------------------------------


async def test_closing_the_poller_ends_the_watch() -> None:
    """While it waits, and before it is asked."""
    poller = FakePoller()
    poller.gate = asyncio.Event()
    watch = poller.observe()
    waiting = asyncio.ensure_future(anext(watch, "over"))
    await turns(3)
    await poller.aclose()
    assert await waiting == "over"
    assert [batch async for batch in watch] == []


async def test_the_watch_of_a_poller() -> None:
    """In real time."""
    poller = FakePoller(existing=True)
    poller.put(a=1)
    async for batch in poller.watch(interval=0.01, debounce=0.0):
        assert texts(batch) == ["created a"]
        await poller.aclose()


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_that_makes_no_sense(interval: float) -> None:
    """It is refused at the call."""
    message = f"interval: more than 0 seconds, not {interval}"
    refused(UsageError, message, lambda: Watch(FakePoller(), interval=interval))


@pytest.mark.parametrize("debounce", [-1, float("nan")])
def test_a_debounce_that_makes_no_sense(debounce: float) -> None:
    """It is refused at the call."""
    message = f"debounce: 0 seconds or more, not {debounce}"
    refused(UsageError, message, lambda: Watch(FakePoller(), debounce=debounce))
