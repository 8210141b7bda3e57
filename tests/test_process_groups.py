"""Tests of asynctask.process_groups."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask import process_groups as module
from asynctask.process_groups import ProcessGroups
from tests.support import turns


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as popen:
        yield popen
        if popen.poll() is None:
            popen.kill()


async def _is_waiting(waiter: asyncio.Task[None]) -> bool:
    done, _ = await asyncio.wait([waiter], timeout=0.1)
    return not done


async def test_a_group_that_does_not_exist_is_gone(leader: subprocess.Popen[bytes]) -> None:
    """There is nothing to look at."""
    leader.kill()
    leader.wait()
    await ProcessGroups().wait_gone(leader.pid)


async def test_a_living_member_keeps_the_group(leader: subprocess.Popen[bytes]) -> None:
    """It is gone when the member is."""
    waiter = asyncio.create_task(ProcessGroups().wait_gone(leader.pid))
    assert await _is_waiting(waiter)
    leader.kill()
    leader.wait()
    await waiter


async def test_a_zombie_is_no_member(leader: subprocess.Popen[bytes]) -> None:
    """Where nobody reaps orphans the group would else be there for ever."""
    os.kill(leader.pid, signal.SIGKILL)
    while "Z" not in (Path("/proc") / str(leader.pid) / "stat").read_text().rpartition(")")[2].split()[0]:
        await asyncio.sleep(0.001)
    await ProcessGroups().wait_gone(leader.pid)
    os.killpg(leader.pid, 0)  # and the system says that it exists


async def test_many_wait_with_one_look_at_a_time(
    leader: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at all processes costs; who comes while somebody looks waits for the next look."""
    looks = 0
    now = 0

    async def look() -> frozenset[int]:
        nonlocal looks, now
        looks += 1
        now += 1
        assert now == 1
        await turns(3)
        now -= 1
        return frozenset()

    monkeypatch.setattr(module, "_groups_alive", look)
    groups = ProcessGroups()
    await asyncio.gather(*(groups.wait_gone(leader.pid) for _ in range(100)))
    assert looks <= 2


async def test_a_look_that_is_cancelled_does_not_hold_the_others(leader: subprocess.Popen[bytes]) -> None:
    """Another one looks."""
    groups = ProcessGroups()
    waiters = [asyncio.create_task(groups.wait_gone(leader.pid)) for _ in range(3)]
    await turns(1)
    waiters[0].cancel()
    leader.kill()
    leader.wait()
    ends = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(ends[0], asyncio.CancelledError)
    assert ends[1:] == [None, None]


async def test_without_proc_the_system_is_asked(
    leader: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere than on Linux a zombie counts until it is reaped."""

    async def blind() -> None:
        return None

    monkeypatch.setattr(module, "_groups_alive", blind)
    waiter = asyncio.create_task(ProcessGroups().wait_gone(leader.pid))
    assert await _is_waiting(waiter)
    leader.kill()
    leader.wait()
    await waiter


async def test_a_name_with_brackets_and_blanks_is_read_right(tmp_path: Path) -> None:
    """A process may be called anything."""
    program = tmp_path / ") Z 1"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"], start_new_session=True) as popen:
        try:
            alive = await module._groups_alive()
            assert alive is not None
            assert popen.pid in alive
        finally:
            popen.kill()


async def test_without_a_descriptor_to_look_with_nobody_is_taken_for_gone(
    leader: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be seen may be alive."""

    def refuse(name: str) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_read", refuse)
        assert await module._groups_alive() is None
    alive = await module._groups_alive()
    assert alive is not None
    assert leader.pid in alive
