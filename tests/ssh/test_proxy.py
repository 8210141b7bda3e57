"""Tests of asynctask.ssh.proxy: commands that carry a connection, or do not."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.errors import ConnectionDroppedError, ConnectionFailedError, NodeError
from asynctask.processes import Spawner
from asynctask.ssh import proxy as module
from asynctask.ssh.connect import Connector
from asynctask.ssh.connection import Connection, close_connection
from asynctask.ssh.pool import ConnectionPool
from asynctask.ssh.proxy import ProxyTransport
from asynctask.testing import Cluster
from tests.ssh.connecting import PATIENCE, connect, run
from tests.ssh.connecting import connector as closed_connector
from tests.ssh.connecting import failure as why_not
from tests.ssh.processes import alive, with_argument
from tests.sshd import OpenSSHServer
from tests.support import children, turns
from tests.testing.clients import exit_of, until

MUCH = 1 << 20

RELAY = """\
import os, socket, sys, threading
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    while data:
        data = data[os.write(1, data):]
"""


@pytest.fixture(autouse=True)
def _shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same shell everywhere."""
    monkeypatch.setenv("SHELL", "/bin/sh")


@pytest.fixture
def relay(tmp_path: Path) -> str:
    """A ProxyCommand that carries the connection, as ``nc`` does."""
    program = tmp_path / "relay.py"
    program.write_text(RELAY)
    return f"{shlex.quote(sys.executable)} -I -S {shlex.quote(str(program))} %h %p"


Through = Callable[[Path, str], SSHOptions]


@pytest.fixture
def through(tmp_path: Path) -> Through:
    """The way of a configuration, through a command."""

    def make(config: Path, command: str) -> SSHOptions:
        path = tmp_path / "proxied"
        path.write_text(f"ProxyCommand {command}\n{config.read_text()}")
        return SSHOptions(config=path, retries=0)

    return make


@asynccontextmanager
async def connector(options: SSHOptions) -> AsyncIterator[Connector]:
    """A connector that is closed; no process is left of it."""
    async with closed_connector(options) as made:
        yield made
    await until(lambda: children() == set())  # those of the cluster's commands may be reaped later


async def failure(options: SSHOptions, node: str = "node1") -> NodeError:
    """Why a connection does not come about; no process is left of it."""
    error = await why_not(options, node)
    await until(lambda: children() == set())
    return error


async def _there_and_back(connection: Connection) -> None:
    sent = os.urandom(MUCH)
    done = await asyncio.wait_for(connection.run("cat", input=sent, encoding=None), PATIENCE)
    assert done.stdout == sent


# -- a connection through a command -----------------------------------------------------------------------


async def test_to_openssh(sshd: OpenSSHServer, through: Through, relay: str) -> None:
    """Login, and every byte both ways."""
    async with connector(through(sshd.files.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "n1")
        assert len(children()) == 1
        await _there_and_back(connection)
        await close_connection(connection)


async def test_to_the_cluster(cluster: Cluster, through: Through, relay: str) -> None:
    """The same in this process; the node sees it end."""
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "node1")
        await _there_and_back(connection)
        await close_connection(connection)
        await cluster.wait_idle()
    assert cluster.statistics().connections == 1


async def test_much_at_once(cluster: Cluster, through: Through, relay: str) -> None:
    """Two directions that do not wait for each other, on several channels."""
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "node1")
        await asyncio.gather(*(_there_and_back(connection) for _ in range(3)))
        await close_connection(connection)


async def test_many_at_once(cluster: Cluster, through: Through, relay: str) -> None:
    """Each has a command of its own, and none is left."""
    options = through(cluster.ssh_config, relay)
    async with connector(options) as connecting:
        nodes = [cluster.nodes[number % 3] for number in range(20)]
        connections = await asyncio.gather(*(connect(connecting, node) for node in nodes))
        assert len(children()) == 20
        done = await asyncio.gather(*(each.run("hostname", encoding=None) for each in connections))
        assert [each.stdout for each in done] == [f"{node}\n".encode() for node in nodes]
        await asyncio.gather(*map(close_connection, connections))


async def test_through_a_pool(cluster: Cluster, through: Through, relay: str) -> None:
    """Kept like any other, and its command with it; both end with the pool."""
    options = through(cluster.ssh_config, relay)
    async with ConnectionPool() as pool:
        for _ in range(2):
            lease = await pool.lease("node1", options, PATIENCE)
            assert await run(lease) == "node1"
            await lease.release()
        assert cluster.statistics().connections == 1
    await cluster.wait_idle()
    await until(lambda: children() == set())


async def test_the_command_dies_meanwhile(cluster: Cluster, through: Through, relay: str) -> None:
    """The connection is lost."""
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "node1")
        (pid,) = children()
        os.kill(int(pid), 9)
        await asyncio.wait_for(connection.wait_closed(), PATIENCE)
        assert connection.is_closed()
        await until(lambda: children() == set())


