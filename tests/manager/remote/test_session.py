"""Tests of sessions with the post of a node."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

import pytest

from asynctask import ConnectionPool, SSHOptions
from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit
from asynctask.manager.remote.session import BusyError, NodeSession, SessionOverError
from asynctask.manager.remote.wire import Message
from asynctask.testing import Cluster
from tests.manager.remote.conftest import Launchers
from tests.manager.remote.listening import PATIENCE, QUICK, Heard, end_all, order


async def _open(cluster: Cluster, pool: ConnectionPool, owner: str, heard: list[Message]) -> NodeSession:
    ssh = SSHOptions(config=cluster.ssh_config, retries=0)
    return await NodeSession.open(
        "node1", manager="a b", owner=owner, ssh=ssh, pool=pool, pace=QUICK, hear=heard.append
    )


async def test_a_session_from_its_greeting_to_its_end() -> None:
    """Another manager is turned away; who is cancelled in a long order does not spoil the next one."""
    heard: list[Message] = []
    async with asyncio.timeout(PATIENCE), Cluster(1) as cluster, ConnectionPool() as pool:
        session = await _open(cluster, pool, "one", heard)
        with pytest.raises(BusyError, match="node1: another manager of this name is connected to it"):
            await _open(cluster, pool, "two", heard)
        asking = asyncio.create_task(session.ask("check", "1.000", data=b"#" * 100_000))
        await asyncio.sleep(0)
        asking.cancel()
        answer = await session.ask("check", "5.000", data=b"exit 4")
        assert answer.words == ("4",)
        uptime, rows = await session.processes()
        assert uptime > 0
        assert rows == []
        serving = asyncio.create_task(session.until_over(lambda: 10.0, 5.0))
        asking = asyncio.create_task(session.ask("check", "60.000", data=b"sleep 60"))
        await asyncio.sleep(0.05)
        cluster.disconnect("node1")
        await serving
        assert (session.is_over, session.reason) == (True, "connection lost")
        for again in (asking, session.ask("stats"), session.tell("beat", 1)):
            with pytest.raises(SessionOverError, match="node1: connection lost"):
                await again
        await session.aclose()
        await session.aclose()
        end_all(cluster.home("node1"))


async def test_a_node_that_cannot_be_used_says_why() -> None:
    """Its reason is that of the error."""
    async with asyncio.timeout(PATIENCE), Cluster(1) as cluster, ConnectionPool() as pool:
        (cluster.home("node1") / ".local").write_text("")
        with pytest.raises(ManagerError, match=r"^node1: mkdir: .*Not a directory"):
            await _open(cluster, pool, "one", [])
        await cluster.wait_idle(connections=False)


async def test_a_node_that_does_not_answer_is_lost(
    launchers: Launchers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked from time to time; a session that is silent is given up, and another one ends its post."""
    heard, launcher = Heard(), launchers(pace=replace(QUICK, beat=0.1, answer=0.3))
    async with asyncio.timeout(PATIENCE):
        running = await launcher.launch(order("sleep 60"), heard)
        session = launcher._nodes["n1"].session
        assert isinstance(session, NodeSession)
        monkeypatch.setattr(session._command, "_receive", lambda stream, data: None)
        await heard.until("lost")
        await heard.until("found")
        assert await running.signal(signal.SIGTERM)
        assert await running.wait() == Exit(None, 15)
        await running.aclose()
    assert heard.events[0].startswith("lost: it has not answered for")
