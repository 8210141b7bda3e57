"""``before_start``: awaited with each node right before something starts there, by every worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import Outcome, Result
from asynctask.errors import TaskTimeoutError, UsageError
from asynctask.outcome import Ended
from asynctask.workers.base import Sink
from asynctask.workers.streams import StreamWorker
from asynctask.workers.sudo import Sudo
from tests.sshd import OpenSSHServer
from tests.support import OK, Recorder, Scripted, children, for_ever, refused, turns
from tests.workers.ends import Ends
from tests.workers.sites import PATIENCE, Site, check

BeforeStart = Callable[[str], Awaitable[object]]


class Journal:
    """Writes down who is about to start, and what is there by then."""

    def __init__(self, made: Path) -> None:
        self.nodes: list[str] = []
        self.seen: list[bool] = []
        self._made = made

    async def __call__(self, node: str) -> None:
        self.nodes.append(node)
        await asyncio.sleep(0.05)
        self.seen.append(self._made.exists())


async def fail(node: str) -> None:
    """A journal that cannot be written."""
    raise OSError(f"no room for {node}")


async def wait(node: str) -> None:
    """One that does not come back."""
    await asyncio.Event().wait()


async def run(
    before_start: BeforeStart, schedule: Callable[[asynctask.Task], object], timeout: float | None = None
) -> Result:
    """Run what is scheduled."""
    async with asyncio.timeout(PATIENCE), asynctask.Task(before_start=before_start) as task:
        schedule(task)
        return await task.run(timeout)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """What the commands make."""
    return tmp_path / "made"


# -- by each worker ---------------------------------------------------------------------------------


@pytest.fixture(
    params=[
        "exec",
        "ssh",
        "real ssh",
        pytest.param("openssh", marks=pytest.mark.one_loop("the system's ssh does the work")),
        "sudo",
    ]
)
def settings(request: pytest.FixtureRequest, sshd: OpenSSHServer, tmp_path: Path) -> dict[str, Any]:
    """What a worker is made with: its nodes, how it connects."""
    if request.param == "exec":
        return {"worker": "exec", "nodes": ["n1", "n2", "n3"]}
    site: Site = request.getfixturevalue("here" if request.param in ("ssh", "sudo") else "real")
    found: dict[str, Any] = {
        "worker": request.param.split()[-1],
        "ssh": site.options,
        "nodes": site.nodes[:3],
    }
    if request.param == "sudo":
        program = tmp_path / "sudo"
        program.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
        program.chmod(0o755)
        found |= {"worker": "ssh", "sudo": Sudo(command=str(program))}
    return found


async def test_nothing_begins_before_it_returns(settings: dict[str, Any], made: Path) -> None:
    """Each node is announced once, and its command has not run by then."""
    journal = Journal(made)
    result = await run(journal, lambda task: task.shell(f"echo hello; touch {made}", **settings, fanout=3))
    assert [each.outcome for each in result.values()] == [Outcome.OK] * 3
    assert {each.stdout for each in result.values()} == {b"hello\n"}
    assert sorted(journal.nodes) == sorted(settings["nodes"])
    assert journal.seen[0] is False
    assert made.exists()


async def test_what_it_raises_is_why_the_node_does_not_start(settings: dict[str, Any], made: Path) -> None:
    """The others go on."""
    first = settings["nodes"][0]

    async def before_start(node: str) -> None:
        if node == first:
            await fail(node)

    result = await run(before_start, lambda task: task.shell(f"echo %% >> {made}", **settings, fanout=1))
    reason = f"{first}: not started, for before_start raised OSError('no room for {first}')"
    check(result[first], Outcome.SPAWN_FAILED, error=reason)
    assert [each.outcome for each in result.values()] == [Outcome.SPAWN_FAILED, Outcome.OK, Outcome.OK]
    assert made.read_bytes().count(b"\n") == 2


async def test_aborting_while_it_is_awaited(settings: dict[str, Any], made: Path) -> None:
    """Nothing has begun, and nothing does."""
    task_of: list[asynctask.Task] = []

    async def before_start(node: str) -> None:
        asyncio.get_running_loop().call_soon(task_of[0].abort)
        await wait(node)

    def schedule(task: asynctask.Task) -> None:
        task_of.append(task)
        task.shell(f"touch {made}", **settings, fanout=1)

    result = await run(before_start, schedule)
    assert [each.outcome for each in result.values()] == [Outcome.ABORTED] + [Outcome.NEVER_STARTED] * 2
    assert not made.exists()


async def test_the_time_of_the_run_is_up_meanwhile(here: Site, made: Path) -> None:
    """As anywhere else."""
    with pytest.raises(TaskTimeoutError) as raised:
        await run(
            wait, lambda task: task.shell(f"touch {made}", nodes=here.node, ssh=here.options), timeout=0.5
        )
    assert [each.outcome for each in raised.value.result.values()] == [Outcome.TIMED_OUT]
    assert not made.exists()


async def test_its_time_is_neither_that_of_connecting_nor_that_of_the_command(here: Site) -> None:
    """A journal on a slow disk makes no node unreachable."""

    async def before_start(node: str) -> None:
        await asyncio.sleep(0.8)

    result = await run(
        before_start,
        lambda task: task.shell("true", nodes=here.node, ssh=here.options, connect_timeout=0.7, timeout=0.7),
    )
    check(result[here.node], Outcome.OK, 0)


async def test_a_connection_that_is_kept_stays_good(here: Site) -> None:
    """A start that was refused is none of its faults."""
    answers = iter([False, True, False])

    async def before_start(node: str) -> None:
        if next(answers):
            await fail(node)

    outcomes, connections = [], set()
    async with asyncio.timeout(PATIENCE), asynctask.Task(before_start=before_start) as task:
        for _ in range(3):
            task.shell("echo $SSH_CONNECTION", nodes=here.node, ssh=here.options)
            result = (await task.run())[here.node]
            outcomes.append(result.outcome)
            connections.add(result.stdout)
    assert outcomes == [Outcome.OK, Outcome.SPAWN_FAILED, Outcome.OK]
    assert len(connections - {b""}) == 1


async def test_a_process_for_several_nodes(made: Path) -> None:
    """Each of them is announced, in order."""
    journal = Journal(made)
    nodes = ["n1", "n2", "n3"]
    result = await run(journal, lambda task: task.shell(f"touch {made} # %hosts", nodes=nodes, worker="exec"))
    assert (result.ok, journal.nodes, journal.seen) == (True, nodes, [False] * 3)


async def test_a_process_that_is_refused_was_never_there() -> None:
    """It is not made first and ended then."""
    await run(fail, lambda task: task.shell("true", nodes="n1", worker="exec"))
    assert children() == set()


# -- copies -----------------------------------------------------------------------------------------


async def test_a_copy(real: Site, tmp_path: Path, made: Path) -> None:
    """Before its first byte."""
    (tmp_path / "source").write_bytes(b"data")
    journal = Journal(made)
    result = await run(
        journal, lambda task: task.copy(tmp_path / "source", made, nodes=real.node, ssh=real.options)
    )
    assert (result.ok, journal.nodes, journal.seen) == (True, [real.node], [False])
    assert made.read_bytes() == b"data"


async def test_a_copy_that_does_not_start(real: Site, tmp_path: Path, made: Path) -> None:
    """Nothing of it arrives."""
    (tmp_path / "source").write_bytes(b"data")
    result = await run(
        fail, lambda task: task.copy(tmp_path / "source", made, nodes=real.node, ssh=real.options)
    )
    assert (result[real.node].outcome, sorted(path.name for path in tmp_path.glob("*made*"))) == (
        Outcome.SPAWN_FAILED,
        [],
    )


# -- workers that do not know of it -----------------------------------------------------------------


async def test_a_worker_that_does_not_know_of_it() -> None:
    """Its nodes are announced before they are run at all."""
    happened: list[str] = []

    async def before_start(node: str) -> None:
        happened.append(f"before {node}")
        await asyncio.sleep(0)
        if node == "b":
            await fail(node)

    async def play(node: str, sink: Sink) -> Ended:
        happened.append(f"run {node}")
        return OK

    recorder = Recorder()
    result = await run(
        before_start, lambda task: task.schedule(Scripted(play, ["a", "b"], handler=recorder, fanout=1))
    )
    assert happened == ["before a", "run a", "before b"]
    assert [each.outcome for each in result.values()] == [Outcome.OK, Outcome.SPAWN_FAILED]
    assert recorder.of("b") == ["end b could not spawn"]


async def test_streams_start_nothing(ends: Ends) -> None:
    """So they are not announced."""
    reader, writer = ends.pipe()
    os.close(writer)
    worker = StreamWorker()
    worker.set_reader("stdout", reader)
    assert (await run(fail, lambda task: task.schedule(worker))).ok


async def test_cancelling_the_run_while_it_is_awaited() -> None:
    """As anywhere else: what waits for it is cancelled, and gone when the call returns."""
    waiting = asyncio.Event()
    over: list[str] = []

    async def before_start(node: str) -> None:
        waiting.set()
        try:
            await wait(node)
        finally:
            over.append(node)

    running = asyncio.create_task(run(before_start, lambda task: task.schedule(Scripted(for_ever, ["a"]))))
    await waiting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert over == ["a"]


async def test_without_it_nobody_asks() -> None:
    """It costs nothing then."""
    async with asynctask.Task() as task:
        assert task._resources.announcer("a") is None
        await turns(1)


def test_what_is_no_function() -> None:
    """It is refused at the call."""
    bad: Any = 3
    refused(
        UsageError,
        "before_start=3: an async function of the node is needed",
        lambda: asynctask.Task(before_start=bad),
    )
