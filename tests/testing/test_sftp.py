"""Tests of asynctask.testing.sftp, by asyncssh's client and by OpenSSH's ``sftp`` and ``scp``."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from asynctask.testing import Cluster
from tests.support import write_file
from tests.testing.clients import connect, needs_ssh, until


@pytest_asyncio.fixture
async def sftp(connection: asyncssh.SSHClientConnection) -> AsyncIterator[asyncssh.SFTPClient]:
    """An SFTP session with the first node."""
    async with connection.start_sftp_client() as client:
        yield client


async def test_starts_at_home(cluster: Cluster, sftp: asyncssh.SFTPClient) -> None:
    """Relative paths are where commands start."""
    assert await sftp.realpath(".") == str(cluster.home("node1").resolve())


async def test_commands_and_sftp_see_the_same_files(
    connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient
) -> None:
    """What one writes, the other reads."""
    await connection.run("mkdir sub; echo one >sub/file; chmod 640 sub/file")
    async with sftp.open("sub/file", "rb") as file:
        assert bytes(await file.read()) == b"one\n"  # type: ignore[arg-type]
    assert stat.S_IMODE((await sftp.stat("sub/file")).permissions or 0) == 0o640
    async with sftp.open("sub/other", "wb") as file:
        await file.write(b"two\n")
    assert (await connection.run("cat sub/other; ls sub")).stdout == "two\nfile\nother\n"


async def test_nodes_have_their_own_files(cluster: Cluster, sftp: asyncssh.SFTPClient) -> None:
    """A relative path of one node is not that of another."""
    async with sftp.open("file", "wb") as file:
        await file.write(b"x")
    async with connect(cluster, "node2") as connection, connection.start_sftp_client() as other:
        assert not await other.exists("file")


async def test_there_is_no_jail(sftp: asyncssh.SFTPClient, tmp_path: Path) -> None:
    """Absolute paths are those of this machine, for SFTP as for commands."""
    (tmp_path / "file").write_bytes(b"x")
    assert set(await sftp.listdir(str(tmp_path))) - {".", ".."} == {"file"}


async def test_more_than_a_window(cluster: Cluster, sftp: asyncssh.SFTPClient, tmp_path: Path) -> None:
    """A file of some MiB goes there and back."""
    data = os.urandom(1 << 20) * 4
    await write_file(tmp_path / "big", data)
    await sftp.put(tmp_path / "big", "big")
    assert (cluster.home("node1") / "big").read_bytes() == data
    await sftp.get("big", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


@pytest.mark.parametrize("target", ["../elsewhere", "/nowhere/at/all", "a"])
async def test_a_symlink_stays_as_it_is(cluster: Cluster, sftp: asyncssh.SFTPClient, target: str) -> None:
    """What it points to is nobody's business."""
    await sftp.mkdir("dir")
    await sftp.symlink(target, "dir/link")
    assert str((cluster.home("node1") / "dir" / "link").readlink()) == target
    assert await sftp.readlink("dir/link") == target


async def test_rename(cluster: Cluster, sftp: asyncssh.SFTPClient) -> None:
    """Over an existing file as POSIX does it, and not in the way of SFTP's own rename."""
    home = cluster.home("node1")
    (home / "a").write_text("new")
    (home / "b").write_text("old")
    with pytest.raises(asyncssh.SFTPError):
        await sftp.rename("a", "b")
    await sftp.posix_rename("a", "b")
    assert ((home / "b").read_text(), (home / "a").exists()) == ("new", False)


async def test_fsync_is_granted(sftp: asyncssh.SFTPClient) -> None:
    """A client that wants to be sure gets its yes."""
    async with sftp.open("file", "wb") as file:
        await file.write(b"x")
        await file.fsync()


async def test_a_fifo_is_refused(cluster: Cluster, sftp: asyncssh.SFTPClient) -> None:
    """Opening one would stop the loop, and with it every node and the test."""
    os.mkfifo(cluster.home("node1") / "fifo")
    for mode in ("rb", "wb"):
        with pytest.raises(asyncssh.SFTPFailure, match="FIFO"):
            async with sftp.open("fifo", mode):
                pass


async def test_a_copy_within_the_node(cluster: Cluster, sftp: asyncssh.SFTPClient) -> None:
    """A large one does not keep the loop busy, which is watched in each test."""
    size = 48 << 20
    with (cluster.home("node1") / "a").open("wb") as file:
        file.truncate(size)
    await sftp.remote_copy("a", "b")
    assert (cluster.home("node1") / "b").stat().st_size == size


async def test_what_is_missing(sftp: asyncssh.SFTPClient) -> None:
    """The error is the usual one."""
    with pytest.raises(asyncssh.SFTPNoSuchFile):
        await sftp.stat("missing")


async def test_is_counted_and_is_no_command(cluster: Cluster, sftp: asyncssh.SFTPClient) -> None:
    """The statistics tell the two apart."""
    assert sftp.version == 3
    now = cluster.statistics()
    assert (now.sftp, now.running, now.commands["node1"]) == (1, 0, 0)


async def test_a_cut_session_leaves_no_open_file(cluster: Cluster) -> None:
    """Nothing of it is held when the connection is gone."""
    async with connect(cluster) as connection:
        client = await connection.start_sftp_client()
        await client.open("file", "wb")
        path = str((cluster.home("node1") / "file").resolve())
        await until(lambda: path in _open_paths())
        cluster.disconnect("node1")
        await connection.wait_closed()
    await until(lambda: path not in _open_paths())
    await cluster.wait_idle()


def _open_paths() -> set[str]:
    return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


@needs_ssh
@pytest.mark.parametrize("how", [(), ("-r", "-p")])
async def test_scp(cluster: Cluster, tmp_path: Path, how: tuple[str, ...]) -> None:
    """OpenSSH's scp, which speaks SFTP, finds what it needs."""
    (tmp_path / "file").write_bytes(b"hello\n")
    process = await asyncio.create_subprocess_exec(
        "scp", "-q", "-F", str(cluster.ssh_config), *how, str(tmp_path / "file"), "node1:there"
    )
    async with asyncio.timeout(20):
        assert await process.wait() == 0
    assert (cluster.home("node1") / "there").read_bytes() == b"hello\n"
