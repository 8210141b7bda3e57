"""What a manager tells, event by event, over processes that do as they are told."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from asynctask.errors import LaunchError, ManagerError
from asynctask.manager import Backoff, Flapping, Manager, ProcessState, ProcessTemplate, Readiness
from tests.manager.fakes import FakeLauncher, FakeProcess, Heard

pytestmark = pytest.mark.one_loop("fakes")

#: Nothing in these tests is waited for in earnest.
QUICK = Backoff(initial=0.001, jitter=0, attempts=3)
NEVER = 600.0


def template(name: str = "web", **fields: Any) -> ProcessTemplate:
    """A template of processes that wait."""
    return ProcessTemplate(name, "serve", **{"backoff": QUICK, **fields})


STARTED = ["start", "proc.web.start"]
SPAWNED = ["spawn", "proc.web.spawn 1", "ready", "proc.web.ready 1"]


def spawned(pid: int, name: str = "web") -> list[str]:
    """The events of a start that goes well."""
    return ["spawn", f"proc.{name}.spawn {pid}", "ready", f"proc.{name}.ready {pid}"]


def ended(pid: int, how: str, *, stopped: bool = False, name: str = "web") -> list[str]:
    """The events of an end."""
    events = ["exit", f"proc.{name}.exit {pid} {how}"]
    if stopped:
        events += ["stop_pid", f"proc.{name}.stop_pid {pid}"]
    return [*events, "reap", f"proc.{name}.reap {pid}"]


async def test_a_template_from_load_to_unload(manager: Manager) -> None:
    """Created, started, stopped, deleted."""
    heard = Heard(manager)
    await manager.load(template())
    assert manager.list() == ["web"]
    await manager.unload("web")
    assert await heard.until("delete") == [
        "create",
        *STARTED,
        *spawned(1),
        *ended(1, "signal 15", stopped=True),
        "stop",
        "proc.web.stop",
        "delete",
    ]
    assert manager.list() == []


async def test_messages_have_exactly_what_they_should(manager: Manager, launcher: FakeLauncher) -> None:
    """The keys of the seed, and no others."""
    heard = Heard(manager)
    await manager.load(template(restart="never"))
    launcher.processes[0].die(3)
    await heard.until("proc.web.reap")
    assert heard.messages == [
        {"event": "create", "name": "web"},
        {"event": "start", "name": "web"},
        {"event": "proc.web.start", "name": "web"},
        {"event": "spawn", "name": "web"},
        {"event": "proc.web.spawn", "name": "web", "detach": False, "pid": 1},
        {"event": "ready", "name": "web"},
        {"event": "proc.web.ready", "name": "web", "pid": 1},
        {"event": "exit", "name": "web"},
        {"event": "proc.web.exit", "name": "web", "pid": 1, "exit_code": 3, "term_signal": None},
        {"event": "reap", "name": "web"},
        {"event": "proc.web.reap", "name": "web", "pid": 1},
    ]


async def test_a_process_that_ends_is_started_again(manager: Manager, launcher: FakeLauncher) -> None:
    """At once, with another number."""
    heard = Heard(manager)
    await manager.load(template())
    await heard.until("proc.web.ready")
    launcher.processes[0].die(0)
    assert await heard.until("proc.web.ready") == [*ended(1, "0"), *spawned(2)]
    info = manager.info("web").processes[0]
    assert (info.pid, info.restarts, info.state) == (2, 1, ProcessState.RUNNING)


@pytest.mark.parametrize(("code", "signal"), [(0, None), (2, None)])
async def test_an_expected_end_is_an_end(
    manager: Manager, launcher: FakeLauncher, code: int, signal: int | None
) -> None:
    """With the policy ``unexpected``."""
    heard = Heard(manager)
    await manager.load(template(restart="unexpected", exit_codes=frozenset({0, 2})))
    await heard.until("proc.web.ready")
    launcher.processes[0].die(code)
    assert await heard.until("proc.web.reap") == ended(1, str(code))
    await settled(manager)
    assert manager.info("web").processes[0].state is ProcessState.EXITED


async def settled(manager: Manager) -> None:
    """Let everything that goes on by itself go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_start_that_fails_is_tried_again_and_fatal_in_the_end(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """Three times, as its back-off says."""
    launcher.plan.extend(LaunchError("serve", "not found in PATH") for _ in range(3))
    heard = Heard(manager)
    await manager.load(template())
    assert await heard.until("proc.web.fatal") == [
        "create",
        *STARTED,
        "proc.web.backoff",
        "proc.web.backoff",
        "fatal",
        "proc.web.fatal",
    ]
    assert heard.messages[-1] == {
        "event": "proc.web.fatal",
        "name": "web",
        "index": 0,
        "reason": "serve: not found in PATH",
    }
    info = manager.info("web").processes[0]
    assert (info.state, info.reason) == (ProcessState.FATAL, "serve: not found in PATH")
    await manager.start("web")
    assert await heard.until("proc.web.ready") == [*STARTED, *spawned(4)]


async def test_flapping_rests_and_is_fatal_in_the_end(manager: Manager, launcher: FakeLauncher) -> None:
    """Two ends in a row; one rest."""
    for _ in range(4):
        launcher.plan.append(FakeProcess(on_start=lambda process: process.die(1)))
    heard = Heard(manager)
    flapping = Flapping(attempts=2, window=NEVER, retry_in=0.001, max_retry=1)
    await manager.load(template(flapping=flapping))
    once = ["flap", "proc.web.flap"]
    assert await heard.until("proc.web.fatal") == [
        "create",
        *STARTED,
        *spawned(1),
        *ended(1, "1"),
        *spawned(2),
        *ended(2, "1"),
        *once,
        *spawned(3),
        *ended(3, "1"),
        *spawned(4),
        *ended(4, "1"),
        *once,
        "fatal",
        "proc.web.fatal",
    ]
    flaps = [message for message in heard.messages if message["event"] == "proc.web.flap"]
    reason = f"it ended 2 times within {NEVER:g} s, at last: it exited with 1"
    assert flaps == [
        {"event": "proc.web.flap", "name": "web", "index": 0, "reason": reason, "retry_in": 0.001},
        {"event": "proc.web.flap", "name": "web", "index": 0, "reason": reason, "retry_in": None},
    ]


async def test_a_stop_during_back_off_stays_a_stop(manager: Manager, launcher: FakeLauncher) -> None:
    """The timer of the back-off is gone with it."""
    launcher.plan.append(LaunchError("serve", "not found in PATH"))
    heard = Heard(manager)
    await manager.load(template(backoff=Backoff(initial=0.005, jitter=0)))
    assert manager.info("web").processes[0].state is ProcessState.BACKOFF
    await manager.stop("web")
    assert await heard.until("proc.web.stop") == [
        "create",
        *STARTED,
        "proc.web.backoff",
        "stop",
        "proc.web.stop",
    ]
    await asyncio.sleep(0.01)  # there is no event for what must not happen
    assert manager.info("web").processes[0].state is ProcessState.STOPPED
    assert launcher.attempts == 1


async def test_a_start_during_back_off_does_not_wait(manager: Manager, launcher: FakeLauncher) -> None:
    """It is started now, and once."""
    launcher.plan.append(LaunchError("serve", "not found in PATH"))
    await manager.load(template(backoff=Backoff(initial=NEVER, maximum=NEVER)))
    await manager.start("web")
    assert manager.info("web").active == 1
    assert launcher.attempts == 2


async def test_stop_and_start_during_back_off_start_one_process(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """The coroutine that waited does not wake for the one that was started after it."""
    launcher.plan.append(LaunchError("serve", "not found in PATH"))
    await manager.load(template(backoff=Backoff(initial=NEVER, maximum=NEVER)))
    stopping = asyncio.create_task(manager.stop("web"))
    await asyncio.gather(stopping, manager.start("web"))
    await settled(manager)
    assert (launcher.attempts, len(launcher.processes)) == (2, 1)


async def test_a_process_that_ignores_its_signal_gets_kill(manager: Manager, launcher: FakeLauncher) -> None:
    """After its grace."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    heard = Heard(manager)
    await manager.load(template(graceful_timeout=0.001))
    await heard.until("proc.web.ready")
    await manager.stop("web")
    assert await heard.until("proc.web.stop") == [
        *ended(1, "signal 9", stopped=True),
        "stop",
        "proc.web.stop",
    ]
    assert launcher.processes[0].signals == [signal.SIGTERM, signal.SIGKILL]


async def test_hurry_spares_the_grace(manager: Manager, launcher: FakeLauncher) -> None:
    """KILL at once, also for who is being stopped already."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGUSR1]))
    await manager.load(template(graceful_timeout=NEVER, stop_signal="USR1"))
    stopping = asyncio.create_task(manager.stop("web"))
    await settled(manager)
    assert launcher.processes[0].signals == [signal.SIGUSR1]
    manager.hurry()
    await stopping
    assert launcher.processes[0].signals == [signal.SIGUSR1, signal.SIGKILL]


async def test_what_a_process_leaves_in_its_group_is_ended_before_the_next(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """It may hold the port that the next one needs."""
    launcher.plan.append(FakeProcess(leaves_group=True))
    heard = Heard(manager)
    await manager.load(template())
    await heard.until("proc.web.ready")
    launcher.processes[0].die(1)
    await heard.until("proc.web.ready")
    assert launcher.processes[0].signals == [signal.SIGTERM]
    assert launcher.processes[0].closed


async def test_restart_replaces_each_process_when_it_has_stopped(manager: Manager) -> None:
    """And tells when all of them have been."""
    await manager.load(template(numprocesses=2))
    heard = Heard(manager, "proc.web")
    whole = Heard(manager, "restart")
    await manager.restart("web")
    events = await heard.until("proc.web.ready", 2)
    assert sorted(events) == sorted(
        f"proc.web.{event}"
        for event in (
            "exit 1 signal 15",
            "stop_pid 1",
            "reap 1",
            "exit 2 signal 15",
            "stop_pid 2",
            "reap 2",
            "spawn 3",
            "ready 3",
            "spawn 4",
            "ready 4",
        )
    )
    assert await whole.until("restart") == ["restart"]
    assert [each.restarts for each in manager.info("web").processes] == [1, 1]


async def test_reload_has_no_gap(manager: Manager) -> None:
    """Each new process is ready before an old one is stopped."""
    await manager.load(template(numprocesses=2))
    heard = Heard(manager)
    await manager.reload("web")
    assert await heard.until("restart") == [
        *spawned(3),
        *ended(1, "signal 15", stopped=True),
        *spawned(4),
        *ended(2, "signal 15", stopped=True),
        "restart",
    ]
    assert [(each.pid, each.index) for each in manager.info("web").processes] == [(4, 0), (3, 2)]


async def test_a_reload_whose_new_process_fails_leaves_the_old(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """And says how far it came."""
    await manager.load(template(numprocesses=2))
    launcher.plan.extend([FakeProcess(), LaunchError("serve", "not found in PATH")])
    with pytest.raises(ManagerError) as caught:
        await manager.reload("web")
    assert str(caught.value) == (
        "web: a new process did not become ready: serve: not found in PATH; 1 of 2 were replaced"
    )
    assert [each.pid for each in manager.info("web").processes] == [2, 3]


async def test_a_stop_ends_a_reload(manager: Manager, launcher: FakeLauncher) -> None:
    """Nothing is left of it."""
    await manager.load(template())
    launcher.held = asyncio.Event()
    reload = asyncio.create_task(manager.reload("web"))
    await settled(manager)
    await manager.stop("web")
    with pytest.raises(ManagerError) as caught:
        await reload
    assert str(caught.value) == "web: replacing its processes ended early: it was started or stopped"
    assert [each.state for each in manager.info("web").processes] == [ProcessState.STOPPED]


async def test_scale_goes_up_and_down(manager: Manager) -> None:
    """The highest go first, and come back with the numbers that are free."""
    await manager.load(template())
    heard = Heard(manager)
    assert await manager.scale("web", "+2") == 3
    assert await manager.scale("web", 1) == 1
    assert await heard.until("update", 2) == [
        "update",
        *spawned(2),
        *spawned(3),
        "update",
    ]
    assert [(each.pid, each.index) for each in manager.info("web").processes] == [(1, 0)]
    with pytest.raises(ManagerError) as caught:
        await manager.scale("web", "-2")
    assert str(caught.value) == "web: cannot scale from 1 to -1: it can be 0 to 10000"


async def test_a_process_that_is_not_ready_in_time_is_ended_and_tried_again(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """It says why."""
    heard = Heard(manager)
    readiness = Readiness(line="listening", timeout=0.001)
    await manager.load(template(readiness=readiness, backoff=Backoff(initial=NEVER, maximum=NEVER)))
    assert await heard.until("proc.web.backoff") == [
        "create",
        *STARTED,
        "spawn",
        "proc.web.spawn 1",
        "proc.web.warning 1",
        *ended(1, "signal 15", stopped=True),
        "proc.web.backoff",
    ]
    assert launcher.processes[0].signals == [signal.SIGTERM]


async def test_an_old_process_is_replaced(manager: Manager, launcher: FakeLauncher) -> None:
    """That is no failure."""
    heard = Heard(manager)
    await manager.load(template(max_age=0.005, flapping=Flapping(attempts=1)))
    events = await heard.until("proc.web.ready", 2)
    assert events[3 + 4 :] == [*ended(1, "signal 15", stopped=True), *spawned(2)]


async def test_a_process_that_is_run_once_is_not_started_again(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """Beside those that are kept."""
    await manager.load(template(), start=False)
    heard = Heard(manager)
    pid = await manager.commit("web", env={"MODE": "once"})
    assert [(each.pid, each.index) for each in manager.info("web").processes] == [(None, 0), (pid, None)]
    assert launcher.processes[0].order.env == {"MODE": "once"}
    launcher.processes[0].die(0)
    assert await heard.until("proc.web.reap") == ["spawn", "proc.web.spawn 1", *ended(1, "0")]
    await settled(manager)
    assert [each.pid for each in manager.info("web").processes] == [None]


async def test_stop_process_stops_one(manager: Manager) -> None:
    """The others go on; a start fills its place again."""
    await manager.load(template(numprocesses=2))
    await manager.stop_process(1)
    states = [each.state.value for each in manager.info("web").processes]
    assert states == ["stopped", "running"]
    await manager.start("web")
    assert [each.pid for each in manager.info("web").processes] == [3, 2]


async def test_a_lost_connection_is_no_exit(manager: Manager, launcher: FakeLauncher) -> None:
    """It is told, and the process is as it was."""
    heard = Heard(manager)
    await manager.load(template(nodes="n[1-2]"))
    await heard.until("proc.web.ready", 2)
    heard.messages.clear()
    ears = launcher.processes[1].ears
    ears.lost("connection reset")
    assert [each.connected for each in manager.info("web").processes] == [True, False]
    ears.found()
    assert await heard.until("proc.web.found") == ["proc.web.lost 2", "proc.web.found 2"]
    assert heard.messages == [
        {"event": "proc.web.lost", "name": "web", "pid": 2, "reason": "connection reset", "node": "n2"},
        {"event": "proc.web.found", "name": "web", "pid": 2, "node": "n2"},
    ]
    assert [each.connected for each in manager.info("web").processes] == [True, True]


async def test_a_process_that_is_found_was_not_spawned(manager: Manager, launcher: FakeLauncher) -> None:
    """It runs since before."""
    launcher.plan.append(FakeProcess(found=True))
    heard = Heard(manager)
    await manager.load(template(detach=True))
    assert await heard.until("proc.web.ready") == [
        "create",
        *STARTED,
        "proc.web.found 1",
        "ready",
        "proc.web.ready 1",
    ]
    assert manager.info("web").processes[0].restarts == 0
