"""Tests of asynctask.manager.local.guard."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from asynctask.manager.local import guard as module
from asynctask.manager.local.guard import GUARD_NAME, Guard
from tests.manager.local.detaching import environment_of, is_living, wait_gone


@pytest.fixture
async def guard() -> AsyncIterator[Guard]:
    """One that is closed at the end."""
    found = Guard()
    yield found
    await found.aclose()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own, and no mark."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as popen:
        yield popen
        popen.kill()


async def _another(guard: Guard, old: int | None) -> int:
    async with asyncio.timeout(5):
        while guard.pid in (None, old):
            await asyncio.sleep(0.005)
    assert guard.pid is not None
    return guard.pid


async def test_it_costs_nothing_before_it_is_needed() -> None:
    """Nor does closing it."""
    guard = Guard()
    assert guard.pid is None
    guard.watch(os.getpid())
    guard.forget(os.getpid())
    await guard.aclose()
    guard.start()
    assert guard.pid is None


async def test_it_is_small_and_holds_nothing_of_ours(guard: Guard) -> None:
    """A shell in a session of its own, with three descriptors and no environment of ours."""
    with open(os.devnull) as file:  # noqa: PTH123 - a descriptor that must not be inherited
        guard.start()
        guard.start()
        assert guard.pid is not None
        assert len(os.listdir(f"/proc/{guard.pid}/fd")) == 3, file  # noqa: PTH208
    assert os.getsid(guard.pid) == guard.pid
    assert set(environment_of(guard.pid)) <= {"ASYNCTASK_GUARD_PROGRAM", "PATH", "LD_LIBRARY_PATH", "PWD"}
    assert Path(f"/proc/{guard.pid}/cwd").readlink() == Path("/")


async def test_what_it_is_told_in_a_turn_is_written_at_once(
    guard: Guard, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand processes that start or end are one write, not a thousand."""
    guard.start()
    written: list[bytes] = []

    def write(fd: int, data: bytes) -> int:
        written.append(bytes(data))
        return len(data)

    monkeypatch.setattr(os, "write", write)
    for _ in range(100):
        guard.watch(sleeper.pid)
        guard.forget(sleeper.pid)
    assert written == []
    await asyncio.sleep(0)
    monkeypatch.undo()
    assert [each.count(b"\n") for each in written] == [200]


async def test_what_was_forgotten_is_spared(guard: Guard, sleeper: subprocess.Popen[bytes]) -> None:
    """Nobody is left to be ended: it goes at once."""
    guard.start()
    guard.watch(sleeper.pid)
    guard.forget(sleeper.pid)
    await guard.aclose()
    assert sleeper.poll() is None


async def test_what_is_still_watched_at_the_end_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    """Closing waits for it."""
    guard = Guard()
    guard.start()
    guard.watch(sleeper.pid, stop_signal=signal.SIGUSR1)
    await guard.aclose()
    assert sleeper.wait(5) == -signal.SIGUSR1


