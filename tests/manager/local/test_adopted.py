"""Tests of asynctask.manager.local.adopted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit, Usage
from asynctask.manager.local import adopted as module
from asynctask.manager.local.adopted import AdoptedRunning, group_left, how_it_ended, signal_group
from asynctask.manager.local.identity import ProcessIdentity, boot_id, start_time
from asynctask.process_groups import ProcessGroups


def _identity(pid: int) -> ProcessIdentity:
    return ProcessIdentity(pid, start_time(pid) or 0, boot_id())


@pytest.fixture
def popen() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own, which ends with what it is told, or is killed."""
    argv = ["sh", "-c", "sleep 60 >/dev/null & echo; read x; exit $x"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, start_new_session=True, stdin=pipe, stdout=pipe) as found:
        assert found.stdout is not None
        found.stdout.readline()
        yield found
        os.killpg(found.pid, signal.SIGKILL)


async def _usage(session: int) -> Usage | None:
    return Usage(1.0, session)


async def _check(command: list[str], timeout: float) -> bool:
    return command == ["true"] and timeout == 3


def _adopted(popen: subprocess.Popen[bytes]) -> AdoptedRunning:
    return AdoptedRunning(_identity(popen.pid), ProcessGroups(), _usage, _check)


def _say(popen: subprocess.Popen[bytes], text: bytes) -> None:
    assert popen.stdin is not None
    popen.stdin.write(text)
    popen.stdin.flush()


@pytest.mark.parametrize(("said", "how"), [(b"7\n", Exit(7)), (b"0\n", Exit(0)), (None, Exit(None, 9))])
async def test_its_exit_is_heard(
    popen: subprocess.Popen[bytes], said: bytes | None, how: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its parent has taken notice of it, the system still tells how it ended."""
    running = _adopted(popen)
    assert (running.found, running.os_pid, running.exit) == (True, popen.pid, None)
    waiting = asyncio.create_task(running.wait())
    if said is None:
        os.kill(popen.pid, signal.SIGKILL)
    else:
        _say(popen, said)
    assert await waiting == how
    assert await running.wait() == running.exit == how
    await running.aclose()


async def test_nobody_may_be_able_to_tell(
    popen: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parent was faster, and the system is older."""
    monkeypatch.setattr(module, "how_it_ended", lambda identity, pidfd: None)
    running = _adopted(popen)
    os.kill(popen.pid, signal.SIGKILL)
    assert await running.wait() == Exit(None)
    await running.aclose()


async def test_where_there_are_no_descriptors_for_processes(
    popen: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at."""
    monkeypatch.delattr(os, "pidfd_open")
    monkeypatch.setattr(module, "_POLL", 0.002)
    running = _adopted(popen)
    _say(popen, b"5\n")
    assert await running.wait() == Exit(5)
    await running.aclose()


async def test_letting_go_before_its_exit_leaves_it(popen: subprocess.Popen[bytes]) -> None:
    """As often as that is asked."""
    running = _adopted(popen)
    await running.aclose()
    await running.aclose()
    assert popen.poll() is None


async def test_who_has_ended_cannot_be_adopted(popen: subprocess.Popen[bytes]) -> None:
    """Nor another of its number; nothing is left open."""
    other = replace(_identity(popen.pid), start=1)
    with pytest.raises(ProcessLookupError):
        AdoptedRunning(other, ProcessGroups(), _usage, _check)


async def test_signals_go_to_its_group(popen: subprocess.Popen[bytes]) -> None:
    """Also when it has ended itself; then to nobody."""
    running = _adopted(popen)
    assert not running.has_group()
    os.kill(popen.pid, signal.SIGKILL)
    await running.wait()
    assert running.has_group()
    waiting = asyncio.create_task(running.group_gone())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await running.signal(signal.SIGTERM)
    await waiting
    popen.wait()
    await running.aclose()


async def test_it_has_no_inputs(popen: subprocess.Popen[bytes]) -> None:
    """What reads and writes does nothing, or says so."""
    running = _adopted(popen)
    running.pause_reading()
    running.resume_reading()
    with pytest.raises(ManagerError, match=f"^process {popen.pid} is detached: it has no stdin to write to$"):
        await running.write(b"x")
    with pytest.raises(ManagerError, match="it has no more to end"):
        await running.close_input("more")
    await running.aclose()


async def test_what_is_beside_it(popen: subprocess.Popen[bytes]) -> None:
    """Usage and checks go on; after its end there is no usage."""
    running = _adopted(popen)
    assert await running.usage() == Usage(1.0, popen.pid)
    assert await running.check(["true"], 3)
    os.kill(popen.pid, signal.SIGKILL)
    await running.wait()
    assert await running.usage() is None
    await running.aclose()


@pytest.mark.one_loop("it has none")
def test_how_it_ended_is_known_later_to_who_had_it_open() -> None:
    """From Linux 6.15 on; before, nobody tells. Without, nobody tells ever."""
    with subprocess.Popen(["sh", "-c", "read x; exit 9"], stdin=subprocess.PIPE) as popen:
        identity, pidfd = _identity(popen.pid), os.pidfd_open(popen.pid)
        assert how_it_ended(identity, pidfd) is None
    release = tuple(map(int, os.uname().release.split(".")[:2]))
    assert how_it_ended(identity, pidfd) == (Exit(9) if release >= (6, 15) else None)
    assert how_it_ended(identity) is None
    os.close(pidfd)


@pytest.mark.one_loop("it has none")
def test_a_group_of_another_is_not_signalled(popen: subprocess.Popen[bytes]) -> None:
    """The number alone is no reason."""
    other = replace(_identity(popen.pid), start=1)
    assert not signal_group(other, signal.SIGKILL)
    assert not group_left(other)
    assert group_left(_identity(popen.pid))
    assert popen.poll() is None
