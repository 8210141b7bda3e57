"""Tests of asynctask.transfer.descriptors."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from asynctask.transfer import descriptors
from asynctask.transfer.descriptors import Descriptor, in_thread
from tests.workers.ends import is_open


def opened(path: Path) -> tuple[Descriptor, int]:
    """A directory, and its number."""
    fd = os.open(path, os.O_RDONLY)
    return Descriptor(fd), fd


async def test_in_a_thread() -> None:
    """It is another one, and what it raises comes here."""
    assert await in_thread(threading.get_ident) != threading.get_ident()
    with pytest.raises(FileNotFoundError):
        await in_thread(os.stat, "/no/such/file")


async def test_cancelling_waits_for_the_thread() -> None:
    """What it did is known when the cancellation goes on."""
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(10)
        done.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.sleep(0)
    task.cancel()
    asyncio.get_running_loop().call_later(0.01, go.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()


async def test_closing(tmp_path: Path) -> None:
    """Once; afterwards it is of no use."""
    descriptor, fd = opened(tmp_path)
    assert await descriptor.call(os.listdir) == []
    descriptor.close()
    descriptor.close()
    assert not is_open(fd)
    with pytest.raises(ValueError, match="closed"):
        await descriptor.call(os.listdir)


async def test_a_thread_that_is_still_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both descriptors that it uses stay open until it has ended, even if nobody waits for it."""
    monkeypatch.setattr(descriptors, "_CANCEL_WAIT", 0.0)
    one, first = opened(tmp_path)
    other, second = opened(tmp_path)
    go = threading.Event()

    def work(one: int, other: int) -> None:
        go.wait(10)
        os.fstat(one)
        os.fstat(other)

    task = asyncio.create_task(one.call_with(other, work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    one.close()
    other.close()
    assert (is_open(first), is_open(second)) == (True, True)
    go.set()
    while is_open(first) or is_open(second):
        await asyncio.sleep(0.001)


def test_one_that_nobody_got(tmp_path: Path) -> None:
    """A result that was dropped with a cancellation is closed."""
    _, fd = opened(tmp_path)
    del _
    assert not is_open(fd)
