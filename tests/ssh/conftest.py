"""Fixtures for the tests of SSH: a home of its own for each test, clusters, obedient servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.ssh.pool import ConnectionPool
from asynctask.testing import Cluster
from tests.ssh.agents import RealAgent
from tests.ssh.servers import ScriptedFactory, ScriptedServer
from tests.sshd import OpenSSHServer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory with ``.ssh``, and no agent: nothing of the user's own is read."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def write(tmp_path: Path) -> Path:
    """A directory for files of a configuration."""
    directory = tmp_path / "config"
    directory.mkdir()
    return directory


@pytest.fixture
def real(sshd: OpenSSHServer) -> SSHOptions:
    """The way to the nodes of the real server."""
    return SSHOptions(config=sshd.files.ssh_config)


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster of three nodes in this process."""
    async with Cluster(3) as opened:
        yield opened


@pytest.fixture
def ssh(cluster: Cluster) -> SSHOptions:
    """The way to the cluster's nodes, tried once."""
    return SSHOptions(config=cluster.ssh_config, retries=0)


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[ConnectionPool]:
    """A pool that is closed."""
    async with ConnectionPool() as opened:
        yield opened


@pytest_asyncio.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[ScriptedFactory]:
    """Starts servers that do what a test says."""
    async with AsyncExitStack() as servers:

        async def start(**hooks: object) -> ScriptedServer:
            return await servers.enter_async_context(ScriptedServer(tmp_path, **hooks))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[RealAgent]:
    """A real ssh-agent that holds no key and is not in the environment."""
    with RealAgent(tmp_path / "agent.sock") as started:
        yield started
