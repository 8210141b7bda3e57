"""Lines on their way to the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from asynctask.cli.supervising import printing
from asynctask.cli.supervising.printing import Printer
from asynctask.cli.terminal import STDERR, STDOUT
from tests.cli.supervising.fakes import FakeScreen

pytestmark = pytest.mark.one_loop("no descriptors")


@pytest.fixture
def screen() -> FakeScreen:
    """Where it is shown."""
    return FakeScreen()


@pytest.fixture
async def printer(screen: FakeScreen) -> AsyncIterator[Printer]:
    """One that runs."""
    printer = Printer(screen)
    task = asyncio.create_task(printer.run())
    yield printer
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_order_is_kept_in_few_pieces(screen: FakeScreen, printer: Printer) -> None:
    """Neighbours for the same stream are one piece."""
    for fd, text in ((STDOUT, b"a"), (STDOUT, b"b"), (STDERR, b"c"), (STDOUT, b"d")):
        printer.put(fd, text)
    await printer.idle()
    assert screen.pieces == [(STDOUT, b"ab"), (STDERR, b"c"), (STDOUT, b"d")]


async def test_who_has_much_waits_while_nobody_reads(
    screen: FakeScreen, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room again when the screen has taken it."""
    monkeypatch.setattr(printing, "_ROOM", 4)
    screen.free.clear()
    printer.put(STDOUT, b"first")
    await asyncio.sleep(0)  # the screen has it
    printer.put(STDOUT, b"second")
    waiting = asyncio.create_task(printer.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    screen.free.set()
    await waiting
    await printer.idle()
    assert screen.pieces == [(STDOUT, b"first"), (STDOUT, b"second")]


async def test_what_cannot_wait_is_dropped_and_counted(
    screen: FakeScreen, printer: Printer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing grows without a bound; it is told when somebody reads again."""
    monkeypatch.setattr(printing, "_FULL", 4)
    screen.free.clear()
    printer.put(STDERR, b"first\n")
    printer.put(STDERR, b"second\n")
    printer.put(STDERR, b"third\n")
    screen.free.set()
    await printer.idle()
    assert screen.pieces == [
        (STDERR, b"first\n"),
        (STDERR, b"asynctask: 2 lines are not shown: nobody has read them\n"),
    ]
