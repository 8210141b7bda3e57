"""Tests of asynctask.ssh.lease: over the cluster in this process, and a server that does what a test says."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest

from asynctask import SSHOptions
from asynctask.errors import ConnectionFailedError, ConnectionLostError, SpawnError
from asynctask.ssh import lease as module
from asynctask.ssh.connection import Connection
from asynctask.ssh.lease import Lease
from asynctask.ssh.pool import ConnectionPool
from asynctask.testing import Cluster, Fault
from tests.ssh.connecting import PATIENCE, run
from tests.ssh.servers import NODE, ScriptedFactory, reset
from tests.support import turns
from tests.testing.clients import until


async def kept(pool: ConnectionPool, ssh: SSHOptions, node: str, seconds: float | None = PATIENCE) -> Lease:
    """A lease on a connection that was used before."""
    first = await pool.lease(node, ssh, seconds)
    await first.release()
    return await pool.lease(node, ssh, seconds)


async def failure(lease: Lease, kind: type[Exception], command: str = "hostname") -> str:
    """What becomes of a command that does not run."""
    with pytest.raises(kind) as raised:
        await run(lease, command)
    assert type(raised.value) is kind
    return str(raised.value)


def counts(pool: ConnectionPool) -> tuple[int, int, int, int]:
    """Open, sessions, made and replaced."""
    now = pool.statistics()
    return now.open, now.sessions, now.made, now.replaced


# -- a place ----------------------------------------------------------------------------------------------


async def test_a_lease(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """It leads to its node and has a connection there; the first has no mark."""
    lease = await pool.lease("node2", ssh, PATIENCE)
    assert (lease.node, lease.mark) == ("node2", None)
    assert await run(lease) == "node2"
    assert isinstance(lease.connection, Connection)
    await lease.release()


async def test_what_is_sent_along(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """The configuration of the node says it."""
    text = cluster.ssh_config.read_text()
    cluster.ssh_config.write_text(f"Host node1\n  SetEnv A=1\n{text}")
    first, second = [await pool.lease(node, ssh, PATIENCE) for node in ("node1", "node2")]
    assert (first.environment, second.environment) == ({"A": "1"}, {})
    for lease in (first, second):
        await lease.release()


async def test_what_start_returns(pool: ConnectionPool, ssh: SSHOptions) -> None:
    """It is handed on, and so is an error of its own."""
    lease = await pool.lease("node1", ssh, PATIENCE)

    async def start(connection: Connection) -> str:
        return str(connection.get_extra_info("username"))

    async def fail(connection: Connection) -> None:
        raise ValueError("mine")

    assert await lease.open(start) == "asynctask"
    with pytest.raises(ValueError, match="mine"):
        await lease.open(fail)
    assert await run(lease) == "node1"
    await lease.release()


async def test_release_is_repeatable(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """The place is given back once."""
    first, second = [await pool.lease("node1", ssh, PATIENCE) for _ in range(2)]
    for _ in range(3):
        await first.release()
        first.discard()
        assert counts(pool) == (1, 1, 1, 0)
    assert await run(second) == "node1"
    await second.release()
    assert counts(pool) == (1, 0, 1, 0)


async def test_discard(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """Who is on it stays; who comes gets another; when the last has gone it is closed."""
    first, second = [await pool.lease("node1", ssh, PATIENCE) for _ in range(2)]
    first.discard()
    first.discard()
    await first.release()
    assert await run(second) == "node1"
    third = await pool.lease("node1", ssh, PATIENCE)
    assert third.connection is not second.connection
    await second.release()
    assert counts(pool) == (1, 1, 2, 0)
    await third.release()
    await until(lambda: cluster.statistics().open_connections == 1)


async def test_release_goes_on_when_cancelled(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """The connection is closed and the place is given back all the same."""
    lease = await pool.lease("node1", ssh, PATIENCE)
    lease.discard()
    releasing = asyncio.create_task(lease.release())
    await turns(1)
    releasing.cancel()
    await asyncio.gather(releasing, return_exceptions=True)
    await cluster.wait_idle()
    await until(lambda: counts(pool) == (0, 0, 1, 0))


# -- a kept connection that is dead -----------------------------------------------------------------------


async def test_replaced_when_it_is_cut_just_now(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """Nobody has noticed when the command is to start: it starts on another connection, once."""
    lease = await kept(pool, ssh, "node1")
    old = lease.connection
    cluster.disconnect("node1")
    assert await run(lease, "echo once") == "once"
    assert lease.connection is not old
    assert counts(pool) == (1, 1, 2, 1)
    assert cluster.statistics().commands["node1"] == 1
    await lease.release()


async def test_replaced_when_it_breaks_while_a_channel_is_opened(
    scripted: ScriptedFactory, pool: ConnectionPool
) -> None:
    """Nothing was run, so it can be run elsewhere."""
    breaks = [True]

    def on_session(connection: asyncssh.SSHServerConnection) -> bool:
        if breaks.pop() if breaks else False:
            reset(connection)
        return True

    server = await scripted(on_session=on_session, on_start=lambda session: session.channel.exit(0))
    lease = await kept(pool, server.options, NODE)
    assert await run(lease) == ""
    commands = [session.command for session in server.sessions if session.command]
    assert (len(server.connections), commands) == (2, ["hostname"])
    assert counts(pool) == (1, 1, 2, 1)
    await lease.release()


async def test_replaced_when_it_does_not_answer(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """Half of the time is for it, the rest for another connection."""
    lease = await kept(pool, ssh, "node1", 1.0)
    cluster.fault("node1", Fault.CHANNEL_HANGS)
    running = asyncio.create_task(run(lease, "echo once"))
    await until(lambda: pool.statistics().replaced == 1)
    cluster.fault("node1", None)
    assert await running == "once"
    assert counts(pool)[1:] == (1, 2, 1)
    await lease.release()


async def test_replaced_once(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """Where the new connection does not answer either, the time is up."""
    lease = await kept(pool, ssh, "node1", 0.4)
    cluster.fault("node1", Fault.CHANNEL_HANGS)
    assert await failure(lease, ConnectionFailedError) == (
        "node1: logged in, but the command did not start within 0.4 s"
    )
    assert counts(pool)[1:] == (1, 2, 1)
    await lease.release()


async def test_not_replaced_for_ever(scripted: ScriptedFactory, pool: ConnectionPool) -> None:
    """A server that breaks each connection when it is used is told so."""

    def on_session(connection: asyncssh.SSHServerConnection) -> bool:
        reset(connection)
        return False

    server = await scripted(on_session=on_session)
    lease = await kept(pool, server.options_with(retries=0), NODE)
    assert (await failure(lease, ConnectionLostError)).startswith(
        f"{NODE}: connection lost before the command ran ("
    )
    assert counts(pool)[1:] == (1, 2, 1)
    await lease.release()
    await until(lambda: pool.statistics().open == 0)


async def test_at_most_some_seconds_for_a_kept_one(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much time there is, also without limit."""
    monkeypatch.setattr(module, "_KEPT_WAIT", 0.05)
    lease = await kept(pool, ssh, "node1", None)
    cluster.fault("node1", Fault.CHANNEL_HANGS)
    running = asyncio.create_task(run(lease))
    await until(lambda: pool.statistics().replaced == 1)
    cluster.fault("node1", None)
    assert await running == "node1"
    await lease.release()


