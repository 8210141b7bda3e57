"""What the tests of connections use: connectors, leases, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from asynctask import SSHOptions
from asynctask.errors import NodeError
from asynctask.ssh.connect import Connector
from asynctask.ssh.connection import Connection, close_connection
from asynctask.ssh.lease import Lease
from tests.ssh.servers import NODE

__all__ = ("PATIENCE", "connect", "connected", "connector", "failure", "run")

#: Seconds, for what should come at once.
PATIENCE = 10.0


@asynccontextmanager
async def connector(options: SSHOptions) -> AsyncIterator[Connector]:
    """A connector that is closed."""
    made = Connector(options)
    try:
        yield made
    finally:
        await made.aclose()


async def connect(connecting: Connector, node: str) -> Connection:
    """Connect to a node by its name."""
    return await connecting.connect(await connecting.route(node))


@asynccontextmanager
async def connected(options: SSHOptions, node: str) -> AsyncIterator[Connection]:
    """A connection that is closed."""
    async with connector(options) as connecting:
        connection = await asyncio.wait_for(connect(connecting, node), PATIENCE)
        try:
            yield connection
        finally:
            await close_connection(connection)


async def failure(options: SSHOptions, node: str = NODE) -> NodeError:
    """Why a connection does not come about."""
    async with connector(options) as connecting:
        with pytest.raises(NodeError) as raised:
            await asyncio.wait_for(connect(connecting, node), PATIENCE)
    return raised.value


async def run(lease: Lease, command: str = "hostname") -> str:
    """What a command prints."""
    done = await asyncio.wait_for(lease.open(lambda connection: connection.run(command)), PATIENCE)
    assert isinstance(done.stdout, bytes)
    return done.stdout.decode().strip()
