"""Tests of asynctask.testing.faults: each fault as asyncssh and as the real ssh see it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncssh
import pytest
import pytest_asyncio

from asynctask.testing import Cluster, Fault
from tests.testing.clients import connect, needs_ssh, run_ssh, until

pytestmark = pytest.mark.one_loop("a fault is one for its client, whatever the loop")

CLOSED = (ConnectionResetError, asyncssh.ConnectionLost)
OF_THE_CONNECTION: dict[Fault, type[Exception] | tuple[type[Exception], ...]] = {
    Fault.REFUSED: ConnectionRefusedError,
    Fault.RESET: CLOSED,
    Fault.GARBAGE_BANNER: asyncssh.ProtocolError,
    Fault.DROP_KEX: CLOSED,
    Fault.DROP_HALF: CLOSED,
    Fault.MAX_STARTUPS: CLOSED,
    Fault.PENALTY: CLOSED,
    Fault.AUTH: asyncssh.PermissionDenied,
    Fault.HOST_KEY_CHANGED: asyncssh.HostKeyNotVerifiable,
    Fault.HOST_KEY_UNKNOWN: asyncssh.HostKeyNotVerifiable,
}
OF_THE_CHANNEL = (Fault.NO_CHANNEL, Fault.NO_EXEC)
WORDS_OF_SSH = {
    Fault.REFUSED: b"Connection refused",
    Fault.RESET: b"Connection reset by",
    Fault.GARBAGE_BANNER: b"kex_exchange_identification: banner line too long",
    Fault.DROP_KEX: b"Connection closed by",
    Fault.DROP_HALF: b"Connection closed by",
    Fault.MAX_STARTUPS: b"Connection closed by",
    Fault.PENALTY: b"Connection closed by",
    Fault.AUTH: b"Permission denied (publickey)",
    Fault.HOST_KEY_CHANGED: b"REMOTE HOST IDENTIFICATION HAS CHANGED",
    Fault.HOST_KEY_UNKNOWN: b"Host key verification failed",
    Fault.NO_CHANNEL: b"channel 0: open failed: connect failed: open failed",
    Fault.NO_EXEC: b"exec request failed",
    Fault.DROP: b"Connection to 127.1.0.1 closed by remote host",
}
SILENT = {Fault.SILENT, Fault.CHANNEL_HANGS, Fault.EXEC_HANGS, Fault.NEVER_CLOSES}
# In tests/testing/test_misbehaving.py.
OF_THE_COMMAND = {
    Fault.CHATTY,
    Fault.INVALID_UTF8,
    Fault.DROP,
    Fault.KILLED,
    Fault.NO_STATUS,
    Fault.LINGERS,
    Fault.FLOOD_STDOUT,
    Fault.FLOOD_STDERR,
    Fault.DRIPS,
    Fault.THROTTLED,
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
    assert {*OF_THE_CONNECTION, *OF_THE_CHANNEL, *OF_THE_COMMAND, *SILENT} == set(Fault)


@pytest.mark.parametrize(("ill", "error"), OF_THE_CONNECTION.items(), indirect=["ill"])
async def test_the_connection_fails(
    ill: Cluster, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
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


@pytest.mark.parametrize("fault", Fault)
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


@needs_ssh
@pytest.mark.parametrize(
    ("ill", "line"),
    [
        (Fault.MAX_STARTUPS, b"Exceeded MaxStartups"),
        (Fault.PENALTY, b"Not allowed at this time"),
    ],
    indirect=["ill"],
)
async def test_the_line_reaches_the_client(ill: Cluster, line: bytes) -> None:
    """OpenSSH's client shows it to whom it tells much."""
    finished = await run_ssh(ill.ssh_config, "-v", "node1", "true")
    assert finished.code == 255
    assert b"kex_exchange_identification: banner line 0: " + line in finished.stderr


@pytest.mark.parametrize("ill", [Fault.NO_CHANNEL], indirect=True)
async def test_no_channel(ill: Cluster) -> None:
    """The login works, no channel is opened for commands, shells and SFTP, and each is counted."""
    async with connect(ill) as connection:
        for command in ("true", None):
            with pytest.raises(asyncssh.ChannelOpenError, match=r"^open failed$") as raised:
                await connection.run(command)
            assert raised.value.code == asyncssh.OPEN_CONNECT_FAILED
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()
    now = ill.statistics()
    assert (now.logins, now.refused_sessions, now.commands["node1"], now.sftp) == (1, 3, 0, 0)


