"""One place of a template: every way of the table, and wishes at any moment."""

from __future__ import annotations

import asyncio
import signal
from itertools import product
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager import Backoff, Flapping, Liveness, Manager, ProcessState, ProcessTemplate, Readiness
from asynctask.manager.place import Place
from asynctask.manager.states import TRANSITIONS
from tests.manager.fakes import FakeLauncher, FakeProcess, Heard

pytestmark = pytest.mark.one_loop("fakes")

NEVER = 600.0
S = ProcessState


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ProcessState, ProcessState]]:
    """The changes of state of all places, from here on."""
    seen: list[tuple[ProcessState, ProcessState]] = []
    change = Place._set

    def noted(place: Place, state: ProcessState) -> None:
        seen.append((place.state, state))
        change(place, state)

    monkeypatch.setattr(Place, "_set", noted)
    return seen


def template(**fields: Any) -> ProcessTemplate:
    """A template of processes that wait."""
    return ProcessTemplate("web", "serve", **fields)


SLOW = Backoff(initial=NEVER, maximum=NEVER, attempts=2)
FAILS = LaunchError("serve", "no such program")
UNREADY = Readiness(line="listening", timeout=0.001)


def dies(code: int = 1) -> FakeProcess:
    """A process that ends as soon as it runs."""
    return FakeProcess(on_start=lambda process: process.die(code))


async def in_state(manager: Manager, state: ProcessState) -> None:
    """Wait until the one place is in a state."""
    async with asyncio.timeout(5):
        while manager.info("web").processes[0].state is not state:
            await asyncio.sleep(0)


async def test_every_way_of_the_table_is_gone(
    manager: Manager, launcher: FakeLauncher, ways: list[tuple[ProcessState, ProcessState]]
) -> None:
    """By real wishes and ends, not by asking the table."""

    async def again(*plan: FakeProcess | LaunchError, **fields: Any) -> None:
        launcher.plan.extend(plan)
        await manager.load(template(**fields))

    await again()  # stopped, starting, running
    heard = Heard(manager, "proc.web.ready")
    launcher.processes[-1].die(1)  # again
    await heard.until("proc.web.ready")
    await manager.restart("web")  # stopping, starting
    await manager.unload("web")  # stopping, stopped
    await again(FAILS, FAILS, backoff=SLOW)  # back-off
    await manager.start("web")  # starting
    await manager.stop("web")  # and from back-off to stopped
    await manager.unload("web")
    await again(FAILS, backoff=Backoff(attempts=1))  # fatal
    await manager.start("web")
    await manager.unload("web")
    await again(FAILS, backoff=Backoff(attempts=1))
    await manager.unload("web")  # from fatal to stopped
    await again(dies(0), restart="never")  # running, exited
    await in_state(manager, S.EXITED)
    await manager.start("web")
    launcher.processes[-1].die(0)
    await in_state(manager, S.EXITED)
    await manager.unload("web")  # from exited to stopped
    for flapping, state in (
        (Flapping(attempts=1, retry_in=NEVER), S.BACKOFF),
        (Flapping(attempts=1, max_retry=0), S.FATAL),
    ):
        await again(dies(), flapping=flapping)  # running to back-off, to fatal
        await in_state(manager, state)
        await manager.unload("web")
    await again(dies(0), restart="unexpected", readiness=UNREADY)  # starting, exited
    await in_state(manager, S.EXITED)
    await manager.unload("web")
    await again(FakeProcess(), readiness=UNREADY, backoff=SLOW)  # starting, stopping, back-off
    await in_state(manager, S.BACKOFF)
    await manager.unload("web")
    await again(FakeProcess(), readiness=UNREADY, backoff=Backoff(attempts=1))  # stopping, fatal
    await in_state(manager, S.FATAL)
    await manager.unload("web")
    await again(FakeProcess(), readiness=UNREADY, restart="never")  # stopping, exited
    await in_state(manager, S.EXITED)
    table = {(state, there) for state, row in TRANSITIONS.items() for there in row.values()}
    assert set(ways) == table


