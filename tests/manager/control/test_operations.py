"""What managers can be asked for by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from asynctask._version import __version__
from asynctask.errors import (
    LaunchError,
    ManagerError,
    ProcessNotFoundError,
    TemplateConflictError,
    TemplateError,
    TemplateNotFoundError,
    UsageError,
)
from asynctask.manager import Backoff, Manager, ProcessTemplate
from asynctask.manager.control.operations import OPERATIONS, STREAMS, perform, stream
from tests.manager.fakes import FakeLauncher

pytestmark = pytest.mark.one_loop("fakes")


async def load(manager: Manager, *names: str, **fields: Any) -> None:
    """Templates that run."""
    for name in names:
        await manager.load(ProcessTemplate(name, "serve", **fields))


async def do(manager: Manager, name: str, /, **params: Any) -> dict[str, Any]:
    """Perform it; JSON must have what comes of it."""
    answer = await perform(manager, name, params)
    assert json.loads(json.dumps(answer)) == answer
    return answer


def states(manager: Manager) -> dict[str, list[str]]:
    """Of all templates."""
    return {name: [each.state.value for each in manager.info(name).processes] for name in manager.list()}


async def refused(
    error: type[Exception], message: str, manager: Manager, name: str, /, **params: Any
) -> None:
    """It raises exactly this."""
    with pytest.raises(error) as caught:
        await perform(manager, name, params)
    assert (type(caught.value), str(caught.value)) == (error, message)


# -- what tells -----------------------------------------------------------------------------------


async def test_status(manager: Manager) -> None:
    """The manager itself."""
    await load(manager, "web", numprocesses=2)
    answer = await do(manager, "status")
    assert isinstance(answer.pop("started"), float)
    assert answer == {"name": "m", "templates": 1, "processes": 2, "version": __version__}


async def test_list_and_info(manager: Manager) -> None:
    """Names, and one template."""
    await load(manager, "web", env={"A": "secret"})
    assert await do(manager, "list") == {"names": ["web"]}
    info = await do(manager, "info", name="web")
    assert (info["name"], info["active"], info["template"]["command"]) == ("web", 1, "serve")
    assert "secret" not in json.dumps(info)
    assert (await do(manager, "info", name="web", show_env=True))["template"]["env"] == {"A": "secret"}


async def test_ps(manager: Manager) -> None:
    """All processes and what they take, of all templates or of patterns."""
    await load(manager, "web", "db")
    everything = await do(manager, "ps")
    assert [each["name"] for each in everything["processes"]] == ["web", "db"]
    assert [(each["cpu"], each["memory"]) for each in everything["processes"]] == [(1.5, 1000)] * 2
    some = await do(manager, "ps", names=["d*"], usage=False)
    assert some["templates"] == [
        {"name": "db", "numprocesses": 1, "wanted": True, "autostart": True, "active": 1, "nodes": None}
    ]
    assert [(each["name"], each["cpu"]) for each in some["processes"]] == [("db", None)]


async def test_a_process(manager: Manager) -> None:
    """By the manager's number."""
    await load(manager, "web")
    assert (await do(manager, "process", pid=1))["os_pid"] == 1001
    await refused(ProcessNotFoundError, "no process 9: it has ended, or never was", manager, "process", pid=9)


async def test_stats(manager: Manager) -> None:
    """Of all, or of one."""
    await load(manager, "web", "db")
    assert [each["name"] for each in (await do(manager, "stats"))["templates"]] == ["web", "db"]
    assert [each["cpu"] for each in (await do(manager, "stats", name="db"))["templates"]] == [1.5]


# -- what changes templates -----------------------------------------------------------------------


async def test_a_template_is_loaded_updated_and_unloaded(manager: Manager) -> None:
    """From plain data; started as its autostart says, or as is asked for."""
    assert await do(manager, "load", template={"name": "web", "command": "a"}, start=False) == {"name": "web"}
    assert states(manager) == {"web": ["stopped"]}
    assert await do(manager, "update", template={"name": "web", "command": "b"}) == {"name": "web"}
    assert manager.info("web").template.command == "b"
    await do(manager, "load", template={"name": "db", "command": "a"})
    assert states(manager)["db"] == ["running"]
    assert await do(manager, "unload", name="web") == {"name": "web"}
    assert manager.list() == ["db"]


