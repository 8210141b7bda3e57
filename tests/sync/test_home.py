"""Tests of asynctask.sync.home: what is done in the thread of a task, whoever asks for it."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

import pytest

from asynctask.sync.home import TASK, AtHome, running_here
from tests.sync.helpers import Aside, waited


class Home(AtHome):
    """That of the thread that makes it."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = threading.current_thread()


def _while_it_runs(home: Home, does: Callable[[], object]) -> object:
    """Run a loop at home until something is done in another thread."""

    async def work() -> object:
        return await asyncio.to_thread(does)

    return home._in_a_loop(work)


def test_without_a_loop_it_is_done_at_once() -> None:
    """In the thread that asks, for there is no other."""
    home = Home()
    assert Aside(lambda: home._do_now(threading.current_thread)).result() is not home.thread
    done: list[int] = []
    home._do(lambda: done.append(1))
    assert done == [1]


def test_while_the_loop_runs_it_is_done_at_home() -> None:
    """And who waits gets what comes of it."""
    home = Home()
    assert _while_it_runs(home, lambda: home._do_now(threading.current_thread)) is home.thread


def test_what_it_raises_comes_to_who_waits() -> None:
    """The loop goes on."""
    home = Home()

    def fails() -> object:
        with pytest.raises(ZeroDivisionError):
            home._do_now(lambda: 1 // 0)
        return home._do_now(lambda: "goes on")

    assert _while_it_runs(home, fails) == "goes on"


def test_what_nobody_waits_for_is_done_in_order_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """What fails is in the log; the rest is done."""
    home = Home()
    done: list[int] = []

    def asks() -> None:
        home._do(lambda: done.append(1))
        home._do(lambda: 1 // 0)
        home._do(lambda: done.append(2))

    with caplog.at_level(logging.ERROR):
        _while_it_runs(home, asks)
    assert done == [1, 2]
    name = home.thread.name
    assert [each.getMessage() for each in caplog.records] == [f"{name}: what another thread asked for failed"]


def test_waiting_for_a_change() -> None:
    """Who waits is woken when it is told."""
    home = Home()
    looked, open_ = threading.Event(), threading.Event()

    def closed() -> bool:
        looked.set()
        return not open_.is_set()

    aside = Aside(lambda: home._wait_while(closed))
    waited(looked)
    assert not aside.done
    open_.set()
    home._tell_changed()
    aside.result()


def test_who_runs_here() -> None:
    """Only a task whose loop runs in this very thread."""
    home = Home()
    setattr(home.thread, TASK, home)

    async def look() -> tuple[object, object]:
        return running_here(), await asyncio.to_thread(running_here)

    try:
        assert running_here() is None
        assert home._in_a_loop(look) == (home, None)
        assert running_here() is None
    finally:
        delattr(home.thread, TASK)
