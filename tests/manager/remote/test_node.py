"""Tests of nodes with faults, in this process."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from asynctask import ConnectionPool, SSHOptions
from asynctask.errors import LaunchError, ManagerError
from asynctask.manager.launching import Exit
from asynctask.manager.remote.launcher import RemoteLauncher
from asynctask.testing import Cluster, Fault
from tests.manager.remote.listening import PATIENCE, QUICK, Heard, end_all, order, until


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """Two nodes in this process."""
    async with Cluster(2) as cluster:
        yield cluster
        for node in cluster.nodes:
            end_all(cluster.home(node))


@pytest_asyncio.fixture
async def launcher(cluster: Cluster) -> AsyncIterator[RemoteLauncher]:
    """Of a manager that is in a hurry, with connections that others use, too."""
    async with ConnectionPool() as pool:
        ssh = SSHOptions(config=cluster.ssh_config, retries=0)
        launcher = RemoteLauncher(name="tests", ssh=ssh, pool=pool, pace=replace(QUICK, idle=0.05))
        yield launcher
        await launcher.aclose()


async def test_why_a_node_cannot_be_had_is_told(cluster: Cluster, launcher: RemoteLauncher) -> None:
    """What may be better later is temporary; what somebody has to mend is not."""
    cases = {
        Fault.REFUSED: True,
        Fault.AUTH: False,
        Fault.HOST_KEY_CHANGED: False,
        Fault.NO_EXEC: False,
        Fault.DROP: True,
    }
    for fault, temporary in cases.items():
        cluster.fault("node1", fault)
        with pytest.raises(LaunchError, match=r"^node1: (?!node1)") as raised:
            await launcher.launch(order("sleep 60", node="node1"), Heard())
        assert (fault, raised.value.temporary) == (fault, temporary)
    cluster.fault("node1", Fault.CHATTY)
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order("exit 3", node="node1"), Heard())
        assert await running.wait() == Exit(3)
        await running.aclose()


async def test_each_node_is_for_itself(
    cluster: Cluster, launcher: RemoteLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is lost and comes back after several attempts; the other does not hear of it."""
    ears = [Heard(), Heard()]
    async with asyncio.timeout(PATIENCE):
        one, two = [
            await launcher.launch(order("sleep 60", node=node, stdin=True), heard)
            for node, heard in zip(cluster.nodes, ears, strict=True)
        ]
        cluster.fault("node1", Fault.REFUSED)
        cluster.disconnect("node1")
        await ears[0].until("lost")
        before = cluster.statistics().connections
        with pytest.raises(LaunchError) as raised:
            await launcher.launch(order("true", node="node1", index=1), Heard())
        assert raised.value.temporary
        monkeypatch.setattr("asynctask.manager.remote.running._REACH_WAIT", 0.05)
        assert not await one.signal(signal.SIGTERM)
        for asked in (one.write(b"x"), one.close_input(), one.check(["true"], 1)):
            with pytest.raises(ManagerError, match="node1: not connected"):
                await asked
        assert await one.usage() is None
        assert cluster.statistics().connections == before
        cluster.fault("node1", None)
        await ears[0].until("found")
        for running in (one, two):
            assert await running.signal(signal.SIGTERM)
            assert await running.wait() == Exit(None, 15)
            await running.aclose()
    assert [heard.events for heard in ears] == [["lost: connection lost", "found"], []]


async def test_without_processes_there_is_no_session(cluster: Cluster, launcher: RemoteLauncher) -> None:
    """It ends after a while, and comes again when it is needed."""
    async with asyncio.timeout(PATIENCE):
        for _ in range(2):
            running = await launcher.launch(order("true", node="node1"), Heard())
            assert await running.wait() == Exit(0)
            await running.aclose()
            await cluster.wait_idle(connections=False)
            await until(lambda: launcher._nodes["node1"]._task is None)
