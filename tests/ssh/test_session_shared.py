"""Tests of asynctask.ssh.session: several commands on one connection, and one of them is ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.ssh import groups as groups_module
from asynctask.ssh import session as session_module
from asynctask.ssh.session import RemoteCommand, start
from asynctask.testing import Cluster
from asynctask.waiting import Grace
from tests.ssh.commands import PATIENCE, Heard
from tests.ssh.connecting import connected
from tests.ssh.processes import alive
from tests.sshd import OpenSSHServer

pytestmark = pytest.mark.one_loop("the server decides what becomes of a connection that several use")

MARKS = [None, "a1", "b2", "c3", "d4", "e5"]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is not what is tested here."""
    for module in (groups_module, session_module):
        monkeypatch.setattr(module, "FIND_WAIT", 10.0)
        monkeypatch.setattr(module, "KILL_WAIT", 10.0)


@pytest.fixture(scope="module")
def accepting(sshd: OpenSSHServer) -> Iterator[OpenSSHServer]:
    """A server that accepts marks, and one session more than there are marks."""
    with OpenSSHServer(settings=f"AcceptEnv LC_*\nMaxSessions {len(MARKS) + 1}\n") as server:
        yield server


@pytest.fixture(scope="module")
def refusing(sshd: OpenSSHServer) -> Iterator[OpenSSHServer]:
    """The same without marks."""
    with OpenSSHServer(settings=f"AcceptEnv none-such\nMaxSessions {len(MARKS) + 1}\n") as server:
        yield server


@pytest_asyncio.fixture(params=["accepting", "refusing", "cluster"])
async def connection(
    request: pytest.FixtureRequest, cluster: Cluster, accepting: OpenSSHServer, refusing: OpenSSHServer
) -> AsyncIterator[Any]:
    """A connection to each, and to a node in this process."""
    if request.param == "cluster":
        options, node = SSHOptions(config=cluster.ssh_config), "node1"
    else:
        server: OpenSSHServer = request.getfixturevalue(request.param)
        options, node = SSHOptions(config=server.files.ssh_config), "n1"
    async with connected(options, node) as made:
        yield made


async def _begin(
    connection: asyncssh.SSHClientConnection,
    mark: str | None,
    command: str = "echo $$; exec sleep 1000",
    heard: Heard | None = None,
) -> tuple[RemoteCommand, int]:
    """A command and its process."""
    heard = heard or Heard()
    async with asyncio.timeout(PATIENCE):
        remote = await start(connection, command, heard.receive, separate_stderr=False, mark=mark)
        return remote, await heard.number()


async def _begin_all(connection: Any) -> list[tuple[RemoteCommand, int]]:
    return await asyncio.gather(*(_begin(connection, mark) for mark in MARKS))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
async def test_the_others_go_on(connection: asyncssh.SSHClientConnection, order: tuple[int, ...]) -> None:
    """Ending one of several, in any order, leaves the others running."""
    running = [await _begin(connection, mark) for mark in (None, "a1", "b2")]
    left = {pid for _, pid in running}
    for number in order:
        remote, pid = running[number]
        assert await asyncio.wait_for(remote.end(Grace(60)), PATIENCE)
        left.discard(pid)
        assert {pid for _, pid in running if alive(pid)} == left
    assert not connection.is_closed()


async def test_all_at_once(connection: asyncssh.SSHClientConnection) -> None:
    """Ending all takes one more session, of which the server has no more."""
    running = await _begin_all(connection)
    begun = time.monotonic()
    gone = await asyncio.wait_for(asyncio.gather(*(remote.end(Grace(60)) for remote, _ in running)), PATIENCE)
    assert time.monotonic() - begun < 10
    assert gone == [True] * len(MARKS)
    assert [pid for _, pid in running if alive(pid)] == []


async def test_all_that_do_not_heed(connection: asyncssh.SSHClientConnection) -> None:
    """The grace of one is not after that of another."""
    command, speakers = (
        "trap 'echo told' TERM; echo $$; while :; do sleep 0.2; done",
        [Heard() for _ in MARKS],
    )
    running = await asyncio.gather(
        *(_begin(connection, mark, command, heard) for mark, heard in zip(MARKS, speakers, strict=True))
    )
    told: list[bool] = []  # at the end of each, whether all had been told by then

    async def end(remote: RemoteCommand) -> bool:
        gone = await remote.end(Grace(1))
        told.append(all(b"told" in heard.stdout for heard in speakers))
        return gone

    gone = await asyncio.wait_for(asyncio.gather(*(end(remote) for remote, _ in running)), PATIENCE)
    assert told == [True] * len(MARKS)
    assert gone == [True] * len(MARKS)
    assert [pid for _, pid in running if alive(pid)] == []


async def test_ended_again_and_again(connection: asyncssh.SSHClientConnection) -> None:
    """The session that ends is opened anew, and never one more than the server has."""
    for _ in range(4):
        running = await _begin_all(connection)
        for remote, pid in running:
            assert await asyncio.wait_for(remote.end(Grace(60)), PATIENCE)
            assert not alive(pid)


async def test_one_that_is_just_starting(connection: asyncssh.SSHClientConnection) -> None:
    """A command on its way to its mark is not taken for the one that has none."""
    for step in range(10):
        first, pid = await _begin(connection, None)
        starting = asyncio.create_task(_begin(connection, "a1"))
        await asyncio.sleep(step * 0.002)
        await asyncio.wait_for(first.end(Grace(60)), PATIENCE)
        other, other_pid = await starting
        assert (alive(pid), alive(other_pid)) == (False, True)
        assert await asyncio.wait_for(other.end(Grace(60)), PATIENCE)


async def test_a_mark_is_asked_for_once(connection: asyncssh.SSHClientConnection) -> None:
    """And the command's own variables are beside it."""
    heard = Heard()
    command = 'echo "$ANY"; exec cat'
    remote = await start(
        connection, command, heard.receive, separate_stderr=False, mark="a1", env={"ANY": "x"}
    )
    assert await heard.line() == "x"
    assert await asyncio.wait_for(remote.end(Grace(60)), PATIENCE)


async def test_without_all_this_nothing_is_sent(connection: Any) -> None:
    """The only request of a plain command is the one to run it."""
    before = connection.requests
    remote, _ = await _begin(connection, None)
    assert connection.requests == before + 1
    await asyncio.wait_for(remote.end(Grace(60)), PATIENCE)


async def test_what_is_known_of_the_end(connection: asyncssh.SSHClientConnection) -> None:
    """A command that ended by itself is gone, one that was cut is not known to be."""
    remote, _ = await _begin(connection, None, "echo 1; exit 3")
    assert not remote.gone or remote.exit_status == 3
    await asyncio.wait_for(remote.wait(), PATIENCE)
    assert remote.gone
    assert await remote.end(Grace(1))
