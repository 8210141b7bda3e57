"""Tests of asynctask.testing.server: who gets in, and how many sessions a connection may have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
import pytest
import pytest_asyncio

from asynctask.testing import Cluster, Fault
from tests.testing.clients import connect, needs_ssh, run_ssh, until

SECRET = "tell nobody: äöü"
WITH_PASSWORD: dict[str, Any] = {"client_keys": None, "password": SECRET}


@pytest_asyncio.fixture
async def locked() -> AsyncIterator[Cluster]:
    """A cluster of one node that takes a password and no key."""
    async with Cluster(1, password=SECRET, keys=False) as opened:
        yield opened


async def _hostname(cluster: Cluster, **options: Any) -> object:
    async with connect(cluster, **options) as connection:
        return (await connection.run("hostname")).stdout


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
async def test_a_password_lets_in(locked: Cluster, method: str) -> None:
    """By either of the two ways in which SSH has passwords."""
    assert await _hostname(locked, **WITH_PASSWORD, preferred_auth=method) == "node1\n"
    assert locked.statistics().logins == 1


@pytest.mark.parametrize("method", ["password", "keyboard-interactive"])
async def test_a_wrong_password_does_not(locked: Cluster, method: str) -> None:
    """Nor does none."""
    for password in ("wrong", "", SECRET + " "):
        with pytest.raises(asyncssh.PermissionDenied):
            await _hostname(locked, client_keys=None, password=password, preferred_auth=method)
    assert locked.statistics().logins == 0


async def test_one_question_is_asked(locked: Cluster) -> None:
    """Keyboard-interactive asks for the password, hidden, and for nothing else."""
    asked: list[tuple[str, bool]] = []

    class Client(asyncssh.SSHClient):
        def kbdint_auth_requested(self) -> str:
            return ""

        def kbdint_challenge_received(
            self, name: str, instructions: str, lang: str, prompts: Any
        ) -> list[str]:
            asked.extend(prompts)
            return [SECRET for _ in prompts]

    options: dict[str, Any] = {"client_keys": None, "preferred_auth": "keyboard-interactive"}
    assert await _hostname(locked, client_factory=Client, **options) == "node1\n"
    assert asked == [("Password:", False)]


async def test_another_user_with_the_password_is_refused(locked: Cluster) -> None:
    """The password is one user's."""
    with pytest.raises(asyncssh.PermissionDenied):
        await _hostname(locked, username="somebody", **WITH_PASSWORD)


async def test_without_keys_the_key_is_refused(locked: Cluster) -> None:
    """The configuration still names it, and the node does not even look at it."""
    with pytest.raises(asyncssh.PermissionDenied):
        await _hostname(locked)


@needs_ssh
async def test_ssh_is_told_what_would_help(locked: Cluster) -> None:
    """OpenSSH's client hears of both ways and of no other."""
    finished = await run_ssh(locked.ssh_config, "-oBatchMode=yes", "node1", "true")
    assert b"Permission denied (keyboard-interactive,password)." in finished.stderr


async def test_keys_work_beside_a_password() -> None:
    """A password is one more way in."""
    async with Cluster(1, password=SECRET) as cluster:
        assert await _hostname(cluster) == "node1\n"
        assert await _hostname(cluster, **WITH_PASSWORD) == "node1\n"


async def test_the_fault_auth_refuses_passwords_too(locked: Cluster) -> None:
    """Every way in is shut."""
    locked.fault("node1", Fault.AUTH)
    with pytest.raises(asyncssh.PermissionDenied):
        await _hostname(locked, **WITH_PASSWORD)
    locked.fault("node1", None)
    assert await _hostname(locked, **WITH_PASSWORD) == "node1\n"


async def test_sessions_a_connection_are_limited() -> None:
    """One more than the limit is refused as by OpenSSH; when one has ended there is room again."""
    async with Cluster(1, max_sessions=2) as cluster, connect(cluster) as connection:
        first = await connection.create_process("cat")
        files = await connection.start_sftp_client()
        with pytest.raises(asyncssh.ChannelOpenError, match="open failed") as raised:
            await connection.run("true")
        assert raised.value.code == asyncssh.OPEN_CONNECT_FAILED
        assert cluster.statistics().refused_sessions == 1
        async with connect(cluster) as other:
            assert (await other.run("echo $((1 + 1))")).stdout == "2\n"
        first.stdin.write_eof()
        await first.wait_closed()
        assert (await connection.run("exit 3")).exit_status == 3
        files.exit()
    assert cluster.statistics().refused_sessions == 1


async def test_ten_sessions_by_default(cluster: Cluster, connection: asyncssh.SSHClientConnection) -> None:
    """As many as OpenSSH has."""
    processes = [await connection.create_process("cat") for _ in range(10)]
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.run("true")
    for process in processes:
        process.close()
    await until(lambda: cluster.statistics().running == 0)


@pytest.mark.parametrize("fault", [Fault.NO_EXEC, Fault.NO_STATUS])
async def test_sessions_that_fail_make_room(fault: Fault) -> None:
    """A refused request does not use up the limit."""
    async with Cluster(1, max_sessions=1, faults={"node1": fault}) as cluster, connect(cluster) as connection:
        for _ in range(3):
            try:
                await connection.run("true")
            except asyncssh.ChannelOpenError as exc:
                assert exc.reason == "Session request failed"
            await asyncio.sleep(0)
    assert cluster.statistics().refused_sessions == 0


async def test_a_jump_that_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client of the bastion has gone while it connected to the next node: that connection is closed."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    forward = asyncssh.SSHServerConnection.forward_connection

    async def slow(self: asyncssh.SSHServerConnection, host: str, port: int) -> Any:
        forwarder = await forward(self, host, port)
        reached.set()
        await go_on.wait()
        return forwarder

    monkeypatch.setattr(asyncssh.SSHServerConnection, "forward_connection", slow)
    async with Cluster(2) as cluster:
        async with connect(cluster) as connection:
            opening = asyncio.create_task(
                connection.create_connection(asyncssh.SSHTCPSession, *cluster.address("node2"))
            )
            await reached.wait()
            connection.abort()
            await until(lambda: cluster.statistics().open_connections == 1)
            go_on.set()
            with pytest.raises(asyncssh.ChannelOpenError):
                await opening
        await cluster.wait_idle()
