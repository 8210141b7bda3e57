"""Tests of asynctask.waiting."""

from __future__ import annotations

import asyncio
import math

import anyio
import pytest

from asynctask.waiting import DefaultSeconds, Grace, Patience, Places, wait_out
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


# -- patience ---------------------------------------------------------------------------------------


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def test_patience_without_limit() -> None:
    """Nothing is counted, and a pause changes nothing."""
    patience = Patience(None)
    with patience.running():
        await turns(2)
        with patience.paused():
            await turns(2)
    assert (patience.given, patience.left) == (math.inf, math.inf)


async def test_patience_ends_what_takes_too_long() -> None:
    """Then there is none left, and what was given is still known."""
    patience = Patience(0.02)
    with pytest.raises(TimeoutError), patience.running():
        await _for_ever()
    assert (patience.given, patience.left) == (0.02, 0.0)


async def test_patience_counts_the_steps_together() -> None:
    """What one has used is missing in the next."""
    patience = Patience(60)
    with patience.running():
        await asyncio.sleep(0.03)
    after_one = patience.left
    assert 0 < after_one <= 59.98
    with patience.running():
        await asyncio.sleep(0.03)
    assert 0 < patience.left <= after_one - 0.02  # a loop's timers are a little early, or late


async def test_patience_does_not_count_what_is_between_the_steps() -> None:
    """Others kept it waiting."""
    patience = Patience(0.1)
    with patience.running():
        pass
    left = patience.left
    await asyncio.sleep(0.12)
    assert patience.left == left
    with patience.running():
        await turns(1)


async def test_patience_that_is_over() -> None:
    """The first wait of a step ends it; what is there already is taken."""
    patience = Patience(0)
    seen: list[int] = []

    async def step() -> None:
        with patience.running():
            seen.append(1)
            await _for_ever()

    with pytest.raises(TimeoutError):
        await step()
    assert (seen, patience.left) == ([1], 0.0)


async def test_patience_with_a_step_that_has_less() -> None:
    """It ends early, and the rest is there for the next one."""
    patience = Patience(60)
    with pytest.raises(TimeoutError), patience.running(0.02):
        await _for_ever()
    assert 50 < patience.left <= 59.981  # how late a loaded machine is does not matter here
    with patience.running():
        await turns(2)


async def test_patience_with_a_step_that_would_have_more() -> None:
    """No step gets more than there is."""
    patience = Patience(0.02)
    with pytest.raises(TimeoutError), patience.running(60):
        await _for_ever()
    assert patience.left == 0


async def test_patience_without_limit_with_a_step_that_has_one() -> None:
    """The step ends, the patience does not."""
    patience = Patience(None)
    with pytest.raises(TimeoutError), patience.running(0.02):
        await _for_ever()
    assert patience.left == math.inf


async def test_patience_stands_still_while_paused() -> None:
    """However long that takes; as often as it likes."""
    patience = Patience(0.1)
    with patience.running():
        for _ in range(2):
            with patience.paused():
                await asyncio.sleep(0.12)
    assert 0 < patience.left <= 0.1


async def test_patience_goes_on_after_a_pause() -> None:
    """With what was left before it."""
    patience = Patience(0.1)
    seen: list[str] = []

    async def step() -> None:
        with patience.running():
            with patience.paused():
                await asyncio.sleep(0.12)
            seen.append("answered")
            await _for_ever()

    with pytest.raises(TimeoutError):
        await step()
    assert (seen, patience.left) == (["answered"], 0.0)


async def test_patience_of_a_limited_step_stands_still_too() -> None:
    """The pause counts neither for the step nor for all of it."""
    patience = Patience(60)
    with patience.running(0.1), patience.paused():
        await asyncio.sleep(0.12)
    assert 59.9 < patience.left <= 60


async def test_a_pause_outside_of_a_step() -> None:
    """There is nothing to stop."""
    patience = Patience(60)
    with patience.paused():
        await turns(1)
    with patience.running():
        pass
    with patience.paused():
        await turns(1)
    assert 59 < patience.left <= 60


async def test_patience_when_a_step_is_cancelled() -> None:
    """What it has used is used; it is the caller's cancellation that comes out."""
    patience = Patience(60)

    async def step() -> None:
        with patience.running():
            await _for_ever()

    task = asyncio.create_task(step())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 < patience.left <= 59.98 + 0.001


async def test_patience_when_a_pause_is_cancelled() -> None:
    """The pause does not count."""
    patience = Patience(0.02)

    async def step() -> None:
        with patience.running(), patience.paused():
            await _for_ever()

    task = asyncio.create_task(step())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 < patience.left <= 0.02


async def test_patience_when_a_step_fails() -> None:
    """Its error comes out as it is, also one that is no timeout of ours."""
    patience = Patience(60)
    with pytest.raises(TimeoutError, match="theirs"), patience.running():
        raise TimeoutError("theirs")
    assert 59 < patience.left <= 60


