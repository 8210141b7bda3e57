"""Tests of asynctask.waiting."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from asynctask.waiting import Grace, wait_out
from tests.support import turns


async def test_wait_out_returns_at_once_when_the_event_is_set() -> None:
    """There is nothing to wait for."""
    event = asyncio.Event()
    event.set()
    await wait_out(event)


async def test_wait_out_waits_to_the_end_however_often_it_is_cancelled() -> None:
    """The cancellation is raised when the event has come, not before."""
    event = asyncio.Event()
    waiter = asyncio.create_task(wait_out(event))
    for _ in range(3):
        await turns(2)
        waiter.cancel()
    await turns(5)
    assert not waiter.done()
    event.set()
    with pytest.raises(asyncio.CancelledError):
        await waiter


async def test_wait_out_holds_in_a_cancelled_scope() -> None:
    """An anyio scope around it has to wait, too."""
    event = asyncio.Event()
    seen: list[str] = []
    asyncio.get_running_loop().call_later(0.02, event.set)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await wait_out(event)
        seen.append("waited")
        await anyio.lowlevel.checkpoint()
        seen.append("never")
    assert event.is_set()
    assert seen == ["waited"]


async def test_wait_out_does_not_raise_without_a_cancellation() -> None:
    """It is then a plain wait."""
    event = asyncio.Event()
    asyncio.get_running_loop().call_soon(event.set)
    await wait_out(event)
    assert event.is_set()


async def test_a_grace_ends_what_takes_too_long() -> None:
    """Being over is no error."""
    with Grace(0.01).period():
        await asyncio.Event().wait()
        pytest.fail("the period is over")


async def test_a_grace_of_zero_ends_the_first_wait() -> None:
    """What is there already is taken; what has to be waited for is not."""
    seen: list[int] = []
    with Grace(0).period():
        seen.append(1)
        await asyncio.Event().wait()
        seen.append(2)
    assert seen == [1]


async def test_a_grace_does_not_disturb_what_is_done_in_time() -> None:
    """Nothing is left of it afterwards."""
    grace = Grace(60)
    with grace.period():
        await turns(2)
    grace.cut()
    await turns(2)


async def test_a_grace_can_be_cut_short_for_all_who_use_it() -> None:
    """Periods that go on end, new ones have no time."""
    grace = Grace(60)
    ended: list[int] = []

    async def wait(number: int) -> None:
        with grace.period():
            await asyncio.Event().wait()
        ended.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await turns(2)
    grace.cut()
    await asyncio.gather(*tasks)
    await wait(3)
    assert sorted(ended) == [0, 1, 2, 3]
    assert grace.seconds == 0
