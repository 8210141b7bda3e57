"""Tests of asynctask.transfer.window."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from asynctask.transfer.window import Branch, Window
from tests.support import turns


async def all_of(room: asyncio.Semaphore, *works: Coroutine[Any, Any, None]) -> None:
    """Run them in a window."""
    async with Window(room) as window:
        for work in works:
            await window.start(work)


async def patient() -> None:
    """Never ends by itself."""
    await asyncio.Event().wait()


async def test_so_many_at_once() -> None:
    """No more than there is room for run at once, and leaving waits for all."""
    running = most = done = 0

    async def work() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await turns(3)
        running -= 1
        done += 1

    async with Window(asyncio.Semaphore(3)) as window:
        for _ in range(10):
            await window.start(work())
    assert (most, done) == (3, 10)


async def test_they_begin_in_order() -> None:
    """What is sent first is sent first."""
    order: list[int] = []

    async def work(number: int) -> None:
        order.append(number)

    async with Window(asyncio.Semaphore(2)) as window:
        for number in range(6):
            await window.start(work(number))
    assert order == list(range(6))


async def test_the_first_failure_ends_all() -> None:
    """The others are cancelled, their cleanup is waited for, the failure is raised."""
    cleaned: list[str] = []

    async def cleans() -> None:
        try:
            await patient()
        finally:
            await turns(3)
            cleaned.append("up")

    async def fails() -> None:
        await turns(3)
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$"):
        await all_of(asyncio.Semaphore(2), cleans(), fails())
    assert cleaned == ["up"]


async def test_nothing_starts_after_a_failure() -> None:
    """The failure is raised where the next would start."""
    started: list[str] = []

    async def fails() -> None:
        raise ValueError("no")

    async def late() -> None:
        started.append("late")

    room = asyncio.Semaphore(1)
    with pytest.raises(ValueError, match=r"^no$"):
        await all_of(room, fails(), late())
    assert started == []
    assert not room.locked()


@pytest.mark.parametrize("where", ["starting", "leaving"])
async def test_cancelling(where: str) -> None:
    """All that runs is cancelled with it, and the room is given back."""
    ended: list[str] = []
    room = asyncio.Semaphore(1)

    async def cleans() -> None:
        try:
            await patient()
        finally:
            ended.append("ended")

    async def outer() -> None:
        async with Window(room) as window:
            await window.start(cleans())
            if where == "starting":
                await window.start(cleans())

    task = asyncio.create_task(outer())
    await turns(3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["ended"]
    assert not room.locked()


async def test_a_block_that_raises() -> None:
    """Its own exception is the one that counts."""

    async def block() -> None:
        async with Window(asyncio.Semaphore(1)) as window:
            await window.start(patient())
            raise KeyError

    with pytest.raises(KeyError):
        await block()


async def test_a_directory_is_finished_after_all_in_it() -> None:
    """Inner ones first, whatever is done last."""
    finished: list[str] = []

    async def outer_done() -> None:
        finished.append("outer")

    async def inner_done() -> None:
        finished.append("inner")

    outer = Branch(None, outer_done)
    inner = Branch(outer, inner_done)
    inner.grow()
    await inner.shrink()
    await outer.shrink()
    assert finished == []
    await inner.shrink()
    assert finished == ["inner", "outer"]
