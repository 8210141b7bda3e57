"""A process that is run once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asynctask.manager import Manager, ProcessState, ProcessTemplate
from tests.manager.fakes import FakeLauncher, Heard

pytestmark = pytest.mark.one_loop("fakes")


async def test_it_is_never_detached(manager: Manager, launcher: FakeLauncher) -> None:
    """Nobody would ever find it again."""
    await manager.load(ProcessTemplate("web", "serve", detach=True), start=False)
    heard = Heard(manager)
    await manager.commit("web")
    await heard.until("proc.web.spawn")
    assert heard.messages[-1]["detach"] is False
    assert launcher.processes[0].order.index is None


async def test_its_info_is_a_process(manager: Manager) -> None:
    """Beside those that are kept, without a place."""
    await manager.load(ProcessTemplate("web", "serve"), start=False)
    pid = await manager.commit("web")
    info = manager.process(pid)
    assert (info.name, info.index, info.state, info.pid, info.os_pid, info.restarts) == (
        "web",
        None,
        ProcessState.RUNNING,
        1,
        1001,
        0,
    )
    assert replace(info, uptime=0) == replace(manager.info("web").processes[1], uptime=0)


async def test_it_can_be_stopped_by_its_number(manager: Manager, launcher: FakeLauncher) -> None:
    """As any other."""
    await manager.load(ProcessTemplate("web", "serve"), start=False)
    pid = await manager.commit("web")
    heard = Heard(manager, "proc.web")
    await manager.stop_process(pid)
    assert await heard.until("proc.web.reap") == [
        "proc.web.exit 1 signal 15",
        "proc.web.stop_pid 1",
        "proc.web.reap 1",
    ]


async def test_the_end_of_the_manager_ends_it(launcher: FakeLauncher) -> None:
    """Also where those that are kept are detached."""
    async with Manager(launcher=launcher) as manager:
        await manager.load(ProcessTemplate("web", "serve", detach=True))
        await manager.commit("web")
    assert [each.signals for each in launcher.processes] == [[], [15]]
