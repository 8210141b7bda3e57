"""Tests of asynctask.pollers.base."""

from __future__ import annotations

import asyncio
import logging
import threading

import anyio
import pytest

from asynctask.errors import PollerError, TaskStateError, UsageError
from asynctask.pollers.base import MANY
from asynctask.pollers.changes import Change
from asynctask.pollers.saving import pack
from tests.pollers.fakes import FakePoller, failure
from tests.support import refused, turns


def changes(*pairs: str) -> list[Change]:
    """Changes from texts such as ``"created a"``."""
    return [Change(f"test://host/{name}", event) for event, name in (pair.split() for pair in pairs)]  # type: ignore[arg-type]


@pytest.fixture
def poller() -> FakePoller:
    """One that has not been started; two entries are there."""
    fake = FakePoller()
    fake.put(a=1, b=1)
    return fake


async def test_the_first_call_starts(poller: FakePoller) -> None:
    """What is there is the baseline, as with start(); then each change comes once."""
    assert await poller.get_new_events() == []
    poller.put(a=2, b=None, c=1)
    assert await poller.get_new_events() == changes("deleted b", "modified a", "created c")
    assert await poller.get_new_events() == []


async def test_start_looks_once(poller: FakePoller) -> None:
    """Starting again does nothing; what has changed since the first time is reported."""
    await poller.start()
    poller.put(c=1)
    await poller.start()
    assert poller.listed == 1
    assert await poller.get_new_events() == changes("created c")


async def test_what_exists_can_be_reported() -> None:
    """With existing=True, by the first call."""
    poller = FakePoller(existing=True)
    poller.put(a=1)
    assert await poller.get_new_events() == changes("created a")
    assert poller.listed == 1


async def test_a_failure_loses_nothing(poller: FakePoller) -> None:
    """Nothing is taken for deleted; the next call has all that happened."""
    await poller.start()
    poller.put(a=None, c=1)
    poller.error = failure()
    for _ in range(2):
        with pytest.raises(PollerError, match="is away"):
            await poller.get_new_events()
    poller.error = None
    assert await poller.get_new_events() == changes("deleted a", "created c")


async def test_a_start_that_fails_can_be_repeated(poller: FakePoller) -> None:
    """The baseline is what is there when it works."""
    poller.error = failure()
    with pytest.raises(PollerError, match="is away"):
        await poller.start()
    poller.error = None
    poller.put(c=1)
    assert await poller.get_new_events() == []
    assert poller.statistics().entries == 3


async def test_a_look_takes_no_longer_than_the_timeout(poller: FakePoller) -> None:
    """Else it is a failure that may pass."""
    poller = FakePoller(timeout=0.01)
    poller.gate = asyncio.Event()
    with pytest.raises(PollerError) as caught:
        await poller.get_new_events()
    assert (str(caught.value), caught.value.temporary) == ("test://host: no answer within 0.01 s", True)


async def test_a_cancelled_call_loses_nothing(poller: FakePoller) -> None:
    """The next one has it."""
    await poller.start()
    poller.put(c=1)
    poller.gate = asyncio.Event()
    for native in (True, False):
        call = asyncio.create_task(poller.get_new_events())
        await turns(3)
        if native:
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        else:
            with anyio.move_on_after(0.001):
                await call
    poller.gate.set()
    assert await poller.get_new_events() == changes("created c")


async def test_two_callers_are_served_one_after_the_other(poller: FakePoller) -> None:
    """Each change goes to one of them."""
    await poller.start()
    poller.gate = asyncio.Event()
    first = asyncio.create_task(poller.get_new_events())
    second = asyncio.create_task(poller.get_new_events())
    await turns(5)
    assert poller.listed == 2
    poller.put(c=1)
    poller.gate.set()
    assert (await first, await second) == (changes("created c"), [])
    assert poller.listed == 3


async def test_many_entries_go_through_a_thread() -> None:
    """They would hold up the loop; the outcome is the same."""
    poller = FakePoller(existing=True)
    count = 2 * MANY
    poller.put(**{f"n{number:05}": 1 for number in range(count)})
    seen: list[bool] = []
    subject = poller._subject

    def note_thread(name: str) -> str:
        seen.append(threading.current_thread() is threading.main_thread())
        return subject(name)

    poller._subject = note_thread  # type: ignore[method-assign]
    found = await poller.get_new_events()
    assert found == changes(*(f"created n{number:05}" for number in range(count)))
    assert True not in seen
    state = await poller.save()
    poller.put(**{f"n{number:05}": None for number in range(count)})
    assert len(await poller.get_new_events()) == count
    resumed = FakePoller(state=state)
    assert [change.event for change in await resumed.get_new_events()] == ["deleted"] * count


# -- state ----------------------------------------------------------------------------------------


