"""Calls that overlap, are given up, or come from listeners: the last wish counts, and nothing is left."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asynctask.errors import LaunchError, ManagerError
from asynctask.manager import Backoff, Manager, ProcessState, ProcessTemplate, Readiness
from tests.manager.fakes import FakeLauncher, FakeProcess, Heard
from tests.support import turns

pytestmark = pytest.mark.one_loop("fakes")

NEVER = 600.0
ENDED_EARLY = "web: replacing its processes ended early: it was started or stopped"
_S = ProcessState


def template(name: str = "web", **fields: Any) -> ProcessTemplate:
    """A template of processes that wait."""
    return ProcessTemplate(name, "serve", **fields)


def begin(call: Awaitable[Any]) -> asyncio.Task[Any]:
    """Have a call go on beside."""
    return asyncio.ensure_future(call)


def alive(launcher: FakeLauncher) -> list[tuple[str, int]]:
    """The processes of which something is left."""
    return [(each.order.template.name, each.order.pid) for each in launcher.processes if not each.closed]


async def hold(launcher: FakeLauncher, call: Awaitable[Any]) -> asyncio.Task[Any]:
    """Begin a call, and hold it up where it starts a process."""
    launcher.held = asyncio.Event()
    task = begin(call)
    await turns(10)
    return task


def release(launcher: FakeLauncher) -> None:
    """Let what was held up go on."""
    assert launcher.held is not None
    launcher.held.set()
    launcher.held = None


# -- of one template ------------------------------------------------------------------------


async def test_a_process_that_is_scaled_away_during_its_reload_has_no_successor(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """There are as many as were asked for last."""
    await manager.load(template())
    reload = await hold(launcher, manager.reload("web"))
    scale = begin(manager.scale("web", 0))
    await turns(10)
    release(launcher)
    await asyncio.gather(reload, scale)
    assert (manager.info("web").processes, alive(launcher)) == ((), [])


async def test_a_start_during_an_unload_keeps_the_template(manager: Manager, launcher: FakeLauncher) -> None:
    """Who unloads it is told so."""
    await manager.load(template())
    unloaded, _ = await asyncio.gather(manager.unload("web"), manager.start("web"), return_exceptions=True)
    assert str(unloaded) == "web: it stays loaded: it was started again while it was being stopped"
    assert (manager.list(), alive(launcher)) == (["web"], [("web", 2)])
    await manager.unload("web")
    assert (manager.list(), alive(launcher)) == ([], [])


async def test_reloads_that_wait_for_each_other_start_nothing_that_was_unloaded(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """The second one has not even begun."""
    await manager.load(template())
    reloads = [await hold(launcher, manager.reload("web")) for _ in range(2)]
    unload = begin(manager.unload("web"))
    await turns(10)
    release(launcher)
    answers = await asyncio.gather(*reloads, unload, return_exceptions=True)
    assert [str(each) for each in answers] == [ENDED_EARLY, ENDED_EARLY, "None"]
    assert (manager.list(), alive(launcher)) == ([], [])


async def test_a_reload_of_what_is_stopped_is_a_start(manager: Manager) -> None:
    """It is wanted then."""
    await manager.load(template(), start=False)
    heard = Heard(manager)
    await manager.reload("web")
    assert (manager.info("web").wanted, manager.info("web").active) == (True, 1)
    assert (await heard.until("proc.web.ready"))[:2] == ["start", "proc.web.start"]


async def test_what_could_not_be_started_is_tried_again_with_its_new_template(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """At once if that says how to start it, and not if it does not."""
    launcher.plan.append(LaunchError("serve", "not found in PATH"))
    backoff = Backoff(attempts=1)
    await manager.load(template(backoff=backoff))
    await manager.update(template(backoff=backoff, order=1))
    assert manager.info("web").processes[0].state is _S.FATAL
    await manager.update(ProcessTemplate("web", "server", backoff=backoff))
    assert manager.info("web").processes[0].state is _S.RUNNING


async def test_a_stop_during_back_off_leaves_no_time_to_wait_for(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """It is not tried again."""
    launcher.plan.append(LaunchError("serve", "not found in PATH"))
    await manager.load(template())
    assert manager.info("web").processes[0].retry_in is not None
    await manager.stop("web")
    assert manager.info("web").processes[0].retry_in is None


# -- run once -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end", [Manager.aclose, lambda manager: manager.stop("web"), lambda manager: manager.unload("web")]
)
async def test_what_is_run_once_is_stopped_while_it_is_being_started(
    manager: Manager, launcher: FakeLauncher, end: Callable[[Manager], Awaitable[None]]
) -> None:
    """It is not started, and its caller knows."""
    await manager.load(template(), start=False)
    commit = await hold(launcher, manager.commit("web"))
    states = [(each.state, each.pid) for each in manager.info("web").processes]
    assert states == [(_S.STOPPED, None), (_S.STARTING, None)]
    await end(manager)
    with pytest.raises(ManagerError) as caught:
        await commit
    assert str(caught.value) == "web: it was stopped while it was being started"
    release(launcher)
    await turns(10)
    assert launcher.processes == []


async def test_a_stop_does_not_wait_for_what_is_run_after_it(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """That was never to be stopped."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    await manager.load(template(graceful_timeout=NEVER))
    stop = begin(manager.stop("web"))
    await turns(10)
    pid = await manager.commit("web")
    launcher.processes[0].die(0)
    await stop
    assert alive(launcher) == [("web", pid)]


# -- of all ---------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["stop", "unload"])
async def test_a_start_of_all_starts_nothing_that_was_stopped_since(
    manager: Manager, launcher: FakeLauncher, call: str
) -> None:
    """Its turn had not come."""
    await manager.load(template("db", readiness=Readiness(line="up")), start=False)
    await manager.load(template(order=1), start=False)
    starting = begin(manager.start())
    await turns(10)
    await getattr(manager, call)("web")
    launcher.processes[0].ears.output("stdout", b"up\n")
    await starting
    assert alive(launcher) == [("db", 1)]


