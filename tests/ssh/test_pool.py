"""Tests of asynctask.ssh.pool: over the cluster in this process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from asynctask import SSHOptions
from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionLostError,
    HostKeyError,
    NodeError,
    TaskStateError,
    UsageError,
)
from asynctask.ssh import pool as module
from asynctask.ssh.lease import Lease
from asynctask.ssh.pool import ConnectionPool, PoolStatistics
from asynctask.testing import Cluster, Fault
from asynctask.waiting import DefaultSeconds
from tests.ssh.connecting import PATIENCE, run
from tests.support import refused, turns
from tests.testing.clients import until


async def visit(pool: ConnectionPool, ssh: SSHOptions, node: str = "node1") -> str:
    """Run a command and leave."""
    lease = await pool.lease(node, ssh, PATIENCE)
    try:
        return await run(lease)
    finally:
        await lease.release()


def counts(pool: ConnectionPool) -> tuple[int, int, int, int]:
    """Open, idle, made and reused."""
    now = pool.statistics()
    return now.open, now.idle, now.made, now.reused


# -- kept connections ---------------------------------------------------------------------------------


async def test_a_connection_is_kept(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """The second command needs no login."""
    for _ in range(3):
        assert await visit(pool, ssh) == "node1"
    assert counts(pool) == (1, 1, 1, 2)
    assert cluster.statistics().connections == 1


async def test_statistics(pool: ConnectionPool, ssh: SSHOptions) -> None:
    """A frozen record of all there is to know."""
    lease = await pool.lease("node1", ssh, PATIENCE)
    assert pool.statistics() == PoolStatistics(
        open=1, idle=0, sessions=1, connecting=0, waiting=0, made=1, reused=0, replaced=0, retried=0
    )
    await lease.release()
    assert pool.statistics() == PoolStatistics(
        open=1, idle=1, sessions=0, connecting=0, waiting=0, made=1, reused=0, replaced=0, retried=0
    )


async def test_two_at_a_time_share(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """Also when both come before there is a connection."""
    leases = await asyncio.gather(*(pool.lease("node1", ssh, PATIENCE) for _ in range(3)))
    assert len({lease.connection for lease in leases}) == 1
    assert [lease.mark is None for lease in leases] == [True, False, False]
    for lease in leases:
        await lease.release()
    assert counts(pool) == (1, 1, 1, 2)
    assert cluster.statistics().connections == 1


async def test_closed_when_the_pool_is(cluster: Cluster, ssh: SSHOptions) -> None:
    """With nothing left on the nodes."""
    async with ConnectionPool() as pool:
        for node in cluster.nodes:
            await visit(pool, ssh, node)
        assert counts(pool) == (3, 3, 3, 0)
    await cluster.wait_idle()
    assert counts(pool) == (0, 0, 3, 0)
    with pytest.raises(TaskStateError, match=r"^the connection pool is closed: make another one$"):
        await pool.lease("node1", ssh, PATIENCE)
    await pool.aclose()


async def test_closed_in_use(cluster: Cluster, ssh: SSHOptions) -> None:
    """What runs is cut off."""
    pool = ConnectionPool()
    lease = await pool.lease("node1", ssh, PATIENCE)
    running = asyncio.create_task(run(lease, "sleep 60"))
    await until(lambda: cluster.statistics().running == 1)
    await pool.aclose()
    with pytest.raises(ConnectionLostError):
        await running
    await lease.release()
    await lease.release()
    await cluster.wait_idle()


async def test_none_are_kept(cluster: Cluster, ssh: SSHOptions) -> None:
    """With ``max_idle=0`` a connection is closed when its last user is gone, before that returns."""
    async with ConnectionPool(max_idle=0) as pool:
        await visit(pool, ssh)
        assert counts(pool) == (0, 0, 1, 0)
        first, second = [await pool.lease("node1", ssh, PATIENCE) for _ in range(2)]
        await first.release()
        assert await run(second) == "node1"
        await second.release()
        assert counts(pool) == (0, 0, 2, 1)


async def test_the_longest_unused_goes_first(ssh: SSHOptions) -> None:
    """Where there are more than are kept."""
    async with ConnectionPool(max_idle=2) as pool:
        for node in ("node1", "node2", "node1", "node3"):
            await visit(pool, ssh, node)
        await until(lambda: pool.statistics().open == 2)
        assert [held.route.node for held in pool._idle] == ["node1", "node3"]


async def test_closed_after_a_while(cluster: Cluster, ssh: SSHOptions) -> None:
    """When nobody has used it for the idle time; the one that came later is closed later."""
    async with ConnectionPool(idle_timeout=0.05) as pool:
        await visit(pool, ssh, "node1")
        await visit(pool, ssh, "node2")
        await cluster.wait_idle()
        assert counts(pool) == (0, 0, 2, 0)
        await visit(pool, ssh, "node1")
        assert counts(pool) == (1, 1, 3, 0)


@pytest.mark.parametrize("end", ["_close_idle", "_evict"])
async def test_whoever_comes_when_it_is_closed_gets_another(
    cluster: Cluster, pool: ConnectionPool, end: str
) -> None:
    """It is not used once it was decided to close it, not even before that has begun."""
    ssh = jumps(cluster, ("node2", "node1"))
    await visit(pool, ssh, "node1")
    next(iter(pool._idle)).idle_since -= module.IDLE_TIMEOUT
    getattr(pool, end)()
    assert await visit(pool, ssh, "node2") == "node2"
    assert (pool.statistics().made, pool.statistics().replaced) == (3, 0)


async def test_closed_while_somebody_connects(cluster: Cluster, ssh: SSHOptions) -> None:
    """What is made too late is closed, and nothing runs on it."""
    cluster.fault("node1", Fault.SILENT)
    async with ConnectionPool() as pool:
        leasing = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
        made = asyncio.Event()
        connector = await _connector_of(pool)
        connect = connector.connect

        async def late(*arguments: Any) -> Any:
            await made.wait()
            return await connect(*arguments)

        await until(lambda: cluster.statistics().open_connections == 1)
        cluster.fault("node1", None)
        connector.connect = late
        others = asyncio.create_task(pool.lease("node2", ssh, PATIENCE))
        await until(lambda: pool.statistics().connecting == 2)
    made.set()
    with pytest.raises(ConnectionLostError) as caught:
        await others
    assert str(caught.value) == "node2: the connection pool was closed before the command ran"
    leasing.cancel()
    await asyncio.gather(leasing, return_exceptions=True)
    await cluster.wait_idle()
    assert pool.statistics().open == 0


async def _connector_of(pool: ConnectionPool) -> Any:
    await until(lambda: bool(pool._connectors))
    return next(iter(pool._connectors.values()))


async def test_different_options_do_not_share(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """A login by another key is another login."""
    other = SSHOptions(config=cluster.ssh_config, identity_files=[cluster.key_file])
    await visit(pool, ssh)
    await visit(pool, other)
    assert counts(pool) == (2, 2, 2, 0)


async def test_names_of_one_place_share(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """Whatever it is called."""
    address, port = cluster.address("node1")
    with cluster.ssh_config.open("a") as file:
        file.write(f"Host other\n  HostName {address}\n  Port {port}\n  HostKeyAlias node1\n")
    text = cluster.ssh_config.read_text()
    cluster.ssh_config.write_text(
        f"Host other\n  HostName {address}\n  Port {port}\n  HostKeyAlias node1\n{text}"
    )
    assert [await visit(pool, ssh, node) for node in ("node1", "other")] == ["node1", "node1"]
    assert counts(pool) == (1, 1, 1, 1)


async def test_one_that_trusts_less_does_not_share(cluster: Cluster, pool: ConnectionPool) -> None:
    """A connection whose host key was not checked is for who wanted that."""
    address, port = cluster.address("node1")
    place = f"  HostName {address}\n  Port {port}\n"
    text = cluster.ssh_config.read_text()
    cluster.ssh_config.write_text(
        f"Host lax\n{place}  StrictHostKeyChecking no\n"
        f"Host other\n{place}  UserKnownHostsFile /dev/null\n{text}"
    )
    ssh = SSHOptions(config=cluster.ssh_config, retries=0)
    assert await visit(pool, ssh, "lax") == "node1"
    with pytest.raises(HostKeyError):
        await visit(pool, ssh, "other")


# -- sessions ------------------------------------------------------------------------------------------


async def test_so_many_sessions(ssh: SSHOptions) -> None:
    """More wait for one to end."""
    async with ConnectionPool(max_sessions=2) as pool:
        first, second = [await pool.lease("node1", ssh, PATIENCE) for _ in range(2)]
        waiting = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
        await until(lambda: pool.statistics().waiting == 1)
        assert pool.statistics().sessions == 3
        await first.release()
        third = await waiting
        assert await run(third) == "node1"
        for lease in (second, third):
            await lease.release()
        assert counts(pool) == (1, 1, 1, 2)


async def test_cancelled_while_waiting_for_a_session(ssh: SSHOptions) -> None:
    """Nothing is held by who has gone."""
    async with ConnectionPool(max_sessions=1) as pool:
        first = await pool.lease("node1", ssh, PATIENCE)
        waiting = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
        await until(lambda: pool.statistics().waiting == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await first.release()
        now = pool.statistics()
        assert (now.sessions, now.waiting, now.idle) == (0, 0, 1)


async def test_cancelled_with_a_session(ssh: SSHOptions) -> None:
    """Who was given a place and is cancelled in that moment leaves the connection to the next."""
    async with ConnectionPool(max_sessions=1) as pool:
        first = await pool.lease("node1", ssh, PATIENCE)
        waiting = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
        await until(lambda: pool.statistics().waiting == 1)
        await first.release()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        now = pool.statistics()
        assert (now.sessions, now.waiting, now.open, now.idle) == (0, 0, 1, 1)


# -- connections that have broken ------------------------------------------------------------------------


async def test_a_broken_one_is_replaced(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """It broke while nobody used it: the next command does not notice."""
    await visit(pool, ssh)
    assert cluster.disconnect("node1") == 1
    await until(lambda: not any(held.is_usable for held in pool._open))
    assert await visit(pool, ssh) == "node1"
    await until(lambda: pool.statistics().open == 1)
    assert counts(pool) == (1, 1, 2, 0)


async def test_one_that_was_discarded(pool: ConnectionPool, ssh: SSHOptions) -> None:
    """What may still run on it disturbs no other."""
    first, second = [await pool.lease("node1", ssh, PATIENCE) for _ in range(2)]
    first.discard()
    await first.release()
    third = await pool.lease("node1", ssh, PATIENCE)
    assert third.connection is not second.connection
    assert await run(second) == "node1"
    await second.release()
    assert counts(pool)[:3] == (1, 0, 2)
    await third.release()


# -- logins that fail -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault.AUTH, AuthenticationError),
        (Fault.HOST_KEY_CHANGED, HostKeyError),
        (Fault.RESET, ConnectionDroppedError),
    ],
)
async def test_all_who_wait_hear_of_it(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions, fault: Fault, kind: type[NodeError]
) -> None:
    """One attempt for all who came meanwhile, and another for who comes later."""
    cluster.fault("node1", fault)
    failed = await asyncio.gather(
        *(pool.lease("node1", ssh, PATIENCE) for _ in range(3)), return_exceptions=True
    )
    assert [type(exc) for exc in failed] == [kind] * 3
    assert cluster.statistics().connections == 1
    cluster.fault("node1", None)
    assert await visit(pool, ssh) == "node1"


async def test_a_server_that_drops_connections_is_asked_again(cluster: Cluster, pool: ConnectionPool) -> None:
    """Until it lets us in."""
    cluster.fault("node1", Fault.DROP_HALF)
    ssh = SSHOptions(config=cluster.ssh_config)
    assert await visit(pool, ssh) == "node1"
    now = pool.statistics()
    assert (now.made, now.retried) == (1, 1)


async def test_cancelled_while_connecting(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """Another who waits for the same connection makes it."""
    cluster.fault("node1", Fault.SILENT)
    first = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
    await until(lambda: cluster.statistics().open_connections == 1)
    second = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
    await turns(3)
    cluster.fault("node1", None)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    lease = await second
    assert await run(lease) == "node1"
    await lease.release()
    assert cluster.statistics().connections == 2


async def test_too_slow_for_one_and_not_for_another(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions
) -> None:
    """Each has its own patience."""
    cluster.fault("node1", Fault.SILENT)
    first = asyncio.create_task(pool.lease("node1", ssh, PATIENCE))
    await until(lambda: cluster.statistics().open_connections == 1)
    with pytest.raises(ConnectionFailedError) as caught:
        await pool.lease("node1", ssh, 0.05)
    assert str(caught.value) == "node1: no login within 0.05 s; is it up and reachable?"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)


async def test_who_has_more_time_tries_again(cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions) -> None:
    """That it was too slow for another says little."""
    cluster.fault("node1", Fault.SILENT)
    first = asyncio.create_task(pool.lease("node1", ssh, 0.2))
    await until(lambda: cluster.statistics().open_connections == 1)
    second = asyncio.create_task(visit(pool, ssh))
    await turns(3)
    cluster.fault("node1", None)
    assert await second == "node1"
    assert isinstance((await asyncio.gather(first, return_exceptions=True))[0], ConnectionFailedError)


async def test_a_bastion_that_was_too_slow_for_another(cluster: Cluster, pool: ConnectionPool) -> None:
    """It is tried again by who has more time, and is then no longer believed to be away."""
    ssh = jumps(cluster, ("node2", "node1"))
    cluster.fault("node1", Fault.SILENT)
    for _ in range(2):
        with pytest.raises(ConnectionFailedError, match=r"through node1: no login within 0\.1 s"):
            await pool.lease("node2", ssh, 0.1)
    assert cluster.statistics().connections == 1
    cluster.fault("node1", None)
    assert await visit(pool, ssh, "node2") == "node2"
    assert not pool._failed


async def test_waiting_for_the_turn_of_another_is_no_loss_of_time(cluster: Cluster, ssh: SSHOptions) -> None:
    """Who waits for a connection that waits for its turn has all of its time then."""
    cluster.fault("node1", Fault.SILENT)
    async with ConnectionPool(handshakes=1) as pool:
        slow = asyncio.create_task(pool.lease("node1", ssh, 1.0))
        await until(lambda: cluster.statistics().open_connections == 1)
        assert await asyncio.gather(*(_visit_soon(pool, ssh) for _ in range(3))) == ["node2"] * 3
        assert isinstance((await asyncio.gather(slow, return_exceptions=True))[0], ConnectionFailedError)


async def _visit_soon(pool: ConnectionPool, ssh: SSHOptions) -> str:
    lease = await pool.lease("node2", ssh, 0.7)
    try:
        return await run(lease)
    finally:
        await lease.release()


@pytest.mark.parametrize(("timeout", "seconds"), [(DefaultSeconds(60.0), "1"), (0.05, "0.05")])
async def test_the_configuration_says_how_long(
    cluster: Cluster, pool: ConnectionPool, ssh: SSHOptions, timeout: float, seconds: str
) -> None:
    """Unless the caller does."""
    cluster.ssh_config.write_text(f"ConnectTimeout 1\n{cluster.ssh_config.read_text()}")
    cluster.fault("node1", Fault.SILENT)
    with pytest.raises(ConnectionFailedError) as caught:
        await pool.lease("node1", ssh, timeout)
    assert str(caught.value) == f"node1: no login within {seconds} s; is it up and reachable?"


# -- bastions ------------------------------------------------------------------------------------------


def jumps(cluster: Cluster, *hosts: tuple[str, str]) -> SSHOptions:
    """The way to the nodes, some behind others."""
    text = cluster.ssh_config.read_text()
    lines = "".join(f"Host {node}\n  ProxyJump {before}\n" for node, before in hosts)
    cluster.ssh_config.write_text(lines + text)
    return SSHOptions(config=cluster.ssh_config, retries=0)


async def test_one_connection_a_bastion(cluster: Cluster, pool: ConnectionPool) -> None:
    """For all who are behind it, at the same time or later."""
    ssh = jumps(cluster, ("node2", "node1"), ("node3", "node1"))
    leases = await asyncio.gather(*(pool.lease(node, ssh, PATIENCE) for node in ("node2", "node3")))
    assert [await run(lease) for lease in leases] == ["node2", "node3"]
    assert cluster.statistics().connections == 3
    for lease in leases:
        await lease.release()
    assert await visit(pool, ssh, "node2") == "node2"
    assert await visit(pool, ssh, "node1") == "node1"
    assert cluster.statistics().connections == 3


async def test_a_chain(cluster: Cluster) -> None:
    """Of two; all of it is closed with the last user."""
    ssh = jumps(cluster, ("node3", "node2"), ("node2", "node1"))
    async with ConnectionPool(max_idle=0) as pool:
        lease = await pool.lease("node3", ssh, PATIENCE)
        assert await run(lease, "hostname; echo ${SSH_CONNECTION%% *}") == "node3\n127.0.0.1"
        assert pool.statistics().open == 3
        await lease.release()
        assert pool.statistics().open == 2  # bastions are kept for those who come
    await cluster.wait_idle()


async def test_a_bastion_is_kept_while_one_goes_through_it(cluster: Cluster) -> None:
    """However long that takes."""
    ssh = jumps(cluster, ("node2", "node1"))
    async with ConnectionPool(max_idle=0, idle_timeout=0.0) as pool:
        lease = await pool.lease("node2", ssh, PATIENCE)
        assert await visit(pool, ssh, "node1") == "node1"
        await turns(5)
        assert await run(lease) == "node2"
        await lease.release()
        await cluster.wait_idle()
        assert counts(pool)[:2] == (0, 0)


async def test_a_bastion_that_breaks(cluster: Cluster, pool: ConnectionPool) -> None:
    """What goes through it is lost; the next goes through another connection."""
    ssh = jumps(cluster, ("node2", "node1"))
    lease = await pool.lease("node2", ssh, PATIENCE)
    running = asyncio.create_task(run(lease, "sleep 60"))
    await until(lambda: cluster.statistics().running == 1)
    cluster.disconnect("node1")
    with pytest.raises(ConnectionLostError):
        await running
    await lease.release()
    assert await visit(pool, ssh, "node2") == "node2"


@pytest.mark.parametrize(
    ("fault", "kind", "text"),
    [
        (
            Fault.AUTH,
            AuthenticationError,
            "node2: through node1: login as asynctask refused, 1 key offered; ",
        ),
        (Fault.HOST_KEY_CHANGED, HostKeyError, "node2: through node1: host key changed; "),
        (Fault.REFUSED, ConnectionFailedError, "node2: through node1: port "),
    ],
)
async def test_a_bastion_that_lets_nobody_in(
    cluster: Cluster, pool: ConnectionPool, fault: Fault, kind: type[NodeError], text: str
) -> None:
    """Whoever is behind it hears why, and it is not asked again by each of them."""
    cluster.fault("node1", fault)
    ssh = jumps(cluster, ("node2", "node1"), ("node3", "node1"))
    for node in ("node2", "node3"):
        with pytest.raises(kind) as caught:
            await pool.lease(node, ssh, PATIENCE)
        assert str(caught.value).startswith(text.replace("node2", node))
    assert cluster.statistics().connections == (0 if fault is Fault.REFUSED else 1)


async def test_a_bastion_is_tried_again(
    cluster: Cluster, pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while."""
    monkeypatch.setattr(module, "_BELIEVED", 0.0)
    cluster.fault("node1", Fault.AUTH)
    ssh = jumps(cluster, ("node2", "node1"))
    with pytest.raises(AuthenticationError):
        await pool.lease("node2", ssh, PATIENCE)
    cluster.fault("node1", None)
    assert await visit(pool, ssh, "node2") == "node2"


