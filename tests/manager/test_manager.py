"""The manager as its users call it: orders, conflicts, its end."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.errors import (
    EmptyTargetsError,
    LaunchError,
    ManagerError,
    NodeSetError,
    ProcessNotFoundError,
    TaskStateError,
    TemplateConflictError,
    TemplateNotFoundError,
    UsageError,
)
from asynctask.manager import Backoff, LogFile, Manager, ProcessState, ProcessTemplate, Readiness
from tests.manager.fakes import FakeLauncher, FakeProcess, Heard

pytestmark = pytest.mark.one_loop("fakes")

NEVER = 600.0
S = ProcessState


def template(name: str = "web", **fields: Any) -> ProcessTemplate:
    """A template of processes that wait."""
    return ProcessTemplate(name, "serve", **fields)


# -- templates ------------------------------------------------------------------------------


async def test_a_template_is_loaded_once(manager: Manager) -> None:
    """What runs is untouched by the second."""
    await manager.load(template())
    with pytest.raises(TemplateConflictError) as caught:
        await manager.load(template())
    assert str(caught.value) == (
        "template 'web' is loaded already; update() replaces it, unload() takes it away"
    )
    assert [each.pid for each in manager.info("web").processes] == [1]


async def test_two_loads_at_once_are_a_conflict_too(manager: Manager) -> None:
    """The nodes of the first are still being looked up."""
    results = await asyncio.gather(
        *(manager.load(template(nodes="n1")) for _ in range(2)), return_exceptions=True
    )
    assert [type(each) for each in results] == [type(None), TemplateConflictError]


@pytest.mark.parametrize(
    "call",
    [
        lambda manager: manager.start("cron"),
        lambda manager: manager.stop("cron"),
        lambda manager: manager.restart("cron"),
        lambda manager: manager.reload("cron"),
        lambda manager: manager.unload("cron"),
        lambda manager: manager.update(template("cron")),
        lambda manager: manager.scale("cron", 1),
        lambda manager: manager.commit("cron"),
        lambda manager: manager.kill("cron", 15),
        lambda manager: manager.send("cron", b""),
        lambda manager: manager.close_input("cron"),
        lambda manager: manager.stats("cron"),
    ],
)
async def test_a_template_that_is_not_loaded_is_named(manager: Manager, call: Any) -> None:
    """With those that are."""
    await manager.load(template(), start=False)
    with pytest.raises(TemplateNotFoundError) as caught:
        await call(manager)
    assert str(caught.value) == "no template 'cron' is loaded; there are: web"


@pytest.mark.parametrize(
    "call",
    [
        lambda manager: manager.stop_process(7),
        lambda manager: manager.kill(7, 15),
        lambda manager: manager.send(7, b""),
        lambda manager: manager.close_input(7),
    ],
)
async def test_a_process_that_is_not_there_is_named(manager: Manager, call: Any) -> None:
    """By its number."""
    with pytest.raises(ProcessNotFoundError) as caught:
        await call(manager)
    assert str(caught.value) == "no process 7: it has ended, or never was"


async def test_nodes_that_are_none_are_refused(manager: Manager) -> None:
    """Nothing is loaded."""
    with pytest.raises(EmptyTargetsError):
        await manager.load(template(nodes="n1!n1"))
    with pytest.raises(NodeSetError):
        await manager.load(template("other", nodes="@nosuchgroup"))
    assert manager.list() == []


async def test_autostart_is_a_matter_of_the_template_and_the_call(manager: Manager) -> None:
    """The call has the last word."""
    await manager.load(template("a", autostart=False))
    await manager.load(template("b"), start=False)
    await manager.load(template("c", autostart=False), start=True)
    assert [manager.info(name).active for name in "abc"] == [0, 0, 1]


async def test_update_of_policies_replaces_no_process(manager: Manager, launcher: FakeLauncher) -> None:
    """The new stop signal counts at once."""
    await manager.load(template())
    await manager.update(template(stop_signal="INT", numprocesses=2))
    assert [each.pid for each in manager.info("web").processes] == [1, 2]
    await manager.stop("web")
    assert [each.signals for each in launcher.processes] == [[signal.SIGINT], [signal.SIGINT]]


async def test_update_of_what_is_run_replaces_the_processes(manager: Manager, launcher: FakeLauncher) -> None:
    """One after the other, each once."""
    await manager.load(template(numprocesses=2))
    heard = Heard(manager, "proc.web")
    await manager.update(ProcessTemplate("web", "serve --fast", numprocesses=2))
    assert await heard.until("proc.web.reap", 2) == [
        "proc.web.spawn 3",
        "proc.web.ready 3",
        "proc.web.exit 1 signal 15",
        "proc.web.stop_pid 1",
        "proc.web.reap 1",
        "proc.web.spawn 4",
        "proc.web.ready 4",
        "proc.web.exit 2 signal 15",
        "proc.web.stop_pid 2",
        "proc.web.reap 2",
    ]


async def test_update_of_nodes_moves_the_processes(manager: Manager) -> None:
    """Those that stay are not touched."""
    await manager.load(template(nodes="n[1-2]"))
    await manager.update(template(nodes="n[2-3]"))
    assert [(each.node, each.pid) for each in manager.info("web").processes] == [("n2", 2), ("n3", 3)]


# -- order ----------------------------------------------------------------------------------


async def test_templates_start_in_their_order_and_stop_the_other_way(
    manager: Manager, launcher: FakeLauncher
) -> None:
    """Each is ready before the next starts."""
    for name, order in (("web", 2), ("db", 0), ("cache", 1)):
        await manager.load(template(name, order=order), start=False)
    heard = Heard(manager, "proc")
    await manager.start()
    await manager.stop()
    events = await heard.until("proc.db.stop")
    assert [event.split()[0] for event in events if "spawn" in event or "exit" in event] == [
        "proc.db.spawn",
        "proc.cache.spawn",
        "proc.web.spawn",
        "proc.web.exit",
        "proc.cache.exit",
        "proc.db.exit",
    ]


async def test_a_stop_of_all_breaks_off_a_start_of_all(manager: Manager, launcher: FakeLauncher) -> None:
    """What was not started yet is not."""
    await manager.load(template("db", readiness=Readiness(line="listening")), start=False)
    await manager.load(template("web", order=1), start=False)
    heard = Heard(manager)
    starting = asyncio.create_task(manager.start())
    await heard.until("proc.db.spawn")
    await manager.stop()
    await starting
    assert [process.order.template.name for process in launcher.processes] == ["db"]


@pytest.mark.parametrize("turns", range(1, 7))
async def test_the_last_wish_for_all_counts_for_each(
    manager: Manager, launcher: FakeLauncher, turns: int
) -> None:
    """However far the first has come: it wishes nothing any more."""
    for name in "abcd":
        await manager.load(template(name), start=False)
    starting = asyncio.create_task(manager.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    await manager.stop()
    await starting
    assert [manager.info(name).wanted for name in "abcd"] == [False] * 4
    assert all(process.closed for process in launcher.processes)


async def test_a_start_that_is_not_waited_for_goes_on(manager: Manager) -> None:
    """By order, too."""
    await manager.load(template("db"), start=False)
    await manager.load(template("web", order=1), start=False)
    heard = Heard(manager, "ready")
    await manager.start(wait=False)
    assert manager.status().processes == 0
    assert await heard.until("ready", 2) == ["ready", "ready"]


async def test_restart_of_all_goes_by_order(manager: Manager) -> None:
    """Each is back before the next goes."""
    await manager.load(template("db"))
    await manager.load(template("web", order=1))
    heard = Heard(manager, "proc")
    await manager.restart()
    events = await heard.until("proc.web.ready")
    assert [event.split()[0] for event in events if "spawn" in event or "exit" in event] == [
        "proc.db.exit",
        "proc.db.spawn",
        "proc.web.exit",
        "proc.web.spawn",
    ]


# -- single processes -----------------------------------------------------------------------


async def test_a_signal_goes_to_one_or_to_all(manager: Manager, launcher: FakeLauncher) -> None:
    """By number, by name; what it does is theirs to decide."""
    launcher.plan.extend(FakeProcess(ignores=[signal.SIGHUP]) for _ in range(2))
    await manager.load(template(numprocesses=2))
    assert await manager.kill(2, "HUP") == 1
    assert await manager.kill("web", "SIGHUP") == 2
    assert [each.signals for each in launcher.processes] == [[signal.SIGHUP], [signal.SIGHUP] * 2]
    with pytest.raises(UsageError):
        await manager.kill("web", "NOPE")


async def test_input_goes_to_one_or_to_all(manager: Manager, launcher: FakeLauncher) -> None:
    """And can be ended."""
    await manager.load(template(numprocesses=2, stdin=True))
    assert await manager.send("web", b"all\n") == 2
    assert await manager.send(2, b"one\n") == 1
    assert await manager.close_input("web") == 2
    assert [each.written for each in launcher.processes] == [
        [("stdin", b"all\n"), ("stdin", b"")],
        [("stdin", b"all\n"), ("stdin", b"one\n"), ("stdin", b"")],
    ]


async def test_a_process_without_input_says_so(manager: Manager) -> None:
    """It is the caller's mistake."""
    await manager.load(template())
    with pytest.raises(ManagerError) as caught:
        await manager.send("web", b"x")
    assert str(caught.value) == "it has no stream 'stdin'"


