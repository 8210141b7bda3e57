"""Writing to workers that run: real commands, here and over SSH."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from asynctask.errors import TaskStateError, UsageError
from asynctask.events import EventHandler
from asynctask.ssh.options import SSHOptions
from asynctask.task import Task
from asynctask.testing import Cluster
from asynctask.workers.base import Worker
from asynctask.workers.writing import HIGH_WATER
from tests.support import refused


class Log(EventHandler):
    """Hears what was written and what was not."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.heard = asyncio.Event()

    def ev_pickup(self, worker: Worker, node: str) -> None:
        self.events.append(f"pickup {node}")
        self.heard.set()

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        self.events.append(f"read {node} {msg.decode()}")
        self.heard.set()

    def ev_written(self, worker: Worker, node: str, sname: str, size: int) -> None:
        self.events.append(f"written {node} {sname} {size}")
        self.heard.set()

    def ev_unwritten(self, worker: Worker, node: str, sname: str, size: int) -> None:
        self.events.append(f"unwritten {node} {sname} {size}")
        self.heard.set()

    async def wait_for(self, event: str) -> None:
        """Wait until an event has come."""
        while event not in self.events:
            self.heard.clear()
            await self.heard.wait()


@pytest_asyncio.fixture(params=["exec", "ssh"])
async def task(request: pytest.FixtureRequest) -> AsyncIterator[Task]:
    """A task whose nodes node1 to node3 are local processes, or hosts of the in-process cluster."""
    if request.param == "exec":
        async with Task(worker="exec") as task:
            yield task
    else:
        async with Cluster(3) as cluster, Task(ssh=SSHOptions(config=cluster.ssh_config)) as task:
            yield task


async def test_what_is_written_before_the_run_reaches_every_node(task: Task) -> None:
    """Also those that start late."""
    worker = task.shell("cat; echo end", nodes="node[1-3]", fanout=1)
    worker.write(b"one\n")
    worker.write(b"two\n")
    worker.set_write_eof()
    result = await task.run()
    assert [node.stdout for node in result.values()] == [b"one\ntwo\nend\n"] * 3
    assert [node.unwritten for node in result.values()] == [0, 0, 0]


async def test_a_dialogue(task: Task) -> None:
    """Write, hear the answer, write again, end."""
    log = Log()
    worker = task.shell("cat", nodes="node1", stdin=True, handler=log)
    running = asyncio.create_task(task.run())
    for word in ("one", "two"):
        worker.write(f"{word}\n".encode())
        await log.wait_for(f"read node1 {word}")
    worker.set_write_eof()
    worker.set_write_eof()  # again is fine
    assert (await running).ok
    assert log.events == [
        "pickup node1",
        "written node1 stdin 4",
        "read node1 one",
        "written node1 stdin 4",
        "read node1 two",
    ]


async def test_a_node_that_closes_its_input_is_reported(tmp_path: Path) -> None:
    """In an event, once, and in its result; the others get all. An SSH server does not tell."""
    log, task = Log(), Task(worker="exec")
    command = f"""
        if test %h = a; then
            exec </dev/null; echo closed; while ! test -e {tmp_path}/go; do sleep 0.02; done
        else cat >/dev/null; fi"""
    worker = task.shell(command, nodes="a,b", stdin=True, handler=log)
    running = asyncio.create_task(task.run())
    await log.wait_for("read a closed")
    for _ in range(3):
        worker.write(b"x" * 1000)
    await log.wait_for("unwritten a stdin 1000")
    worker.set_write_eof()
    (tmp_path / "go").touch()
    result = await running
    assert [event for event in log.events if "written" in event and " a " in event] == [
        "unwritten a stdin 1000"
    ]
    assert [event for event in log.events if "written b" in event] == ["written b stdin 1000"] * 3
    assert [node.unwritten for node in result.values()] == [1000, 0]


async def test_draining_waits_for_the_slowest(task: Task) -> None:
    """So memory stays bounded."""
    log = Log()
    worker = task.shell("read go; cat | wc -c", nodes="node1", stdin=True, handler=log)
    running = asyncio.create_task(task.run())
    await log.wait_for("pickup node1")
    worker.write(b"x" * (16 * 1024 * 1024))
    draining = asyncio.create_task(worker.drain())
    await asyncio.wait([draining], timeout=0.1)
    assert not draining.done()
    worker.write(b"\n")
    worker.abort(kill=True)
    await running
    await draining
    assert HIGH_WATER == 256 * 1024


async def test_writing_too_late(task: Task) -> None:
    """Nothing is silently lost."""
    log = Log()
    worker = task.shell("sleep 60", nodes="node1", handler=log)
    running = asyncio.create_task(task.run())
    await log.wait_for("pickup node1")
    refused(
        TaskStateError,
        "the input of this worker is not open: give stdin=True to write later",
        lambda: worker.write(b"x"),
    )
    task.abort(kill=True)
    await running


async def test_writing_after_the_end(task: Task) -> None:
    """The end is the end."""
    worker = task.shell("cat", nodes="node1")
    worker.set_write_eof()
    refused(
        TaskStateError,
        "the end of the input has been written: nothing can follow it",
        lambda: worker.write(b"x"),
    )
    assert (await task.run()).ok


def test_writing_beside_a_stream() -> None:
    """One of them is the input."""
    worker = Task(worker="exec").shell("cat", nodes="a", stdin=b"data")
    refused(
        UsageError,
        "stdin= says what the nodes read: nothing can be written besides",
        lambda: worker.write(b"x"),
    )