async def test_behind_the_bastion_nobody_is_there(cluster: Cluster, pool: ConnectionPool) -> None:
    """The bastion says so, and stays."""
    cluster.fault("node2", Fault.REFUSED)
    ssh = jumps(cluster, ("node2", "node1"), ("node3", "node1"))
    host, port = cluster.address("node2")
    with pytest.raises(ConnectionFailedError) as caught:
        await pool.lease("node2", ssh, PATIENCE)
    assert str(caught.value).startswith("node2: ")
    assert f"port {port} of {host}" in str(caught.value)
    assert await visit(pool, ssh, "node3") == "node3"
    assert cluster.statistics().connections == 2


@pytest.mark.parametrize("delay", range(0, 60, 3))
async def test_cancelled_on_the_way(cluster: Cluster, delay: int) -> None:
    """At any moment: nothing is left, of the node nor of the bastion."""
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    ssh = jumps(cluster, ("node2", "node1"))
    async with ConnectionPool() as pool:
        leasing = asyncio.create_task(pool.lease("node2", ssh, PATIENCE))
        await turns(delay)
        leasing.cancel()
        results = await asyncio.gather(leasing, return_exceptions=True)
        for lease in results:
            if isinstance(lease, Lease):
                await lease.release()
        now = pool.statistics()
        assert (now.sessions, now.connecting, now.waiting) == (0, 0, 0)
    await cluster.wait_idle()
    assert problems == []


