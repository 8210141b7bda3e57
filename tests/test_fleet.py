"""Hundreds of nodes at a real sshd: one that throttles, few descriptors, many sessions, nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import EventHandler, NodeResult, Outcome, Result, SSHOptions
from asynctask.workers.base import Worker
from tests.conftest_sshd import need_sshd
from tests.ssh.processes import with_argument
from tests.sshd import OpenSSHServer

ROOT = Path(__file__).parent.parent
PATIENCE = 50.0  # seconds; a test that needs them has failed
#: Where one server stands for all nodes; no other machine gets in.
EVERYWHERE = "AllowUsers *@127.0.0.0/8\n"
#: What OpenSSH does unless told otherwise: from ten connections before login on, it drops three of ten.
THROTTLED = "MaxStartups 10:30:100\n"


@dataclass
class Fleet:
    """A server with as many nodes as there are addresses."""

    server: OpenSSHServer

    def __post_init__(self) -> None:
        config = self.server.files.ssh_config
        config.write_text(
            f"Host 127.*\n  Port {self.server.port}\n  HostKeyAlias fleet\n{config.read_text()}"
        )
        self.options = SSHOptions(config=config)

    def nodes(self, count: int) -> list[str]:
        """So many nodes."""
        return [f"127.2.{number // 250}.{number % 250 + 1}" for number in range(count)]


@contextlib.contextmanager
def _fleet(settings: str = "") -> Iterator[Fleet]:
    need_sshd()
    with OpenSSHServer({"fleet": "127.0.0.1"}, listen=["0.0.0.0"], settings=settings + EVERYWHERE) as server:
        yield Fleet(server)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """A patient server, whose logins cost it as little as can be: it takes longer for them than we do."""
    with _fleet("MaxStartups 1000\nKexAlgorithms ecdh-sha2-nistp256\n") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def throttled() -> Iterator[Fleet]:
    """A server with the limits that OpenSSH has by default."""
    with _fleet(THROTTLED) as fleet:
        yield fleet


class Speakers(EventHandler):
    """Waits until so many nodes have said something; none may end before."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._changed = asyncio.Event()
        self.ended: dict[str, str] = {}

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._changed.set()

    def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        self.ended[node] = f"{result.outcome}: {result.error}"
        self._changed.set()

    async def all(self) -> None:
        """All have spoken, and none has ended."""
        await self._changed.wait()
        assert self.ended == {}


def all_said(result: Result, nodes: Sequence[str], words: bytes) -> None:
    """Every node ran the command well, once, and said this."""
    assert result.nodes_by_outcome() == {Outcome.OK: nodes}, result.summary()
    assert [(bytes(output), keys) for output, keys in result.iter_buffers()] == [(words, nodes)]


# -- many ---------------------------------------------------------------------------------------------


@pytest.mark.one_loop("who is let in when is decided by the throttle and the server")
async def test_a_server_that_throttles(throttled: Fleet) -> None:
    """500 nodes at once: who is dropped before the login comes again, and all are done."""
    nodes = throttled.nodes(500)
    async with asyncio.timeout(PATIENCE):
        result = await asynctask.run("echo here", nodes=nodes, fanout=500, ssh=throttled.options)
    all_said(result, nodes, b"here")
    assert throttled.server.logins() == 500


FEW_DESCRIPTORS = """
import asyncio, json, resource, sys
import asynctask

nodes, config = json.load(sys.stdin)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

async def main():
    return await asynctask.run(
        "echo here", nodes=nodes, fanout=1000, ssh=asynctask.SSHOptions(config=config)
    )

result = asyncio.run(main())
print(json.dumps([result.summary(), [str(outcome) for outcome in result.nodes_by_outcome()]]))
"""