async def test_closing_is_bounded_and_complete_when_cancelled() -> None:
    """A helper that does not react is killed."""
    guard = Guard()
    guard.start()
    assert guard.pid is not None
    os.kill(guard.pid, signal.SIGSTOP)
    closing = asyncio.create_task(guard.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.sleep(0)
    os.kill(guard.pid, signal.SIGKILL)
    await asyncio.wait([closing])
    assert closing.cancelled()
    assert guard.pid is None


async def test_a_helper_that_hangs_at_the_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while."""
    monkeypatch.setattr(module, "_GOODBYE", 0.01)
    guard = Guard()
    guard.start()
    assert guard.pid is not None
    os.kill(guard.pid, signal.SIGSTOP)
    await guard.aclose()
    assert guard.pid is None


async def test_when_somebody_ends_it_there_is_another(
    guard: Guard, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which knows what the first one knew; the signals of a terminal do not end it."""
    monkeypatch.setattr(module, "_SHORT", 0.0)
    guard.start()
    guard.watch(sleeper.pid)
    first = guard.pid
    assert first is not None
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.kill(first, number)
    assert await _another(guard, first) != first
    await guard.aclose()
    assert sleeper.wait(5) == -signal.SIGTERM


async def test_one_that_ends_at_once_is_not_replaced_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That would be a loop; it is logged."""
    monkeypatch.setattr(module, "_RETRY_FIRST", 0.02)
    guard = Guard(shell="/bin/false")
    guard.start()
    first = guard.pid
    with caplog.at_level(logging.WARNING):
        await _another(guard, first)
    assert "has ended" in caplog.text
    await guard.aclose()


async def test_processes_run_without_one_too(caplog: pytest.LogCaptureFixture) -> None:
    """What prevents it is logged, and tried again."""
    guard = Guard(shell="/nowhere/sh")
    with caplog.at_level(logging.WARNING):
        guard.start()
    assert "/nowhere/sh" in caplog.text
    assert guard.pid is None
    guard.watch(os.getpid())
    await guard.aclose()


async def test_one_that_does_not_listen_is_replaced(
    guard: Guard, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for it is bounded; nothing is lost by it."""
    monkeypatch.setattr(module, "_SHORT", 0.0)
    monkeypatch.setattr(module, "_MOST_UNREAD", 1 << 12)
    guard.start()
    first = guard.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    guard.watch(sleeper.pid)
    for _ in range(3_000):
        guard.watch(1 << 30)
        guard.forget(1 << 30)
    assert await _another(guard, first) != first
    await guard.aclose()
    assert sleeper.wait(5) == -signal.SIGTERM


async def test_without_an_interpreter_groups_are_ended_by_the_shell(sleeper: subprocess.Popen[bytes]) -> None:
    """It may have gone away since."""
    guard = Guard(python="/nowhere/python")
    guard.start()
    guard.watch(sleeper.pid)
    last, guard._longest = guard._longest, 0.0
    assert last == 10.0
    closing = asyncio.create_task(guard.aclose())
    async with asyncio.timeout(5):
        while sleeper.poll() is None:
            await asyncio.sleep(0.005)
    assert sleeper.returncode == -signal.SIGTERM
    assert guard.pid is not None
    os.kill(guard.pid, signal.SIGKILL)
    await closing


def test_a_mark_is_put_on_and_taken_off() -> None:
    """Each guard has its own."""
    one, other = Guard().marked({"A": "b"}), Guard().marked({"A": "b"})
    assert one["A"] == "b"
    assert one[GUARD_NAME] != other[GUARD_NAME]
    assert Guard.unmarked(one) == {"A": "b"}


_MANAGER = """
import asyncio, os, subprocess, sys
from asynctask.manager.local.guard import Guard

async def main():
    guards = [Guard(), Guard()]
    for guard in guards:
        guard.start()
    env = guards[0].marked(os.environ) | {"OF_MANAGER": str(os.getpid())}
    sleep = ["sleep", "60"]
    told = subprocess.Popen(sleep, start_new_session=True)
    guards[0].watch(told.pid)
    await asyncio.sleep(0)
    untold = subprocess.Popen(sleep, start_new_session=True, env=env)
    spared = subprocess.Popen(sleep, start_new_session=True, env=Guard.unmarked(os.environ))
    if sys.argv[1] == "fork" and os.fork() == 0:
        print(*(p.pid for p in (told, untold, spared)), *(g.pid for g in guards), os.getpid(), flush=True)
        import time; time.sleep(60); os._exit(0)
    if sys.argv[1] == "spawn":
        print(spared.pid, *(g.pid for g in guards), flush=True)
        while True:
            child = subprocess.Popen(sleep, start_new_session=True, env=env)
            guards[1].watch(child.pid)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _run(how: str) -> tuple[subprocess.Popen[bytes], list[int]]:
    popen = subprocess.Popen([sys.executable, "-c", _MANAGER, how], stdout=subprocess.PIPE)
    assert popen.stdout is not None
    return popen, [int(each) for each in popen.stdout.readline().split()]


@pytest.mark.one_loop("its manager has one")
def test_a_manager_is_killed_while_a_forked_copy_of_it_lives() -> None:
    """Its guards notice, end what it had, told of or not, and go; what is to outlive it does."""
    popen, (told, untold, spared, *guards, copy) = _run("fork")
    with popen:
        popen.kill()
    wait_gone(told, untold, *guards)
    assert is_living(spared)
    assert is_living(copy)
    for pid in (spared, copy):
        os.kill(pid, signal.SIGKILL)


_CLOSED = """
import asyncio, importlib, subprocess, sys
from asynctask.manager.local.guard import Guard

def main():
    loop = importlib.import_module(sys.argv[1]).new_event_loop()
    told = subprocess.Popen(["sleep", "60"], start_new_session=True)
    guard = Guard()

    async def start():
        guard.start()
        guard.watch(told.pid)

    loop.run_until_complete(start())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return told.wait(10), guard._popen.wait(10)

print(main())
"""


@pytest.mark.one_loop("its program has one of each")
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_loop_is_closed_and_nobody_has_closed_the_manager(kind: str) -> None:
    """The program goes on, and what it has started has ended."""
    run = subprocess.run([sys.executable, "-c", _CLOSED, kind], check=True, capture_output=True, text=True)
    assert run.stdout == "(-15, 0)\n"


@pytest.mark.one_loop("its manager has one")
@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_a_manager_is_killed_while_it_starts_processes(delay: float) -> None:
    """At whatever moment: nothing is left."""
    popen, (spared, *guards) = _run("spawn")
    with popen:
        time.sleep(delay)
        popen.kill()
    wait_gone(*guards)
    assert is_living(spared)
    os.kill(spared, signal.SIGKILL)
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and _is_of(popen.pid, int(pid))]  # noqa: PTH208


def _is_of(manager: int, pid: int) -> bool:
    try:
        return environment_of(pid).get("OF_MANAGER") == str(manager) and is_living(pid)
    except OSError:
        return False
