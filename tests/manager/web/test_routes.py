"""What there is over HTTP."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from asynctask.manager.control.operations import OPERATIONS
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.web.routes import ROUTES
from tests.manager.web.support import Web, web

WEB = ProcessTemplate("web", "server", numprocesses=2, stdin=True)
DB = ProcessTemplate("db", "database")


def states(served: Web, name: str) -> list[str]:
    """Of the places of a template."""
    return [each.state.value for each in served.manager.info(name).processes]


@pytest.mark.one_loop("it is a table")
def test_every_operation_can_be_asked_for() -> None:
    """HTTP leaves nothing out."""
    assert {operation for operation, _ in ROUTES.values()} == {*OPERATIONS, "reread"}


async def test_what_is_told() -> None:
    """Of the manager, its templates and its processes."""
    async with web(WEB, DB) as served:
        status = (await served.ask("GET", "/api/status"))[1]
        names = await served.ask("GET", "/api/templates")
        ps = (await served.ask("GET", "/api/ps?names=w*&usage=false"))[1]
        info = (await served.ask("GET", "/api/templates/web"))[1]
        process = (await served.ask("GET", "/api/processes/1"))[1]
        stats = (await served.ask("GET", "/api/templates/web/stats"))[1]
        every = (await served.ask("GET", "/api/stats"))[1]
        index = (await served.ask("GET", "/api"))[1]

    assert (status["templates"], status["processes"]) == (2, 3)
    assert names == (200, {"names": ["web", "db"]})
    assert [(each["name"], each["index"], each["cpu"]) for each in ps["processes"]] == [
        ("web", 0, None),
        ("web", 1, None),
    ]
    assert info["template"]["command"] == "server"
    assert (process["pid"], process["os_pid"], process["state"]) == (1, 1001, "running")
    assert [each["name"] for each in stats["templates"]] == ["web"]
    assert [each["cpu"] for each in every["templates"]] == [3.0, 1.5]
    assert "POST /api/templates/{name}/scale" in index["operations"]


async def test_what_changes_templates() -> None:
    """Loaded, changed, scaled, taken away."""
    async with web() as served:
        loaded = await served.ask(
            "POST", "/api/templates", {"template": {"name": "a", "command": "x"}, "start": True}
        )
        assert (loaded, states(served, "a")) == ((201, {"name": "a"}), ["running"])

        updated = await served.ask(
            "PUT", "/api/templates/a", {"template": {"command": "x", "graceful_timeout": 1.0}}
        )
        assert (updated, served.manager.info("a").template.graceful_timeout) == ((200, {"name": "a"}), 1.0)

        scaled = await served.ask("POST", "/api/templates/a/scale", {"n": "+2"})
        assert (scaled, len(states(served, "a"))) == ((200, {"name": "a", "numprocesses": 3}), 3)

        assert await served.ask("DELETE", "/api/templates/a") == (200, {"name": "a"})
        assert served.manager.list() == []


@pytest.mark.parametrize("where", ["/api", "/api/templates/web"])
async def test_what_starts_and_stops(where: str) -> None:
    """One template, or all."""
    async with web(WEB) as served:
        assert await served.ask("POST", f"{where}/stop") == (200, {"names": ["web"]})
        assert states(served, "web") == ["stopped", "stopped"]
        assert await served.ask("POST", f"{where}/start") == (200, {"names": ["web"]})
        assert await served.ask("POST", f"{where}/restart") == (200, {"names": ["web"]})
        assert states(served, "web") == ["running", "running"]
        assert len(served.launcher.processes) == 6


async def test_what_concerns_processes() -> None:
    """One by its number, or all of a template."""
    async with web(WEB) as served:
        launched = served.launcher.processes
        assert await served.ask("POST", "/api/templates/web/send", {"data": "hé\n"}) == (200, {"sent": 2})
        assert await served.ask("POST", "/api/processes/2/send", {"data_base64": "/w=="}) == (
            200,
            {"sent": 1},
        )
        assert await served.ask("POST", "/api/processes/2/close-input") == (200, {"closed": 1})
        assert await served.ask("POST", "/api/templates/web/close-input") == (200, {"closed": 2})
        for process in launched:
            process.ignores = frozenset({signal.SIGHUP})
        assert await served.ask("POST", "/api/templates/web/kill", {"signal": "HUP"}) == (
            200,
            {"signalled": 2},
        )
        assert await served.ask("POST", "/api/processes/1/kill", {"signal": 1}) == (200, {"signalled": 1})
        assert await served.ask("POST", "/api/processes/2/stop") == (200, {"pid": 2})
        assert await served.ask("POST", "/api/templates/web/commit", {"env": {"A": "1"}}) == (
            201,
            {"name": "web", "pid": 3},
        )
        assert await served.ask("POST", "/api/templates/web/reload") == (200, {"names": ["web"]})

    assert launched[0].written == [("stdin", b"h\xc3\xa9\n"), ("stdin", b"")]
    assert launched[1].written == [
        ("stdin", b"h\xc3\xa9\n"),
        ("stdin", b"\xff"),
        ("stdin", b""),
        ("stdin", b""),
    ]
    assert launched[0].signals[:2] == [signal.SIGHUP, signal.SIGHUP]


async def test_the_file_is_read_again() -> None:
    """By whoever can."""

    async def reread() -> dict[str, Any]:
        return {"added": ["a"]}

    async with web(reread=reread) as served:
        assert await served.ask("POST", "/api/reread") == (200, {"added": ["a"]})
    async with web() as served:
        assert (await served.ask("POST", "/api/reread"))[0] == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/api/ps?nmes=web", None, 400, "no such parameter: 'nmes'"),
        ("GET", "/api/ps?usage=1", None, 400, "usage: '1' is neither true nor false"),
        ("GET", "/api/status?token=x", None, 400, "no such parameter: 'token'"),
        ("GET", "/api/output?lines=-1", None, 400, "lines: '-1' is no whole number"),
        ("GET", "/api/output?lines=" + "9" * 50, None, 400, "lines is too large"),
        ("GET", "/api/output?lines=1&lines=2", None, 400, "lines is given twice"),
        ("GET", "/api/output?names=none", None, 404, "no template 'none'; there are: web"),
        ("GET", "/api/monitor?name=none", None, 404, "no template 'none' is loaded; there are: web"),
        ("GET", "/api/events?pattern=a..b", None, 400, "pattern 'a..b': a component is empty"),
        ("POST", "/api/templates/w*/stop", None, 404, "no template 'w*' is loaded; there are: web"),
        (
            "POST",
            "/api/templates/web/stop",
            {"names": ["x"]},
            400,
            "names is given in the path, so not in the body",
        ),
        (
            "POST",
            "/api/templates/web/stop",
            {"name": "x"},
            400,
            "names is given in the path, so not in the body",
        ),
        ("POST", "/api/templates/web/scale", {}, 400, "scale: n is missing"),
        ("POST", "/api/templates/web/scale", {"n": 1, "m": 2}, 400, "scale: no such parameter: 'm'"),
        (
            "PUT",
            "/api/templates/web",
            {"template": {"name": "x"}},
            400,
            "the path names template 'web', the body another one",
        ),
        ("PUT", "/api/templates/web", {"template": 3}, 400, "update: template: an object is needed"),
        ("POST", "/api/processes/99/stop", None, 404, "no process 99: it has ended, or never was"),
    ],
)
async def test_what_is_asked_for_wrongly(
    method: str, path: str, body: object, status: int, reason: str
) -> None:
    """Nothing is done, and the reason is told."""
    async with web(WEB) as served:
        assert await served.ask(method, path, body) == (status, {"error": reason})
        assert states(served, "web") == ["running", "running"]


async def test_events_are_followed_from_now_on() -> None:
    """And from where a client was, when it comes back."""
    async with web(WEB) as served:
        with await served.follow("/api/events?pattern=proc.web.stop_pid") as events:
            await served.manager.stop_process(1)
            assert await events.next() == (
                "event",
                {"topic": "proc.web.stop_pid", "event": "proc.web.stop_pid", "name": "web", "pid": 1},
            )
            last = events.last_id
        await served.manager.stop_process(2)
        with await served.follow("/api/events?pattern=proc.web.stop_pid", last) as events:
            missed = await events.next()
        with await served.follow("/api/events", "old:1:0:0") as events:
            lost = await events.next()

    assert missed is not None
    assert missed[1]["pid"] == 2
    assert lost == ("missed", {"what": "events", "count": None})


async def test_output_is_followed() -> None:
    """History, then what comes; and from where a client was."""
    async with web(WEB, DB) as served:
        first, _, other = served.launcher.processes
        first.ears.output("stdout", b"one\ntwo\n")
        other.ears.output("stdout", b"not this\n")
        with await served.follow("/api/output?names=web&lines=1") as output:
            assert said(await output.next()) == ("web", "stdout", "two")
            first.ears.output("stderr", b"\xff\n")
            assert said(await output.next()) == ("web", "stderr", "\ufffd")
            last = output.last_id
        first.ears.output("stdout", b"three\n")
        with await served.follow("/api/output?names=web&lines=1", last) as output:
            assert said(await output.next()) == ("web", "stdout", "three")


def said(event: tuple[str, Any] | None) -> tuple[str, str, str]:
    """Of an event of output: whose it is, and the line."""
    assert event is not None
    assert event[0] == "output"
    return event[1]["name"], event[1]["stream"], event[1]["line"]


async def test_what_processes_take_is_followed() -> None:
    """The first look comes at once."""
    async with web(WEB, DB) as served:
        with await served.follow("/api/monitor?name=db") as monitor:
            event = await monitor.next()

    assert event is not None
    assert event[0] == "stats"
    assert [(each["name"], each["cpu"]) for each in event[1]["templates"]] == [("db", 1.5)]


async def test_all_is_followed_in_one_connection() -> None:
    """For the page: a browser opens six at most."""
    async with web(WEB) as served:
        with await served.follow("/api/live?names=web&lines=5") as live:
            found = {(await live.next() or ("end", None))[0]}
            served.launcher.processes[0].ears.output("stdout", b"line\n")
            found.add((await live.next() or ("end", None))[0])
            stopping = asyncio.create_task(served.manager.stop("web"))
            found.add((await live.next() or ("end", None))[0])
            await stopping

    assert found == {"stats", "output", "event"}


async def test_prometheus_reads_metrics() -> None:
    """In its own format."""
    async with web(WEB) as served, served.http.get("/metrics") as answer:
        text = await answer.text()

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'asynctask_processes{template="web",node="",state="running"} 2\n' in text
    assert 'asynctask_process_cpu_ratio{template="web",node="",index="1"} 0.015\n' in text