async def test_the_node_breaks_it_off(cluster: Cluster, through: Through, relay: str) -> None:
    """The command ends, and with it the connection."""
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "node1")
        cluster.disconnect("node1")
        await asyncio.wait_for(connection.wait_closed(), PATIENCE)
        await until(lambda: children() == set())


async def test_abort(cluster: Cluster, through: Through, relay: str) -> None:
    """A connection that is cut from this side."""
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "node1")
        connection.abort()
        await asyncio.wait_for(connection.wait_closed(), PATIENCE)
        await cluster.wait_idle()
        await until(lambda: children() == set())


async def test_left_open(cluster: Cluster, through: Through, relay: str) -> None:
    """Who forgets to close a connection has its command ended with the connector."""
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        connection = await connect(connecting, "node1")
        (pid,) = children()
        await connecting.aclose()
        assert not alive(int(pid))
    await connection.wait_closed()
    await cluster.wait_idle()


# -- commands that do not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sh -c 'echo no way >&2; exit 1'", "no way"),
        ("sh -c 'echo one >&2; echo two >&2; exit 1'", "one two"),
        ("/nope/nc %h %p", "/nope/nc: "),
        ("true", "Connection lost"),
        ("sh -c 'printf \"\\033[31mred\" >&2; exit 1'", "\\x1b[31mred"),
        ("sh -c 'exec <&-; echo gone >&2; exit 3'", "gone"),
    ],
)
async def test_a_command_that_ends_at_once(
    cluster: Cluster, through: Through, command: str, said: str
) -> None:
    """What it said on its standard error is in the error."""
    error = await failure(through(cluster.ssh_config, command))
    assert isinstance(error, ConnectionDroppedError)
    assert said in error.reason
    assert cluster.statistics().connections == 0


async def test_what_it_says_is_not_kept_without_end(cluster: Cluster, through: Through) -> None:
    """Its last words count."""
    error = await failure(through(cluster.ssh_config, "sh -c 'yes x | head -c 100000 >&2; echo end >&2'"))
    assert "end" in error.reason
    assert len(error.reason) < 500


async def test_a_command_that_speaks_another_language(cluster: Cluster, through: Through) -> None:
    """It is taken for the server."""
    error = await failure(through(cluster.ssh_config, "sh -c 'while echo hello; do :; done'"))
    assert type(error) is ConnectionFailedError
    assert error.reason.endswith("the SSH handshake failed (Too many banner lines)")