async def test_others_on_it_stay_when_it_is_replaced(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs there runs on; it is closed when that is over."""
    monkeypatch.setattr(module, "_KEPT_WAIT", 0.05)
    first = await kept(pool, ssh, "node1")
    second = await pool.lease("node1", ssh, PATIENCE)
    process = await first.open(lambda connection: connection.create_process("read x; echo $x"))
    cluster.fault("node1", Fault.CHANNEL_HANGS)
    other = asyncio.create_task(run(second))
    await until(lambda: pool.statistics().replaced == 1)
    cluster.fault("node1", None)
    assert await other == "node1"
    assert second.connection is not first.connection
    assert (await process.communicate(b"still here\n"))[0] == b"still here\n"
    await first.release()
    await until(lambda: counts(pool) == (1, 1, 2, 1))
    await second.release()


async def test_the_node_is_gone_when_it_is_replaced(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """The error is that of connecting, and nothing is held."""
    lease = await kept(pool, ssh, "node1")
    cluster.fault("node1", Fault.REFUSED)
    cluster.disconnect("node1")
    with pytest.raises(ConnectionFailedError, match=r"^node1: port \d+ of [\d.]+ refused the connection"):
        await run(lease)
    await lease.release()
    await lease.release()
    await until(lambda: pool.statistics().open == 0)
    assert pool.statistics().sessions == 0


@pytest.mark.parametrize("delay", range(0, 40, 2))
async def test_cancelled_while_it_is_replaced(cluster: Cluster, delay: int) -> None:
    """At any turn: the books are right and nothing is left."""
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    ssh = SSHOptions(config=cluster.ssh_config, retries=0)
    async with ConnectionPool() as pool:
        lease = await kept(pool, ssh, "node1")
        cluster.disconnect("node1")
        running = asyncio.create_task(run(lease))
        await turns(delay)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await lease.release()
        now = pool.statistics()
        assert (now.sessions, now.connecting, now.waiting) == (0, 0, 0)
    await cluster.wait_idle()
    assert problems == []


# -- never twice ------------------------------------------------------------------------------------------


async def test_not_replaced_when_something_was_sent(scripted: ScriptedFactory, pool: ConnectionPool) -> None:
    """The command may have run, so it is not run again."""

    def on_exec(session: Any) -> bool:
        reset(session.connection)
        return True

    server = await scripted(on_exec=on_exec)
    lease = await kept(pool, server.options, NODE)
    assert (await failure(lease, ConnectionLostError)).startswith(
        f"{NODE}: connection lost before the command ran ("
    )
    assert [session.command for session in server.sessions] == ["hostname"]
    assert counts(pool)[2:] == (1, 0)
    await lease.release()


async def test_not_replaced_when_the_answer_to_it_hangs(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """Likewise."""
    lease = await kept(pool, ssh, "node1", 0.4)
    cluster.fault("node1", Fault.EXEC_HANGS)
    assert await failure(lease, ConnectionFailedError) == (
        "node1: logged in, but the command did not start within 0.4 s"
    )
    assert counts(pool)[2:] == (1, 0)
    await lease.release()


async def test_a_fresh_one_is_not_replaced(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """What breaks at once breaks again."""
    lease = await pool.lease("node1", ssh, PATIENCE)
    cluster.disconnect("node1")
    assert (await failure(lease, ConnectionLostError)).startswith(
        "node1: connection lost before the command ran ("
    )
    assert counts(pool)[2:] == (1, 0)
    await lease.release()


async def test_a_fresh_one_has_all_of_the_time(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no more."""
    monkeypatch.setattr(module, "_KEPT_WAIT", 0.0)
    cluster.fault("node1", Fault.CHANNEL_HANGS)
    lease = await pool.lease("node1", ssh, 0.3)
    assert await failure(lease, ConnectionFailedError) == (
        "node1: logged in, but the command did not start within 0.3 s"
    )
    assert counts(pool)[2:] == (1, 0)
    await lease.release()


# -- servers that refuse --------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize(
    ("fault", "reason"), [(Fault.NO_EXEC, "Session request failed"), (Fault.NO_CHANNEL, "open failed")]
)
async def test_refused(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions, fault: Fault, reason: str, used: bool
) -> None:
    """The connection is fine, and stays."""
    cluster.fault("node1", fault)
    lease = await (kept(pool, ssh, "node1") if used else pool.lease("node1", ssh, PATIENCE))
    assert await failure(lease, SpawnError) == f"node1: the server did not run the command: {reason}"
    cluster.fault("node1", None)
    assert await run(lease) == "node1"
    await lease.release()
    assert counts(pool) == (1, 0, 1, 0)


