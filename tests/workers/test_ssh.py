"""Tests of asynctask.workers.ssh: what becomes of a node, on a real server and in this process."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

import asynctask
from asynctask import Outcome, SSHOptions
from asynctask.errors import SSHConfigError, UsageError
from asynctask.ssh import groups as groups_module
from asynctask.ssh import session as session_module
from asynctask.testing import Cluster, Fault
from asynctask.testing.clientfiles import generate_key
from asynctask.workers.ssh import SSHWorker
from tests.ssh.processes import alive
from tests.ssh.servers import NODE, ScriptedFactory, Session, raw_server, reset
from tests.sshd import OpenSSHServer
from tests.support import Recorder
from tests.testing.clients import exit_of
from tests.workers.sites import Site, check

CHECK = "check its spelling, DNS or /etc/hosts"


# -- commands that run ------------------------------------------------------------------------------


async def test_ok(site: Site) -> None:
    """A command that returns 0."""
    check(await site.run("echo hello"), Outcome.OK, 0, out=b"hello\n")


async def test_exit_code(site: Site) -> None:
    """Another code is the command's own failure."""
    check(await site.run("echo hello; exit 42"), Outcome.FAILED, 42, out=b"hello\n")


async def test_command_not_found(site: Site) -> None:
    """The shell says so, and returns 127."""
    result = await site.run("no-such-command-here")
    assert (result.outcome, result.rc, result.error) == (Outcome.FAILED, 127, None)
    assert b"not found" in result.stdout


async def test_signal(site: Site) -> None:
    """A signal that is not ours."""
    check(await site.run("kill -SEGV $$"), Outcome.SIGNALLED, 128 + 11, signal=11)


async def test_every_node(site: Site) -> None:
    """Nodes run at the same time and keep their order."""
    result = await site.run_all("echo hello")
    assert list(result) == list(site.nodes)
    assert [node_result.outcome for node_result in result.values()] == [Outcome.OK] * len(site.nodes)
    assert [(bytes(output), nodes) for output, nodes in result.iter_buffers()] == [
        (b"hello", list(site.nodes))
    ]


async def test_times(site: Site) -> None:
    """Each phase has its time, one after the other."""
    times = (await site.run("echo hello")).times
    stamps = [times.queued, times.began, times.connected, times.started, times.first_output, times.ended]
    assert stamps == sorted(stamp for stamp in stamps if stamp is not None)


async def test_events(site: Site) -> None:
    """A handler hears them in order."""
    heard = Recorder()
    await site.run("echo one; exit 3", handler=heard)
    node = site.node
    assert heard.events == [
        "start",
        f"pickup {node}",
        f"read {node} stdout one",
        f"hup {node} 3",
        f"end {node} failed",
        "close False",
    ]


async def test_a_talkative_shell(cluster: Cluster, here: Site) -> None:
    """What start-up files print is output as any other."""
    cluster.fault("node1", Fault.CHATTY)
    check(await here.run("echo hello"), Outcome.OK, 0, out=b"*** node1 ***\nhello\n")


async def test_streams_apart(site: Site) -> None:
    """Standard error apart from standard output."""
    check(await site.run("echo out; echo err >&2", stderr=True), Outcome.OK, 0, out=b"out\n", err=b"err\n")


async def test_streams_together(site: Site) -> None:
    """Standard error as part of standard output, which is the default."""
    check(await site.run("echo err >&2; sleep 0.05; echo out"), Outcome.OK, 0, out=b"err\nout\n")


@pytest.mark.parametrize(
    "output", [b"\xff\xfe\x00\x80", b"50%\r100%\r", b"no line end", b"\r\n\n\r", b"\x1b[2J\n"]
)
async def test_bytes(site: Site, output: bytes) -> None:
    """Every byte arrives, and no other."""
    octal = "".join(f"\\{byte:03o}" for byte in output)
    check(await site.run(f"printf '{octal}'"), Outcome.OK, 0, out=output)


async def test_a_command_with_any_bytes(real: Site) -> None:
    """A command need not be text."""
    check(await real.run("printf %s 'ä\udcff\udcfe'"), Outcome.OK, 0, out=b"\xc3\xa4\xff\xfe")


