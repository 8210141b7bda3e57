"""Tests of asynctask.dispatch.threads."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from asynctask.dispatch import threads
from asynctask.dispatch.inside import entered, is_inside
from asynctask.dispatch.threads import in_thread
from tests.dispatch.helpers import PATIENCE, waited


async def test_it_is_called_in_a_thread_that_is_gone_afterwards() -> None:
    """One that keeps no interpreter alive; context variables hold there."""
    part = object()

    def work(number: int) -> tuple[int, bool, threading.Thread]:
        return number, is_inside(part), threading.current_thread()

    with entered(part):
        number, inside, thread = await in_thread("aside", work, 7)
    assert (number, inside, thread.name, thread.daemon, thread.is_alive()) == (7, True, "aside", True, False)


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt()])
async def test_what_it_raises_comes_to_who_awaits(error: BaseException) -> None:
    """Also what ends a program."""

    def work() -> None:
        raise error

    try:
        await in_thread("aside", work)
    except BaseException as exc:
        assert exc is error
    else:
        pytest.fail("nothing was raised")


class Held:
    """A call that lasts until it is let go."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.begun, self.over = asyncio.Event(), asyncio.Event()
        self.may_end = threading.Event()

    def __call__(self) -> None:
        self.loop.call_soon_threadsafe(self.begun.set)
        assert self.may_end.wait(PATIENCE)
        self.loop.call_soon_threadsafe(self.over.set)


async def test_cancelling_waits_for_the_call() -> None:
    """Nothing is left of it."""
    held = Held()
    task = asyncio.create_task(in_thread("aside", held))
    await waited(held.begun)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    held.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert held.over.is_set()


async def test_a_call_that_does_not_end_is_left_behind_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning."""
    monkeypatch.setattr(threads, "GIVE_UP", 0.01)
    held = Held()
    task = asyncio.create_task(in_thread("aside", held))
    await waited(held.begun)
    task.cancel()
    with caplog.at_level(logging.WARNING), pytest.raises(asyncio.CancelledError):
        await task
    assert caplog.messages == ["aside: still running 0.01 s after it was cancelled; left behind"]
    held.may_end.set()
    await waited(held.over)