async def test_refused_words_are_shown_as_text(scripted: ScriptedFactory, pool: ConnectionPool) -> None:
    """They do not drive a terminal."""

    def on_session(connection: asyncssh.SSHServerConnection) -> bool:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "no\x1b[31m\nway")

    server = await scripted(on_session=on_session)
    lease = await pool.lease(NODE, server.options, PATIENCE)
    assert await failure(lease, SpawnError) == (
        f"{NODE}: the server did not run the command: no\\x1b[31m / way"
    )
    await lease.release()


async def test_a_server_that_takes_fewer_sessions() -> None:
    """The others wait for their turn, without asking all the time."""
    async with Cluster(1, max_sessions=2) as cluster, ConnectionPool() as pool:
        ssh = SSHOptions(config=cluster.ssh_config)
        leases = [await pool.lease("node1", ssh, PATIENCE) for _ in range(5)]

        async def use(lease: Lease) -> str:
            try:
                return await run(lease, "sleep 0.2; hostname")
            finally:
                await lease.release()

        assert await asyncio.gather(*map(use, leases)) == ["node1"] * 5
        assert counts(pool) == (1, 0, 1, 0)
        assert cluster.statistics().refused_sessions <= 8


async def test_a_server_that_takes_no_session_at_all(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """Nobody waits for the others who wait: each is refused."""
    cluster.fault("node1", Fault.NO_CHANNEL)
    leases = [await pool.lease("node1", ssh, PATIENCE) for _ in range(4)]

    async def use(lease: Lease) -> str:
        try:
            return await failure(lease, SpawnError)
        finally:
            await lease.release()

    reason = "node1: the server did not run the command: open failed"
    assert await asyncio.wait_for(asyncio.gather(*map(use, leases)), PATIENCE) == [reason] * 4
    assert cluster.statistics().refused_sessions <= 8
    assert counts(pool) == (1, 0, 1, 0)


async def test_what_was_learned_of_a_server_stays() -> None:
    """The next do not ask for more than it takes."""
    async with Cluster(1, max_sessions=2) as cluster, ConnectionPool() as pool:
        ssh = SSHOptions(config=cluster.ssh_config)

        async def use() -> str:
            lease = await pool.lease("node1", ssh, PATIENCE)
            try:
                return await run(lease, "sleep 0.05; hostname")
            finally:
                await lease.release()

        for _ in range(2):
            before = cluster.statistics().refused_sessions
            assert await asyncio.gather(*(use() for _ in range(6))) == ["node1"] * 6
        assert cluster.statistics().refused_sessions - before <= 1


async def test_waiting_for_a_session_is_no_loss_of_time() -> None:
    """Others keep it waiting, so it does not count."""
    async with Cluster(1, max_sessions=1) as cluster, ConnectionPool() as pool:
        ssh = SSHOptions(config=cluster.ssh_config)
        first = await pool.lease("node1", ssh, PATIENCE)
        second = await pool.lease("node1", ssh, 0.5)
        running = asyncio.create_task(run(first, "sleep 0.8; hostname"))
        await until(lambda: cluster.statistics().running == 1)
        waiting = asyncio.create_task(run(second))
        assert await running == "node1"
        await first.release()
        assert await waiting == "node1"
        await second.release()


async def test_cancelled_while_waiting_for_a_session() -> None:
    """It gives its place back."""
    async with Cluster(1, max_sessions=1) as cluster, ConnectionPool() as pool:
        ssh = SSHOptions(config=cluster.ssh_config)
        first, second = [await pool.lease("node1", ssh, PATIENCE) for _ in range(2)]
        running = asyncio.create_task(run(first, "sleep 0.3; hostname"))
        await until(lambda: cluster.statistics().running == 1)
        waiting = asyncio.create_task(run(second))
        await until(lambda: pool.statistics().waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await second.release()
        assert counts(pool)[:2] == (1, 1)
        assert await running == "node1"
        await first.release()
        assert counts(pool) == (1, 0, 1, 0)
