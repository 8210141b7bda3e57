"""Tests of asynctask.testing.wire: byte for byte what an ill node sends in place of SSH."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio

from asynctask.testing import Cluster, Fault
from asynctask.testing.wire import GARBAGE, talk_for
from tests.testing.clients import connect, until

PATIENCE = 10.0


@pytest_asyncio.fixture
async def ill(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A cluster of one node that has the test's fault."""
    async with Cluster(1, faults={"node1": request.param}) as cluster:
        yield cluster


class _Raw:
    """A client that speaks no SSH."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, cluster: Cluster) -> _Raw:
        return cls(*await asyncio.open_connection(*cluster.address("node1")))

    async def rest(self) -> bytes:
        """All that comes until the node hangs up."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


def test_a_well_node_speaks_ssh() -> None:
    """There is no other talk for it, nor for a fault that comes later."""
    assert [talk_for(fault) for fault in (None, Fault.AUTH, Fault.DROP)] == [None] * 3


@pytest.mark.parametrize(
    ("ill", "line"),
    [
        (Fault.DROP_HALF, b""),
        (Fault.MAX_STARTUPS, b"Exceeded MaxStartups\r\n"),
        (Fault.PENALTY, b"Not allowed at this time\r\n"),
    ],
    indirect=["ill"],
)
async def test_a_line_and_the_end(ill: Cluster, line: bytes) -> None:
    """The node says its line and hangs up, without a reset, whatever the client has sent meanwhile."""
    raw = await _Raw.to(ill)
    raw.writer.write(b"SSH-2.0-test\r\n")
    assert await raw.rest() == line
    raw.close()
    await ill.wait_idle()
    assert ill.statistics().dropped == 1


@pytest.mark.parametrize("ill", [Fault.MAX_STARTUPS], indirect=True)
async def test_every_connection_meets_the_line(ill: Cluster) -> None:
    """It is not a matter of luck."""
    for _ in range(3):
        raw = await _Raw.to(ill)
        assert await raw.rest() == b"Exceeded MaxStartups\r\n"
        raw.close()


@pytest.mark.parametrize("ill", [Fault.DROP_HALF], indirect=True)
async def test_half_is_every_other_one(ill: Cluster) -> None:
    """The first is dropped, the second served, the third dropped, and so on."""
    for _ in range(3):
        with pytest.raises((asyncssh.ConnectionLost, ConnectionResetError)):
            async with connect(ill):
                pass
        async with connect(ill) as connection:
            assert (await connection.run("hostname")).stdout == "node1\n"
    await ill.wait_idle()
    now = ill.statistics()
    assert (now.connections, now.dropped, now.logins) == (6, 3, 3)


@pytest.mark.parametrize("ill", [Fault.DROP_HALF], indirect=True)
async def test_half_is_counted_from_when_it_was_set(ill: Cluster) -> None:
    """Set again, the next connection is the first."""
    for _ in range(2):
        ill.fault("node1", Fault.DROP_HALF)
        raw = await _Raw.to(ill)
        assert await raw.rest() == b""
        raw.close()


@pytest.mark.parametrize("ill", [Fault.GARBAGE_BANNER], indirect=True)
async def test_garbage(ill: Cluster) -> None:
    """16 KiB without a line end come, always the same, and then the connection stays open."""
    assert len(GARBAGE) == 16 * 1024
    assert b"\n" not in GARBAGE
    for _ in range(2):
        raw = await _Raw.to(ill)
        async with asyncio.timeout(PATIENCE):
            assert await raw.reader.readexactly(len(GARBAGE)) == GARBAGE
        assert not raw.reader.at_eof()
        raw.close()
        await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.DROP_KEX], indirect=True)
async def test_the_key_exchange_is_begun(ill: Cluster) -> None:
    """Banner against banner, and the end comes with the last byte of the client's first packet."""
    raw = await _Raw.to(ill)
    async with asyncio.timeout(PATIENCE):
        assert await raw.reader.readline() == b"SSH-2.0-OpenSSH_9.9\r\n"
    raw.writer.write(b"SSH-2.0-test\r\n" + bytes([0, 0, 0, 8]) + b"1234567")
    await raw.writer.drain()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not raw.reader.at_eof()
    raw.writer.write(b"8")
    assert await raw.rest() == b""
    raw.close()
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.DROP_KEX], indirect=True)
async def test_a_packet_without_end_is_not_waited_for(ill: Cluster) -> None:
    """What the node keeps of what it was sent is bounded."""
    raw = await _Raw.to(ill)
    raw.writer.write(b"SSH-2.0-test\r\n" + b"\xff" * 40_000)
    async with asyncio.timeout(PATIENCE):
        assert await raw.reader.read() == b"SSH-2.0-OpenSSH_9.9\r\n"
    raw.close()
    await ill.wait_idle()


@pytest.mark.parametrize(
    "ill",
    [Fault.SILENT, Fault.GARBAGE_BANNER, Fault.DROP_KEX, Fault.MAX_STARTUPS],
    indirect=True,
)
async def test_ends_with_the_cluster(ill: Cluster) -> None:
    """A client that never hangs up is cut when the cluster closes."""
    raw = await _Raw.to(ill)
    await until(lambda: ill.statistics().open_connections == 1)
    await ill.__aexit__(None, None, None)
    assert ill.statistics().open_connections == 0
    raw.close()
