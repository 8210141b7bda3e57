"""Signals that ask a command line to end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from asynctask.cli.signals import EXIT_SIGNAL, signals_handled

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
async def test_they_call_back_on_the_loop(number: signal.Signals) -> None:
    """With their number, each time."""
    caught: asyncio.Queue[signal.Signals] = asyncio.Queue()

    with signals_handled(caught.put_nowait):
        async with asyncio.timeout(20):
            for _ in range(2):
                os.kill(os.getpid(), number)
                assert await caught.get() == number

    assert caught.empty()


async def test_ignored_signals_stay_ignored() -> None:
    """As ``nohup`` has it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    caught: asyncio.Queue[signal.Signals] = asyncio.Queue()

    with signals_handled(caught.put_nowait):
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await caught.get() == signal.SIGTERM

    assert caught.empty()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


async def test_afterwards_they_end_the_program() -> None:
    """At once and without a traceback, also when the block was left with an error."""
    with pytest.raises(ZeroDivisionError), signals_handled(lambda _: None):
        _ = 1 // 0

    assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL] * 3


def test_the_exit_status() -> None:
    """130 for Ctrl-C, as shells have it."""
    assert [EXIT_SIGNAL + number for number in SIGNALS] == [130, 143, 129]
