"""Tests of asynctask.dispatch.inside."""

from __future__ import annotations

import asyncio

import pytest

from asynctask.dispatch.inside import entered, is_inside

pytestmark = pytest.mark.one_loop


def test_inside_is_what_is_called_there() -> None:
    """Nested ones are inside all of them; afterwards nothing is."""
    outer, inner = object(), object()
    with entered(outer):
        assert not is_inside(inner)
        with entered(inner):
            assert is_inside(inner)
            assert is_inside(outer)
        assert not is_inside(inner)
    assert not is_inside(outer, inner)


async def test_tasks_and_threads_that_are_started_there_are_inside() -> None:
    """Who waits for them inside would wait for itself, too."""
    part = object()

    async def look() -> bool:
        return is_inside(part)

    with entered(part):
        task = asyncio.create_task(look())
        assert await asyncio.to_thread(is_inside, part)
    assert await task
    assert not await look()