async def test_a_commit_needs_to_know_where(manager: Manager) -> None:
    """Of several nodes one has to be chosen."""
    await manager.load(template(nodes="n[1-2]"), start=False)
    for node, reason in ((None, "say which of its nodes"), ("n3", "it does not run on n3")):
        with pytest.raises(UsageError) as caught:
            await manager.commit("web", node=node)
        assert str(caught.value) == f"web: {reason}"
    pid = await manager.commit("web", node="n2")
    assert manager.process(pid).node == "n2"


async def test_a_commit_takes_no_environment_that_is_none(manager: Manager, launcher: FakeLauncher) -> None:
    """Nothing is started."""
    await manager.load(template(), start=False)
    with pytest.raises(UsageError) as caught:
        await manager.commit("web", env={"A": "\ud800"})
    assert str(caught.value) == "env: A: it cannot hold half a character, a lone surrogate"
    assert launcher.attempts == 0


async def test_a_commit_that_cannot_start_raises(manager: Manager, launcher: FakeLauncher) -> None:
    """Nothing is left of it."""
    launcher.plan.append(LaunchError("serve", "no such program"))
    await manager.load(template(), start=False)
    with pytest.raises(LaunchError) as caught:
        await manager.commit("web")
    assert str(caught.value) == "serve: no such program"
    assert [each.pid for each in manager.info("web").processes] == [None]


