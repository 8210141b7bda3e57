"""Tests of processes on nodes of a real server, from the start to the end."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import LaunchError, ManagerError
from asynctask.manager.launching import Exit
from asynctask.manager.remote.launcher import RemoteLauncher
from tests.manager.remote.conftest import Launchers
from tests.manager.remote.listening import PATIENCE, Heard, lives, order, pids, until
from tests.sshd import OpenSSHServer

AWKWARD = "q'\"\\ $HOME `x` %s\n\t\udcff\udc80é-"


async def test_a_life_is_heard_from_its_start_to_its_exit(launcher: RemoteLauncher, home: Path) -> None:
    """Output byte for byte, input, environment, exit code; nothing is left on the node."""
    command = 'printf \'%s\' "$TEXT"; echo " $ASYNCTASK_NAME $ASYNCTASK_INDEX"; read x; echo $x >&2; exit 3'
    heard = Heard()
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order(command, index=4, stdin=True, env={"TEXT": AWKWARD}), heard)
        assert not (lives(home)[0] / "run").exists()  # it has the environment in it
        await running.write(b"hel")
        await running.write(b"lo\n")
        assert await running.wait() == Exit(3)
        assert not running.has_group()
        await running.aclose()
    assert heard.out == AWKWARD.encode(errors="surrogateescape") + b" web 4\n"
    assert heard.err == b"hello\n"
    assert heard.events == []
    assert not running.found
    await launcher.aclose()
    assert lives(home) == []
    assert [each.name for each in (home / ".local/state/asynctask/tests/n1").iterdir()] == [".connected"]


@pytest.mark.one_loop("it is about what happens on the node")
async def test_a_signal_reaches_the_whole_group(launcher: RemoteLauncher) -> None:
    """Children get it, too, and that the group is gone is heard."""
    heard = Heard()
    command = (
        "sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.05; done' & trap 'echo bye; exit 5' TERM; wait"
    )
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order(command), heard)
        await heard.until(b"up\n")
        assert await running.signal(signal.SIGTERM)
        assert await running.wait() == Exit(5)
        assert running.has_group()
        assert await running.signal(signal.SIGKILL)
        await running.group_gone()
        assert not running.has_group()
        assert not await running.signal(signal.SIGTERM)
        await running.aclose()
    assert heard.out == b"up\nbye\n"


@pytest.mark.one_loop("it is about what happens on the node")
async def test_what_cannot_be_started_is_told_with_its_reason(launcher: RemoteLauncher, home: Path) -> None:
    """Nothing of it runs, or is left."""
    (home / "plain").write_text("x")
    plain = f"{home}/plain"
    cases = {
        "nosuch: not found in PATH": order(["nosuch"]),
        "./nosuch: no such file": order(["./nosuch"]),
        "/: it is a directory": order(["/"]),
        f"{plain}: not executable": order([plain]),
        "cwd '/nonexist': no such directory": order("true", cwd="/nonexist"),
        f"cwd {plain!r}: not a directory": order("true", cwd=plain),
        "$NOBODY is in its command, and is not set: set it in env": order(["echo", "$NOBODY"]),
        "user 'no such': there is none on this node": order("true", user="no such"),
        "group 'no such': there is none on this node": order("true", group="no such"),
    }
    for reason, each in cases.items():
        with pytest.raises(LaunchError) as raised:
            await launcher.launch(each, Heard())
        assert (str(raised.value), raised.value.temporary) == (f"n1: {reason}", False)
    with pytest.raises(LaunchError, match="web: a process on a node has no custom streams"):
        await launcher.launch(order("true", custom_streams=("more",)), Heard())
    await launcher.aclose()
    assert lives(home) == []


async def test_many_processes_share_one_session(
    launcher: RemoteLauncher, sshd: OpenSSHServer, home: Path
) -> None:
    """Eleven, more than OpenSSH has sessions for; one is found where it is started twice."""
    before = sshd.logins()
    ears = [Heard() for _ in range(11)]
    async with asyncio.timeout(PATIENCE):
        started = await asyncio.gather(
            *(
                launcher.launch(order(f"echo {number}; exec sleep 60", index=number), heard)
                for number, heard in enumerate(ears)
            )
        )
        for number, heard in enumerate(ears):
            await heard.until(b"%d\n" % number)
        with pytest.raises(LaunchError, match=r"n1: web\.3 is started, or runs, already"):
            await launcher.launch(order("true", index=3), Heard())
        usages = [await running.usage() for running in started]
        assert await started[0].check(["sh", "-c", "test $ASYNCTASK_INDEX = 0 && exit $1", "x", "0"], 5)
        assert not await started[0].check(["false"], 5)
        await asyncio.gather(*(running.signal(signal.SIGKILL) for running in started))
        assert {await running.wait() for running in started} == {Exit(None, 9)}
        await asyncio.gather(*(running.aclose() for running in started))
    assert all(usage is not None and usage.memory > 0 and usage.processes == 1 for usage in usages)
    assert sshd.logins() == before + 1


@pytest.mark.one_loop("it is about what happens on the node")
async def test_nodes_may_share_a_home_directory(launchers: Launchers) -> None:
    """Each has a process of its own in the same place."""
    launcher = launchers()
    async with asyncio.timeout(PATIENCE):
        running = [await launcher.launch(order("exec sleep 60", node=node), Heard()) for node in ("n1", "n2")]
        assert [each.found for each in running] == [False, False]
        for each in running:
            await each.signal(signal.SIGKILL)
            assert await each.wait() == Exit(None, 9)
            await each.aclose()


@pytest.mark.one_loop("it is about what happens on the node")
async def test_limits_umask_directory_and_a_clean_environment(launcher: RemoteLauncher, home: Path) -> None:
    """All as the template says; output may be merged, or go nowhere."""
    (home / "in").mkdir()
    heard, merged = Heard(), Heard()
    command = "ulimit -n; ulimit -H -n; umask; pwd; env | sed 's/=.*//' | sort | tr '\\n' ' '"
    settings: dict[str, Any] = {
        "rlimits": {"nofile": (64, 128)},
        "umask": 0o27,
        "cwd": str(home / "in"),
        "inherit_env": False,
    }
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order(command, **settings), heard)
        assert await running.wait() == Exit(0)
        await running.aclose()
        running = await launcher.launch(order("echo a; echo b >&2", stderr="stdout"), merged)
        assert await running.wait() == Exit(0)
        await running.aclose()
        silent = await launcher.launch(order("echo a; exit 2", stdout="null", stderr="null"), merged)
        assert await silent.wait() == Exit(2)
        await silent.aclose()
    assert heard.out.splitlines()[:4] == [b"64", b"128", b"0027", str(home / "in").encode()]
    assert heard.out.splitlines()[4].split() == [b"ASYNCTASK_INDEX", b"ASYNCTASK_NAME", b"PWD"]
    assert (merged.out, merged.err) == (b"a\nb\n", b"")


async def test_output_waits_for_who_paused_it(
    launcher: RemoteLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is heard meanwhile, nothing is lost, the exit is no secret, and the input may end."""
    monkeypatch.setattr("asynctask.manager.remote.running._QUIET", 0.05)
    heard = Heard()
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order("cat; head -c 1000000 /dev/zero", stdin=True), heard)
        await running.write(b"a\n")
        await heard.until(b"a\n")
        running.pause_reading()
        await running.write(b"b\n")
        await running.close_input()
        assert await running.wait() == Exit(0)
        assert heard.out == b"a\n"
        with pytest.raises(ManagerError, match="web: it reads no more"):
            await running.write(b"c\n")
        running.resume_reading()
        await heard.until(b"b\n" + bytes(1_000_000))
        await running.aclose()


async def test_a_launch_that_is_given_up_ends_what_it_started(launcher: RemoteLauncher, home: Path) -> None:
    """At any moment."""
    for delay in (0.0, 0.02, 0.08):
        task = asyncio.create_task(launcher.launch(order("echo $$ >> $HOME/ran; exec sleep 60"), Heard()))
        await asyncio.sleep(delay)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            await task.result().signal(signal.SIGKILL)
            await task.result().wait()
            await task.result().aclose()
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order("echo $$ >> $HOME/ran; exec sleep 60"), heard := Heard())
        assert not running.found
        await until(lambda: pids(home) == [running.os_pid])
        await running.signal(signal.SIGKILL)
        await running.wait()
        await running.aclose()
    assert heard.events == []
