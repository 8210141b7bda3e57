"""Fixtures for the tests of workers: a home of its own, real nodes, nodes in this process, descriptors."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.testing import Cluster
from tests.ssh.servers import ScriptedFactory, ScriptedServer
from tests.sshd import OpenSSHServer
from tests.workers.ends import Ends
from tests.workers.sites import Site


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and no agent: nothing of the user's own is read."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """Three nodes in this process."""
    async with Cluster(3) as opened:
        yield opened


@pytest_asyncio.fixture
async def scripted(home: Path, tmp_path: Path) -> AsyncIterator[ScriptedFactory]:
    """Starts servers that do what a test says."""
    async with AsyncExitStack() as servers:

        async def start(**hooks: Any) -> ScriptedServer:
            return await servers.enter_async_context(ScriptedServer(tmp_path, **hooks))

        yield start


@pytest.fixture
def real(home: Path, sshd: OpenSSHServer) -> Site:
    """A real OpenSSH server with eight names."""
    return Site(SSHOptions(config=sshd.files.ssh_config), sshd.nodes)


@pytest.fixture
def here(home: Path, cluster: Cluster) -> Site:
    """The cluster."""
    return Site(SSHOptions(config=cluster.ssh_config), cluster.nodes)


@pytest.fixture(
    params=[
        pytest.param("openssh", marks=pytest.mark.one_loop("each loop has the other, and a fleet of these")),
        "here",
    ]
)
def site(request: pytest.FixtureRequest, sshd: OpenSSHServer) -> Site:
    """Each of the two."""
    found: Site = request.getfixturevalue("real" if request.param == "openssh" else "here")
    return found


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory for temporary files whose name is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as name:
        monkeypatch.setattr("tempfile.tempdir", name)
        yield Path(name)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Makes descriptors; what is still open at the end is closed."""
    made = Ends()
    yield made
    made.close()
