"""Tests of asynctask.pollers.aside."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from asynctask.pollers.aside import Aside
from tests.support import turns


async def test_work_is_done_in_a_thread_of_its_own() -> None:
    """What comes of it is returned; the thread keeps no program from ending."""
    thread = await Aside("look").do(threading.current_thread)
    assert thread is not threading.current_thread()
    assert (thread.name, thread.daemon) == ("look", True)


async def test_what_the_work_raises_is_raised() -> None:
    """As it is."""

    def work() -> None:
        raise FileNotFoundError(2, "gone")

    aside = Aside("look")
    with pytest.raises(FileNotFoundError, match="gone"):
        await aside.do(work)
    assert not aside.busy


async def test_what_is_no_exception_is_raised_too() -> None:
    """Else who waits would wait for ever, and so would all after it."""

    class Odd(BaseException):
        pass

    def work() -> None:
        raise Odd

    aside = Aside("look")
    with pytest.raises(Odd):
        await asyncio.wait_for(aside.do(work), 10)
    assert not aside.busy


async def test_one_thing_at_a_time() -> None:
    """What was given up is waited for: there are never two."""
    aside = Aside("look")
    free = threading.Event()
    done: list[str] = []

    def work() -> None:
        free.wait()
        done.append("first")

    first = asyncio.create_task(aside.do(work))
    await turns(3)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert aside.busy
    second = asyncio.create_task(aside.do(lambda: done.append("second")))
    await turns(3)
    assert done == []
    free.set()
    await second
    assert done == ["first", "second"]
    assert not aside.busy


async def test_who_waits_for_a_turn_can_be_cancelled() -> None:
    """However long the one before hangs."""
    aside = Aside("look")
    free = threading.Event()
    first = asyncio.create_task(aside.do(free.wait))
    await turns(3)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await aside.do(lambda: None)
    free.set()
    assert await first


async def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError, and the next one has its turn."""
    aside = Aside("look")

    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(OSError, match="can't start new thread"):
            await aside.do(lambda: None)
    assert await aside.do(lambda: 5) == 5


def test_a_loop_that_is_closed_meanwhile() -> None:
    """Nobody wants to know: the thread ends without a word."""
    aside = Aside("look")
    free, threads = threading.Event(), list[threading.Thread]()

    def work() -> None:
        threads.append(threading.current_thread())
        free.wait()

    async def give_up() -> None:
        doing: asyncio.Task[Any] = asyncio.create_task(aside.do(work))
        await turns(2)
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)

    asyncio.run(give_up())
    free.set()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
