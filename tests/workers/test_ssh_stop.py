"""Tests of asynctask.workers.ssh: commands that are stopped, handlers that are slow, nothing that is left."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

import asynctask
from asynctask import Outcome, SSHOptions
from asynctask.errors import TaskTimeoutError
from asynctask.ssh import connect as connect_module
from asynctask.ssh import groups as groups_module
from asynctask.ssh import session as session_module
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.lease import Lease
from asynctask.testing import Cluster, Fault
from asynctask.workers.ssh import SSHWorker
from tests.ssh.processes import alive, with_argument
from tests.support import Recorder
from tests.testing.clients import until
from tests.workers.sites import PATIENCE, Site, check
from tests.workers.stopping import check_deadline, check_kill_after_the_grace, check_timeout

# -- being stopped ----------------------------------------------------------------------------------


async def test_timeout(site: Site) -> None:
    """The time is up: the process and all of its group are gone, what they printed is kept."""
    await check_timeout(site)


async def test_kill_after_the_grace(site: Site) -> None:
    """A process that ignores TERM gets KILL, within the grace and a little more."""
    await check_kill_after_the_grace(site)


async def test_deadline_of_the_run(site: Site) -> None:
    """The same for a whole run."""
    await check_deadline(site, 0.5)


async def test_cancelled(site: Site) -> None:
    """Cancelling ends the commands and is raised again."""
    marker = f"{time.monotonic_ns()}.5"
    heard = Recorder()
    nodes = site.nodes[:3]
    running = asyncio.create_task(
        site.run_all(f"echo here; exec sleep {marker}", nodes=nodes, handler=heard, grace=30)
    )
    await until(lambda: sum(event.startswith("read") for event in heard.events) == len(nodes))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    assert with_argument(marker) == []
    assert [result.outcome for result in heard.results.values()] == [Outcome.ABORTED] * len(nodes)


async def test_cancelled_at_any_time(site: Site) -> None:
    """Whenever a run is cancelled, no process is left on a node."""
    marker = f"{time.monotonic_ns()}.5"
    for step in range(12):
        running = asyncio.create_task(site.run(f"exec sleep {marker}", grace=30))
        await asyncio.sleep(step * 0.01)  # a login and a start take about 0.1 s
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, PATIENCE)
    await until(lambda: not with_argument(marker))


async def test_aborted(site: Site) -> None:
    """Aborting returns what was gathered."""
    async with asynctask.Task(ssh=site.options, fanout=2) as task:
        heard = Recorder()
        task.shell("echo $$; exec sleep 1000", nodes=site.nodes[:3], handler=heard, grace=30)
        running = asyncio.create_task(task.run())
        await until(lambda: sum(event.startswith("read") for event in heard.events) == 2)
        task.abort()
        result = await asyncio.wait_for(running, PATIENCE)
    assert [result[node].outcome for node in site.nodes[:3]] == [
        Outcome.ABORTED,
        Outcome.ABORTED,
        Outcome.NEVER_STARTED,
    ]
    assert [alive(int(result[node].stdout)) for node in site.nodes[:2]] == [False, False]


async def test_a_grandchild_that_holds_the_output(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command is over when it has exited and nothing is heard any more."""
    monkeypatch.setattr(session_module, "OUTPUT_GRACE", 0.1)
    begun = time.monotonic()
    result = await site.run("sleep 20 & echo $!; exit 4")
    assert time.monotonic() - begun < 10
    pid = int(result.stdout)
    check(result, Outcome.FAILED, 4, out=result.stdout)
    with suppress(ProcessLookupError):  # nodes in this process kill it themselves
        os.kill(pid, signal.SIGKILL)


async def test_one_of_two_on_a_connection(site: Site) -> None:
    """Stopping a command leaves others on its connection alone."""
    async with asynctask.Task(ssh=site.options) as task, asyncio.timeout(PATIENCE):
        stopped = task.shell("echo $$; exec sleep 1000", nodes=[site.node], timeout=0.3, grace=30)
        others = [task.shell(f"sleep 1; echo {number}", nodes=[site.node]) for number in range(3)]
        await task.run()
        assert stopped.results()[0].outcome is Outcome.TIMED_OUT
        for number, other in enumerate(others):
            check(other.results()[0], Outcome.OK, 0, out=f"{number}\n".encode())
        assert not alive(int(stopped.results()[0].stdout))


