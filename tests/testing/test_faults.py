"""Tests of asynctask.testing.faults: each fault as asyncssh and as the real ssh see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio

from asynctask.testing import Cluster, Fault
from tests.testing.clients import connect, needs_ssh, run_ssh, until

OF_THE_CONNECTION = {
    Fault.REFUSED: ConnectionRefusedError,
    Fault.RESET: (ConnectionResetError, asyncssh.ConnectionLost),
    Fault.AUTH: asyncssh.PermissionDenied,
    Fault.HOST_KEY_CHANGED: asyncssh.HostKeyNotVerifiable,
    Fault.HOST_KEY_UNKNOWN: asyncssh.HostKeyNotVerifiable,
}
WORDS_OF_SSH = {
    Fault.REFUSED: b"Connection refused",
    Fault.RESET: b"Connection reset by",
    Fault.AUTH: b"Permission denied (publickey)",
    Fault.HOST_KEY_CHANGED: b"REMOTE HOST IDENTIFICATION HAS CHANGED",
    Fault.HOST_KEY_UNKNOWN: b"Host key verification failed",
    Fault.NO_EXEC: b"exec request failed",
    Fault.DROP: b"Connection to 127.1.0.1 closed by remote host",
}


@pytest_asyncio.fixture
async def ill(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A cluster whose first node has the test's fault and whose second is well."""
    async with Cluster(2, faults={"node1": request.param}) as cluster:
        yield cluster


async def _hostname(cluster: Cluster, node: str = "node1") -> object:
    async with connect(cluster, node) as connection:
        return (await connection.run("hostname")).stdout


def test_every_fault_is_tested_here() -> None:
    """A new fault needs its tests."""
    assert {*WORDS_OF_SSH, Fault.SILENT, Fault.CHATTY} == set(Fault)


@pytest.mark.parametrize(("ill", "error"), OF_THE_CONNECTION.items(), indirect=["ill"])
async def test_the_connection_fails(ill: Cluster, error: type[Exception]) -> None:
    """asyncssh raises what it raises for the real fault; the other node is well."""
    with pytest.raises(error):
        await _hostname(ill)
    assert await _hostname(ill, "node2") == "node2\n"


@needs_ssh
@pytest.mark.parametrize(("ill", "words"), WORDS_OF_SSH.items(), indirect=["ill"])
async def test_ssh_complains(ill: Cluster, words: bytes) -> None:
    """OpenSSH's client has the words of the real fault."""
    finished = await run_ssh(ill.ssh_config, "node1", "true")
    assert finished.code == 255
    assert words in finished.stderr


@pytest.mark.parametrize("fault", [*OF_THE_CONNECTION, Fault.NO_EXEC, Fault.CHATTY, Fault.DROP])
async def test_comes_and_goes(cluster: Cluster, fault: Fault) -> None:
    """A fault set while the cluster is open ends when it is taken back."""
    before = cluster.known_hosts.read_text()
    cluster.fault("node1", fault)
    cluster.fault("node1", None)
    assert await _hostname(cluster) == "node1\n"
    assert sorted(cluster.known_hosts.read_text()) == sorted(before)


@pytest.mark.parametrize("fault", OF_THE_CONNECTION)
async def test_leaves_open_connections_alone(
    cluster: Cluster, connection: asyncssh.SSHClientConnection, fault: Fault
) -> None:
    """A fault of the connection is one of new connections."""
    cluster.fault("node1", fault)
    assert (await connection.run("hostname")).stdout == "node1\n"


async def test_refused_keeps_the_port(cluster: Cluster) -> None:
    """A node that was away comes back at the same place."""
    before = cluster.address("node1")
    cluster.fault("node1", Fault.REFUSED)
    assert cluster.address("node1") == before
    cluster.fault("node1", Fault.REFUSED)
    cluster.fault("node1", None)
    assert cluster.address("node1") == before
    assert await _hostname(cluster) == "node1\n"


@pytest.mark.parametrize("ill", [Fault.SILENT], indirect=True)
async def test_silent_says_nothing(ill: Cluster) -> None:
    """The connection is accepted and no byte comes until it is cut."""
    reader, writer = await asyncio.open_connection(*ill.address("node1"))
    writer.write(b"SSH-2.0-test\r\n")
    await until(lambda: ill.statistics().open_connections == 1)
    await until(lambda: ill.disconnect("node1"))
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)) as raised:
        await reader.readexactly(1)
    assert getattr(raised.value, "partial", b"") == b""
    writer.close()
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.SILENT], indirect=True)
async def test_silent_notices_the_end(ill: Cluster) -> None:
    """A client that has enough leaves nothing behind."""
    _, writer = await asyncio.open_connection(*ill.address("node1"))
    await until(lambda: ill.statistics().open_connections == 1)
    writer.close()
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.AUTH], indirect=True)
async def test_auth_is_decided_at_login(ill: Cluster) -> None:
    """The node lets the client in as soon as it is well again."""
    with pytest.raises(asyncssh.PermissionDenied):
        await _hostname(ill)
    ill.fault("node1", None)
    assert await _hostname(ill) == "node1\n"


@pytest.mark.parametrize("ill", [Fault.HOST_KEY_UNKNOWN], indirect=True)
async def test_unknown_key_is_missing_for_one_node(ill: Cluster) -> None:
    """The other node's line is there."""
    assert [line.split()[0] for line in ill.known_hosts.read_text().splitlines()] == ["node2"]


@needs_ssh
@pytest.mark.parametrize("ill", [Fault.HOST_KEY_UNKNOWN], indirect=True)
async def test_unknown_key_can_be_accepted(ill: Cluster) -> None:
    """The key that the node shows is a good one: ssh may add it to the file."""
    finished = await run_ssh(ill.ssh_config, "-oStrictHostKeyChecking=accept-new", "node1", "hostname")
    assert (finished.code, finished.stdout) == (0, b"node1\n")
    assert await _hostname(ill) == "node1\n"


@pytest.mark.parametrize("ill", [Fault.NO_EXEC], indirect=True)
async def test_no_exec(ill: Cluster) -> None:
    """The login works, commands and shells do not, and none is counted."""
    async with connect(ill) as connection:
        for command in ("true", None):
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.run(command)
    assert ill.statistics().commands == {"node1": 0, "node2": 0}


@pytest.mark.parametrize("ill", [Fault.CHATTY], indirect=True)
async def test_chatty(ill: Cluster) -> None:
    """A line comes before the output of each command."""
    async with connect(ill) as connection:
        for _ in range(2):
            done = await connection.run("echo hello; exit 3", encoding=None)
            assert (done.stdout, done.exit_status) == (b"*** node1 ***\nhello\n", 3)


@pytest.mark.parametrize("ill", [Fault.DROP], indirect=True)
async def test_drop_after_the_first_output(ill: Cluster) -> None:
    """What was printed arrives, then the connection is gone, without a status."""
    async with connect(ill) as connection:
        process = await connection.create_process("echo hello; exec sleep 1000", encoding=None)
        assert await process.stdout.readline() == b"hello\n"
        await connection.wait_closed()
        assert process.exit_status is None
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.DROP], indirect=True)
async def test_drop_without_output(ill: Cluster) -> None:
    """A command that prints nothing loses its connection when it ends."""
    async with connect(ill) as connection:
        process = await connection.create_process("exit 0", encoding=None)
        await connection.wait_closed()
        assert process.exit_status is None
    await ill.wait_idle()
