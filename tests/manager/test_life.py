"""One process, from its start until nothing is left."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.errors import LaunchError, ManagerError
from asynctask.manager import life as module
from asynctask.manager.launching import Exit, Usage
from asynctask.manager.life import Life
from asynctask.manager.messages import Publisher
from asynctask.manager.output import OutputHub
from asynctask.manager.services import Services
from asynctask.manager.template import ProcessTemplate
from tests.manager.fakes import FakeLauncher, FakeProcess

pytestmark = pytest.mark.one_loop("fakes")


class House:
    """A life's surroundings, and what it told."""

    def __init__(self) -> None:
        self.emitter = EventEmitter()
        self.launcher = FakeLauncher()
        self.services = Services(Publisher(self.emitter), OutputHub(self.emitter), lambda node: self.launcher)
        self.told: list[str] = []
        self.emitter.subscribe(
            "proc", lambda topic, message: self.told.append(topic.removeprefix("proc.web."))
        )

    def life(self, process: FakeProcess | LaunchError | None = None, **fields: Any) -> Life:
        """A life that is not launched."""
        self.launcher.plan.append(process or FakeProcess())
        return Life(self.services, ProcessTemplate("web", "serve", **fields), 0, None, {"A": "1"})

    async def events(self) -> list[str]:
        """What was told so far."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return self.told


@pytest.fixture
async def house() -> Any:
    """Its surroundings."""
    house = House()
    yield house
    await house.services.hub.aclose()
    await house.emitter.aclose()


async def test_from_its_start_to_its_end(house: House) -> None:
    """It is known by its number as long as it is there."""
    life = house.life()
    await life.launch()
    order = house.launcher.processes[0].order
    assert (order.pid, order.index, order.node, order.env) == (1, 0, None, {"A": "1"})
    assert house.services.lives == {1: life}
    house.launcher.processes[0].die(3)
    assert await life.exited() == Exit(3)
    assert await life.exited() == Exit(3)
    await life.bury(life.template)
    assert house.services.lives == {}
    assert await house.events() == ["spawn", "exit", "reap"]


async def test_one_that_cannot_start_leaves_nothing(house: House) -> None:
    """And tells nothing."""
    life = house.life(LaunchError("serve", "no such program"))
    with pytest.raises(LaunchError):
        await life.launch()
    assert (house.services.lives, life.started, life.os_pid) == ({}, None, None)
    assert await house.events() == []


async def test_who_is_stopped_by_a_signal_is_woken_to_react(house: House) -> None:
    """CONT goes with the stop signal."""
    signals: list[int] = []

    async def note(number: int) -> bool:
        signals.append(number)
        house.launcher.processes[0].die(signal=number)
        return True

    life = house.life()
    await life.launch()
    house.launcher.processes[0].signal = note  # type: ignore[method-assign]
    await life.end(life.template)
    assert signals == [signal.SIGTERM, signal.SIGCONT]


async def test_one_that_not_even_kill_ends_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stuck in the kernel: that is told, and nobody waits for ever."""
    monkeypatch.setattr(module, "KILL_WAIT", 0.001)
    life = house.life(graceful_timeout=0.001)
    await life.launch()

    async def nothing(number: int) -> bool:
        return True

    house.launcher.processes[0].signal = nothing  # type: ignore[method-assign]
    await life.end(life.template)
    assert life.exit == Exit(None)
    await life.bury(life.template)
    assert await house.events() == ["spawn", "warning", "exit", "stop_pid", "reap"]


@pytest.mark.parametrize(
    ("detach", "then"),
    [(False, " until the node ends it, 30 s after the connection was lost"), (True, "")],
)
async def test_one_that_cannot_be_reached_is_given_up(
    detach: bool, then: str, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has told it to end: it is told how long it may go on."""
    monkeypatch.setattr(module, "KILL_WAIT", 0.001)
    warnings: list[str] = []
    house.emitter.subscribe("proc.web.warning", lambda topic, message: warnings.append(message["text"]))
    life = house.life(graceful_timeout=0.001, lost_timeout=30, detach=detach)
    await life.launch()

    async def nothing(number: int) -> bool:
        return False

    house.launcher.processes[0].signal = nothing  # type: ignore[method-assign]
    life.lost("gone")
    await life.end(life.template)
    await house.events()
    assert warnings == [
        f"process {life.os_pid} could not be told to end, without a connection: it may go on{then}"
    ]
    await life.bury(life.template)


async def test_a_group_that_ignores_its_signal_gets_kill(house: House) -> None:
    """Also when its leader has ended by itself."""
    process = FakeProcess(leaves_group=True, ignores=[signal.SIGTERM])
    life = house.life(process, graceful_timeout=0.001)
    await life.launch()
    process.die(0)
    await life.exited()
    await life.bury(life.template)
    assert process.signals == [signal.SIGTERM, signal.SIGKILL]
    assert process.closed


async def test_one_that_has_ended_takes_no_input_and_needs_nothing(house: House) -> None:
    """It says which it is."""
    life = house.life(stdin=True)
    await life.launch()
    await life.send(b"x", "stdin")
    assert await life.usage() == Usage(1.5, 1000)
    house.launcher.processes[0].die(0)
    await life.exited()
    assert await life.usage() is None
    with pytest.raises(ManagerError) as caught:
        await life.send(b"x", "stdin")
    assert str(caught.value) == "process 1 of 'web' has ended: it reads no more"
    await life.bury(life.template)


async def test_one_that_is_left_goes_on(house: House) -> None:
    """No end is told."""
    life = house.life()
    await life.launch()
    await life.leave()
    assert house.launcher.processes[0].signals == []
    assert house.launcher.processes[0].closed
    assert await house.events() == ["spawn"]


async def test_one_that_is_cut_off_is_gone(house: House) -> None:
    """KILL, without a word."""
    life = house.life(FakeProcess(ignores=[signal.SIGTERM]))
    await life.launch()
    await life.cut_off()
    assert house.launcher.processes[0].signals == [signal.SIGKILL]
    assert house.services.lives == {}
