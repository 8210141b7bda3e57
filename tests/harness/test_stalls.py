"""The loop-block detector sees what blocks and nothing else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.programs import until
from tests.harness.stalls import Scheduler, Stall, StallDetector

pytestmark = pytest.mark.blocks_loop("to see what the detector makes of it")

LONG = 0.2  # seconds
TURN = 0.02  # seconds: the loop turns and answers


def _sleep() -> None:
    time.sleep(LONG)


def _compute() -> None:
    end = time.thread_time() + LONG
    while time.thread_time() < end:
        pass


def _hold_the_interpreter_lock() -> None:
    """One call into C code that lasts longer than the limit, however fast the machine is."""
    number, spent = 3**100_000, 0.0
    while spent < LONG:
        began = time.thread_time()
        number *= number
        spent = time.thread_time() - began


def _seconds(stall: Stall) -> float:
    return stall.seconds


async def _watch(block: Callable[[], None], *, excused: bool = False) -> list[Stall]:
    detector = StallDetector(asyncio.get_running_loop(), excused=lambda: excused)
    detector.start()
    try:
        await asyncio.sleep(TURN)
        block()
        await asyncio.sleep(TURN)
    finally:
        detector.stop()
    return detector.stalls


@pytest.mark.parametrize("block", [_sleep, _compute])
async def test_a_blocked_loop_is_seen_with_its_stack(block: Callable[[], None]) -> None:
    """Sleeping and computing, both with the line at fault at the end of the stack."""
    stall = max(await _watch(block), key=_seconds)

    assert stall.seconds > LONG / 3  # computing counts half on a machine that is slow just now
    assert f"in {block.__name__}\n" in stall.stack.split("File")[-1]
    assert "in run_forever" not in stall.stack


async def test_a_call_that_keeps_the_interpreter_lock_is_seen() -> None:
    """While it lasts the detector cannot run, so it looks at what the thread has used afterwards."""
    stall = max(await _watch(_hold_the_interpreter_lock), key=_seconds)

    assert stall.seconds > LONG / 8


async def test_a_loop_that_waits_is_not_blocked() -> None:
    """Waiting is what a loop is for."""
    detector = StallDetector(asyncio.get_running_loop())
    detector.start()
    await asyncio.sleep(LONG)

    assert detector.stop() == []


async def test_many_short_turns_are_no_block() -> None:
    """A busy loop that keeps turning answers in time."""
    detector = StallDetector(asyncio.get_running_loop())
    detector.start()
    for _ in range(20_000):
        await asyncio.sleep(0)

    assert detector.stop() == []


async def test_sleep_that_the_machine_is_to_blame_for_is_forgiven() -> None:
    """The thread may have waited for someone who waited for a core, or for a disk."""
    assert await _watch(_sleep, excused=True) == []


async def test_computing_is_not_forgiven() -> None:
    """What the thread itself computes is its own doing."""
    stall = max(await _watch(_compute, excused=True), key=_seconds)

    assert stall.seconds > LONG / 3


@pytest.mark.parametrize("where", ["inside", "between"])
def test_only_time_in_the_loop_counts(where: str) -> None:
    """A test's loop stops between fixtures and test; the last thing before a stop still counts."""
    runner = asyncio.Runner()
    with runner:
        detector = StallDetector(runner.get_loop(), excused=(lambda: False) if where == "inside" else None)

        async def start() -> None:
            detector.start()

        async def work() -> None:
            await asyncio.sleep(TURN)
            if where == "inside":
                _sleep()

        async def stop() -> None:
            await asyncio.sleep(TURN)
            detector.stop()

        runner.run(start())
        runner.run(work())
        if where == "between":
            _sleep()
        runner.run(stop())

    assert len(detector.stalls) == (where == "inside")


def test_a_sleep_that_no_signal_ends_is_told_from_others(tmp_path: Path) -> None:
    """What waits for a disk is in it, and so is a process whose child has not called exec yet."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    program = (
        "import os, sys\n"
        "sys.stdin.readline()\n"
        "first = (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], 0, 0)\n"
        "os.posix_spawn('/bin/true', ['true'], {}, file_actions=[first])"
    )
    with subprocess.Popen([sys.executable, "-c", program, gate], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        scheduler = Scheduler(process.pid, process.pid)
        try:
            assert scheduler.waits_for_disk() is False
            process.stdin.close()
            until(scheduler.waits_for_disk)
        finally:
            scheduler.close()
            gate.open("w").close()
    assert process.returncode == 0