async def test_a_stop_of_all_spares_what_was_started_since(manager: Manager, launcher: FakeLauncher) -> None:
    """It was asked for later."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    await manager.load(template(order=1, graceful_timeout=NEVER))
    await manager.load(template("db"))
    stopping = begin(manager.stop())
    await turns(10)
    await manager.start("db")
    launcher.processes[0].die(0)
    await stopping
    assert alive(launcher) == [("db", 2)]


# -- calls that are given up ----------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda manager: manager.load(template("other", nodes="n1")),
        lambda manager: manager.unload("web"),
        lambda manager: manager.update(ProcessTemplate("web", "other", numprocesses=3)),
        lambda manager: manager.stop("web"),
        lambda manager: manager.stop(),
        lambda manager: manager.restart("web"),
        lambda manager: manager.restart(),
        lambda manager: manager.reload("web"),
        lambda manager: manager.scale("web", 4),
        lambda manager: manager.scale("web", 0),
        lambda manager: manager.commit("web"),
        lambda manager: manager.stop_process(1),
        lambda manager: manager.kill("web", 9),
        lambda manager: manager.stats(),
    ],
)
async def test_a_call_can_be_given_up_at_any_moment(call: Callable[[Manager], Awaitable[Any]]) -> None:
    """Afterwards there are as many as there are to be, and each is known."""
    for moment in range(12):
        launcher = FakeLauncher()
        async with Manager(launcher=launcher) as manager:
            await manager.load(template(numprocesses=2))
            task = begin(call(manager))
            await turns(moment)
            task.cancel()
            await asyncio.wait([task])
            await turns(40)
            infos = [manager.info(name) for name in manager.list()]
            for info in infos:
                kept = [each.state for each in info.processes if each.index is not None]
                assert len(kept) == info.numprocesses
                assert set(kept) <= {_S.RUNNING, _S.STOPPED}
            assert len(alive(launcher)) == sum(
                each.pid is not None for info in infos for each in info.processes
            )
        assert alive(launcher) == []


# -- its end --------------------------------------------------------------------------------


async def test_the_end_leaves_what_is_detached_and_nobody_waits_for_it(launcher: FakeLauncher) -> None:
    """Its start counts as over."""
    async with Manager(launcher=launcher) as manager:
        readiness = Readiness(seconds=NEVER)
        loading = begin(manager.load(template(detach=True, readiness=readiness)))
        await turns(10)
    await loading
    assert launcher.processes[0].signals == []


async def test_the_end_leaves_one_of_each_that_is_being_replaced(launcher: FakeLauncher) -> None:
    """The next manager would not look for the other."""
    async with Manager(launcher=launcher) as manager:
        await manager.load(template(detach=True))
        never = ProcessTemplate("web", "other", detach=True, readiness=Readiness(seconds=NEVER))
        update = begin(manager.update(never))
        await turns(10)
        heard = Heard(manager, "restart")
    with pytest.raises(ManagerError, match=ENDED_EARLY):
        await update
    assert [each.signals for each in launcher.processes] == [[], [signal.SIGTERM]]
    assert [event async for event in heard.stream] == []


async def test_a_listener_may_end_the_manager(launcher: FakeLauncher) -> None:
    """It is not waited for by itself."""
    over = asyncio.Event()

    async def hear(topic: str, message: dict[str, Any]) -> None:
        await manager.aclose()
        over.set()

    async with Manager(launcher=launcher) as manager:
        manager.subscribe("proc.web.ready", hear)
        await manager.load(template())
        async with asyncio.timeout(1):
            await over.wait()
    assert alive(launcher) == []


async def test_a_listener_may_ask_for_more(manager: Manager, launcher: FakeLauncher) -> None:
    """Whatever it is."""
    heard = Heard(manager, "proc.web.stop")

    async def hear(topic: str, message: dict[str, Any]) -> None:
        await manager.scale("web", "+1")
        await manager.restart("web")
        await manager.stop("web")

    manager.subscribe("proc.web.ready", hear, once=True)
    await manager.load(template())
    async with asyncio.timeout(1):
        await heard.until("proc.web.stop")
    assert alive(launcher) == []


def test_an_end_that_is_cancelled_before_it_begins_is_an_end() -> None:
    """The second Ctrl-C comes at once: the loop is closed, and nobody waits for ever."""
    launcher = FakeLauncher()

    async def main() -> None:
        manager = await Manager(launcher=launcher).__aenter__()
        await manager.load(template(numprocesses=2))
        end = begin(manager.aclose())
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait([end], timeout=1)
        assert end.cancelled()

    asyncio.run(main())
    assert alive(launcher) == []


def test_an_end_that_is_cancelled_lets_go_of_everything() -> None:
    """Of what was shared, too, when the processes are gone."""
    launcher = FakeLauncher()

    async def main() -> None:
        manager = await Manager(launcher=launcher).__aenter__()
        launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
        await manager.load(template(graceful_timeout=NEVER))
        end = begin(manager.aclose())
        await turns(10)
        assert not end.done()

    asyncio.run(main())
    assert (alive(launcher), launcher.closed) == ([], True)


def test_a_loop_that_is_closed_ends_the_processes() -> None:
    """Also when nobody has ended the manager."""
    launcher = FakeLauncher()

    async def main() -> None:
        manager = await Manager(launcher=launcher).__aenter__()
        await manager.load(template(numprocesses=2))

    asyncio.run(main())
    assert [each.signals for each in launcher.processes] == [[signal.SIGKILL]] * 2
    assert alive(launcher) == []