async def test_a_template_that_cannot_be_loaded(manager: Manager) -> None:
    """The reason is that of the template, or of the manager."""
    with pytest.raises(TemplateError, match="numprocess"):
        await perform(manager, "load", {"template": {"name": "web", "command": "a", "numprocess": 2}})
    await load(manager, "web")
    with pytest.raises(TemplateConflictError):
        await perform(manager, "load", {"template": {"name": "web", "command": "a"}})


async def test_scale(manager: Manager) -> None:
    """To a number, or by one."""
    await load(manager, "web")
    assert await do(manager, "scale", name="web", n=3) == {"name": "web", "numprocesses": 3}
    assert await do(manager, "scale", name="web", n="-1") == {"name": "web", "numprocesses": 2}
    assert states(manager) == {"web": ["running"] * 2}


# -- what starts and stops ------------------------------------------------------------------------


async def test_stop_and_start(manager: Manager) -> None:
    """All, or those of patterns."""
    await load(manager, "web", "web2", "db")
    assert await do(manager, "stop", names=["web*"]) == {"names": ["web2", "web"]}
    assert states(manager) == {"web": ["stopped"], "web2": ["stopped"], "db": ["running"]}
    assert await do(manager, "start", name="web") == {"names": ["web"]}
    assert await do(manager, "start") == {"names": ["web", "web2", "db"]}
    assert states(manager) == {"web": ["running"], "web2": ["running"], "db": ["running"]}
    assert await do(manager, "stop") == {"names": ["web", "web2", "db"]}
    assert states(manager) == {"web": ["stopped"], "web2": ["stopped"], "db": ["stopped"]}


async def test_a_start_that_is_not_waited_for(manager: Manager, launcher: FakeLauncher) -> None:
    """It has begun when this returns."""
    await load(manager, "web", autostart=False)
    launcher.held = asyncio.Event()
    assert await do(manager, "start", names=["web"], wait=False) == {"names": ["web"]}
    assert states(manager) == {"web": ["starting"]}
    launcher.held.set()


async def test_the_order_of_templates_counts(manager: Manager, launcher: FakeLauncher) -> None:
    """What is named is started by it, and stopped the other way."""
    await load(manager, "late", order=2, autostart=False)
    await load(manager, "early", order=1, autostart=False)
    assert await do(manager, "start", names=["late", "early"]) == {"names": ["early", "late"]}
    assert [process.order.template.name for process in launcher.processes] == ["early", "late"]
    assert await do(manager, "stop", names=["late", "early"]) == {"names": ["late", "early"]}


async def test_restart(manager: Manager, launcher: FakeLauncher) -> None:
    """New processes, of all or of some."""
    await load(manager, "web", "db")
    assert await do(manager, "restart", names=["db"]) == {"names": ["db"]}
    assert await do(manager, "restart") == {"names": ["web", "db"]}
    assert [process.order.template.name for process in launcher.processes] == ["web", "db", "db", "web", "db"]


async def test_reload(manager: Manager, launcher: FakeLauncher) -> None:
    """Of what is named: to read the file is another thing."""
    await load(manager, "web")
    assert await do(manager, "reload", names=["web"]) == {"names": ["web"]}
    assert len(launcher.processes) == 2
    await refused(
        UsageError, "reload: names are missing; to read the file again is 'reread'", manager, "reload"
    )


async def test_what_fails_does_not_keep_the_rest(manager: Manager, launcher: FakeLauncher) -> None:
    """All are tried; one error is as it is, several are one."""
    await load(manager, "a", "b", "c", backoff=Backoff(attempts=1))
    launcher.plan.append(LaunchError("serve", "no"))
    with pytest.raises(ManagerError) as one:
        await perform(manager, "reload", {"names": ["*"]})
    assert len(launcher.processes) == 5
    launcher.plan.extend([LaunchError("serve", "no"), LaunchError("serve", "never")])
    with pytest.raises(ManagerError) as two:
        await perform(manager, "reload", {"names": ["*"]})
    assert str(one.value).startswith("a: ")
    assert str(two.value).startswith("a: ")
    assert "; b: " in str(two.value)


async def test_commit(manager: Manager, launcher: FakeLauncher) -> None:
    """One more process, once."""
    await load(manager, "web")
    assert await do(manager, "commit", name="web", env={"A": "1"}, graceful_timeout=2) == {
        "name": "web",
        "pid": 2,
    }
    assert launcher.processes[1].order.env == {"A": "1"}
    assert launcher.processes[1].order.template.graceful_timeout == 2


