"""Fixtures for the tests of the cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncssh
import pytest_asyncio

from asynctask.testing import Cluster
from tests.testing.clients import connect


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster of two nodes."""
    async with Cluster(2) as opened:
        yield opened


@pytest_asyncio.fixture
async def connection(cluster: Cluster) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to the first of them."""
    async with connect(cluster) as opened:
        yield opened
