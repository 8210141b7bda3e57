"""Managers of fake processes, and places for sockets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from asynctask.manager import Manager
from tests.manager.fakes import FakeLauncher


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A directory with a path that is short enough for sockets."""
    directory = Path(tempfile.mkdtemp(prefix="at", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
async def launcher() -> FakeLauncher:
    """Who starts the processes of the test."""
    return FakeLauncher()


@pytest.fixture
async def manager(launcher: FakeLauncher) -> AsyncIterator[Manager]:
    """A manager of fakes."""
    async with Manager(name="m", launcher=launcher) as manager:
        yield manager
