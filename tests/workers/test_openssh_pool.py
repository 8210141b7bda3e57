"""Tests of asynctask.workers.openssh_pool: leases by themselves."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.errors import ConnectionFailedError, NoCapacityError, SpawnError
from asynctask.processes import Spawner
from asynctask.workers.openssh_pool import OpenSSHPool, pool_through
from asynctask.workers.resources import Resources
from tests.support import children
from tests.testing.clients import until
from tests.workers.sites import Site


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[OpenSSHPool]:
    """One, closed afterwards."""
    spawner = Spawner()
    made = OpenSSHPool(spawner)
    yield made
    await made.aclose()
    await spawner.aclose()


async def test_a_lease(pool: OpenSSHPool, real: Site) -> None:
    """Several sessions on a connection; releasing it ends ssh."""
    lease = await pool.lease("n1", real.options, 10)
    assert (lease.node, lease.mark) == ("n1", None)
    done = await asyncio.gather(*(lease.connection.run(f"echo {number}") for number in range(3)))
    assert [each.stdout for each in done] == ["0\n", "1\n", "2\n"]
    assert lease.connection.get_extra_info("username")
    assert len(children()) == 1
    await lease.release()
    assert children() == set()


async def test_cancelled_while_it_is_released(pool: OpenSSHPool, real: Site) -> None:
    """It goes on to the end."""
    lease = await pool.lease("n1", real.options, 10)
    releasing = asyncio.create_task(lease.release())
    await asyncio.sleep(0)
    releasing.cancel()
    await asyncio.wait([releasing])
    assert children() == set()


async def test_a_start_that_takes_too_long(pool: OpenSSHPool, real: Site) -> None:
    """The time is for login and start together."""
    lease = await pool.lease("n1", real.options, 20)
    lease._patience.left = 0.1  # what a slow login has left
    with pytest.raises(
        ConnectionFailedError, match=r"^n1: logged in, but the command did not start within 20 s$"
    ):
        await lease.open(lambda connection: asyncio.sleep(100))
    await lease.release()


async def test_no_more_sessions(pool: OpenSSHPool, real: Site) -> None:
    """The server's no is told."""
    lease = await pool.lease("n1", real.options, 10)
    with pytest.raises(SpawnError, match=r"^n1: the server did not run the command: "):
        await lease.open(lambda connection: connection.create_process(subsystem="no-such-subsystem"))
    await lease.release()


async def test_no_descriptor(pool: OpenSSHPool, real: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was started, so the run tries again later."""

    def no_room(*args: object, **settings: object) -> object:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(Spawner, "spawn", no_room)
    with pytest.raises(NoCapacityError, match=r"^n1: could not start ssh: Too many open files$"):
        await pool.lease("n1", real.options, 10)


@pytest.mark.parametrize("length", [40, 54, 55, 56, 200])
async def test_socket_names_stay_short(
    pool: OpenSSHPool, real: Site, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Also where the directory for temporary files has a long name."""
    monkeypatch.setattr("tempfile.tempdir", "/tmp" + "/." * ((length - 4) // 2) + "/" * (length % 2))
    lease = await pool.lease("n1", real.options, 10)
    await lease.release()


async def test_closing_holds_nothing_up(pool: OpenSSHPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory is removed in a thread, also for who is cancelled meanwhile."""
    directory = Path(pool._paths()[0]).parent
    begun, go = threading.Event(), threading.Event()
    remove = shutil.rmtree

    def removing(path: Path, ignore_errors: bool) -> None:
        begun.set()
        go.wait(10)
        remove(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", removing)
    closing = asyncio.create_task(pool.aclose())
    await until(begun.is_set)
    closing.cancel()
    asyncio.get_running_loop().call_soon(go.set)
    await asyncio.wait([closing])
    assert (closing.cancelled(), directory.exists()) == (True, False)


async def test_what_the_workers_of_a_run_share() -> None:
    """Programs with the same arguments share."""
    resources = Resources()
    one, same, other = (pool_through(resources, "ssh", options) for options in ((), [], ["-4"]))
    assert one is same
    assert one is not other
    assert one._spawner is other._spawner is resources.get(Spawner, Spawner)
    await resources.aclose()


async def test_cancelled_at_login(pool: OpenSSHPool, tmp_path: Path) -> None:
    """Also while the configuration is asked."""
    fake = tmp_path / "ssh"
    fake.write_text("#!/bin/sh\nexec sleep 1000\n")
    fake.chmod(0o755)
    slow = OpenSSHPool(pool._spawner, str(fake))
    with pytest.raises(
        ConnectionFailedError, match=r"^n1: no login within 0\.3 s; is it up and reachable\?$"
    ):
        await slow.lease("n1", SSHOptions(config=False), 0.3)
    assert children() == set()
