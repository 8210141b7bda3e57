"""Tests of asynctask.manager.local.running: real processes, from their start to their end."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit
from asynctask.manager.local import running as module
from asynctask.manager.local.running import ExitWatch
from asynctask.ssh.turns import Turns
from tests.manager.local.conftest import Launch
from tests.support import turns

#: Something that is left in the group when the process has exited.
LEAVES_A_CHILD = "sleep 60 >/dev/null 2>&1 & echo $!"


@pytest.fixture(params=["pidfd", "no pidfd in Python", "no pidfd in the kernel"])
def _exit_watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no pidfd in Python":
        monkeypatch.delattr(os, "pidfd_open")
    elif request.param == "no pidfd in the kernel":

        def refuse(pid: int, flags: int = 0) -> int:
            raise OSError(errno.ENOSYS, "not implemented")

        monkeypatch.setattr(os, "pidfd_open", refuse)


# -- the exit -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_exit_watch")
@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("exit 0", Exit(0)),
        ("exit 255", Exit(255)),
        ("kill -KILL $$", Exit(None, signal.SIGKILL)),
        ("exec >&- 2>&-; sleep 0.01; exit 7", Exit(7)),
        ("sleep 60 & exit 8", Exit(8)),
    ],
)
async def test_how_it_ended(launch: Launch, script: str, how: Exit) -> None:
    """Whatever becomes of its output and its group, and however the exit is noticed."""
    started = await launch(script)
    assert await started.running.wait() == how
    assert await started.running.wait() == how


async def test_who_waits_may_give_up(launch: Launch) -> None:
    """The process is left as it is, and others who wait are told."""
    started = await launch("read line; exit 3", stdin=True)
    waiting = [asyncio.create_task(started.running.wait()) for _ in range(3)]
    await turns(3)
    waiting[0].cancel()
    await started.running.close_input()
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(ends[0]), *ends[1:]] == [asyncio.CancelledError, Exit(3), Exit(3)]


async def test_many_that_exit_at_once_have_turns() -> None:
    """One in each turn of the loop; who waits may be given up."""
    now, told = [1.0], []

    def exited(how: Exit) -> None:
        told.append(how)
        now[0] += 1.0

    one_a_turn = Turns(lambda: now[0])
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(4)]
    watches = [ExitWatch(child, exited, one_a_turn) for child in children]
    for child in children:
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    counts = [0]
    async with asyncio.timeout(5):
        while len(told) < 3:
            await turns(1)
            counts.append(len(told))
            if len(told) == 1:
                given_up = next(each for each in reversed(watches) if each._popen.returncode is None)
                given_up.close()
                os.waitpid(given_up._popen.pid, 0)
    await turns(3)
    assert told == [Exit(None, signal.SIGKILL)] * 3
    assert max(after - before for before, after in itertools.pairwise(counts)) == 1


@pytest.mark.usefixtures("_exit_watch")
async def test_a_status_that_somebody_else_took(launch: Launch) -> None:
    """The end is noticed, but nobody can tell how it ended."""
    started = await launch("read line", stdin=True)
    waiting = asyncio.create_task(started.running.wait())
    await turns(3)
    started.running._inputs["stdin"].close()
    os.waitpid(started.running.os_pid, 0)
    assert await waiting == Exit(None, None)


async def test_the_exit_is_known_at_once(launch: Launch) -> None:
    """Far below the 10 ms after which another one is to run; the best of some, for others work here, too."""
    delays = []
    for _ in range(10):
        started = await launch(["/bin/sleep", "60"])
        waiting = asyncio.create_task(started.running.wait())
        await turns(2)
        began = time.perf_counter()
        await started.running.signal(signal.SIGKILL)
        await waiting
        delays.append(time.perf_counter() - began)
    assert min(delays) < 0.002


# -- the group ----------------------------------------------------------------------------------


async def test_a_process_without_others(launch: Launch) -> None:
    """With it the group has gone, and nobody is signalled any more."""
    started = await launch("exit 0")
    assert not started.running.has_group()  # that is asked after the exit
    await started.running.wait()
    assert not started.running.has_group()
    assert not await started.running.signal(signal.SIGTERM)
    await started.running.group_gone()


async def test_a_signal_reaches_the_whole_group(launch: Launch) -> None:
    """Children, too."""
    started = await launch("trap 'exit 4' TERM; sh -c 'echo ready; exec sleep 60' & wait")
    await started.heard.until(b"ready")
    assert await started.running.signal(signal.SIGTERM)
    assert await started.running.wait() == Exit(4)
    await started.running.group_gone()
    assert not started.running.has_group()


async def test_what_is_left_of_a_group(launch: Launch) -> None:
    """It has one until its last member has gone, and can be signalled until then."""
    started = await launch(LEAVES_A_CHILD)
    await started.running.wait()
    assert started.running.has_group()
    gone = asyncio.create_task(started.running.group_gone())
    await turns(3)
    assert not gone.done()
    assert await started.running.signal(signal.SIGKILL)
    await gone
    assert not started.running.has_group()
    assert not await started.running.signal(signal.SIGKILL)


async def test_the_number_of_a_group_may_be_anothers(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a group has members no process can get its number; so it has none, and is not signalled."""
    started = await launch(LEAVES_A_CHILD)
    await started.heard.until(b"\n")
    await started.running.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpgid", lambda pid: pid)
        assert not await started.running.signal(signal.SIGKILL)
        assert not started.running.has_group()
    child = int(started.stdout)
    os.kill(child, signal.SIGKILL)  # raises nothing: it was spared


