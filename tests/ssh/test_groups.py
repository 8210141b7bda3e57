"""Tests of asynctask.ssh.groups: on OpenSSH, and on nodes in this process."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.ssh import groups as module
from asynctask.ssh.groups import GroupEnd, end_group
from asynctask.testing import Cluster, Fault
from asynctask.waiting import Grace
from tests.ssh.commands import PATIENCE, Heard
from tests.ssh.connecting import connected
from tests.ssh.processes import alive
from tests.ssh.servers import NODE, ScriptedFactory
from tests.sshd import OpenSSHServer
from tests.support import turns
from tests.testing.clients import exit_of, until


@pytest_asyncio.fixture
async def connection(real: SSHOptions) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to the real server."""
    async with connected(real, "n1") as made:
        yield made


@pytest_asyncio.fixture
async def here(cluster: Cluster) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to a node in this process."""
    async with connected(SSHOptions(config=cluster.ssh_config), "node1") as made:
        yield made


@pytest.fixture(params=["connection", "here"], ids=["openssh", "here"])
def either(request: pytest.FixtureRequest, sshd: OpenSSHServer) -> asyncssh.SSHClientConnection:
    """Each of the two."""
    made: asyncssh.SSHClientConnection = request.getfixturevalue(request.param)
    return made


async def _end(connection: asyncssh.SSHClientConnection, grace: Grace) -> tuple[GroupEnd, float]:
    """Whether the group was found, and how long it took."""
    begun = time.monotonic()
    found = await asyncio.wait_for(end_group(connection, grace), PATIENCE)
    return found, time.monotonic() - begun


async def _pids(connection: asyncssh.SSHClientConnection, command: str) -> list[int]:
    """Start a command and wait for the process ids that it prints."""
    heard = Heard()
    await heard.start(connection, command)
    return [int(word) for word in (await heard.line()).split()]


async def test_term(either: asyncssh.SSHClientConnection) -> None:
    """A group that heeds TERM is gone when this returns, long before the grace is over."""
    pids = await _pids(either, "sleep 1000 & sleep 1000 & echo $$ $! $(jobs -p); wait")
    found, seconds = await _end(either, Grace(60))
    assert found
    assert seconds < 10
    assert [pid for pid in pids if alive(pid)] == []


async def test_kill(either: asyncssh.SSHClientConnection) -> None:
    """One that does not is killed when the grace is over."""
    pids = await _pids(either, "trap '' TERM; sleep 1000 & echo $$ $!; sleep 1000; sleep 1000")
    found, seconds = await _end(either, Grace(0.4))
    assert found
    assert 0.39 <= seconds < 10
    assert [pid for pid in pids if alive(pid)] == []


async def test_what_the_leader_leaves_behind(connection: asyncssh.SSHClientConnection) -> None:
    """A child that ignores TERM is killed, though the leader has ended and nothing holds the output."""
    heard = Heard()
    child = "(trap '' TERM; echo ready; exec > /dev/null 2>&1; while :; do sleep 0.05; done)"
    await heard.start(connection, f"{child} & echo $$ $!; sleep 1000")
    lines = (await heard.until(lambda output: output.count(b"\n") == 2)).splitlines()
    lines.remove(b"ready")
    leader, left = map(int, lines[0].split())
    ending = asyncio.create_task(_end(connection, Grace(0.4)))
    await exit_of(leader)
    assert alive(left)
    found, seconds = await ending
    assert found
    assert seconds >= 0.39
    assert not alive(left)


async def test_a_child_in_a_session_of_its_own(either: asyncssh.SSHClientConnection) -> None:
    """It was set free on purpose, and stays."""
    leader, daemon = await _pids(
        either, "setsid sleep 20 > /dev/null 2>&1 & echo $$ $!; sleep 0.2; sleep 1000"
    )
    await asyncio.sleep(0.2)
    found, _ = await _end(either, Grace(60))
    assert found
    assert [alive(leader), alive(daemon)] == [False, True]
    subprocess.run(["kill", "-KILL", str(daemon)], check=True)


async def test_no_grace(either: asyncssh.SSHClientConnection) -> None:
    """KILL follows at once."""
    (pid,) = await _pids(either, "trap '' TERM; echo $$; while :; do sleep 0.05; done")
    found, seconds = await _end(either, Grace(0))
    assert found
    assert seconds < 10
    assert not alive(pid)


async def test_the_grace_is_cut(either: asyncssh.SSHClientConnection) -> None:
    """KILL follows as soon as there is no more patience."""
    (pid,) = await _pids(either, "trap 'echo heard' TERM; echo $$; while :; do sleep 0.05; done")
    grace = Grace(60)
    ending = asyncio.create_task(_end(either, grace))
    await until(lambda: grace._scopes)
    grace.cut()
    found, seconds = await ending
    assert found
    assert seconds < 10
    assert not alive(pid)


async def test_nothing_to_end(either: asyncssh.SSHClientConnection) -> None:
    """Without a command there is no group."""
    found, _ = await _end(either, Grace(60))
    assert not found


async def test_a_command_that_starts_right_now(
    connection: asyncssh.SSHClientConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a moment there is nothing to be seen of it: it is looked for again."""
    monkeypatch.setattr(module, "_LOOKS", 200)
    ending = asyncio.create_task(_end(connection, Grace(60)))
    enders = module._enders_of(connection)
    await until(lambda: enders._ender is not None and len(enders._ender.searches) > 1)

    (pid,) = await _pids(connection, "echo $$; exec sleep 1000")

    assert (await ending)[0] is GroupEnd.GONE
    assert not alive(pid)


