"""Tests of asynctask.ssh.session: commands with a terminal, on a real OpenSSH server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.ssh.session import RemoteCommand, start
from asynctask.testing import Cluster
from asynctask.waiting import Grace
from tests.ssh.commands import PATIENCE, Heard
from tests.ssh.connecting import connected
from tests.ssh.processes import alive
from tests.testing.clients import exit_of


@pytest_asyncio.fixture
async def connection(real: SSHOptions) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to the real server."""
    async with connected(real, "n1") as made:
        yield made


async def _begin(connection: Any, command: str, heard: Heard, **settings: Any) -> RemoteCommand:
    async with asyncio.timeout(PATIENCE):
        return await start(connection, command, heard.receive, separate_stderr=True, pty=True, **settings)


async def _run(connection: Any, command: str, **settings: Any) -> tuple[list[tuple[str, bytes]], int | None]:
    heard = Heard()
    remote = await _begin(connection, command, heard, **settings)
    await asyncio.wait_for(remote.wait(), PATIENCE)
    return [(name, heard.stream(name)) for name in ("stdout", "stderr")], remote.exit_status


async def test_a_terminal(connection: asyncssh.SSHClientConnection) -> None:
    """All three streams are one, which is not clever, and its lines end as they are printed."""
    command = 'tty -s && test -t 1 && test -t 2 && echo "$TERM" && echo err >&2; exit 4'
    streams, status = await _run(connection, command, no_input=True)
    assert (streams, status) == ([("stdout", b"dumb\nerr\n"), ("stderr", b"")], 4)


async def test_variables(connection: asyncssh.SSHClientConnection) -> None:
    """Variables go with it."""
    streams, _ = await _run(connection, 'echo "$ANY"', no_input=True, env={"ANY": "x y"})
    assert streams[0] == ("stdout", b"x y\n")


async def test_no_input(connection: asyncssh.SSHClientConnection) -> None:
    """What reads finds the end."""
    streams, status = await _run(connection, "cat; echo over", no_input=True)
    assert (streams[0], status) == (("stdout", b"over\n"), 0)


@pytest.mark.parametrize("data", [b"one\ntwo\n", b"one", b""])
async def test_input(connection: asyncssh.SSHClientConnection, data: bytes) -> None:
    """Input is not echoed, and ends also within a line."""
    heard = Heard()
    remote = await _begin(connection, "cat", heard)
    await remote.write(data)
    remote.close()
    await asyncio.wait_for(remote.wait(), PATIENCE)
    assert heard.stdout == data


async def test_end(connection: asyncssh.SSHClientConnection) -> None:
    """It is ended as all others."""
    heard = Heard()
    remote = await _begin(connection, "sleep 1000 & echo $$ $!; wait", heard)
    pids = [int(word) for word in (await heard.line()).split()]
    begun = time.monotonic()
    assert await asyncio.wait_for(remote.end(Grace(60)), PATIENCE)
    assert time.monotonic() - begun < 10
    assert [pid for pid in pids if alive(pid)] == []


async def test_a_lost_connection_hangs_up(connection: asyncssh.SSHClientConnection) -> None:
    """Nobody needs to find the command: it hears of it."""
    heard = Heard()
    await _begin(connection, "echo $$; exec sleep 1000", heard)
    pid = await heard.number()
    connection.abort()
    await asyncio.wait_for(exit_of(pid), PATIENCE)


async def test_no_terminal_to_be_had(cluster: Cluster) -> None:
    """A server may have none."""
    async with connected(SSHOptions(config=cluster.ssh_config), "node1") as made:
        with pytest.raises(asyncssh.ChannelOpenError, match=r"^PTY request failed$"):
            await _begin(made, "true", Heard())
        assert not made.is_closed()
