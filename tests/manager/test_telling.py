"""What a manager can be asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from asynctask.errors import ManagerError, ProcessNotFoundError, UsageError
from asynctask.manager import Manager, ProcessTemplate, Usage
from tests.manager.fakes import FakeProcess, Heard

pytestmark = pytest.mark.one_loop("fakes")


def template(name: str = "web", **fields: Any) -> ProcessTemplate:
    """A template of processes that wait."""
    return ProcessTemplate(name, "serve", **fields)


async def test_its_own_status(manager: Manager) -> None:
    """Its name, and how many there are."""
    await manager.load(template("a", numprocesses=2))
    await manager.load(template("b"), start=False)
    status = manager.status()
    assert (status.name, status.templates, status.processes) == ("default", 2, 2)
    assert manager.list() == ["a", "b"]
    assert repr(manager) == "<Manager 'default', 2 templates>"


async def test_a_process_by_its_number(manager: Manager) -> None:
    """As long as it is there."""
    await manager.load(template(numprocesses=2))
    (there,) = (each for each in manager.info("web").processes if each.pid == 2)
    assert replace(manager.process(2), uptime=0) == replace(there, uptime=0)
    await manager.stop_process(2)
    with pytest.raises(ProcessNotFoundError):
        manager.process(2)


async def test_what_processes_take(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of which nobody knows are left out."""

    async def usage(process: FakeProcess) -> Usage | None:
        number = process.order.pid
        if number == 3:
            raise ManagerError("n3: no connection")
        return None if number == 2 else Usage(number, 10 * number)

    monkeypatch.setattr(FakeProcess, "usage", usage)
    await manager.load(template("a", numprocesses=3))
    await manager.load(template("b"))
    found = await manager.stats()
    assert [(each.name, [stats.pid for stats in each.processes]) for each in found] == [
        ("a", [1]),
        ("b", [4]),
    ]
    assert [each.name for each in await manager.stats("b")] == ["b"]


async def test_watching_what_they_take(manager: Manager) -> None:
    """Again and again."""
    await manager.load(template())
    looks = manager.monitor(interval=0.001)
    for _ in range(3):
        (of_web,) = await anext(looks)
        assert (of_web.cpu, of_web.memory) == (1.5, 1000)
    await looks.aclose()  # type: ignore[attr-defined]
    with pytest.raises(UsageError):
        await anext(manager.monitor(interval=0))


async def test_subscribing_to_patterns(manager: Manager) -> None:
    """Of one template, of one event of all."""
    heard: list[str] = []
    manager.subscribe("proc.*.spawn", lambda topic, message: heard.append(topic))
    manager.subscribe("create", lambda topic, message: heard.append(f"{topic} {message['name']}"), once=True)
    every = Heard(manager)
    await manager.load(template("a"))
    await manager.load(template("b"))
    await every.until("proc.b.ready")
    assert heard == ["create a", "proc.a.spawn", "proc.b.spawn"]