async def test_members_of_other_users(launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that we may not signal are there all the same."""

    def refuse(group: int, number: int) -> None:
        raise PermissionError(errno.EPERM, "not permitted")

    started = await launch(LEAVES_A_CHILD)
    with monkeypatch.context() as patch:
        patch.setattr(os, "killpg", refuse)
        assert await started.running.signal(signal.SIGTERM)
        await started.running.wait()
        assert started.running.has_group()


# -- streams ------------------------------------------------------------------------------------


async def test_output_comes_while_it_runs(launch: Launch) -> None:
    """Each stream by its name."""
    started = await launch("echo out; echo err >&2; read line; echo $line", stdin=True)
    await started.heard.until(b"out\n")
    await started.heard.until(b"err\n", "stderr")
    await started.running.write(b"more\n")
    await started.end()
    assert started.output == {"stdout": b"out\nmore\n", "stderr": b"err\n"}


async def test_nothing_is_read_while_paused(launch: Launch) -> None:
    """It waits when its pipe is full."""
    started = await launch("read line; yes | head -c 200000; echo done >&2", stdin=True)
    started.running.pause_reading()
    await started.running.write(b"\n")
    waiting = asyncio.create_task(started.running.wait())
    await asyncio.wait([waiting], timeout=0.02)
    assert (started.output, waiting.done()) == ({}, False)
    started.running.resume_reading()
    await waiting
    await started.running.aclose()
    assert (len(started.stdout), started.output["stderr"]) == (200_000, b"done\n")


async def test_an_input_that_is_not_there(launch: Launch) -> None:
    """The message has its name."""
    running = (await launch("exit 0")).running
    with pytest.raises(ManagerError, match=rf"^process {running.os_pid} has no input 'stdin'$"):
        await running.write(b"x")
    with pytest.raises(ManagerError, match=rf"^process {running.os_pid} has no input 'data'$"):
        await running.close_input("data")


async def test_who_reads_no_more(launch: Launch) -> None:
    """The message says so."""
    started = await launch("exec <&-; echo ready; sleep 60", stdin=True)
    await started.heard.until(b"ready")
    with pytest.raises(ManagerError, match=r"reads no more from 'stdin'$"):
        await started.running.write(b"x")


# -- letting go ---------------------------------------------------------------------------------


async def test_what_it_wrote_last_is_delivered(launch: Launch) -> None:
    """More than one piece of it; nobody waits when the streams have ended."""
    started = await launch("head -c 150000 /dev/zero; exit 1")
    started.running.pause_reading()
    await asyncio.sleep(0)
    started.running.resume_reading()
    assert (await started.end(), len(started.stdout)) == (Exit(1), 150_000)


@pytest.mark.parametrize("paused", [False, True])
async def test_a_stream_that_somebody_else_holds(
    launch: Launch, monkeypatch: pytest.MonkeyPatch, paused: bool
) -> None:
    """It is waited for, but not for ever; what the process wrote is delivered also then."""
    monkeypatch.setattr(module, "_PIPE_GRACE", 0.05)
    started = await launch("sleep 60 & echo out")
    if paused:
        started.running.pause_reading()
    await started.running.wait()
    began = time.monotonic()
    await started.running.aclose()
    assert time.monotonic() - began >= 0.04  # some loops count in milliseconds
    assert started.stdout == b"out\n"


async def test_cancelling_delivers_what_is_there(launch: Launch) -> None:
    """It lets go of everything all the same."""
    started = await launch("sleep 60 & echo out")
    await started.running.wait()
    closing = asyncio.create_task(started.running.aclose())
    await turns(3)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert started.stdout == b"out\n"


async def test_left_alone_before_its_exit(launch: Launch, tmp_path: Path) -> None:
    """It goes on, nobody hears it, and its exit is known all the same."""
    started = await launch(f"read line; echo out 2>&1; touch {tmp_path}/here; exit 5", stdin=True)
    await started.running.aclose()
    assert await started.running.wait() in (Exit(5), Exit(None, signal.SIGPIPE))
    assert started.output == {}
    await started.running.aclose()


# -- the watch alone ----------------------------------------------------------------------------


@pytest.fixture
async def popen() -> AsyncIterator[subprocess.Popen[bytes]]:
    """A process that nobody waits for."""
    started = subprocess.Popen(["/bin/sleep", "60"])
    yield started
    os.kill(started.pid, signal.SIGKILL)
    os.waitpid(started.pid, 0)


@pytest.mark.usefixtures("_exit_watch")
async def test_a_watch_that_is_given_up(popen: subprocess.Popen[bytes]) -> None:
    """It tells nothing, keeps nothing, and may be given up again."""
    told: list[Exit] = []
    watch = ExitWatch(popen, told.append)
    watch.close()
    watch.close()
    await turns(3)
    assert told == []
