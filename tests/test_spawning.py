"""Tests of asynctask.spawning."""

from __future__ import annotations

import asyncio

from asynctask.spawning import Spawned
from tests.support import turns


async def test_what_is_started_runs_once() -> None:
    """With its arguments, as a task of the group."""
    heard: list[tuple[object, ...]] = []

    async def hear(*args: object) -> None:
        heard.append((*args, asyncio.current_task() in spawned))

    async with asyncio.TaskGroup() as group:
        spawned = Spawned(group)
        spawned.start(hear, 1, "two")
    assert heard == [(1, "two", True)]
    assert asyncio.current_task() not in spawned


async def test_one_that_is_cancelled_before_its_first_step_is_started_again() -> None:
    """A closing loop does that."""
    heard: list[int] = []

    async def hear(number: int) -> None:
        heard.append(number)

    class Mark:
        entered = False

    mark = Mark()

    async def hear_marked(number: int) -> None:
        mark.entered = True
        heard.append(number)

    before = asyncio.all_tasks()
    async with asyncio.TaskGroup() as group:
        spawned = Spawned(group)
        spawned.start(hear, 1)
        spawned.start_marked(mark, hear_marked, 2)
        for task in asyncio.all_tasks() - before:
            task.cancel()
    assert sorted(heard) == [1, 2]


async def test_one_that_is_cancelled_later_is_not() -> None:
    """Neither one that is cancelled in its very last step."""
    count = 0

    async def cancel_itself() -> None:
        nonlocal count
        count += 1
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def wait() -> None:
        nonlocal count
        count += 1
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    async with asyncio.TaskGroup() as group:
        spawned = Spawned(group)
        spawned.start(cancel_itself)
        spawned.start(wait)
        await turns(2)
        for task in asyncio.all_tasks() - before:
            task.cancel()
    assert count == 2
