"""Tests of asynctask.testing.node."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import asyncssh
import pytest

from asynctask.testing import Cluster
from tests.testing.clients import connect, needs_ssh, run_ssh, until


@contextmanager
def _no_descriptors_left() -> Iterator[None]:
    """This process can open nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + 16, hard))
    taken = [probe]
    try:
        while True:
            try:
                taken.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)


async def test_another_user_is_refused(cluster: Cluster) -> None:
    """The right key does not help the wrong name."""
    with pytest.raises(asyncssh.PermissionDenied):
        async with connect(cluster, username="somebody"):
            pass


async def test_another_key_is_refused(cluster: Cluster) -> None:
    """The right name does not help the wrong key."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        async with connect(cluster, client_keys=[key]):
            pass


async def test_a_password_is_refused(cluster: Cluster) -> None:
    """There is no way in but the key."""
    with pytest.raises(asyncssh.PermissionDenied):
        async with connect(cluster, client_keys=None, password="secret"):
            pass


async def test_many_channels_on_one_connection(cluster: Cluster) -> None:
    """A node runs several commands of one connection side by side."""
    async with connect(cluster) as connection:
        async with asyncio.timeout(20):
            done = await asyncio.gather(*(connection.run(f"exit {code}") for code in range(10)))
        assert [each.exit_status for each in done] == list(range(10))
    assert cluster.statistics().commands["node1"] == 10


async def test_disconnect_cuts_what_is_open(cluster: Cluster) -> None:
    """The client loses its connection, the next one is welcome."""
    async with connect(cluster) as connection:
        assert cluster.disconnect("node2") == 0
        assert cluster.disconnect("node1") == 1
        async with asyncio.timeout(10):
            await connection.wait_closed()
    await cluster.wait_idle()
    async with connect(cluster) as connection:
        assert (await connection.run("hostname")).stdout == "node1\n"


async def test_a_stranger_who_hangs_up_leaves_nothing(cluster: Cluster) -> None:
    """A connection that never becomes SSH is counted and forgotten."""
    _, writer = await asyncio.open_connection(*cluster.address("node1"))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    writer.close()
    await until(lambda: cluster.statistics().connections == 1)
    await cluster.wait_idle()


async def test_survives_the_lack_of_descriptors(cluster: Cluster) -> None:
    """A client that comes while nothing can be opened is served afterwards."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        with _no_descriptors_left():
            await loop.sock_connect(client, cluster.address("node1"))
            for _ in range(20):
                await asyncio.sleep(0)
            assert cluster.statistics().connections == 0
        async with asyncio.timeout(10):
            assert (await loop.sock_recv(client, 8)) == b"SSH-2.0-"
    await cluster.wait_idle()


@needs_ssh
async def test_is_a_jump_host(cluster: Cluster) -> None:
    """A node can be reached through another one."""
    finished = await run_ssh(cluster.ssh_config, "-J", "node2", "node1", "hostname; echo $SSH_CONNECTION")
    assert finished.stdout.startswith(b"node1\n")
    assert cluster.statistics().connections == 2


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "0.0.0.0"])
async def test_is_no_way_out(cluster: Cluster, host: str) -> None:
    """Connections to what is not on the loopback network are not forwarded."""
    async with connect(cluster) as connection:
        with pytest.raises(asyncssh.ChannelOpenError, match="Connection refused"):
            await connection.open_connection(host, 22)