async def test_a_long_line(real: Site) -> None:
    """50 MB without a line end: a handler hears it in pieces, and all of it is kept."""
    sizes: list[int] = []

    class Sizes:
        def ev_read(self, worker: object, node: str, sname: str, msg: bytes) -> None:
            sizes.append(len(msg))

    result = await real.run("head -c 50000000 /dev/zero", handler=Sizes())
    assert (result.outcome, result.rc, len(result.out)) == (Outcome.OK, 0, 50_000_000)
    assert (max(sizes), sum(sizes)) == (1 << 20, 50_000_000)


async def test_a_command_that_can_never_work() -> None:
    """It is refused at the call."""
    with pytest.raises(UsageError, match=r"^a command cannot hold a NUL character$"):
        SSHWorker("echo \0", ["a"])


async def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    """So is one that does not exist."""
    with pytest.raises(SSHConfigError, match=f"^SSH configuration {tmp_path}/nope: no such file$"):
        SSHWorker("true", ["a"], ssh=SSHOptions(config=tmp_path / "nope"))


# -- input ------------------------------------------------------------------------------------------


async def test_no_input(site: Site) -> None:
    """By default a command finds the end of its input at once."""
    check(await site.run("cat; echo over"), Outcome.OK, 0, out=b"over\n")


async def test_input(site: Site) -> None:
    """1 MB of bytes there and back."""
    data = os.urandom(1 << 20)
    result = await site.run("cat", stdin=data)
    assert (result.outcome, result.stdout == data) == (Outcome.OK, True)


async def test_input_from_a_stream(site: Site) -> None:
    """The same as it comes, for each node."""
    pieces = [os.urandom(size) for size in (1, 1 << 19, 3, 1 << 19, 0, 7)]

    async def stream(node: str) -> AsyncIterator[bytes]:
        for piece in (node.encode(), *pieces):
            await asyncio.sleep(0)
            yield piece

    nodes = site.nodes[:3]
    result = await site.run_all("cat", nodes=nodes, stdin=stream)
    expected = {node: node.encode() + b"".join(pieces) for node in nodes}
    assert {node: result[node].stdout == expected[node] for node in nodes} == dict.fromkeys(nodes, True)


async def test_a_reader_that_goes_away(site: Site) -> None:
    """Input that nobody reads any more is no error; the stream is left."""
    given = 0
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        try:
            while True:
                given += 1
                yield b"x" * 65536
        finally:
            closed.set()

    stream = endless()
    check(await site.run("head -c 3; exit 4", stdin=stream), Outcome.FAILED, 4, out=b"xxx")
    assert given < 1000
    await stream.aclose()  # type: ignore[attr-defined]
    assert closed.is_set()


async def test_input_that_raises(site: Site) -> None:
    """The command is stopped: it must not work on half of its input."""

    async def broken() -> AsyncIterator[bytes]:
        yield b"one\n"
        raise ValueError("no more")

    result = await site.run("echo $$; cat > /dev/null; sleep 1000", stdin=broken())
    assert (result.outcome, str(result.error)) == (
        Outcome.ABORTED,
        f"{site.node}: its input raised ValueError('no more'); the command was stopped",
    )
    assert not alive(int(result.stdout))


# -- nodes that cannot be reached -------------------------------------------------------------------


async def test_unknown_host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that nobody knows."""

    async def fail(*args: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fail, raising=False)
    result = await asynctask.run("true", nodes=["web1"], ssh=SSHOptions(config=False))
    check(
        result["web1"],
        Outcome.UNREACHABLE,
        error=f"web1: unknown host name web1 (Name or service not known); {CHECK}",
    )


@pytest.mark.parametrize("name", ["a" * 64, "a..b"])
async def test_a_name_that_is_none(name: str) -> None:
    """One that nobody can have is one node's trouble, too, not the run's."""
    result = await asynctask.run("true", nodes=[name], ssh=SSHOptions(config=False))
    check(
        result[name],
        Outcome.UNREACHABLE,
        error=f"{name}: unknown host name {name} (no name can be like this); {CHECK}",
    )


async def test_refused_port(cluster: Cluster, here: Site) -> None:
    """The host is there and nobody listens."""
    cluster.fault("node1", Fault.REFUSED)
    address, port = cluster.address("node1")
    check(
        await here.run("true"),
        Outcome.REFUSED,
        error=f"node1: port {port} of {address} refused the connection; is sshd running there, on this port?",
    )


async def test_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network says why."""

    async def fail(*args: Any, **settings: Any) -> None:
        raise OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 22)")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", fail, raising=False)
    result = await asynctask.run("true", nodes=["10.0.0.1"], ssh=SSHOptions(config=False, retries=0))
    check(result["10.0.0.1"], Outcome.UNREACHABLE, error="10.0.0.1: port 22 of 10.0.0.1: No route to host")