def test_few_descriptors(fleet: Fleet) -> None:
    """1000 nodes at once with ``ulimit -n 256``: fewer are connected at a time, and all are done."""
    before = fleet.server.logins()
    nodes = fleet.nodes(1000)
    done = subprocess.run(
        [sys.executable, "-c", FEW_DESCRIPTORS],
        input=json.dumps([nodes, str(fleet.server.files.ssh_config)]).encode(),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        cwd=ROOT,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    summary, outcomes = json.loads(done.stdout)
    assert outcomes == ["ok"], summary
    assert fleet.server.logins() - before == 1000


@pytest.mark.one_loop("what is kept and taken again is decided by the pool; few of them are on each loop")
@pytest.mark.blocks_loop("Python's garbage collector alone takes 70 ms to go through 500 connections")
async def test_sessions_that_are_held(fleet: Fleet) -> None:
    """500 at once; and what the same nodes run next goes over the same connections."""
    before = fleet.server.logins()
    nodes = fleet.nodes(500)
    heard = Speakers(500)
    async with asyncio.timeout(PATIENCE), asynctask.Task(fanout=500, ssh=fleet.options) as task:
        worker = task.shell("echo here; read word; echo $word", nodes=nodes, stdin=True, handler=heard)
        running = asyncio.create_task(task.run())
        await heard.all()
        worker.write(b"there\n")
        worker.set_write_eof()
        all_said(await running, nodes, b"here\nthere")
        task.shell("echo again", nodes=nodes)
        all_said(await task.run(), nodes, b"again")
    assert fleet.server.logins() - before == 500


# -- nothing is left ------------------------------------------------------------------------------------


@dataclass
class Sleepers:
    """Commands that would go on for ever, each with a child, to be found among all processes."""

    fleet: Fleet
    marker: str
    count: int = 50

    @property
    def nodes(self) -> list[str]:
        """Where they run."""
        return self.fleet.nodes(self.count)

    @property
    def command(self) -> str:
        """What runs."""
        return f"sleep {self.marker} & echo here; sleep {self.marker}; wait"

    def there(self) -> list[int]:
        """Those that run."""
        return with_argument(self.marker)

    @contextlib.asynccontextmanager
    async def asleep(self, **settings: Any) -> AsyncIterator[tuple[asynctask.Task, asyncio.Task[Result]]]:
        """A task whose commands all run."""
        heard = Speakers(self.count)
        async with asyncio.timeout(PATIENCE), asynctask.Task(fanout=500, ssh=self.fleet.options) as task:
            task.shell(self.command, nodes=self.nodes, handler=heard, **settings)
            running = asyncio.create_task(task.run())
            await heard.all()
            assert len(await asyncio.to_thread(self.there)) >= self.count
            yield task, running


@pytest.fixture
def sleepers(fleet: Fleet) -> Sleepers:
    """Sleepers of this test."""
    return Sleepers(fleet, f"{time.monotonic_ns()}.5")


async def test_abort_leaves_no_process(sleepers: Sleepers) -> None:
    """When an aborted run is over, nothing of it runs on any node."""
    async with sleepers.asleep() as (task, running):
        task.abort()
        result = await running
        left = await asyncio.to_thread(sleepers.there)
    assert result.nodes_by_outcome() == {Outcome.ABORTED: sleepers.nodes}
    assert left == []


async def test_cancelling_leaves_no_process(sleepers: Sleepers) -> None:
    """The same for one that was cancelled."""
    async with sleepers.asleep() as (_, running):
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        left = await asyncio.to_thread(sleepers.there)
    assert left == []


async def test_a_timeout_leaves_no_process(sleepers: Sleepers) -> None:
    """The same for commands that took too long."""
    async with sleepers.asleep(timeout=3) as (_, running):
        result = await running
        left = await asyncio.to_thread(sleepers.there)
    assert result.nodes_by_outcome() == {Outcome.TIMED_OUT: sleepers.nodes}
    assert left == []


def test_ctrl_c_leaves_no_process(sleepers: Sleepers, tmp_path: Path) -> None:
    """The same for the command line and SIGINT."""
    config = str(sleepers.fleet.server.files.ssh_config)
    where = ["-F", config, "-f", "500", "-w", ",".join(sleepers.nodes)]
    with subprocess.Popen(
        [sys.executable, "-m", "asynctask", "run", "-n", "-q", *where, sleepers.command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in sleepers.nodes]
            assert len(sleepers.there()) >= sleepers.count
            process.send_signal(signal.SIGINT)
            rest, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert sorted(lines) == sorted(f"{node}: here\n".encode() for node in sleepers.nodes)
    assert (process.returncode, rest) == (130, b""), said
    assert sleepers.there() == []
