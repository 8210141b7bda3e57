"""A loaded template: its places, and what is told of all of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.manager import Manager, ProcessState, ProcessTemplate
from tests.manager.fakes import FakeLauncher, Heard

pytestmark = pytest.mark.one_loop("fakes")


def template(**fields: Any) -> ProcessTemplate:
    """A template of processes that wait."""
    return ProcessTemplate("web", "serve", **fields)


def places(manager: Manager) -> list[tuple[str | None, int | None]]:
    """Where there are processes."""
    return [(each.node, each.index) for each in manager.info("web").processes]


async def test_there_are_so_many_on_each_node(manager: Manager) -> None:
    """In the order of the nodes."""
    await manager.load(template(nodes="n[2,1]", numprocesses=2))
    assert places(manager) == [("n1", 0), ("n1", 1), ("n2", 0), ("n2", 1)]
    assert manager.info("web").active == 4


async def test_a_start_of_what_runs_tells_nothing(manager: Manager) -> None:
    """Nothing was started."""
    await manager.load(template())
    heard = Heard(manager)
    await manager.start("web")
    await manager.stop("web")
    assert (await heard.until("proc.web.stop"))[0] == "exit"


async def test_a_start_of_some_tells_of_a_start(manager: Manager) -> None:
    """One of two was stopped by itself."""
    await manager.load(template(numprocesses=2))
    await manager.stop_process(2)
    heard = Heard(manager)
    await manager.start("web")
    assert await heard.until("proc.web.spawn") == ["start", "proc.web.start", "spawn", "proc.web.spawn 3"]


async def test_a_stop_of_what_is_stopped_tells_nothing(manager: Manager) -> None:
    """It was told before."""
    await manager.load(template())
    await manager.stop("web")
    heard = Heard(manager)
    await manager.stop("web")
    await manager.unload("web")
    assert await heard.until("delete") == ["delete"]


async def test_a_stop_is_told_when_the_last_is_gone(manager: Manager, launcher: FakeLauncher) -> None:
    """Also when nobody waits for it any more."""
    await manager.load(template(numprocesses=2))
    heard = Heard(manager, "stop")
    stopping = asyncio.create_task(manager.stop("web"))
    await asyncio.sleep(0)
    stopping.cancel()
    assert await heard.until("stop") == ["stop"]
    assert manager.info("web").active == 0


async def test_a_start_takes_a_stop_back(manager: Manager) -> None:
    """They were not all stopped, so nobody says so."""
    await manager.load(template())
    heard = Heard(manager)
    await asyncio.gather(manager.stop("web"), manager.start("web"))
    assert await heard.until("proc.web.ready") == [
        "start",
        "proc.web.start",
        "exit",
        "proc.web.exit 1 signal 15",
        "stop_pid",
        "proc.web.stop_pid 1",
        "reap",
        "proc.web.reap 1",
        "spawn",
        "proc.web.spawn 2",
        "ready",
        "proc.web.ready 2",
    ]


async def test_scale_to_none_and_back(manager: Manager) -> None:
    """It is still wanted meanwhile."""
    await manager.load(template())
    assert await manager.scale("web", 0) == 0
    assert (places(manager), manager.info("web").wanted) == ([], True)
    assert await manager.scale("web", 2) == 2
    assert manager.info("web").active == 2


async def test_scale_of_what_is_stopped_starts_nothing(manager: Manager, launcher: FakeLauncher) -> None:
    """There are more places, and they are empty."""
    await manager.load(template(), start=False)
    await manager.scale("web", 3)
    assert [each.state for each in manager.info("web").processes] == [ProcessState.STOPPED] * 3
    assert launcher.attempts == 0


async def test_scale_to_the_same_tells_nothing(manager: Manager) -> None:
    """There is nothing to tell."""
    await manager.load(template(), start=False)
    heard = Heard(manager)
    assert await manager.scale("web", "+0") == 1
    await manager.unload("web")
    assert await heard.until("delete") == ["delete"]


async def test_a_reload_after_a_reload_begins_when_that_is_done(manager: Manager) -> None:
    """Each replaces all."""
    await manager.load(template(numprocesses=2))
    await asyncio.gather(manager.reload("web"), manager.reload("web"))
    assert sorted(each.pid or 0 for each in manager.info("web").processes) == [5, 6]


async def test_a_reload_whose_caller_is_cancelled_leaves_the_old(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """And no new one that is not ready."""
    await manager.load(template())
    launcher.held = asyncio.Event()
    reload = asyncio.create_task(manager.reload("web"))
    for _ in range(5):
        await asyncio.sleep(0)
    reload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reload
    launcher.held.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert [each.pid for each in manager.info("web").processes] == [1]


async def test_a_reload_starts_what_does_not_run(manager: Manager) -> None:
    """There is no old one to keep."""
    await manager.load(template(numprocesses=2))
    await manager.stop_process(1)
    await manager.reload("web")
    assert [(each.pid, each.index) for each in manager.info("web").processes] == [(3, 0), (4, 2)]
