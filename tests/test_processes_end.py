"""Tests of asynctask.processes: how the exit is noticed, and how a process is ended."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time

import pytest

from asynctask.processes import Spawner, kill_group
from asynctask.waiting import Grace
from tests.running import PATIENCE, Running, Start
from tests.support import turns

# -- how the exit is noticed -------------------------------------------------------------------


@pytest.fixture(params=["pidfd", "no pidfd in Python", "no pidfd in the kernel"])
def _exit_watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no pidfd in Python":
        monkeypatch.delattr(os, "pidfd_open")
    elif request.param == "no pidfd in the kernel":

        def refuse(pid: int, flags: int = 0) -> int:
            raise OSError(errno.ENOSYS, "not implemented")

        monkeypatch.setattr(os, "pidfd_open", refuse)


@pytest.mark.usefixtures("_exit_watch")
async def test_the_exit_is_noticed(start: Start) -> None:
    """Also of a process that closed its output long before, with pidfd and without."""
    running = start("exec >&- 2>&-; sleep 0.2; exit 7")
    assert await running.process.wait() == 7


@pytest.mark.usefixtures("_exit_watch")
async def test_the_exit_is_noticed_though_the_output_goes_on(start: Start) -> None:
    """Also of an old process, with pidfd and without."""
    running = start("sleep 0.2; sleep 60 & exit 8")
    assert await running.process.wait() == 8


@pytest.mark.usefixtures("_exit_watch")
async def test_a_status_that_somebody_else_took_is_255(start: Start) -> None:
    """Another part of the program may wait for all children; then the status is lost, the end is not."""
    running = start("exec >&- 2>&-; exit 3")
    os.waitpid(running.process.pid, 0)
    assert await running.process.wait() == 255


@pytest.mark.usefixtures("_exit_watch")
async def test_a_status_that_somebody_else_took_later_is_255(start: Start) -> None:
    """The same when the exit is already watched for."""
    running = start("exec >&- 2>&-; kill -STOP $$; exit 3")
    await running.reached("T")
    waiter = asyncio.create_task(running.process.wait_exit())
    await turns(3)
    os.kill(running.process.pid, signal.SIGCONT)
    os.waitpid(running.process.pid, 0)
    await waiter
    assert await running.process.wait() == 255


async def test_children_that_the_kernel_reaps_are_over_all_the_same(start: Start) -> None:
    """A program that ignores SIGCHLD gets no status of any child."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        running = start("echo hi; exit 3")
        assert await running.process.wait() == 255
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert running.stdout == b"hi\n"


# -- being ended --------------------------------------------------------------------------------


async def _gone(running: Running) -> None:
    """Wait until nobody of the group lives."""
    await asyncio.wait_for(running.process.wait_group_gone(), PATIENCE)


async def test_the_ladder_begins_with_term(start: Start) -> None:
    """A process that reacts is given its time, and nobody waits after that."""
    running = start(
        "trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.01; done", separate_stderr=True
    )
    await running.heard.wait()
    await kill_group(running.process, Grace(PATIENCE))
    assert await running.process.wait() == 9
    assert running.stdout == b"ready\nbye\n"


async def test_one_that_ignores_term_is_killed_after_the_grace(start: Start) -> None:
    """Not before, and surely then."""
    running = start("trap '' TERM; echo ready; while :; do sleep 60; done")
    await running.heard.wait()
    began = time.monotonic()
    await kill_group(running.process, Grace(0.2))
    assert time.monotonic() - began >= 0.19  # some loops count in milliseconds
    assert running.process.returncode == -signal.SIGKILL
    await _gone(running)


async def test_a_grandchild_that_ignores_term_is_killed_with_its_group(start: Start) -> None:
    """The leader's exit is not the end of the ladder."""
    running = start("(trap '' TERM; echo ready; while :; do sleep 60; done) & wait")
    await running.heard.wait()
    await kill_group(running.process, Grace(0.2))
    assert running.process.returncode == -signal.SIGTERM
    await _gone(running)


async def test_a_grandchild_that_outlives_its_parent_is_ended(start: Start) -> None:
    """The group keeps its number when the leader has gone."""
    running = start("sleep 60 & echo ready")
    await running.process.wait_exit()
    await kill_group(running.process, Grace(PATIENCE))
    await _gone(running)
    assert running.process.returncode == 0


async def test_a_stopped_process_is_woken_to_hear_term(start: Start) -> None:
    """It cannot react otherwise, and would be killed."""
    running = start("trap 'exit 9' TERM; kill -STOP $$; while :; do sleep 0.01; done")
    await running.reached("T")
    await kill_group(running.process, Grace(PATIENCE))
    assert running.process.returncode == 9


async def test_the_ladder_can_be_hurried(start: Start) -> None:
    """Cutting the grace brings KILL at once."""
    running = start("trap '' TERM; echo ready; while :; do sleep 60; done")
    await running.heard.wait()
    grace = Grace(PATIENCE)
    ladder = asyncio.create_task(kill_group(running.process, grace))
    await turns(5)
    assert not ladder.done()
    grace.cut()
    await ladder
    assert running.process.returncode == -signal.SIGKILL


async def test_a_process_that_has_gone_needs_no_ladder(start: Start) -> None:
    """Nobody is signalled."""
    running = start("exit 3")
    await running.process.wait()
    assert running.process.signal_group(signal.SIGTERM) is False
    await kill_group(running.process, Grace(PATIENCE))
    assert running.process.returncode == 3


async def test_draining_takes_what_was_written_before_the_end(start: Start) -> None:
    """The last words of a process that was ended are kept, though reading was paused."""
    running = start("echo last words; kill -STOP $$", separate_stderr=True)
    running.process.pause_reading()
    await running.reached("T")
    await kill_group(running.process, Grace(PATIENCE))
    running.process.drain()
    assert running.stdout == b"last words\n"
    assert await running.process.wait() == -signal.SIGTERM


async def test_closing_lets_go_of_everything_and_may_be_repeated(start: Start) -> None:
    """Descriptors and timers; the process is not touched."""
    running = start("kill -STOP $$", stdin=True, separate_stderr=True)
    await running.reached("T")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    running.process.close()
    running.process.close()
    assert len(os.listdir("/proc/self/fd")) == before - 3  # noqa: PTH208
    assert running.state() == "T"


async def test_a_spawner_may_be_closed_twice_and_used_again() -> None:
    """It opens again what it shares."""
    spawner = Spawner()
    for _ in range(2):
        running = Running(spawner, ("cat",))
        assert await running.process.wait() == 0
        await spawner.aclose()
        await spawner.aclose()
