"""Tests of asynctask.manager.output_watch."""

from __future__ import annotations

import asyncio

from asynctask.manager.output_watch import LineWatch
from tests.manager.output_support import block
from tests.support import turns


async def test_a_line_is_found() -> None:
    """Who waits hears of it; more lines make no difference."""
    watch = LineWatch(r"^ready on \d+$")
    waiter = asyncio.create_task(watch.wait())
    watch.look(block(b"ready on x\nnot ready on 80\n"))
    await turns(2)
    assert not waiter.done()
    watch.look(block(b"hello\r\nready on 80\r\n"))
    assert watch.over
    watch.end()
    assert await waiter is True


async def test_the_end_of_the_output_is_no_line() -> None:
    """Then there will be none."""
    watch = LineWatch("ready")
    watch.end()
    assert await watch.wait() is False


async def test_text_is_looked_at_whatever_its_bytes_are() -> None:
    """It may be no UTF-8."""
    watch = LineWatch("[äö]k$")
    watch.look(block(b"\xff\xfe " + "ök".encode() + b"\n"))
    assert watch.found


async def test_only_the_beginning_of_a_long_line_is_looked_at() -> None:
    """Looking takes time."""
    watch = LineWatch("ready")
    watch.look(block(b"x" * 20_000 + b" ready\n"))
    assert not watch.over