async def test_a_stop_ends_what_is_run_once_too(manager: Manager, launcher: FakeLauncher) -> None:
    """After its own grace."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    await manager.load(template(graceful_timeout=NEVER), start=False)
    await manager.commit("web", graceful_timeout=0.001)
    await manager.stop("web")
    assert launcher.processes[0].signals == [signal.SIGTERM, signal.SIGKILL]


# -- its end --------------------------------------------------------------------------------


async def test_leaving_the_block_stops_all_but_the_detached(launcher: FakeLauncher) -> None:
    """These go on, and nobody says that they have ended."""
    async with Manager(launcher=launcher) as manager:
        await manager.load(template())
        await manager.load(template("far", detach=True))
        heard = Heard(manager)
    events = [event.topic async for event in heard.stream]
    assert events == [
        "exit",
        "proc.web.exit",
        "stop_pid",
        "proc.web.stop_pid",
        "reap",
        "proc.web.reap",
        "stop",
        "proc.web.stop",
    ]
    assert [each.signals for each in launcher.processes] == [[signal.SIGTERM], []]
    assert [each.closed for each in launcher.processes] == [True, True]
    assert launcher.closed


async def test_strays_of_templates_that_are_not_there_are_ended(tmp_path: Path) -> None:
    """Those of templates that are there, or are spared, are left."""
    names = ("gone", "kept", "now_attached", "spared")
    async with Manager(state_dir=tmp_path) as manager:
        for name in names:
            await manager.load(ProcessTemplate(name, ["sleep", "60"], detach=True))
        pids = {name: manager.info(name).processes[0].os_pid for name in names}
    async with Manager(state_dir=tmp_path) as manager:
        await manager.load(template("kept", detach=True), start=False)
        await manager.load(template("now_attached"), start=False)
        assert await manager.end_strays(spare=["spared", "now_attached"]) == [
            f"{name}.1 (pid {pids[name]})" for name in ("gone", "now_attached")
        ]
        ended = await manager.end_strays(spare=[])
        assert ended == [f"spared.1 (pid {pids['spared']})"]
        await manager.unload("kept")
        assert await manager.end_strays() == [f"kept.1 (pid {pids['kept']})"]
    for pid in pids.values():  # they are children of this program all the same
        os.waitpid(pid or -1, 0)


async def test_a_cancelled_block_gives_no_grace(launcher: FakeLauncher) -> None:
    """KILL at once, and nothing is left."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    running = asyncio.Event()

    async def main() -> None:
        async with Manager(launcher=launcher) as manager:
            await manager.load(template(graceful_timeout=NEVER))
            running.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(main())
    await running.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert launcher.processes[0].signals[-1] == signal.SIGKILL
    assert launcher.processes[0].closed