def test_seconds_by_default_are_seconds() -> None:
    """They can be told from those that somebody asked for, and are used like them."""
    seconds = DefaultSeconds(10)
    assert isinstance(seconds, DefaultSeconds)
    assert not isinstance(10.0, DefaultSeconds)
    assert (seconds, f"{seconds:g}", hash(seconds)) == (10.0, "10", hash(10.0))
    assert Patience(seconds).left == 10


# -- places -----------------------------------------------------------------------------------------


async def test_places_that_are_free_are_taken_at_once() -> None:
    """As many as there are, without a turn of the loop."""
    places = Places(2)
    await places.take()
    assert (places.free, places.take_nowait(), places.take_nowait()) == (1, True, False)
    places.give()
    assert (places.free, places.waiting) == (1, 0)


async def _queue(places: Places, names: str) -> tuple[list[asyncio.Task[None]], list[str]]:
    """Some who wait for a place, and who of them has got one."""
    served: list[str] = []

    async def wait(name: str) -> None:
        await places.take()
        served.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in names]
    await turns(2)
    return tasks, served


async def test_places_are_given_in_turn() -> None:
    """Who waits longest is served first, and a place that is given to somebody is not free."""
    places = Places(0)
    tasks, served = await _queue(places, "abc")
    assert places.waiting == 3
    places.give()
    assert (places.free, places.waiting, places.take_nowait()) == (0, 2, False)
    places.give()
    await turns(1)
    assert served == ["a", "b"]
    places.give()
    places.give()
    await asyncio.gather(*tasks)
    assert (served, places.free, places.waiting) == (["a", "b", "c"], 1, 0)


async def test_who_is_cancelled_while_it_waits_takes_no_place() -> None:
    """The next is served instead."""
    places = Places(0)
    tasks, served = await _queue(places, "abc")
    tasks[1].cancel()
    await turns(2)
    assert places.waiting == 2
    places.give()
    places.give()
    await turns(2)
    assert (served, places.free, places.waiting) == (["a", "c"], 0, 0)
    assert tasks[1].cancelled()


async def test_a_place_given_in_the_turn_after_the_cancellation_goes_to_the_next() -> None:
    """Who was cancelled and has not run since is passed over."""
    places = Places(0)
    tasks, served = await _queue(places, "ab")
    tasks[0].cancel()
    assert places.waiting == 1
    places.give()
    await turns(2)
    assert (served, tasks[0].cancelled(), places.free, places.waiting) == (["b"], True, 0, 0)


@pytest.mark.parametrize(("names", "served", "free"), [("ab", ["b"], 0), ("a", [], 1)])
async def test_a_place_given_in_the_turn_before_the_cancellation_goes_on(
    names: str, served: list[str], free: int
) -> None:
    """To the next who waits, or it is free again."""
    places = Places(0)
    tasks, found = await _queue(places, names)
    places.give()
    tasks[0].cancel()
    await turns(3)
    assert (found, tasks[0].cancelled(), places.free) == (served, True, free)


async def test_places_when_all_who_wait_are_cancelled() -> None:
    """Nobody is left in the queue, and the place is free."""
    places = Places(0)
    tasks, served = await _queue(places, "abc")
    for task in tasks:
        task.cancel()
    places.give()
    assert (places.free, places.waiting) == (1, 0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (served, places.free, places.waiting) == ([], 1, 0)


@pytest.mark.parametrize("cancelled", [None, 0, 1])
async def test_who_comes_later_does_not_overtake_who_was_given_a_place(cancelled: int | None) -> None:
    """In the turn in which there are more places than waited for, and the first has not run yet."""
    places = Places(0)
    served: list[str] = []

    async def wait(name: str) -> None:
        await places.take()
        served.append(name)

    tasks = [asyncio.create_task(wait("a"))]
    await turns(2)
    tasks.append(asyncio.create_task(wait("b")))  # it begins before a goes on
    for _ in range(3):
        places.give()
    tasks.append(asyncio.create_task(wait("c")))
    await turns(1)
    if cancelled is not None:
        tasks[cancelled].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await turns(2)
    names = [name for name, task in zip("abc", tasks, strict=True) if not task.cancelled()]
    assert served == names
    assert (places.free, places.waiting, places._given) == (3 - len(names), 0, 0)


async def test_places_are_conserved_whatever_comes_in_between() -> None:
    """Many who take, give back and are cancelled; at the end there are as many as at first."""
    places = Places(3)
    using = most = 0

    async def use(number: int) -> None:
        nonlocal using, most
        await places.take()
        using += 1
        most = max(most, using)
        try:
            await turns(number % 3)
        finally:
            using -= 1
            places.give()

    tasks = [asyncio.create_task(use(number)) for number in range(60)]
    for number in range(0, 60, 7):
        await turns(1)
        tasks[number].cancel()
        tasks[59 - number].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await turns(2)
    assert (places.free, places.waiting, places._given, using, most) == (3, 0, 0, 0, 3)
