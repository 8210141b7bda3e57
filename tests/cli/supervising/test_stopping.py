"""A manager is ended."""

from __future__ import annotations

import asyncio

import pytest

from asynctask.cli.supervising import stopping
from asynctask.cli.supervising.stopping import end_manager, left_running, names_text, still_there
from asynctask.manager.states import ProcessState
from tests.cli.supervising.fakes import FakeManager, info, process

pytestmark = pytest.mark.one_loop("no descriptors")


async def test_who_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told now and then, until all are gone."""
    monkeypatch.setattr(stopping, "_FIRST", 0.001)
    monkeypatch.setattr(stopping, "_EVERY", 0.001)
    manager = FakeManager(info(process(state=ProcessState.STOPPING)))
    said: list[str] = []
    twice = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        if len(said) == 2:
            twice.set()

    ending = asyncio.create_task(end_manager(manager, say))
    await twice.wait()
    assert not ending.done()
    manager.closed.set()
    await ending
    assert set(said) == {"still stopping: web.1"}


async def test_a_quick_end_is_not_talked_about() -> None:
    """Nobody had to wait."""
    manager = FakeManager(info(process(state=ProcessState.STOPPING)))
    manager.closed.set()
    said: list[str] = []
    await end_manager(manager, said.append)
    assert said == []


async def test_who_is_there() -> None:
    """What was stopped is not; what is detached is left."""
    manager = FakeManager(
        info(process(), process(index=1, state=ProcessState.STOPPED, pid=None), numprocesses=2),
        info(process("log", pid=5), name="log", detach=True),
        info(process("cron", state=ProcessState.BACKOFF, pid=None), name="cron"),
    )
    assert list(still_there(manager)) == ["web.1"]
    assert list(left_running(manager)) == ["log.1 (pid 1005)"]


def test_many_names() -> None:
    """The first of them, and how many more."""
    names = [f"web.{number}" for number in range(1, 16)]
    assert names_text(names[:2]) == "web.1, web.2"
    assert names_text(names).endswith("web.11, web.12 and 3 more")
