"""What the tests of the manager share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from asynctask.manager import Manager
from tests.manager.fakes import FakeLauncher


@pytest.fixture
def launcher() -> FakeLauncher:
    """Who starts the processes of a test: fakes."""
    return FakeLauncher()


@pytest.fixture
async def manager(launcher: FakeLauncher) -> AsyncIterator[Manager]:
    """A manager of fakes."""
    async with Manager(launcher=launcher) as manager:
        yield manager