async def test_a_shell_that_is_not_there(
    cluster: Cluster, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is the node's error, not a crash."""
    monkeypatch.setenv("SHELL", "/nope/sh")
    error = await failure(through(cluster.ssh_config, "true"))
    assert "No such file" in error.reason


@pytest.mark.parametrize("node", ["x;touch$IFS{0}", "$(touch$IFS{0})", "a`touch$IFS{0}`@web1", "x|y", "x&y"])
async def test_a_name_is_no_command(tmp_path: Path, node: str) -> None:
    """A node's name, which may come from anywhere, gets no shell to act."""
    config, trace = tmp_path / "config", tmp_path / "trace"
    config.write_text("ProxyCommand echo %h %n %r\n")
    error = await failure(SSHOptions(config=config), node.format(trace))
    assert type(error) is ConnectionFailedError
    assert not trace.exists()


IGNORES = "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'"


@pytest.mark.parametrize("command", ["sleep 61", IGNORES])
async def test_a_command_that_hangs(cluster: Cluster, through: Through, command: str) -> None:
    """The time for connecting is for it, too; then it is ended, if need be without asking."""
    options = through(cluster.ssh_config, command)
    async with ConnectionPool() as pool:
        with pytest.raises(ConnectionFailedError) as raised:
            await asyncio.wait_for(pool.lease("node1", options, 0.2), PATIENCE)
        assert str(raised.value) == "node1: no login within 0.2 s; is it up and reachable?"
    assert children() == set()


async def test_what_a_command_has_started_ends_with_it(
    cluster: Cluster, through: Through, tmp_path: Path
) -> None:
    """All of its group."""
    mark = f"{61 + os.getpid() / 1e7:.7f}"
    options = through(cluster.ssh_config, f"sh -c 'sleep {mark} & sleep {mark}'")
    async with ConnectionPool() as pool:
        leasing = asyncio.create_task(pool.lease("node1", options, PATIENCE))
        await until(lambda: len(with_argument(mark)) == 2)
        pids = with_argument(mark)
        leasing.cancel()
        await asyncio.gather(leasing, return_exceptions=True)
    for pid in pids:
        await exit_of(pid)


@pytest.mark.parametrize("delay", [*range(12), 20, 40, 80, 160, 320])
async def test_cancelled_at_any_turn(cluster: Cluster, through: Through, relay: str, delay: int) -> None:
    """Nothing is left, and nobody complains."""
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    async with connector(through(cluster.ssh_config, relay)) as connecting:
        task = asyncio.create_task(connect(connecting, "node1"))
        await turns(delay)
        task.cancel()
        with suppress(asyncio.CancelledError, NodeError):
            await close_connection(await task)
    await cluster.wait_idle()
    assert problems == []


# -- the transport ----------------------------------------------------------------------------------------


class Heard(asyncio.Protocol):
    """A protocol that notes what it is told."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.lost: list[Exception | None] = []

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


Start = Callable[[str], tuple[ProxyTransport, Heard]]


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """Starts commands; they are ended after the test."""
    spawner = Spawner()
    started: list[ProxyTransport] = []

    def make(command: str) -> tuple[ProxyTransport, Heard]:
        protocol = Heard()
        started.append(ProxyTransport(command, protocol, spawner))
        return started[-1], protocol

    yield make
    for transport in started:
        transport.abort()
        await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    await spawner.aclose()
    assert children() == set()


async def test_bytes_come_and_go(start: Start) -> None:
    """In order, whatever the pieces; the end of the input comes after them."""
    transport, heard = start("cat")
    sent = os.urandom(MUCH)
    view = memoryview(sent)
    for place in range(0, MUCH, 100_003):
        transport.write(view[place : place + 100_003])
    await until(lambda: len(heard.data) == MUCH)
    assert bytes(heard.data) == sent
    assert transport.get_write_buffer_size() == 0
    transport.close()
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert (heard.lost, transport.is_over, transport.is_closing()) == ([None], True, True)


async def test_what_was_written_before_the_close(start: Start, tmp_path: Path) -> None:
    """It still arrives, asyncssh's good-bye for one."""
    place = tmp_path / "said"
    transport, _ = start(f"cat >{shlex.quote(str(place))}")
    transport.write(b"good")
    transport.write(bytearray(b"bye"))
    transport.close()
    transport.close()
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert place.read_bytes() == b"goodbye"


async def test_no_word_after_the_close(start: Start) -> None:
    """Whoever has closed it wants to hear no more."""
    transport, heard = start("sh -c 'cat; echo late'")
    transport.close()
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert (bytes(heard.data), heard.lost) == (b"", [None])


async def test_reading_can_be_paused(start: Start) -> None:
    """The command waits meanwhile."""
    transport, heard = start("yes")
    await until(lambda: heard.data)
    transport.pause_reading()
    before = len(heard.data)
    await asyncio.sleep(0.02)
    assert len(heard.data) == before
    transport.resume_reading()
    await until(lambda: len(heard.data) > before + MUCH)


async def test_closed_while_paused(start: Start) -> None:
    """It ends all the same."""
    transport, heard = start("yes")
    await until(lambda: heard.data)
    transport.pause_reading()
    transport.close()
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert heard.lost == [None]


async def test_what_waits_to_be_written(start: Start) -> None:
    """It is known how much, also of what has been begun."""
    transport, _ = start("sleep 62")
    transport.write(b"x" * MUCH)
    assert transport.get_write_buffer_size() == MUCH
    await asyncio.sleep(0.02)
    assert MUCH // 2 <= transport.get_write_buffer_size() <= MUCH


async def test_a_command_that_does_not_read(start: Start) -> None:
    """Closing does not wait for it."""
    transport, heard = start("sleep 62")
    transport.write(b"x" * MUCH)
    await turns(3)
    transport.close()
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert heard.lost == [None]


async def test_a_command_that_ends_while_it_is_written_to(start: Start) -> None:
    """What is not taken is dropped; writing to it later does nothing."""
    transport, heard = start("true")
    transport.write(b"x" * MUCH)
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    transport.write(b"x")
    transport.close()
    transport.abort()
    await turns(3)
    assert heard.lost == [None]


async def test_abort_drops_what_waits(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """And gives no time; it is repeatable, also after closing."""
    monkeypatch.setattr(module, "_LAST_WORDS", 60.0)
    transport, heard = start("sleep 62")
    transport.write(b"x")
    transport.close()
    transport.abort()
    transport.abort()
    assert transport.get_write_buffer_size() == 0
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert heard.lost == [None]


async def test_ignoring_the_end(start: Start) -> None:
    """A command that reads no end and hears no TERM is killed."""
    transport, heard = start(IGNORES)
    transport.close()
    await asyncio.wait_for(transport.wait_closed(), 5)
    assert heard.lost == [None]


async def test_what_it_said(start: Start) -> None:
    """The last of it, in one line; bytes that are no text are shown as such."""
    transport, _ = start("sh -c \"printf 'a\\n  b \\377\\n' >&2\"")
    await asyncio.wait_for(transport.wait_closed(), PATIENCE)
    assert transport.said == "a b \ufffd"


async def test_what_else_a_transport_can(start: Start) -> None:
    """There is no socket to tell about, and its protocol can be another."""
    transport, heard = start("cat")
    assert (transport.get_extra_info("socket"), transport.get_extra_info("peername", 1)) == (None, 1)
    assert transport.get_protocol() is heard
    other = Heard()
    transport.set_protocol(other)
    transport.write(b"x")
    await until(lambda: other.data)
    assert (bytes(other.data), bytes(heard.data)) == (b"x", b"")
    assert not transport.is_over
