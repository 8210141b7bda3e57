"""Tests of asynctask.ssh.connect: against OpenSSH, the cluster, and servers that misbehave."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask import SSHOptions
from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    HostKeyError,
    NoCapacityError,
    NodeError,
)
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.connection import close_connection
from asynctask.ssh.hostkeys import KnownHosts
from asynctask.ssh.routes import Router
from asynctask.testing import Cluster, Fault
from asynctask.testing.clientfiles import generate_key
from tests.ssh.agents import AgentProxy, RealAgent
from tests.ssh.connecting import PATIENCE, connect, connector, failure
from tests.ssh.servers import NODE, ScriptedFactory, raw_server
from tests.sshd import OpenSSHServer
from tests.support import turns
from tests.testing.clients import until

# -- a connection that is made ------------------------------------------------------------------------


async def test_logged_in_to_openssh(sshd: OpenSSHServer, real: SSHOptions) -> None:
    """A connection is ready for commands when it is returned, and closed when it is closed."""
    async with connector(real) as connecting:
        connection = await connect(connecting, "n1")
        done = await connection.run("echo $SSH_CONNECTION", encoding=None)
        await close_connection(connection)
    assert isinstance(done.stdout, bytes)
    assert done.stdout.decode().split()[2:] == [*map(str, sshd.address("n1"))]
    assert connection.is_closed()


async def test_logged_in_to_a_node(cluster: Cluster) -> None:
    """The same in this process; the node sees it end."""
    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        connection = await connect(connecting, "node1")
        assert cluster.statistics().open_connections == 1
        await close_connection(connection)
        await cluster.wait_idle()
    assert cluster.statistics().connections == 1


async def test_asyncssh_is_not_asked_to_connect(real: SSHOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """No options are built anew for a node, in no thread; known hosts are read in one, once."""
    executed: list[Any] = []
    loop = asyncio.get_running_loop()
    execute = loop.run_in_executor

    def executing(executor: None, function: Any) -> Any:
        executed.append(function.args[0])
        return execute(executor, function)

    monkeypatch.setattr(loop, "run_in_executor", executing, False)
    built: list[int] = []
    prepare = asyncssh.SSHClientConnectionOptions.prepare

    def counting(self: Any, *args: Any, **kwargs: Any) -> Any:
        built.append(1)
        return prepare(self, *args, **kwargs)

    monkeypatch.setattr(asyncssh.SSHClientConnectionOptions, "prepare", counting)
    async with connector(real) as connecting:
        for node in ("n1", "n2", "n3"):
            await close_connection(await connect(connecting, node))
    assert (executed, built) == ([KnownHosts], [1])


async def test_the_options_of_a_route_stay_as_they_are(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections change copies; so they cannot disturb each other, at the same time or later."""
    routes: list[Any] = []
    route = Router.route

    before: list[dict[str, Any]] = []

    async def noting(self: Router, node: str) -> Any:
        routes.append(await route(self, node))
        before.append(dict(vars(routes[-1].options)))
        return routes[-1]

    monkeypatch.setattr(Router, "route", noting)
    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        nodes = ("node1", "node2", "node3")
        connections = await asyncio.gather(*(connect(connecting, node) for node in nodes))
        for connection in connections:
            await close_connection(connection)
    assert len({id(each.options) for each in routes}) == 1
    assert [dict(vars(each.options)) for each in routes] == before
    assert [len(each.keys) for each in routes] == [1, 1, 1]


