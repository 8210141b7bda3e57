"""Tests of asynctask.ssh.connection."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import asyncssh
import pytest

from asynctask import SSHOptions
from asynctask.errors import NodeError
from asynctask.ssh import connection as module
from asynctask.ssh.connection import Connection, close_connection
from asynctask.ssh.transport import CorkedTransport
from asynctask.testing import Cluster, Fault
from tests.ssh.connecting import PATIENCE, connect, connected, connector
from tests.ssh.servers import NODE, ScriptedFactory, raw_server, reset
from tests.support import turns
from tests.testing.clients import until


def _packets(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The kinds of the packets that asyncssh sends from here on, behind what is left out."""
    sent: list[int] = []
    send = asyncssh.SSHClientConnection.send_packet

    def sending(self: Any, kind: int, *args: bytes, handler: Any = None) -> None:
        sent.append(kind)
        send(self, kind, *args, handler=handler)

    monkeypatch.setattr(asyncssh.SSHClientConnection, "send_packet", sending)
    return sent


# -- what it tells ------------------------------------------------------------------------------------


async def test_requests_are_counted(scripted: ScriptedFactory) -> None:
    """Nothing has been run before the first; opening a channel alone is none."""
    server = await scripted(on_start=lambda session: session.channel.exit(0))
    async with connected(server.options, NODE) as connection:
        assert connection.requests == 0
        await connection.run("one")
        assert connection.requests == 1
        await connection.run("two")
        assert connection.requests == 2


async def test_a_channel_that_is_refused_is_no_request(scripted: ScriptedFactory) -> None:
    """So the command can be run elsewhere without being run twice."""
    server = await scripted(on_session=lambda connection: False)
    async with connected(server.options, NODE) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("one")
        assert connection.requests == 0


async def test_a_request_that_is_refused_is_one(scripted: ScriptedFactory) -> None:
    """The server may have done what it was asked."""
    server = await scripted(on_exec=lambda session: False)
    async with connected(server.options, NODE) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("one")
        assert connection.requests == 1


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"Exceeded MaxStartups\r\n", "Exceeded MaxStartups"),
        (b"one\r\ntwo\r\n", "two"),
        (b"no line end", ""),
        (b"\xff\x00 odd \r\n", "\ufffd\x00 odd"),
        (b"x" * 190 + b"\n", "x" * 190),
        (b"x" * 300 + b"\n", ""),
        (b"SSH-2.0-test\r\n", ""),
        (b"", ""),
    ],
)
async def test_what_a_server_says_before_it_hangs_up(greeting: bytes, said: str) -> None:
    """One line, the last, that is no version; not one that is too long to be a reason."""
    made: list[Connection] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(greeting)

    class Noted(Connection):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asynctask.ssh.connect.Connection", Noted)
        async with raw_server(talk) as options, connector(options) as connecting:
            with pytest.raises(NodeError):
                await asyncio.wait_for(connect(connecting, NODE), PATIENCE)
    assert [connection.said for connection in made] == [said]


async def test_a_connection_that_breaks_is_over(scripted: ScriptedFactory) -> None:
    """It is known as soon as the transport is gone."""
    server = await scripted()
    async with connected(server.options, NODE) as connection:
        assert not connection.is_over
        reset(server.connections[0])
        await until(lambda: connection.is_over)
        await connection.wait_closed()
        assert connection.is_over


# -- what it sends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ciphers", "sent"),
    [(["aes128-gcm@openssh.com"], False), (["aes128-ctr"], False), (["aes128-cbc"], True)],
)
async def test_empty_packets(
    scripted: ScriptedFactory, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, ciphers: list[str], sent: bool
) -> None:
    """Only CBC needs them."""
    server = await scripted(encryption_algs=ciphers, on_start=lambda session: session.channel.exit(0))
    config = tmp_path / "config"
    config.write_text(f"Ciphers {','.join(ciphers)}\n")
    async with connected(server.options_with(config=config), NODE) as connection:
        assert connection.get_extra_info("send_cipher") == ciphers[0]
        packets = _packets(connection, monkeypatch)
        await connection.run("one")
        assert (module._MSG_IGNORE in packets) is sent


async def test_packets_of_a_turn_go_together(cluster: Cluster) -> None:
    """Over the transport that puts them together."""
    async with connected(SSHOptions(config=cluster.ssh_config), "node1") as connection:
        assert isinstance(connection._transport, CorkedTransport)


async def test_a_login_that_nobody_asks_after(cluster: Cluster) -> None:
    """Neither is it waited for nor is its error reported, and forgetting it twice does nothing."""
    async with connected(SSHOptions(config=cluster.ssh_config), "node1") as connection:
        connection.forget_login()
        connection.forget_login()
        assert not connection.ready.cancelled()


# -- closing ------------------------------------------------------------------------------------------


async def test_close_before_there_is_a_transport(cluster: Cluster) -> None:
    """There is nothing to be closed, and nothing to be waited for."""
    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        options = (await connecting.route("node1")).options
        copied = asyncssh.SSHClientConnectionOptions(options)
        copied.waiter = asyncio.get_running_loop().create_future()
        connection = Connection(asyncio.get_running_loop(), copied)
        await asyncio.wait_for(close_connection(connection), 0.5)
        assert not connection.was_made


async def test_close_of_one_that_nobody_closes_there(cluster: Cluster) -> None:
    """The node keeps its side open: ours is closed without waiting for it."""
    cluster.fault("node1", Fault.NEVER_CLOSES)
    async with connected(SSHOptions(config=cluster.ssh_config), "node1") as connection:
        await asyncio.wait_for(close_connection(connection), module.CLOSE_TIMEOUT + 1)
        assert connection.is_closed()
    cluster.disconnect("node1")


async def test_close_is_repeatable(cluster: Cluster) -> None:
    """A connection that is closed, or broken, can be closed."""
    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        for breaks in (False, True):
            connection = await connect(connecting, "node1")
            if breaks:
                cluster.disconnect("node1")
                await connection.wait_closed()
            for _ in range(2):
                await close_connection(connection)
            assert connection.is_closed()


async def test_close_gives_up_on_who_does_not_end(real: SSHOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that does not close in time is cut."""
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.05)
    async with connector(real) as connecting:
        connection = await connect(connecting, "n1")
        never = asyncio.Event()
        wait_closed = connection.wait_closed
        monkeypatch.setattr(connection, "close", lambda: None)
        monkeypatch.setattr(connection, "wait_closed", never.wait)
        await asyncio.wait_for(close_connection(connection), PATIENCE)
        await asyncio.wait_for(wait_closed(), PATIENCE)
    assert connection.is_closed()


async def test_close_goes_on_when_cancelled(real: SSHOptions) -> None:
    """Cancelling does not leave a connection open."""
    async with connector(real) as connecting:
        connection = await connect(connecting, "n1")
        closing = asyncio.create_task(close_connection(connection))
        await turns(1)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await until(connection.is_closed)


# -- logs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "talks"), [(logging.DEBUG, True), (logging.INFO, False), (None, False)])
async def test_what_asyncssh_logs(
    cluster: Cluster, caplog: pytest.LogCaptureFixture, level: int | None, talks: bool
) -> None:
    """Only who sets its logger to DEBUG hears it: it costs time, and the command is in it."""
    if level is not None:
        caplog.set_level(level, "asyncssh")
    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        connection = await connect(connecting, "node1")
        await connection.run("true")
        await close_connection(connection)
    records = [record for record in caplog.records if record.name == "asyncssh"]
    assert any("Connected to SSH server" in record.getMessage() for record in records) is talks
