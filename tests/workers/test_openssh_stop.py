"""Tests of asynctask.workers.openssh: commands that are stopped, slow handlers, nothing that is left."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import asynctask
from asynctask import Outcome
from tests.ssh.processes import with_argument
from tests.support import Recorder, children
from tests.testing.clients import until
from tests.workers.sites import PATIENCE, Site
from tests.workers.stopping import check_deadline, check_kill_after_the_grace, check_timeout

pytestmark = pytest.mark.one_loop("the system's ssh does the work")


async def test_timeout(real: Site) -> None:
    """The time is up: the process and all of its group are gone, what they printed is kept."""
    await check_timeout(real, worker="openssh")


async def test_kill_after_the_grace(real: Site) -> None:
    """A process that ignores TERM gets KILL, within the grace and a little more."""
    await check_kill_after_the_grace(real, worker="openssh")


async def test_deadline_of_the_run(real: Site) -> None:
    """The same for a whole run."""
    await check_deadline(real, 0.7, worker="openssh")


async def test_the_same_events_as_with_ssh(real: Site) -> None:
    """A timeout and an abort are heard in the same way."""
    heard = {"ssh": Recorder(), "openssh": Recorder()}
    for worker, recorder in heard.items():
        await real.run("echo here; exec sleep 1000", worker=worker, handler=recorder, timeout=0.5)
        async with asynctask.Task(ssh=real.options) as task:
            made = task.shell("echo one; exec sleep 1000", nodes=["n1"], worker=worker, handler=recorder)
            running = asyncio.create_task(task.run())
            await until(lambda recorder=recorder: "read n1 stdout one" in recorder.events)  # type: ignore[misc]
            made.abort()
            await asyncio.wait_for(running, PATIENCE)
    assert heard["openssh"].events == heard["ssh"].events


async def test_cancelled(real: Site) -> None:
    """Cancelling ends the commands and is raised again; no ssh is left here."""
    marker = f"{time.monotonic_ns()}.5"
    heard = Recorder()
    nodes = real.nodes[:3]
    running = asyncio.create_task(
        real.run_all(
            f"echo here; exec sleep {marker}", worker="openssh", nodes=nodes, handler=heard, grace=30
        )
    )
    await until(lambda: sum(event.startswith("read") for event in heard.events) == len(nodes))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, PATIENCE)
    assert with_argument(marker) == []
    assert children() == set()
    assert [result.outcome for result in heard.results.values()] == [Outcome.ABORTED] * len(nodes)


async def test_cancelled_at_any_time(real: Site, short: Path) -> None:
    """Whenever a run is cancelled, nothing is left: no process on a node or here, no directory."""
    marker = f"{time.monotonic_ns()}.5"
    for step in range(12):
        running = asyncio.create_task(real.run(f"exec sleep {marker}", worker="openssh", grace=30))
        await asyncio.sleep(step * 0.03)  # a login and a start take about 0.3 s
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, PATIENCE)
        assert children() == set()
    await until(lambda: not with_argument(marker))
    assert list(short.glob("asynctask-mux-*")) == []


async def test_a_slow_handler_pauses_the_node(real: Site, tmp_path: Path) -> None:
    """Memory stays bounded: the command is held up until its output is wanted; then all of it comes."""
    done = tmp_path / "done"
    lines: list[bytes] = []
    go_on = asyncio.Event()

    class Slow:
        async def ev_read(self, worker: object, node: str, sname: str, msg: bytes) -> None:
            await go_on.wait()
            lines.append(msg)

    async with asynctask.Task(ssh=real.options) as task:
        task.shell(
            f"seq 1 800000; touch {done}", nodes=["n1"], worker="openssh", handler=Slow(), gather=False
        )
        running = asyncio.create_task(task.run())
        await until(lambda: (statistics := task.statistics()) is not None and statistics.paused == 1)
        await asyncio.sleep(0.3)
        assert not done.exists()
        go_on.set()
        result = await asyncio.wait_for(running, PATIENCE)
    assert result["n1"].ok
    assert (len(lines), lines[0], lines[-1]) == (800_000, b"1", b"800000")
