"""What the parts of a manager share."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.manager.messages import Publisher
from asynctask.manager.output import OutputHub
from asynctask.manager.services import Services, Turns, first

pytestmark = pytest.mark.one_loop("asyncio alone")


def services() -> Services:
    """Services of no manager."""
    emitter = EventEmitter()
    launcher: Any = None
    return Services(Publisher(emitter), OutputHub(emitter), launcher)


def test_numbers_are_given_once() -> None:
    """From one."""
    shared = services()
    assert [shared.next_pid() for _ in range(3)] == [1, 2, 3]


async def test_what_goes_on_beside_is_known_until_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    """And what it raises is logged."""
    shared = services()

    async def defect() -> None:
        raise RuntimeError("oh")

    shared.spawn(defect(), "some work")
    (task,) = shared.tasks
    await asyncio.wait([task])
    assert shared.tasks == set()
    assert [record.getMessage() for record in caplog.records] == ["some work broke off"]


async def test_so_many_go_on_in_a_turn() -> None:
    """The others in the next ones, in their order."""
    turns, done = Turns(2), list[int]()

    async def work(number: int) -> None:
        await turns.take()
        done.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(5)]
    seen = []
    while len(done) < 5:
        await asyncio.sleep(0)
        seen.append(len(done))
    assert done == [0, 1, 2, 3, 4]
    assert max(after - before for before, after in zip([0, *seen], seen, strict=False)) == 2
    await asyncio.gather(*tasks)


async def test_who_is_cancelled_takes_no_turn() -> None:
    """It goes to the next."""
    turns, done = Turns(1), list[int]()

    async def work(number: int) -> None:
        await turns.take()
        done.append(number)

    tasks = [asyncio.create_task(work(number)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    assert done == [0, 2]


async def test_a_turn_that_nobody_else_wants_is_had_at_once() -> None:
    """Without a turn of the loop."""
    turns = Turns(1)
    for _ in range(3):
        await turns.take()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    taking = turns.take()
    with pytest.raises(StopIteration):
        taking.send(None)
    await asyncio.sleep(0)


async def test_the_first_of_several_counts() -> None:
    """The others are cancelled."""
    cancelled = []

    async def long() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return "late"

    async def short() -> str:
        await asyncio.sleep(0)
        return "early"

    assert await first(long, short) == (1, "early")
    assert cancelled == [True]