async def test_a_restart_goes_on_from_the_state(poller: FakePoller) -> None:
    """What was delivered is not repeated, what was not is not missed."""
    await poller.start()
    poller.put(c=1)
    await poller.get_new_events()
    poller.put(d=1)
    state = await poller.save()
    later = FakePoller(state=state, existing=True)
    later.put(a=1, b=2, c=1, e=1)
    assert await later.get_new_events() == changes("modified b", "created e")


async def test_what_exists_and_was_not_delivered_is_not_in_the_state() -> None:
    """It is reported after the restart."""
    poller = FakePoller(existing=True)
    poller.put(a=1)
    await poller.start()
    later = FakePoller(state=await poller.save())
    later.put(a=1)
    assert await later.get_new_events() == changes("created a")


async def test_saving_before_the_start(poller: FakePoller) -> None:
    """There is nothing to save, but the state that it goes on from."""
    with pytest.raises(TaskStateError, match="saved after it was started"):
        await poller.save()
    state = pack("test://host", {"a": ("file", 1)})
    assert await FakePoller(state=state).save() == state


async def test_a_closed_poller_can_be_saved(poller: FakePoller) -> None:
    """At the end of a program."""
    async with poller:
        await poller.start()
    assert await poller.save() == pack("test://host", poller.listing)


def test_a_state_that_does_not_fit_is_refused_at_once() -> None:
    """When the poller is made, not when it is used."""
    message = "test://other: the state is one of test://host"
    refused(UsageError, message, lambda: FakePoller("test://other", state=pack("test://host", {})))


async def test_a_damaged_state_is_refused_at_the_start() -> None:
    """And again, if it is tried again."""
    poller = FakePoller(state=pack("test://host", {"a": ("file", 1)})[:-3] + b"}}\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="is damaged"):
            await poller.get_new_events()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_makes_no_sense(timeout: float) -> None:
    """It is refused."""
    refused(UsageError, f"timeout: more than 0 seconds, not {timeout}", lambda: FakePoller(timeout=timeout))


# -- its end --------------------------------------------------------------------------------------


async def test_closing_ends_what_goes_on(poller: FakePoller) -> None:
    """Who waits is told; closing again does nothing."""
    await poller.start()
    poller.gate = asyncio.Event()
    calls = [asyncio.create_task(poller.get_new_events()) for _ in range(2)]
    await turns(3)
    await poller.aclose()
    await poller.aclose()
    for call in calls:
        with pytest.raises(TaskStateError, match="the poller was closed"):
            await call
    assert (poller.ended, poller.closed) == (1, True)


async def test_a_closed_poller_does_nothing(poller: FakePoller) -> None:
    """It is not taken for one that has no news."""
    async with poller:
        pass
    for call in (poller.start, poller.get_new_events):
        with pytest.raises(TaskStateError, match="the poller is closed"):
            await call()


async def test_closing_goes_on_when_it_is_cancelled(poller: FakePoller) -> None:
    """What it holds is given back, and then the cancellation is heard."""
    release = asyncio.Event()

    async def close() -> None:
        await release.wait()
        poller.ended += 1

    poller._close = close  # type: ignore[method-assign]
    closing = asyncio.create_task(poller.aclose())
    await turns(3)
    closing.cancel()
    await turns(3)
    assert not closing.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert poller.ended == 1


async def test_closing_that_fails_is_logged(poller: FakePoller, caplog: pytest.LogCaptureFixture) -> None:
    """There is nobody else to tell."""

    async def close() -> None:
        raise RuntimeError("no")

    poller._close = close  # type: ignore[method-assign]
    await poller.aclose()
    assert caplog.messages == ["test://host: closing failed"]


# -- what there is to see -------------------------------------------------------------------------


async def test_statistics(poller: FakePoller) -> None:
    """They count what was looked at and delivered."""
    await poller.start()
    poller.put(c=1, d=1, a=2)
    await poller.get_new_events()
    poller.error = failure()
    with pytest.raises(PollerError):
        await poller.get_new_events()
    found = poller.statistics()
    assert found.delivered == {"created": 2, "modified": 1, "deleted": 0}
    assert (found.entries, found.looks, found.failures, found.failing) == (4, 3, 1, 1)
    assert found.last_error == "test://host: is away"


async def test_being_well_again_is_logged(poller: FakePoller, caplog: pytest.LogCaptureFixture) -> None:
    """Who calls has had the error; the log has its end."""
    caplog.set_level(logging.INFO, "asynctask")
    poller.error = failure()
    with pytest.raises(PollerError):
        await poller.start()
    poller.error = None
    await poller.start()
    assert caplog.messages == ["test://host: well again after 1 failures"]


async def test_its_text(poller: FakePoller) -> None:
    """What it watches, and in which state it is."""
    texts = [repr(poller)]
    async with poller:
        await poller.start()
        texts.append(repr(poller))
    texts.append(repr(poller))
    assert texts == [f"<FakePoller test://host {state}>" for state in ("new", "started", "closed")]