async def test_a_cancelled_end_is_brought_to_its_end(launcher: FakeLauncher) -> None:
    """The cancellation is raised after it."""
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    manager = Manager(launcher=launcher)
    await manager.__aenter__()
    await manager.load(template(graceful_timeout=NEVER))
    closing = asyncio.create_task(manager.aclose())
    for _ in range(10):
        await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert launcher.processes[0].closed
    await manager.aclose()  # again does nothing


async def test_a_manager_that_is_not_open_does_nothing(launcher: FakeLauncher) -> None:
    """Before its block, and after it."""
    manager = Manager(launcher=launcher)
    with pytest.raises(TaskStateError, match="not open"):
        await manager.load(template())
    async with manager:
        pass
    with pytest.raises(TaskStateError, match="closing, or closed"):
        await manager.start()
    with pytest.raises(TaskStateError, match="entered once"):
        await manager.__aenter__()


async def test_an_emitter_that_was_given_stays_open(launcher: FakeLauncher) -> None:
    """It is its owner's."""
    topics: list[str] = []
    async with EventEmitter() as emitter:
        emitter.subscribe(".", lambda topic, message: topics.append(topic))
        async with Manager(launcher=launcher, emitter=emitter) as manager:
            await manager.load(template(), start=False)
        assert not emitter.closed
    assert topics == ["create"]


async def test_a_log_file_is_written(manager: Manager, launcher: FakeLauncher, tmp_path: Any) -> None:
    """Byte for byte, with what is unfinished at the end."""
    path = tmp_path / "web.log"
    await manager.load(template(stdout=LogFile(path=str(path)), restart="never"))
    launcher.processes[0].ears.output("stdout", b"one\ntwo\r\n\xff")
    await manager.stop("web")
    assert manager._services is not None
    assert await manager._services.hub.flush()
    assert path.read_bytes() == b"one\ntwo\r\n\xff"


async def test_reading_output_with_its_history(manager: Manager, launcher: FakeLauncher) -> None:
    """The last lines first, then those that come."""
    await manager.load(template())
    launcher.processes[0].ears.output("stdout", b"1\n2\n3\n")
    with manager.output("web", history=2) as lines:
        launcher.processes[0].ears.output("stderr", b"4\n")
        got = [await anext(lines) for _ in range(3)]
    assert [(each.stream, each.line, each.pid) for each in got] == [
        ("stdout", b"2", 1),
        ("stdout", b"3", 1),
        ("stderr", b"4", 1),
    ]


async def test_back_off_can_be_told_from_a_stop(manager: Manager, launcher: FakeLauncher) -> None:
    """What is wanted and what is are two things."""
    launcher.plan.append(LaunchError("serve", "no such program"))
    await manager.load(template(backoff=Backoff(initial=NEVER, maximum=NEVER)))
    info = manager.info("web")
    assert (info.wanted, info.active, info.processes[0].state) == (True, 0, S.BACKOFF)
    await manager.stop("web")
    info = manager.info("web")
    assert (info.wanted, info.active, info.processes[0].state) == (False, 0, S.STOPPED)