async def test_reread(manager: Manager) -> None:
    """Whoever has a file reads it again."""

    async def reread() -> dict[str, Any]:
        return {"added": ["web"]}

    assert await perform(manager, "reread", reread=reread) == {"added": ["web"]}
    await refused(
        ManagerError,
        "this manager was not started from a file: there is nothing to read again",
        manager,
        "reread",
    )


# -- what concerns processes ----------------------------------------------------------------------


async def test_one_process_is_stopped(manager: Manager) -> None:
    """The others go on."""
    await load(manager, "web", numprocesses=2)
    assert await do(manager, "stop_process", pid=1) == {"pid": 1}
    assert states(manager) == {"web": ["stopped", "running"]}


async def test_a_signal(manager: Manager, launcher: FakeLauncher) -> None:
    """By name or number, to a template or a process."""
    await load(manager, "web", numprocesses=2)
    for process in launcher.processes:
        process.ignores = frozenset({1, 10})
    assert await do(manager, "kill", target="web", signal="HUP") == {"signalled": 2}
    assert await do(manager, "kill", target=2, signal=10) == {"signalled": 1}
    assert [process.signals for process in launcher.processes] == [[1], [1, 10]]


async def test_input(manager: Manager, launcher: FakeLauncher) -> None:
    """Text or bytes; its end, with the last of them or alone."""
    await load(manager, "web", stdin=True)
    assert await do(manager, "send", target="web", data="a\n") == {"sent": 1}
    assert await do(manager, "send", target=1, data_base64="/w==", close=True) == {"sent": 1}
    assert await do(manager, "send", target=1, close=True) == {"sent": 1}
    assert await do(manager, "close_input", target=1) == {"closed": 1}
    ends = [("stdin", b"")] * 3
    assert launcher.processes[0].written == [("stdin", b"a\n"), ("stdin", b"\xff"), *ends]


# -- bad input ------------------------------------------------------------------------------------


async def test_an_operation_that_does_not_exist(manager: Manager) -> None:
    """The message has those that do."""
    there = f"there are: {', '.join(OPERATIONS)}, reread"
    await refused(UsageError, f"no operation 'explode'; {there}", manager, "explode")
    with pytest.raises(UsageError, match="no stream 'explode'; there are: events, output, monitor"):
        stream(manager, "explode")


NAME, NAMES, TARGET = {"name": "web"}, {"names": ["web"]}, {"target": "web"}
#: What operations cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "info": NAME,
    "process": {"pid": 1},
    "load": {"template": {"name": "x", "command": "x"}},
    "update": {"template": {"name": "web", "command": "x"}},
    "unload": NAME,
    "scale": {**NAME, "n": 2},
    "stop": NAMES,
    "restart": NAMES,
    "reload": NAMES,
    "commit": NAME,
    "stop_process": {"pid": 1},
    "kill": {**TARGET, "signal": 1},
    "send": TARGET,
    "close_input": TARGET,
}


@pytest.mark.parametrize("name", [*OPERATIONS, "reread"])
async def test_a_parameter_that_does_not_exist(name: str, manager: Manager) -> None:
    """Nothing is done: it may be a typing error."""
    await load(manager, "web", stdin=True)
    before = states(manager)
    await refused(
        UsageError, f"{name}: no such parameter: 'nmae'", manager, name, nmae=1, **NEEDED.get(name, {})
    )
    assert states(manager) == before


@pytest.mark.parametrize("name", list(STREAMS))
async def test_a_parameter_of_a_stream_that_does_not_exist(name: str, manager: Manager) -> None:
    """It is refused at the call."""
    with pytest.raises(UsageError, match=f"{name}: no such parameter: 'nmae'"):
        stream(manager, name, {"nmae": 1})


async def test_a_template_that_does_not_exist(manager: Manager) -> None:
    """Streams say so at the call, too."""
    await load(manager, "web")
    message = "no template 'x*'; there are: web"
    await refused(TemplateNotFoundError, message, manager, "stop", names=["web", "x*"])
    assert states(manager) == {"web": ["running"]}
    for name, params in (("output", {"names": ["x*"]}), ("monitor", {"name": "x"})):
        with pytest.raises(TemplateNotFoundError):
            stream(manager, name, params)