async def test_silence(cluster: Cluster, here: Site) -> None:
    """A host that says nothing gets its time; each its own, from its turn."""
    cluster.fault("node1", Fault.SILENT)
    cluster.fault("node2", Fault.SILENT)
    begun = time.monotonic()
    result = await here.run_all("echo hello", fanout=1, connect_timeout=0.4)
    assert time.monotonic() - begun >= 0.79
    for node in ("node1", "node2"):
        check(
            result[node], Outcome.UNREACHABLE, error=f"{node}: no login within 0.4 s; is it up and reachable?"
        )
        assert 0.39 <= (result[node].times.duration or 0) < 5
    check(result["node3"], Outcome.OK, 0, out=b"hello\n")
    first, second = (result[node].times for node in ("node1", "node2"))
    assert (second.began or 0) >= (first.ended or 1e9)
    assert cluster.statistics().commands == {"node1": 0, "node2": 0, "node3": 1}


async def test_no_time_to_connect(here: Site) -> None:
    """No time at all is a time, too."""
    check(
        await here.run("true", connect_timeout=0),
        Outcome.UNREACHABLE,
        error="node1: no login within 0 s; is it up and reachable?",
    )


@pytest.mark.parametrize("connect_timeout", [None, float("inf")])
async def test_all_the_time_to_connect(here: Site, connect_timeout: float | None) -> None:
    """No limit is none."""
    assert (await here.run("true", connect_timeout=connect_timeout)).ok