async def test_wishes_at_every_moment_end_as_the_last_one_says(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """However many turns of the loop are between them; there is never more than one process."""
    await manager.load(template(), start=False)
    for wishes in product(("start", "stop", "restart"), repeat=3):
        for turns in range(8):
            for wish in wishes:
                task = asyncio.create_task(getattr(manager, wish)("web"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                    assert alive(launcher) <= 1
            await task
            assert alive(launcher) == (wishes[-1] != "stop")
            await manager.stop("web")
            assert alive(launcher) == 0


def alive(launcher: FakeLauncher) -> int:
    """How many processes there are."""
    return sum(not each.closed for each in launcher.processes)


async def test_a_stop_while_it_is_being_started_starts_nothing(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """The launch is broken off."""
    launcher.held = asyncio.Event()
    heard = Heard(manager)
    loading = asyncio.create_task(manager.load(template()))
    await heard.until("proc.web.start")
    await manager.stop("web")
    await loading
    assert await heard.until("proc.web.stop") == ["stop", "proc.web.stop"]
    assert launcher.processes == []
    assert manager.info("web").processes[0].state is S.STOPPED


async def test_a_stop_before_it_is_ready_ends_it(manager: Manager, launcher: FakeLauncher) -> None:
    """And whoever waited for the start waits no more."""
    loading = asyncio.create_task(manager.load(template(readiness=Readiness(line="listening"))))
    heard = Heard(manager)
    await heard.until("proc.web.spawn")
    await manager.stop("web")
    await loading
    assert launcher.processes[0].signals == [signal.SIGTERM]


async def test_a_line_makes_it_ready(manager: Manager, launcher: FakeLauncher) -> None:
    """Found in what it prints."""
    heard = Heard(manager)
    loading = asyncio.create_task(manager.load(template(readiness=Readiness(line="^listening"))))
    await heard.until("proc.web.spawn")
    launcher.processes[0].ears.output("stdout", b"not listening\nlisten")
    await asyncio.sleep(0)
    assert manager.info("web").active == 0
    launcher.processes[0].ears.output("stdout", b"ing on 8000\n")
    await loading
    assert manager.info("web").active == 1


async def test_a_process_that_does_not_answer_is_replaced(
    manager: Manager, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a warning that says why."""
    answers = iter([True, False, False])

    async def check(process: FakeProcess, command: list[str], timeout: float) -> bool:
        return next(answers, True)

    monkeypatch.setattr(FakeProcess, "check", check)
    liveness = Liveness(command=["probe"], interval=0.001, failures=2)
    heard = Heard(manager)
    await manager.load(template(liveness=liveness))
    await heard.until("proc.web.spawn", 2)
    (warning,) = [each for each in heard.messages if each["event"] == "proc.web.warning"]
    assert warning["pid"] == 1
    assert warning["text"].startswith("it does not answer: ")
    assert launcher.processes[0].signals == [signal.SIGTERM]


async def test_a_node_out_of_reach_is_tried_again(manager: Manager, launcher: FakeLauncher) -> None:
    """However often."""
    launcher.plan.extend(LaunchError("n1", "no route to host", temporary=True) for _ in range(9))
    quick = Backoff(initial=0, maximum=0, attempts=1)
    heard = Heard(manager, "proc.web")
    await manager.load(template(backoff=quick, nodes="n1"))
    events = await heard.until("proc.web.ready")
    assert events == ["proc.web.start", *["proc.web.backoff"] * 9, "proc.web.spawn 10", "proc.web.ready 10"]


async def test_a_defect_is_fatal_and_keeps_nobody_waiting(
    manager: Manager,
    launcher: FakeLauncher,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told, and logged with its traceback, and the process is not left running."""

    async def defect(place: Place, *of: object) -> str:
        raise RuntimeError("oh")

    monkeypatch.setattr(Place, "_get_ready", defect)
    heard = Heard(manager, "proc.web.fatal")
    await manager.load(template())
    await heard.until("proc.web.fatal")
    assert heard.messages[0]["reason"] == "a defect of the manager: RuntimeError('oh')"
    assert manager.info("web").processes[0].state is S.FATAL
    await asyncio.sleep(0)  # its asyncio task is over a turn later
    assert [record.getMessage() for record in caplog.records] == ["process web.0 broke off"]
    assert launcher.processes[0].signals == [signal.SIGKILL]


async def test_the_info_of_a_place_tells_its_life(manager: Manager, launcher: FakeLauncher) -> None:
    """From one process to the next."""
    await manager.load(template())
    info = manager.info("web").processes[0]
    assert (info.name, info.index, info.node, info.pid, info.os_pid) == ("web", 0, None, 1, 1001)
    assert (info.restarts, info.last_exit, info.reason, info.retry_in) == (0, None, None, None)
    launcher.plan.append(FAILS)
    launcher.processes[0].die(4)
    await in_state(manager, S.BACKOFF)
    info = manager.info("web").processes[0]
    assert (info.pid, info.os_pid, info.started, info.uptime) == (None, None, None, None)
    assert info.last_exit is not None
    assert (info.last_exit.code, info.reason) == (4, "serve: no such program")
    assert info.retry_in is not None
    assert 0 < info.retry_in <= 1.1
