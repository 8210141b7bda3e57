"""Tests of asynctask.dispatch.dispatcher: it ends, whoever cancels what, and when."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from asynctask.dispatch import EventDispatcher
from tests.dispatch.helpers import PATIENCE, Given, Noted
from tests.support import turns


async def _block(generator: Given) -> None:
    async with EventDispatcher() as dispatcher:
        dispatcher.add_event_generator(generator)
        await asyncio.Event().wait()


@pytest.mark.parametrize("after", range(4))
async def test_all_tasks_are_cancelled_at_once(after: int) -> None:
    """As at the end of a program; though what it consists of has not run yet, generators are stopped."""
    generator = Given(Noted())
    before = asyncio.all_tasks()
    block = asyncio.create_task(_block(generator))
    await turns(1 + after)
    for task in asyncio.all_tasks() - before:
        task.cancel()
    done, _ = await asyncio.wait([block], timeout=PATIENCE)
    assert block in done
    assert (generator.stops, asyncio.all_tasks() - before) == (1, set())


@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("later", range(4))
async def test_cancelled_twice(after: int, later: int) -> None:
    """Nothing of it is left behind."""
    generator = Given(Noted())
    before = asyncio.all_tasks()
    block = asyncio.create_task(_block(generator))
    await turns(1 + after)
    block.cancel()
    await turns(later)
    block.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(block, PATIENCE)
    assert (generator.stops, asyncio.all_tasks() - before) == (1, set())
