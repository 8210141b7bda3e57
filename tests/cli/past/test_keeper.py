"""The thread that does the work of the history."""

from __future__ import annotations

import asyncio
import threading

import pytest

from asynctask.cli.past.keeper import Keeper

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def nothing() -> None:
    """What is called where it does not matter."""


async def test_one_after_the_other_in_one_thread() -> None:
    """In order, and not on the loop's thread."""
    keeper = Keeper()
    calls: list[int] = []
    threads = {keeper.call(threading.get_ident)}
    futures = [keeper.call(lambda place=place: calls.append(place)) for place in range(5)]  # type: ignore[misc]

    await asyncio.gather(*futures)

    assert calls == [0, 1, 2, 3, 4]
    assert await threads.pop() != threading.get_ident()
    await keeper.close(nothing)


async def test_what_it_raises_is_raised() -> None:
    """And the thread goes on; what nobody waits for is lost."""
    keeper = Keeper()
    keeper.do(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await keeper.call(lambda: 1 / 0)

    assert await keeper.call(lambda: 2) == 2
    await keeper.close(nothing)


async def test_closing_waits_for_all() -> None:
    """And leaves no thread; without any work there is none."""
    calls: list[str] = []
    await Keeper().close(lambda: calls.append("never"))
    keeper = Keeper()
    keeper.do(lambda: calls.append("first"))

    await keeper.close(lambda: calls.append("last"))

    assert calls == ["first", "last"]


async def test_nobody_waits_any_more() -> None:
    """Its answer goes nowhere."""
    keeper = Keeper()
    go_on = threading.Event()
    waiting = keeper.call(go_on.wait)
    waiting.cancel()
    go_on.set()

    await keeper.close(nothing)

    assert waiting.cancelled()


def test_the_loop_may_be_closed_by_then() -> None:
    """A disk answered too late."""
    go_on, told = threading.Event(), threading.Event()

    async def main() -> threading.Thread:
        keeper = Keeper()
        keeper.do(go_on.wait)
        future = keeper.call(told.set)
        future.cancel()
        keeper._jobs.put(None)
        assert keeper._thread is not None
        return keeper._thread

    thread = asyncio.run(main())
    go_on.set()
    thread.join(10)

    assert told.is_set()
    assert not thread.is_alive()
