"""Tests of asynctask.background."""

from __future__ import annotations

import asyncio

import pytest

from asynctask.background import Background
from asynctask.results import Result
from tests.support import made_result


async def _ends_with(end: Result | BaseException) -> Result:
    await asyncio.sleep(0)
    if isinstance(end, BaseException):
        raise end
    return end


async def test_it_runs_by_itself_and_says_when_it_is_over() -> None:
    """Nobody has to wait for it."""
    background = Background(_ends_with(made_result([])))
    assert not background.over.is_set()
    await background.over.wait()
    background.tell()


async def test_what_the_run_raised_is_told_once() -> None:
    """The second who asks has nothing to hear."""
    background = Background(_ends_with(ValueError("one")))
    await background.over.wait()
    with pytest.raises(ValueError, match=r"^one$"):
        background.tell()
    background.tell()


async def test_what_was_hushed_is_not_told() -> None:
    """There was a worse error; and asyncio does not complain that nobody asked."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    background = Background(_ends_with(ValueError("one")))
    await background.over.wait()
    background.hush()
    background.tell()
    del background
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_cancelled_run_can_be_hushed() -> None:
    """The loop that closes cancels everything."""
    background = Background(_ends_with(made_result([])))
    background._task.cancel()
    await background.over.wait()
    background.hush()
    background.tell()
