"""Launchers on real nodes, and nodes on which nothing is left."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.manager.remote.launcher import RemoteLauncher
from tests.manager.remote.listening import QUICK, end_all
from tests.sshd import OpenSSHServer

Launchers = Callable[..., RemoteLauncher]


@pytest.fixture
def home(sshd: OpenSSHServer) -> Iterator[Path]:
    """The home directory on the nodes of the real server, empty before and after."""
    yield sshd.home
    end_all(sshd.home)
    for each in sshd.home.iterdir():
        shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink()


@pytest_asyncio.fixture
async def launchers(sshd: OpenSSHServer, home: Path) -> AsyncIterator[Launchers]:
    """Makes launchers for the nodes of the real server; they are closed after the test."""
    async with AsyncExitStack() as closing:

        def make(name: str = "tests", **settings: Any) -> RemoteLauncher:
            settings = {"ssh": SSHOptions(config=sshd.files.ssh_config), "pace": QUICK, **settings}
            launcher = RemoteLauncher(name=name, **settings)
            closing.push_async_callback(launcher.aclose)
            return launcher

        yield make


@pytest.fixture
def launcher(launchers: Launchers) -> RemoteLauncher:
    """One of them."""
    return launchers()