async def test_a_command_that_has_ended_is_not_looked_for_again(
    connection: asyncssh.SSHClientConnection,
) -> None:
    """There is nothing to come."""
    found = await asyncio.wait_for(end_group(connection, Grace(60), has_ended=lambda: True), PATIENCE)

    assert found is GroupEnd.NOT_FOUND


async def test_a_command_that_has_ended(either: asyncssh.SSHClientConnection) -> None:
    """Neither is there after it."""
    heard = Heard()
    command = await heard.start(either, "true")
    await command.wait()
    found, _ = await _end(either, Grace(60))
    assert not found


@pytest.mark.parametrize("server", ["openssh", "here"])
async def test_others_are_left_alone(real: SSHOptions, cluster: Cluster, server: str) -> None:
    """Commands of other connections, which may be children of the same process, go on."""
    options, nodes = (real, ("n1", "n1", "n2"))
    if server == "here":
        options, nodes = SSHOptions(config=cluster.ssh_config), ("node1", "node1", "node2")
    async with (
        connected(options, nodes[0]) as first,
        connected(options, nodes[1]) as second,
        connected(options, nodes[2]) as third,
    ):
        pids = [(await _pids(each, "echo $$; exec sleep 1000"))[0] for each in (first, second, third)]
        found, _ = await _end(second, Grace(60))
        assert found
        assert [alive(pid) for pid in pids] == [True, False, True]
        for each in (first, third):
            await _end(each, Grace(60))


async def test_a_talkative_login(cluster: Cluster, here: asyncssh.SSHClientConnection) -> None:
    """What start-up files print does no harm."""
    (pid,) = await _pids(here, "echo $$; exec sleep 1000")
    cluster.fault("node1", Fault.CHATTY)
    found, _ = await _end(here, Grace(60))
    assert found
    assert not alive(pid)


@pytest.mark.parametrize(
    "hooks", [{"on_session": lambda connection: False}, {"on_exec": lambda session: False}]
)
async def test_refused(scripted: ScriptedFactory, hooks: dict[str, object]) -> None:
    """A server may have no second session for us."""
    server = await scripted(**hooks)
    async with connected(server.options, NODE) as made:
        found, _ = await _end(made, Grace(60))
    assert not found


async def test_no_answer(scripted: ScriptedFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that does not say whether there is a group is waited for only so long."""
    monkeypatch.setattr(module, "FIND_WAIT", 0.1)
    server = await scripted()
    async with connected(server.options, NODE) as made:
        found, seconds = await _end(made, Grace(60))
    assert not found
    assert 0.09 <= seconds < 10


async def test_no_answer_to_kill(scripted: ScriptedFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does KILL take for ever."""
    monkeypatch.setattr(module, "KILL_WAIT", 0.1)
    server = await scripted(on_start=lambda session: session.channel.write(b"asynctask-groups 1 4711 4712\n"))
    async with connected(server.options, NODE) as made:
        found, seconds = await _end(made, Grace(0.1))
    assert found is GroupEnd.LEFT
    assert 0.19 <= seconds < 10
    assert [session.command for session in server.sessions] == [module._SCRIPT]
    assert server.sessions[0].received == b"end 1 none\nkill -4711 -4712\n"


async def test_the_connection_breaks(cluster: Cluster, here: asyncssh.SSHClientConnection) -> None:
    """That is no error: there is nothing left to do."""
    await _pids(here, "trap '' TERM; echo $$; while :; do sleep 0.05; done")
    grace = Grace(60)
    ending = asyncio.create_task(_end(here, grace))
    await until(lambda: grace._scopes)
    cluster.disconnect("node1")
    _, seconds = await ending
    assert seconds < 10
    found, _ = await _end(here, Grace(60))
    assert not found


async def test_cancelled(either: asyncssh.SSHClientConnection) -> None:
    """Cancelling is heard at once."""
    (pid,) = await _pids(either, "trap '' TERM; echo $$; while :; do sleep 0.05; done")
    grace = Grace(60)
    ending = asyncio.create_task(end_group(either, grace))
    await until(lambda: grace._scopes)
    ending.cancel()
    await turns(5)
    assert ending.cancelled()
    assert (await _end(either, Grace(0)))[0]
    assert not alive(pid)


SHELLS = [
    shell for shell in ("sh", "bash", "dash", "zsh", "ksh", "fish", "tcsh", "csh") if shutil.which(shell)
]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_for_any_login_shell(shell: str) -> None:
    """Each shell hands it on as it is; without a connection of SSH it finds nothing and ends quietly."""
    done = subprocess.run(
        [shell, "-c", module._SCRIPT],
        input=b"end 1 none\nend 2 a1\n",
        capture_output=True,
        check=False,
        env={"PATH": "/bin:/usr/bin"},
        start_new_session=True,  # at the end it kills its group
    )
    assert (done.returncode, done.stderr) == (-15, b"")
    assert set(done.stdout.splitlines()) <= {b"asynctask-groups 1", b"asynctask-groups 2"}
    assert module._SCRIPT.count("'") == 2
    assert "\n" not in module._SCRIPT