async def test_logged_in_and_no_answer(scripted: ScriptedFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time to connect covers the start of the command."""
    monkeypatch.setattr(groups_module, "FIND_WAIT", 0.1)
    monkeypatch.setattr(session_module, "FIND_WAIT", 0.1)

    def go_deaf(connection: asyncssh.SSHServerConnection) -> bool:
        assert connection._transport is not None
        connection._transport.pause_reading()
        return True

    server = await scripted(on_session=go_deaf)
    result = await Site(server.options, (NODE,)).run("true", connect_timeout=0.5)
    check(
        result,
        Outcome.UNREACHABLE,
        error=f"{NODE}: logged in, but the command did not start within 0.5 s",
    )


async def test_reset_at_once(cluster: Cluster, here: Site) -> None:
    """A server that hangs up before the login may be throttling."""
    cluster.fault("node1", Fault.RESET)
    address, port = cluster.address("node1")
    result = await here.run("true", ssh=replace(here.options, retries=0))
    assert result.outcome is Outcome.UNREACHABLE
    assert str(result.error) in {
        f"node1: port {port} of {address} closed the connection before the login ({why});"
        " it may be throttling (MaxStartups): lower the fanout"
        for why in ("Connection reset by peer", "Connection lost")
    }


async def test_who_does_not_speak_ssh() -> None:
    """Whatever a peer sends, the run goes on for the others, and raises nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n" + b"\x00" * 2000)
        await reader.read()

    async with raw_server(talk) as options:
        result = await Site(options, (NODE,)).run("true")
    check(
        result,
        Outcome.UNREACHABLE,
        error=f"{NODE}: port {options.port} of {NODE}: the SSH handshake failed (Incomplete packet)",
    )


# -- logins that fail -------------------------------------------------------------------------------


async def test_key_refused(cluster: Cluster, here: Site) -> None:
    """A node that does not want our key."""
    cluster.fault("node1", Fault.AUTH)
    address, port = cluster.address("node1")
    check(
        await here.run("true"),
        Outcome.AUTH_FAILED,
        error="node1: login as asynctask refused, 1 key offered; put one of your public keys into"
        f" authorized_keys there: ssh-copy-id -p {port} asynctask@{address}",
    )


async def test_key_refused_by_openssh(sshd: OpenSSHServer, tmp_path: Path) -> None:
    """The same with the real server."""
    key = tmp_path / "key"
    key.write_bytes(generate_key("").export_private_key("openssh"))
    address, port = sshd.address("n1")
    options = SSHOptions(config=sshd.files.ssh_config, identity_files=[key])
    check(
        await Site(options, ("n1",)).run("true"),
        Outcome.AUTH_FAILED,
        error=f"n1: login as {sshd.user} refused, 1 key offered; put one of your public keys into"
        f" authorized_keys there: ssh-copy-id -p {port} {sshd.user}@{address}",
    )


async def test_no_key(sshd: OpenSSHServer) -> None:
    """There may be nothing to offer."""
    options = SSHOptions(config=sshd.files.ssh_config, identity_files=[])
    check(
        await Site(options, ("n1",)).run("true"),
        Outcome.AUTH_FAILED,
        error=f"n1: login as {sshd.user} refused, 0 keys offered; no private key was found: make one with"
        " ssh-keygen, or start ssh-agent",
    )


async def test_unknown_host_key(cluster: Cluster, here: Site) -> None:
    """A node that is not on record is not talked to."""
    cluster.fault("node1", Fault.HOST_KEY_UNKNOWN)
    check(
        await here.run("true"),
        Outcome.HOST_KEY,
        error=f"node1: host key unknown: node1 is not in {cluster.known_hosts};"
        " connect once with ssh and compare the key: ssh node1",
    )
    assert cluster.statistics().commands["node1"] == 0


async def test_changed_host_key(cluster: Cluster, here: Site) -> None:
    """One that is another now neither."""
    cluster.fault("node2", Fault.HOST_KEY_CHANGED)
    check(
        await here.run("true", nodes=["node1", "node2"]),
        Outcome.OK,
        0,
    )
    result = await here.run_all("true")
    check(
        result["node2"],
        Outcome.HOST_KEY,
        error=f"node2: host key changed; the known one is in {cluster.known_hosts} line 2;"
        f" if that is right, remove it with ssh-keygen -R 'node2' -f {cluster.known_hosts}",
    )
    assert cluster.statistics().commands["node2"] == 0


@pytest.mark.parametrize("lines", ["", "n1 {other}\n", "n1 {key}\n@revoked * {key}\n"])
async def test_host_keys_of_openssh(sshd: OpenSSHServer, tmp_path: Path, lines: str) -> None:
    """The same with the real server: unknown, changed, revoked."""
    key = sshd.files.known_hosts.read_text().split("\n")[0].split(" ", 1)[1]
    other = generate_key("").export_public_key("openssh").decode().strip()
    known = tmp_path / "known"
    known.write_text(lines.format(key=key, other=other))
    options = SSHOptions(config=sshd.files.ssh_config, known_hosts=[known])
    error = "host key is revoked; do not connect; ask who runs this machine"
    if not lines:
        error = f"host key unknown: n1 is not in {known}; connect once with ssh and compare the key: ssh n1"
    elif "revoked" not in lines:
        error = (
            f"host key changed; the known one is in {known} line 1;"
            f" if that is right, remove it with ssh-keygen -R 'n1' -f {known}"
        )
    check(await Site(options, ("n1",)).run("true"), Outcome.HOST_KEY, error=f"n1: {error}")


async def test_host_keys_are_of_no_interest(cluster: Cluster) -> None:
    """Only who says so talks to anybody."""
    cluster.fault("node1", Fault.HOST_KEY_CHANGED)
    options = SSHOptions(config=cluster.ssh_config, host_keys="off")
    assert (await Site(options, ("node1",)).run("true")).ok


# -- commands that do not start, or break -----------------------------------------------------------


async def test_exec_refused(cluster: Cluster, here: Site) -> None:
    """A server that runs nothing."""
    cluster.fault("node1", Fault.NO_EXEC)
    check(
        await here.run("true"),
        Outcome.SPAWN_FAILED,
        error="node1: the server did not run the command: Session request failed",
    )


def _reset(session: Session) -> bool:
    reset(session.connection)
    return True


async def test_broken_before_it_runs(scripted: ScriptedFactory) -> None:
    """A connection that breaks between the login and the command is one node's trouble."""
    server = await scripted(on_exec=_reset)
    check(
        await Site(server.options, (NODE,)).run("true"),
        Outcome.UNREACHABLE,
        error=f"{NODE}: connection lost before the command ran ([Errno 104] Connection reset by peer)",
    )


async def test_dropped_while_it_runs(cluster: Cluster, here: Site) -> None:
    """What a command printed until the connection broke is kept."""
    cluster.fault("node1", Fault.DROP)
    check(
        await here.run("echo hello; sleep 100"),
        Outcome.UNREACHABLE,
        out=b"hello\n",
        error="node1: connection lost while the command ran (Connection lost)",
    )


class _GoOn:
    """Gives a command a line of input when it has printed one."""

    def __init__(self) -> None:
        self._heard = asyncio.Event()

    def ev_read(self, worker: object, node: str, sname: str, msg: bytes) -> None:
        self._heard.set()

    async def line(self) -> AsyncIterator[bytes]:
        """The input."""
        await self._heard.wait()
        yield b"\n"


async def test_the_server_process_dies(real: Site) -> None:
    """The same with the real server."""
    go_on = _GoOn()
    result = await real.run("echo hello; read line; kill -KILL $PPID", handler=go_on, stdin=go_on.line())
    assert (result.outcome, result.stdout) == (Outcome.UNREACHABLE, b"hello\n")
    assert str(result.error) in {
        f"n1: connection lost while the command ran ({why})"
        for why in ("Connection lost", "[Errno 104] Connection reset by peer")
    }


async def test_the_server_falls_silent(sshd: OpenSSHServer) -> None:
    """Keepalive finds out, and what was printed is kept."""
    options = SSHOptions(config=sshd.files.ssh_config, keepalive=0.1)
    go_on = _GoOn()
    command = "echo $$ $PPID; read line; kill -STOP $PPID; sleep 1000"
    result = await Site(options, ("n1",)).run(command, handler=go_on, stdin=go_on.line())
    shell, server = (int(word) for word in result.stdout.split())
    for pid in (server, shell):
        os.kill(pid, signal.SIGKILL)
    await exit_of(server)
    check(
        result,
        Outcome.UNREACHABLE,
        out=result.stdout,
        error="n1: connection lost while the command ran (Server not responding to keepalive)",
    )


async def test_the_server_just_closes(scripted: ScriptedFactory) -> None:
    """A server that does not say how a command ended."""
    server = await scripted(on_start=lambda session: session.channel.close())
    check(
        await Site(server.options, (NODE,)).run("true"),
        Outcome.UNREACHABLE,
        error=f"{NODE}: connection lost while the command ran (the server closed the channel)",
    )


async def test_values_are_safe_whatever_the_login_shell_is(site: Site) -> None:
    """They are quoted for ``sh``, so that runs the command: ``fish`` and ``csh`` read quotes otherwise."""
    value = "\\' \" ; echo INJECTED # !\n$(id) `id`"
    node = site.nodes[0]
    result = await site.run("printf '%%s|' \"$0\" %{value}", args={node: {"value": value}})
    check(result, Outcome.OK, rc=0, out=f"sh|{value}|".encode())


async def test_a_command_that_is_too_long(site: Site) -> None:
    """It is not sent: the server would cut the connection, with all that runs on it."""
    async with asynctask.Task(ssh=site.options) as task, asyncio.timeout(20):
        node = site.nodes[0]
        fine = task.shell("sleep 0.3; echo fine", nodes=node)
        long = task.shell(f": {'x' * 300_000}", nodes=node)
        env = task.shell("echo ${#LC_X}", nodes=node, env={"LC_X": "x" * 100_000})
        too_much = task.shell("true", nodes=node, env={"LC_X": "x" * 300_000})
        await task.run()
    check(fine.results()[0], Outcome.OK, rc=0, out=b"fine\n")
    check(env.results()[0], Outcome.OK, rc=0, out=b"100000\n")
    error = (
        f"{node}: the server did not run the command: it is 300002 bytes long, and 261120 are the most"
        " that SSH takes"
    )
    check(long.results()[0], Outcome.SPAWN_FAILED, error=error)
    assert too_much.results()[0].outcome is Outcome.SPAWN_FAILED