async def test_used_by_many_at_once(cluster: Cluster) -> None:
    """Whatever comes and goes, the books are right and nothing is left."""
    ssh = jumps(cluster, ("node3", "node1"))
    async with ConnectionPool(max_sessions=3, max_idle=1) as pool:

        async def guest(number: int) -> None:
            async with AsyncExitStack() as stack:
                lease = await pool.lease(f"node{number % 3 + 1}", ssh, PATIENCE)
                stack.push_async_callback(lease.release)
                if number % 7 == 0:
                    lease.discard()
                assert await run(lease) == f"node{number % 3 + 1}"

        guests = [asyncio.create_task(guest(number)) for number in range(60)]
        for number, each in enumerate(guests):
            await turns(2)
            if number % 5 == 0:
                each.cancel()
        results = await asyncio.gather(*guests, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
        now = pool.statistics()
        assert (now.sessions, now.connecting, now.waiting) == (0, 0, 0)
    await cluster.wait_idle()


# -- misuse ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"idle_timeout": -1}, "idle_timeout=-1: a number of seconds, 0 or more"),
        ({"max_idle": -1}, "max_idle=-1: a whole number, 0 or more"),
        ({"max_sessions": 0}, "max_sessions=0: a whole number, 1 or more"),
        ({"handshakes": True}, "handshakes=True: a whole number, 1 or more"),
    ],
)
def test_values_that_cannot_work(settings: dict[str, Any], text: str) -> None:
    """They are refused at once."""
    refused(UsageError, text, lambda: ConnectionPool(**settings))


def test_another_loop(tmp_path: Path) -> None:
    """A pool belongs to the loop of its first use."""

    async def use(pool: ConnectionPool) -> None:
        async with pool:
            pool._closed = False

    pool = ConnectionPool()
    asyncio.run(use(pool))
    pool._closed = False
    with pytest.raises(TaskStateError, match=r"^the connection pool belongs to another event loop"):
        asyncio.run(use(pool))