@pytest.mark.parametrize("ill", [Fault.NO_EXEC], indirect=True)
async def test_no_exec(ill: Cluster) -> None:
    """The login works, commands, shells and SFTP do not, and none is counted."""
    async with connect(ill) as connection:
        for command in ("true", None):
            with pytest.raises(asyncssh.ChannelOpenError, match=r"^Session request failed$"):
                await connection.run(command)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()
    now = ill.statistics()
    assert (now.refused_sessions, now.commands["node1"], now.sftp) == (0, 0, 0)


class _Client(asyncssh.SSHClientSession[bytes]):
    """Notes whether its channel was opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.opened.set()


async def _asks(connection: asyncssh.SSHClientConnection, session: _Client) -> None:
    await connection.create_session(lambda: session, "true", encoding=None)


async def _round_trip(connection: asyncssh.SSHClientConnection) -> None:
    """What the node was to answer before this, it has answered."""
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.open_connection("192.0.2.1", 22)


@pytest.mark.parametrize("ill", [Fault.CHANNEL_HANGS], indirect=True)
async def test_a_channel_is_never_opened(ill: Cluster) -> None:
    """The node answers other requests, and this one neither with yes nor with no."""
    async with connect(ill) as connection:
        session = _Client()
        asking = asyncio.create_task(_asks(connection, session))
        await asyncio.sleep(0)
        for _ in range(3):
            await _round_trip(connection)
        assert not asking.done()
        assert not session.opened.is_set()
    with pytest.raises(asyncssh.Error):
        await asking
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.EXEC_HANGS], indirect=True)
async def test_a_command_is_never_answered(ill: Cluster) -> None:
    """The channel is opened, the request in it meets silence, and nothing runs."""
    async with connect(ill) as connection:
        session = _Client()
        asking = asyncio.create_task(_asks(connection, session))
        async with asyncio.timeout(10):
            await session.opened.wait()
        for _ in range(3):
            await _round_trip(connection)
        assert not asking.done()
        assert ill.statistics().commands["node1"] == 0
    with pytest.raises(asyncssh.Error):
        await asking
    await ill.wait_idle()


@pytest.mark.parametrize("fault", [Fault.NO_CHANNEL, Fault.NO_EXEC, Fault.CHATTY])
async def test_holds_for_open_connections(
    cluster: Cluster, connection: asyncssh.SSHClientConnection, fault: Fault
) -> None:
    """A fault of the session or the command is met on a connection that was made before."""
    cluster.fault("node1", fault)
    if fault is Fault.CHATTY:
        assert (await connection.run("hostname")).stdout == "*** node1 ***\nnode1\n"
    else:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("hostname")
    cluster.fault("node1", None)
    assert (await connection.run("hostname")).stdout == "node1\n"


async def _left(ill: Cluster) -> socket.socket:
    """A client has talked to the node and disconnected, but its socket is still there to look at."""
    sock = socket.create_connection(ill.address("node1"))
    sock.setblocking(False)
    seen = sock.dup()
    async with connect(ill, sock=sock) as connection:
        assert (await connection.run("hostname")).stdout == "node1\n"
    await until(lambda: ill.statistics().running == 0)
    return seen


@pytest.mark.parametrize("ill", [Fault.NEVER_CLOSES], indirect=True)
async def test_never_closes(ill: Cluster) -> None:
    """After the client's goodbye the node does not hang up; cutting it ends that."""
    with await _left(ill) as seen:
        for _ in range(50):
            await asyncio.sleep(0)
            with pytest.raises(BlockingIOError):
                seen.recv(1)
        assert ill.statistics().open_connections == 1
        assert ill.disconnect("node1") == 1
        await ill.wait_idle()
        with suppress(ConnectionResetError):
            assert seen.recv(1) == b""


@pytest.mark.parametrize("ill", [Fault.NEVER_CLOSES], indirect=True)
async def test_a_connection_that_never_closes_can_be_cut(ill: Cluster) -> None:
    """Also while it is in use."""
    async with connect(ill) as connection:
        assert ill.disconnect("node1") == 1
        async with asyncio.timeout(10):
            await connection.wait_closed()
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.NEVER_CLOSES], indirect=True)
async def test_a_connection_that_never_closes_ends_with_the_cluster(ill: Cluster) -> None:
    """Nothing is left, although the client's socket is."""
    with await _left(ill):
        await ill.__aexit__(None, None, None)
        assert ill.statistics().open_connections == 0