async def test_everything_is_prepared_once(
    sshd: OpenSSHServer, real: SSHOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration, the keys and the host keys are read once for all nodes, also at the same time."""
    counts = {"config": 0, "keys": 0, "known_hosts": 0}

    class CountingConfig(SSHConfig):
        def __init__(self, *args: Any) -> None:
            counts["config"] += 1
            super().__init__(*args)

    load = asyncssh.load_keypairs

    def loading(*args: Any) -> Any:
        counts["keys"] += 1
        return load(*args)

    class CountingHosts(KnownHosts):
        def __init__(self, *args: Any) -> None:
            counts["known_hosts"] += 1
            super().__init__(*args)

    monkeypatch.setattr("asynctask.ssh.connect.SSHConfig", CountingConfig)
    monkeypatch.setattr(asyncssh, "load_keypairs", loading)
    monkeypatch.setattr("asynctask.ssh.routes.KnownHosts", CountingHosts)
    async with connector(real) as connecting:
        connections = await asyncio.gather(*(connect(connecting, node) for node in sshd.nodes))
        for connection in connections:
            await close_connection(connection)
    assert counts == {"config": 1, "keys": 1, "known_hosts": 1}


async def test_a_host_certificate_is_for_the_host(scripted: ScriptedFactory, tmp_path: Path) -> None:
    """Its name is that of the host, not the one that the node goes by here."""
    authority, own = generate_key("authority"), generate_key("own")
    certificate = authority.generate_host_certificate(own, "test", principals=[NODE])
    server = await scripted(server_host_keys=[(own, certificate)])
    known = tmp_path / "known"
    known.write_text(f"@cert-authority * {authority.export_public_key('openssh').decode()}")
    config = tmp_path / "config"
    config.write_text(f"Host web1\n  HostName {NODE}\n")
    options = server.options_with(config=config, host_keys="strict", known_hosts=[known])
    async with connector(options) as connecting:
        await close_connection(await connect(connecting, "web1"))


async def test_a_host_whose_key_is_of_another_kind_now(scripted: ScriptedFactory, tmp_path: Path) -> None:
    """It is not taken for one that has nothing in common with us."""
    old = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key("openssh").decode()
    known = tmp_path / "known"
    server = await scripted()
    known.write_text(f"[{NODE}]:{server.port} {old}")
    error = await failure(server.options_with(host_keys="strict", known_hosts=[known]))
    assert type(error) is HostKeyError
    assert error.reason == f"host key changed; the known one is in {known} line 1"


async def test_the_known_key_is_asked_for(scripted: ScriptedFactory, tmp_path: Path) -> None:
    """Of a server's several keys the one that is on record counts."""
    keys = [asyncssh.generate_private_key(kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256")]
    server = await scripted(server_host_keys=keys)
    known = tmp_path / "known"
    async with connector(server.options_with(host_keys="strict", known_hosts=[known])) as connecting:
        with pytest.raises(HostKeyError):
            await connect(connecting, NODE)
    for key in keys:
        known.write_text(f"{NODE} {key.export_public_key('openssh').decode()}")
        async with connector(server.options_with(host_keys="strict", known_hosts=[known])) as connecting:
            connection = await connect(connecting, NODE)
            shown = connection.get_server_host_key()
            await close_connection(connection)
        assert shown is not None
        assert shown.public_data == key.public_data


# -- the agent ------------------------------------------------------------------------------------------


async def test_the_agent_is_asked_once_a_run(
    sshd: OpenSSHServer, agent: RealAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One connection to the agent and one question for all nodes, then one signature for each."""
    await agent.add(sshd.files.key_file)
    config = tmp_path / "config"
    text = sshd.files.ssh_config.read_text()
    config.write_text(text.replace("IdentityAgent none", "").replace("IdentitiesOnly yes", ""))
    async with AgentProxy(tmp_path / "proxy.sock", agent) as proxy:
        monkeypatch.setenv("SSH_AUTH_SOCK", proxy.socket)
        async with connector(SSHOptions(config=config)) as connecting:
            connections = await asyncio.gather(*(connect(connecting, node) for node in sshd.nodes))
            for connection in connections:
                await close_connection(connection)
        assert (proxy.connections, proxy.requests) == (1, [11] + [13] * len(sshd.nodes))


async def test_an_rsa_key_of_the_agent(
    scripted: ScriptedFactory, agent: RealAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature is of the kind that the server takes."""
    key = tmp_path / "rsa"
    private = await asyncio.to_thread(asyncssh.generate_private_key, "ssh-rsa", key_size=2048)
    key.touch(mode=0o600)
    key.write_bytes(private.export_private_key("openssh"))
    await agent.add(key)
    monkeypatch.setenv("SSH_AUTH_SOCK", agent.socket)
    server = await scripted(signature_algs=["rsa-sha2-512"])
    async with connector(server.options_with(identity_files=(), agent=True)) as connecting:
        await close_connection(await connect(connecting, NODE))


async def test_cancelling_one_login_does_not_disturb_the_next(
    sshd: OpenSSHServer, agent: RealAgent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer of the agent that nobody waits for any more is not taken for another one's."""
    await agent.add(sshd.files.key_file)
    config = tmp_path / "config"
    text = sshd.files.ssh_config.read_text()
    config.write_text(text.replace("IdentityAgent none", "").replace("IdentitiesOnly yes", ""))
    async with AgentProxy(tmp_path / "proxy.sock", agent) as proxy:
        monkeypatch.setenv("SSH_AUTH_SOCK", proxy.socket)
        async with connector(SSHOptions(config=config)) as connecting:
            proxy.let_sign.clear()
            cancelled = asyncio.create_task(connect(connecting, "n1"))
            await asyncio.wait_for(proxy.signing.wait(), PATIENCE)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            proxy.let_sign.set()
            await close_connection(await asyncio.wait_for(connect(connecting, "n2"), PATIENCE))


async def test_more_keys_than_the_server_takes(sshd: OpenSSHServer, tmp_path: Path) -> None:
    """The hint is not that it might be throttling."""
    files = []
    for number in range(8):
        files.append(tmp_path / f"key{number}")
        files[-1].write_bytes(generate_key("").export_private_key("openssh"))
    options = SSHOptions(config=sshd.files.ssh_config, identity_files=[*files, sshd.files.key_file])
    error = await failure(options, "n1")
    assert type(error) is AuthenticationError
    assert str(error) == (
        f"n1: login as {sshd.user} refused, the server takes fewer than the 9 keys offered;"
        " say which with IdentityFile and IdentitiesOnly"
    )


# -- a connection that does not come about ------------------------------------------------------------


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _saying(greeting: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()  # the client's greeting
        writer.write(greeting)
        await writer.drain()
        await reader.read()

    return talk


@pytest.mark.parametrize(
    ("greeting", "what"),
    [
        (b"SSH-1.5-old\r\n", "Unsupported SSH version"),
        (b"x\r\n" * 5000, "Too many banner lines"),
        (b"x" * 100_000, "Banner line too long"),
        (
            b"SSH-2.0-\xff\r\n",
            "'ascii' codec can't decode byte 0xff in position 8: ordinal not in range(128)",
        ),
        (b"SSH-2.0-x\r\n" + b"\x00" * 2000, "Incomplete packet"),
    ],
    ids=["version", "banner", "line", "bytes", "packet"],
)
async def test_who_does_not_speak_our_language(greeting: bytes, what: str) -> None:
    """Whatever a peer sends, it fails for this node alone, with what asyncssh found."""
    async with raw_server(_saying(greeting)) as options:
        error = await failure(options)
    assert type(error) is ConnectionFailedError
    assert str(error) == f"{NODE}: port {options.port} of {NODE}: the SSH handshake failed ({what})"


async def test_who_hangs_up() -> None:
    """A server that is throttling closes the connection before it says a word."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"Exceeded MaxStartups\r\n")

    async with raw_server(talk) as options:
        error = await failure(options)
    assert isinstance(error, ConnectionDroppedError)
    assert error.throttling
    assert str(error) == (
        f"{NODE}: port {options.port} of {NODE} closed the connection before the login"
        " (Exceeded MaxStartups); it may be throttling (MaxStartups): lower the fanout"
    )


async def test_no_descriptor_for_the_socket(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is our trouble, not the node's."""

    async def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(24, os.strerror(24))

    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fail, False)
        with pytest.raises(NoCapacityError):
            await connect(connecting, "node1")


async def test_no_descriptor_for_a_file(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where there is none for the configuration."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(24, os.strerror(24))

    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", fail)
            with pytest.raises(NoCapacityError):
                await connect(connecting, "node1")
        await close_connection(await connect(connecting, "node1"))


async def test_a_configuration_that_makes_no_sense(tmp_path: Path) -> None:
    """The node's error says what is wrong with it."""
    path = tmp_path / "config"
    path.write_text("User\n")
    error = await failure(SSHOptions(config=path), "web1")
    assert type(error) is ConnectionFailedError
    assert str(error) == f"web1: SSH configuration {path} line 1: User has no value"


# -- cancelling --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, Fault.SILENT, Fault.AUTH])
async def test_cancelled_at_any_turn(cluster: Cluster, fault: Fault | None) -> None:
    """Whenever a connection is given up, nothing is left of it, and nobody complains."""
    loop = asyncio.get_running_loop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda loop, context: problems.append(context))
    cluster.fault("node1", fault)
    async with connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        for delay in range(40):
            connecting_now = asyncio.create_task(connect(connecting, "node1"))
            await turns(delay)
            connecting_now.cancel()
            with suppress(asyncio.CancelledError, NodeError):
                await close_connection(await connecting_now)
        await cluster.wait_idle()
    assert cluster.statistics().open_connections == 0
    assert problems == []


async def test_cancelled_while_the_bastion_opens_a_channel() -> None:
    """The channel that comes when nobody wants it any more is closed; the bastion stays."""
    async with Cluster(2) as cluster, connector(SSHOptions(config=cluster.ssh_config)) as connecting:
        bastion = await connect(connecting, "node1")
        route = await connecting.route("node2")
        going = asyncio.create_task(connecting.connect(route, bastion))
        await until(lambda: bool(bastion._channels))
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await until(lambda: cluster.statistics().connections == 2)
        await until(lambda: cluster.statistics().open_connections == 1)
        assert not bastion.is_over
        await close_connection(bastion)


async def test_settings_count_before_the_configuration(cluster: Cluster) -> None:
    """They reach the connection: another port is another place."""
    async with connector(SSHOptions(config=cluster.ssh_config, settings=["Port=1"])) as connecting:
        with pytest.raises(ConnectionFailedError, match=r"port 1\b"):
            await connect(connecting, "node1")
