"""Tests of asynctask.testing.session: requests in a channel, one by one, and what the node answers."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncssh
import pytest
from asyncssh.packet import String

from asynctask.testing import Cluster, Fault
from tests.testing.clients import connect, until


async def _ask(connection: asyncssh.SSHClientConnection, *requests: tuple[bytes, bytes]) -> list[bool]:
    """Make requests in a channel that runs nothing yet; a refused one closes nothing."""
    answers: list[bool] = []

    class Session(asyncssh.SSHClientSession[bytes]):
        def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
            self.asking = asyncio.create_task(self.ask(cast(Any, chan)))

        async def ask(self, channel: Any) -> None:
            answers.extend([await channel._make_request(name, value) for name, value in requests])

    session = Session()
    await connection.create_session(lambda: session, "exec sleep 1000", encoding=None)
    async with asyncio.timeout(10):
        await session.asking
    return answers


def _env(name: bytes, value: bytes = b"1") -> tuple[bytes, bytes]:
    return b"env", String(name) + String(value)


async def test_environment_requests(connection: asyncssh.SSHClientConnection) -> None:
    """What Debian's sshd takes is granted, anything else is refused; neither ends the channel."""
    requests = [_env(b"LANG"), _env(b"FOO"), _env(b"LC_ALL"), _env(b"\xff"), _env(b"LC_\xff")]
    assert await _ask(connection, *requests) == [True, False, True, False, True]


async def test_other_subsystems_are_refused(connection: asyncssh.SSHClientConnection) -> None:
    """There is SFTP and nothing else."""
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.create_process(subsystem="netconf")


async def test_one_request_a_channel(connection: asyncssh.SSHClientConnection) -> None:
    """A channel that runs a command runs no second one and becomes no SFTP session."""
    requests = [(b"exec", String("true")), (b"subsystem", String("sftp"))]
    assert await _ask(connection, *requests) == [False, False]


async def test_a_signal_to_nothing(cluster: Cluster) -> None:
    """Before there is a command there is nothing that a signal could hit; the node is well afterwards."""
    async with connect(cluster) as connection:
        assert await _ask(connection, (b"signal", String("TERM")), (b"xyz", b"")) == [True, False]
        assert (await connection.run("hostname")).stdout == "node1\n"


async def test_closing_an_unanswered_channel(cluster: Cluster) -> None:
    """A client that has waited enough closes the channel, and the connection is as good as before."""
    cluster.fault("node1", Fault.EXEC_HANGS)
    async with connect(cluster) as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.run("true")
        cluster.fault("node1", None)
        assert (await connection.run("hostname")).stdout == "node1\n"
    await cluster.wait_idle()


async def test_each_request_meets_the_fault_of_its_time(cluster: Cluster) -> None:
    """A command goes on as it began."""
    async with connect(cluster) as connection, connection.create_process("cat") as process:
        await until(lambda: cluster.statistics().running == 1)
        cluster.fault("node1", Fault.NO_STATUS)
        process.stdin.write("x\n")
        process.stdin.write_eof()
        assert (await process.stdout.read(), (await process.wait()).exit_status) == ("x\n", 0)