@pytest.mark.parametrize(
    ("command", "settings", "kept"),
    [
        ("exit 3", {}, True),
        ("sleep 1000", {"timeout": 0.3}, True),
        ("trap '' TERM; sleep 1000; sleep 1000", {"timeout": 0.3, "grace": 0.1}, True),
        ("cat", {"timeout": 0.3, "stdin": True, "pty": True}, True),
    ],
)
async def test_a_connection_is_kept(
    real: Site, monkeypatch: pytest.MonkeyPatch, command: str, settings: dict[str, Any], kept: bool
) -> None:
    """A connection on which a command has ended for certain may serve the next."""
    assert await _kept(real, monkeypatch, command, **settings) is kept


async def test_a_connection_is_not_kept(real: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose command was not found is not: it may be running still."""
    monkeypatch.setattr(groups_module, "_SCRIPT", "true")
    monkeypatch.setattr(session_module, "KILL_WAIT", 0.1)
    assert await _kept(real, monkeypatch, "exec sleep 5", timeout=0.3, grace=0.1) is False


async def _kept(
    real: Site, monkeypatch: pytest.MonkeyPatch, command: str, *, pty: bool = False, **settings: Any
) -> bool:
    discarded: list[Lease] = []

    def discard(lease: Lease) -> None:
        discarded.append(lease)

    monkeypatch.setattr(Lease, "discard", discard)
    async with asynctask.Task() as task, asyncio.timeout(PATIENCE):
        task.schedule(SSHWorker(command, [real.node], ssh=real.options, pty=pty, **settings))
        await task.run()
    return not discarded


# -- handlers that are slow -------------------------------------------------------------------------


class _Slow:
    """A handler that waits before its first line until the test lets it go on."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.go_on = asyncio.Event()

    async def ev_read(self, worker: object, node: str, sname: str, msg: bytes) -> None:
        await self.go_on.wait()
        self.lines.append(msg)


async def test_a_slow_handler_pauses_the_node(site: Site, tmp_path: Path) -> None:
    """Memory stays bounded: the command is held up until its output is wanted; then all of it comes."""
    done = tmp_path / "done"
    slow = _Slow()
    async with asynctask.Task(ssh=site.options) as task:
        task.shell(f"seq 1 500000; touch {done}", nodes=[site.node], handler=slow, gather=False)
        running = asyncio.create_task(task.run())
        await until(lambda: (statistics := task.statistics()) is not None and statistics.paused == 1)
        await asyncio.sleep(0.2)
        assert not done.exists()
        slow.go_on.set()
        result = await asyncio.wait_for(running, PATIENCE)
    assert result[site.node].ok
    assert done.exists()
    assert len(slow.lines) == 500_000
    assert slow.lines[::100_000] == [b"%d" % number for number in range(1, 500_000, 100_000)]


async def test_closed_while_a_handler_is_slow(site: Site) -> None:
    """What a node sent before it closed the channel comes, however late."""
    slow = _Slow()
    async with asynctask.Task(ssh=site.options) as task:
        task.shell("seq 1 60000; exit 3", nodes=[site.node], handler=slow, gather=False)
        running = asyncio.create_task(task.run())
        await until(lambda: (statistics := task.statistics()) is not None and statistics.paused == 1)
        await asyncio.sleep(0.2)
        slow.go_on.set()
        result = await asyncio.wait_for(running, PATIENCE)
    assert result[site.node].rc == 3
    assert slow.lines == [b"%d" % number for number in range(1, 60_001)]


async def test_dropped_while_a_handler_is_slow(cluster: Cluster, here: Site) -> None:
    """What had arrived when the connection broke comes, too."""
    slow = _Slow()
    async with asynctask.Task(ssh=here.options) as task:
        task.shell("seq 1 60000; sleep 1000", nodes=["node1"], handler=slow, gather=False)
        running = asyncio.create_task(task.run())
        await until(lambda: (statistics := task.statistics()) is not None and statistics.paused == 1)
        await asyncio.sleep(0.2)
        cluster.disconnect("node1")
        await until(lambda: cluster.statistics().running == 0)
        slow.go_on.set()
        result = await asyncio.wait_for(running, PATIENCE)
    assert result["node1"].outcome is Outcome.UNREACHABLE
    assert slow.lines == [b"%d" % number for number in range(1, 60_001)]


async def test_stopped_while_a_handler_is_stuck(site: Site) -> None:
    """A command that prints without end is stopped, also when nobody takes what it prints."""
    stuck = _Slow()
    begun = time.monotonic()
    with pytest.raises(TaskTimeoutError):
        await site.run(
            "trap '' TERM; while :; do seq 1 1000; done",
            handler=stuck,
            gather=False,
            deadline=0.4,
            grace=0.3,
        )
    assert time.monotonic() - begun < 10
    assert stuck.lines == []


# -- once a run, and nothing left -------------------------------------------------------------------


async def test_prepared_once_a_run(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is parsed once, the keys are loaded once; for the next run again."""
    counts = {"config": 0, "keys": 0}
    load = asyncssh.load_keypairs

    class Counting(SSHConfig):
        def __init__(self, *args: Any) -> None:
            counts["config"] += 1
            super().__init__(*args)

    def loading(*args: Any) -> Any:
        counts["keys"] += 1
        return load(*args)

    monkeypatch.setattr(connect_module, "SSHConfig", Counting)
    monkeypatch.setattr(asyncssh, "load_keypairs", loading)
    for expected in (1, 2):
        assert (await site.run_all("true", fanout=2)).ok
        assert counts == {"config": expected, "keys": expected}


async def test_workers_of_a_run_share(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers with equal options prepare once, others for themselves."""
    made: list[SSHOptions] = []

    class Counting(connect_module.Connector):
        def __init__(self, options: SSHOptions) -> None:
            made.append(options)
            super().__init__(options)

    monkeypatch.setattr("asynctask.ssh.pool.Connector", Counting)
    equal, other = SSHOptions(config=site.options.config), SSHOptions(config=site.options.config, keepalive=9)
    async with asynctask.Task() as task:
        for options in (site.options, equal, other):
            task.shell("true", nodes=[site.node], ssh=options)
        await task.run()
    assert made == [site.options, other]


async def test_nothing_is_left(cluster: Cluster, here: Site) -> None:
    """After good and bad ends no connection is open; the harness looks at the rest."""
    cluster.fault("node2", Fault.DROP)
    cluster.fault("node3", Fault.SILENT)
    for command in ("true", "exit 3", "kill -KILL $$", "sleep 1000"):
        await here.run_all(command, connect_timeout=0.2, timeout=0.2, grace=0.2)
    await cluster.wait_idle()
    statistics = cluster.statistics()
    assert (statistics.open_connections, statistics.running) == (0, 0)
    assert statistics.connections == 12


async def test_no_secrets(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Neither results nor errors nor logs show a private key; nor do our own logs show a command."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "asyncssh")
    caplog.set_level(logging.DEBUG, "asynctask")
    asyncssh.set_debug_level(3)
    try:
        result = await site.run_all("echo very-private-command", nodes=site.nodes[:2])
        failed = await site.run("true", ssh=SSHOptions(config=site.options.config, user="nobody-here"))
    finally:
        asyncssh.set_debug_level(1)
    assert isinstance(site.options.config, Path)
    key = site.options.config.parent / "id_ed25519"
    secret = [line for line in key.read_text().splitlines()[1:-1] if line]
    shown = f"{result!r}{result.all()!r}{failed!r}{failed.error}{site.options!r}{caplog.text}"
    assert secret
    assert [line for line in secret if line in shown] == []
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("asynctask")]
    assert [message for message in ours if "very-private-command" in message] == []
    assert any(record.name.startswith("asyncssh") for record in caplog.records)


async def test_it_had_exited_when_its_time_was_over(cluster: Cluster, here: Site) -> None:
    """Only its output was still held open: it counts as it ended."""
    cluster.fault("node1", Fault.LINGERS)
    check(await here.run("echo hi; exit 3", timeout=0.3), Outcome.FAILED, rc=3, out=b"hi\n")