# -- what goes on ---------------------------------------------------------------------------------


def items(manager: Manager, name: str, /, **params: Any) -> Any:
    """A stream, closed at the end of the block."""
    return aclosing(cast("Any", stream(manager, name, params)))


async def take(stream: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """So many items."""
    return [await anext(stream) for _ in range(count)]


async def test_events(manager: Manager) -> None:
    """Those of a pattern, from the first look on, until the manager ends."""
    async with items(manager, "events", pattern="proc.web") as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        await load(manager, "db", "web")
        assert await first == {"topic": "proc.web.start", "event": "proc.web.start", "name": "web"}
        assert [event["topic"] for event in await take(events, 2)] == ["proc.web.spawn", "proc.web.ready"]
        await manager.aclose()
        assert [event["topic"] async for event in events][-1] == "proc.web.stop"


async def test_events_that_were_missed(manager: Manager) -> None:
    """They are counted in their place."""
    async with items(manager, "events", pattern="mine") as events:
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        manager.emitter.publish("mine", {"n": 0})
        await first
        for n in range(1, 10_004):
            manager.emitter.publish("mine", {"n": n})
            if n % 100 == 0:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        missed, *some = await take(events, 2)
    lost = missed["missed"]
    assert lost > 0
    assert some == [{"topic": "mine", "n": lost + 1}]


def printed(launcher: FakeLauncher, place: int, text: str, name: str = "stdout") -> None:
    """A process prints."""
    launcher.processes[place].ears.output(name, text.encode())


def lines(items: list[dict[str, Any]]) -> list[str]:
    """What was printed, by whom."""
    return [f"{each['name']} {each['stream']} {each['line']}" for each in items]


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({"lines": 10}, ["web stdout 1", "db stdout 2", "web stderr 3", "web2 stdout 4"]),
        ({"lines": 2}, ["web stderr 3", "web2 stdout 4"]),
        ({"lines": 1, "name": "web"}, ["web stderr 3"]),
        ({"lines": 2, "names": ["web*"]}, ["web stderr 3", "web2 stdout 4"]),
        ({"lines": 1, "stream": "stdout"}, ["web2 stdout 4"]),
        ({"lines": 1, "stream": "stdout", "name": "web"}, ["web stdout 1"]),
        ({}, []),
    ],
)
async def test_past_output(
    params: dict[str, Any], shown: list[str], manager: Manager, launcher: FakeLauncher
) -> None:
    """The last lines of those that are wanted; it ends there."""
    await load(manager, "web", "db", "web2")
    printed(launcher, 0, "1\n")
    printed(launcher, 1, "2\n")
    printed(launcher, 0, "3\n", "stderr")
    printed(launcher, 2, "4\n")
    async with items(manager, "output", follow=False, **params) as output:
        assert lines([item async for item in output]) == shown


async def test_output_goes_on_after_the_past(manager: Manager, launcher: FakeLauncher) -> None:
    """Each line once, also those that come while the past is read."""
    await load(manager, "web", "db")
    printed(launcher, 0, "1\n2\n")
    async with items(manager, "output", names=["web"], lines=5) as output:
        assert lines(await take(output, 1)) == ["web stdout 1"]
        printed(launcher, 0, "3\n")
        printed(launcher, 1, "other\n")
        assert lines(await take(output, 2)) == ["web stdout 2", "web stdout 3"]
        await manager.unload("web")
        assert [item async for item in output] == []


async def test_output_that_was_missed(manager: Manager, launcher: FakeLauncher) -> None:
    """It is counted in its place."""
    await load(manager, "web")
    async with items(manager, "output") as output:
        first = asyncio.ensure_future(anext(output))
        await asyncio.sleep(0)
        printed(launcher, 0, "first\n")
        await first
        printed(launcher, 0, "".join(f"{n}\n" for n in range(10_005)))
        missed, some = await take(output, 2)
    assert missed["missed"] >= 5
    assert some["line"] == str(missed["missed"])


async def test_monitor(manager: Manager) -> None:
    """What templates take, every so many seconds."""
    await load(manager, "web", "db")
    async with items(manager, "monitor", name="web", interval=0.1) as monitor:
        looks = await take(monitor, 2)
    assert [[each["name"] for each in look["templates"]] for look in looks] == [["web"], ["web"]]
