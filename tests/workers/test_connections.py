"""Tests of asynctask.workers.connections."""

from __future__ import annotations

import pytest

from asynctask import SSHOptions
from asynctask.errors import TaskStateError
from asynctask.ssh.pool import ConnectionPool
from asynctask.testing import Cluster
from asynctask.workers.connections import pool_of
from asynctask.workers.resources import Resources


async def test_one_pool_for_all_workers_of_a_run() -> None:
    """Made when the first asks; none for another run."""
    resources, others = Resources(), Resources()
    pool = pool_of(resources)
    assert isinstance(pool, ConnectionPool)
    assert pool_of(resources) is pool
    assert pool_of(others) is not pool
    await resources.aclose()
    await others.aclose()


async def test_a_pool_that_was_given() -> None:
    """It is the one that is used, and stays open when the run is over."""
    async with ConnectionPool() as given:
        resources = Resources()
        resources.share(ConnectionPool, given)
        assert pool_of(resources) is given
        await resources.aclose()
        given._check()


@pytest.mark.parametrize(("once", "kept"), [(True, 0), (False, 1)])
async def test_what_nobody_will_use_again_is_not_kept(once: bool, kept: int) -> None:
    """A run after which nothing comes closes a connection with its last user."""
    resources = Resources()
    resources.once = once
    async with Cluster(1) as cluster:
        pool = pool_of(resources)
        lease = await pool.lease("node1", SSHOptions(config=cluster.ssh_config), 10)
        assert pool.statistics().open == 1
        await lease.release()
        assert pool.statistics().open == kept
        await resources.aclose()


async def test_closed_with_the_run() -> None:
    """Its connections are closed, and it can make no more."""
    resources = Resources()
    async with Cluster(1) as cluster:
        ssh = SSHOptions(config=cluster.ssh_config)
        pool = pool_of(resources)
        lease = await pool.lease("node1", ssh, 10)
        await lease.release()
        assert cluster.statistics().open_connections == 1
        await resources.aclose()
        await cluster.wait_idle()
        with pytest.raises(TaskStateError, match=r"^the connection pool is closed"):
            await pool.lease("node1", ssh, 10)
