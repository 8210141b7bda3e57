"""Tests of processes whose node is lost for a while, of managers that come again, and of never twice."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.launching import Exit
from asynctask.manager.remote.launcher import RemoteLauncher
from asynctask.manager.remote.running import how_it_ended
from tests.manager.remote.conftest import Launchers
from tests.manager.remote.listening import PATIENCE, Heard, cut, end_all, lives, order, pids, until
from tests.sshd import runs

#: Says who runs, in a file that all nodes see, and goes on.
STAYS = "echo $$ >> $HOME/ran; exec sleep 60"


@pytest.mark.parametrize(
    ("code", "exit_"),
    [
        ("0", Exit(0)),
        ("128", Exit(128)),
        ("137", Exit(None, 9)),
        ("143", Exit(143)),
        ("255", Exit(255)),
        ("?", Exit(None)),
    ],
)
def test_an_exit_code_over_128_is_a_signal_unless_it_is_expected(code: str, exit_: Exit) -> None:
    """A shell cannot tell them apart."""
    assert how_it_ended(code, frozenset({143})) == exit_


async def test_a_lost_connection_is_no_exit(launcher: RemoteLauncher) -> None:
    """The process goes on, is found again, and each line of it is heard once."""
    heard = Heard()
    command = "n=0; while [ $n -lt 25 ]; do n=$((n + 1)); echo $n; sleep 0.01; done; read x; echo $x"
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order(command, stdin=True), heard)
        for line in (b"\n3\n", b"\n15\n"):
            await heard.until(line)
            cut(launcher)
            await running.write(b"")  # there is nothing to wait for
        writing = asyncio.create_task(running.write(b"the end\n"))
        await heard.until(b"the end\n")
        await writing
        assert await running.wait() == Exit(0)
        await running.aclose()
    assert heard.out == b"".join(b"%d\n" % n for n in range(1, 26)) + b"the end\n"
    assert heard.events == ["lost: connection lost", "found"] * 2


async def test_an_exit_in_absence_is_reported_with_all_output(launcher: RemoteLauncher) -> None:
    """When its node is there again; it is not found first."""
    heard = Heard()
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(
            order("echo up; read x; sleep 0.2; seq 50000; exit 7", stdin=True), heard
        )
        await heard.until(b"up\n")
        running.pause_reading()
        await running.write(b"go\n")
        cut(launcher)
        running.resume_reading()
        assert await running.wait() == Exit(7)
        await running.aclose()
    assert heard.out == b"up\n" + b"".join(b"%d\n" % n for n in range(1, 50_001))
    assert heard.events[0] == "lost: connection lost"


@pytest.mark.one_loop("it is about what happens on the node")
async def test_without_a_manager_it_is_ended_after_a_while(launchers: Launchers, home: Path) -> None:
    """The whole group, those too that ignore the stop signal; one that is detached stays."""
    launcher = launchers()
    settings: dict[str, Any] = {"lost_timeout": 0.3, "graceful_timeout": 0.1}
    ran = "echo $$ >> $HOME/ran"
    command = f"trap '' TERM; sh -c '{ran}; while :; do sleep 1; done' & {ran}; wait; wait"
    async with asyncio.timeout(PATIENCE):
        await launcher.launch(order(command, **settings), Heard())
        kept = await launcher.launch(order("sleep 60", name="kept", detach=True, **settings), Heard())
        await until(lambda: len(pids(home)) == 2)
        await asyncio.sleep(0.4)  # longer than it would live without its manager
        assert len(pids(home)) == 2
        await launcher.aclose()
        await until(lambda: not pids(home))
        again = await launchers().launch(order("sleep 60", name="kept", detach=True, **settings), Heard())
        assert (again.found, again.os_pid) == (True, kept.os_pid)
        assert await again.signal(signal.SIGTERM)
        assert await again.wait() == Exit(None, 15)
        await again.aclose()


@pytest.mark.one_loop("it is about what happens on the node")
async def test_the_next_manager_finds_what_runs(launchers: Launchers, home: Path) -> None:
    """By its place, or in another place of its template; output goes on where it was."""
    first, second = launchers(), launchers()
    heard, later = Heard(), Heard()
    command = "echo $$ >> $HOME/ran; echo one; read x; echo two; read x; exit 4"
    async with asyncio.timeout(PATIENCE):
        begun = await first.launch(order(command, stdin=True, index=1), heard)
        await heard.until(b"one\n")
        await begun.write(b"go\n")
        await heard.until(b"two\n")
        await asyncio.sleep(0.15)  # it is told what was taken
        with pytest.raises(
            LaunchError, match="n1: another manager of this name is connected to it"
        ) as raised:
            await second.launch(order(command, stdin=True, index=1), later)
        assert raised.value.temporary
        cut(first)
        await first.aclose()
        for launched in (1, 0):
            found = await second.launch(order(command, stdin=True, index=launched), later)
            assert (found.found, found.os_pid) == (True, begun.os_pid)
            if launched:
                await found.aclose()
        await found.write(b"go\n")
        assert await found.wait() == Exit(4)
        await found.aclose()
        assert later.out in (b"", b"two\n")
        assert len((home / "ran").read_text().split()) == 1


@pytest.mark.one_loop("it is about what happens on the node")
async def test_a_node_that_lost_its_processes_is_believed(launcher: RemoteLauncher, home: Path) -> None:
    """Nobody knows how they ended; the next start is a new one. With its files gone one is still there."""
    heard, other = Heard(), Heard()
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order(STAYS), heard)
        end_all(home)
        cut(launcher)
        assert await running.wait() == Exit(None)
        await running.aclose()
        again = await launcher.launch(order(STAYS), other)
        assert not again.found
        await until(lambda: pids(home))
        for life in lives(home):
            life.rename(home / "moved")
        cut(launcher)
        await other.until("found")
        assert await again.signal(signal.SIGKILL)
        assert await again.wait() == Exit(None)
        await again.aclose()
    assert [event.split(":")[0] for event in heard.events] == ["lost"]


@pytest.mark.parametrize("after", [0.01, 0.03])
async def test_never_twice_wherever_the_connection_breaks(
    launcher: RemoteLauncher, home: Path, after: float
) -> None:
    """Of four that are in all stages of their start when it breaks, and are started again, each runs once."""
    async with asyncio.timeout(PATIENCE):
        first = await launcher.launch(order(STAYS, index=0), Heard())
        starts = [launcher.launch(order(STAYS, index=index), Heard()) for index in range(1, 5)]
        tasks = [asyncio.create_task(start) for start in starts]
        await asyncio.sleep(after)
        cut(launcher)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not isinstance(each, BaseException) or isinstance(each, LaunchError) for each in done)
        running = [first]
        for index, each in enumerate(done, 1):
            if isinstance(each, BaseException):
                assert isinstance(each, LaunchError)
                assert each.temporary
                running.append(await launcher.launch(order(STAYS, index=index), Heard()))
            else:
                assert not each.found
                running.append(each)
        await until(lambda: len(pids(home)) == 5)
        assert sorted(each.os_pid or 0 for each in running) == sorted(pids(home))
        for each in running:
            assert await each.signal(signal.SIGKILL)
            assert await each.wait() == Exit(None, 9)
            await each.aclose()
    assert pids(home) == []


async def test_a_kill_that_did_not_arrive_comes_later(launcher: RemoteLauncher, home: Path) -> None:
    """Nobody waits for it any more; the next start of that place waits."""
    heard = Heard()
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order(STAYS), heard)
        await until(lambda: pids(home))
        cut(launcher)
        await heard.until("lost")
        killing = asyncio.create_task(running.signal(signal.SIGKILL))
        await asyncio.sleep(0)
        killing.cancel()
        await asyncio.wait((killing,))
        await running.aclose()
        assert runs(running.os_pid or 0)
        again = await launcher.launch(order(STAYS), Heard())
        assert not again.found
        await until(lambda: pids(home) == [again.os_pid])
        await again.signal(signal.SIGKILL)
        await again.wait()
        await again.aclose()
    assert heard.events == ["lost: connection lost"]
