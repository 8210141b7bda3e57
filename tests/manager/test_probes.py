"""Tests of asynctask.manager.probes."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, cast

import anyio
import pytest
import pytest_asyncio

from asynctask.emitter import EventEmitter
from asynctask.errors import LaunchError
from asynctask.manager import probes
from asynctask.manager.launching import Running
from asynctask.manager.output import Outlet, OutputHub
from asynctask.manager.probes import wait_ready, watch_alive
from asynctask.manager.template import Liveness, ProcessTemplate, Readiness
from asynctask.ssh.resolve import Resolver
from tests.support import turns


class _Process:
    """A process beside which commands are run, and end as they are told: a number, or an exception."""

    def __init__(self, *codes: int | Exception) -> None:
        self.codes = list(codes)
        self.asked: list[tuple[list[str], float]] = []

    async def check(self, command: list[str], timeout: float) -> bool:
        self.asked.append((command, timeout))
        await asyncio.sleep(0)
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        if isinstance(code, Exception):
            raise code
        return code == 0


@pytest_asyncio.fixture
async def outlet() -> AsyncIterator[Outlet]:
    """Where a process prints to."""
    async with EventEmitter() as emitter:
        hub = OutputHub(emitter)
        yield hub.outlet("web", 7, 0, None, _template(Readiness(line="^ready")))
        await hub.aclose()


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    """A port that takes connections."""
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _template(readiness: Readiness | None = None, liveness: Liveness | None = None) -> ProcessTemplate:
    return ProcessTemplate("web", "true", readiness=readiness or Readiness(), liveness=liveness)


def _ready(
    outlet: Outlet, process: _Process | None = None, node: str | None = None, **readiness: Any
) -> Awaitable[str | None]:
    running = cast(Running, process or _Process(0))
    return wait_ready(_template(Readiness(**readiness)), running, outlet, node, 0)


def _alive(process: _Process | None = None, node: str | None = None, **liveness: Any) -> Awaitable[str]:
    options = {"interval": 0.001, "timeout": 20.0, **liveness}
    running = cast(Running, process or _Process(0))
    return watch_alive(_template(liveness=Liveness(**options)), running, node, 0, chance=lambda: 0.5)


# -- ready ---------------------------------------------------------------------------------------


async def test_who_asks_for_nothing_is_ready(outlet: Outlet) -> None:
    """At once."""
    assert await _ready(outlet) is None


async def test_a_process_is_ready_when_it_has_lived_long_enough(outlet: Outlet) -> None:
    """Not before; its timeout does not matter."""
    began = monotonic()
    assert await _ready(outlet, seconds=0.03, timeout=0.001) is None
    assert monotonic() - began >= 0.029


async def test_seconds_count_from_the_start_and_besides(outlet: Outlet) -> None:
    """Both are needed."""
    began = monotonic()
    outlet.output("stdout", b"ready\n")
    assert await _ready(outlet, line="^ready", seconds=0.03) is None
    assert monotonic() - began >= 0.029


async def test_a_line_makes_it_ready(outlet: Outlet) -> None:
    """When it comes."""
    waiter = asyncio.ensure_future(_ready(outlet, line="^ready"))
    await turns(5)
    assert not waiter.done()
    outlet.output("stdout", b"ready\n")
    assert await waiter is None


@pytest.mark.parametrize("place", ["$PORT", "127.0.0.1:${PORT}"])
async def test_the_own_port_of_a_process(outlet: Outlet, port: int, closed_port: int, place: str) -> None:
    """Each has another."""
    running = cast(Running, _Process(0))
    alive = Liveness(tcp=place, interval=0.001, failures=1)
    template = ProcessTemplate(
        "web", "true", port=port - 1, readiness=Readiness(tcp=place, timeout=0.01), liveness=alive
    )
    assert await wait_ready(template, running, outlet, None, 1) is None
    template = replace(template, port=closed_port)
    refused = f"no connection to 127.0.0.1:{closed_port}: Connection refused"
    assert await wait_ready(template, running, outlet, None, 0) == f"{refused}, after 0.01 s"
    assert await watch_alive(template, running, None, 0) == refused


async def test_a_line_that_does_not_come(outlet: Outlet) -> None:
    """In time, or any more: both are told."""
    assert await _ready(outlet, line="^ready", timeout=0.01) == "no line has '^ready' after 0.01 s"
    outlet.close()
    assert await _ready(outlet, line="^ready") == "its output has ended, and no line has '^ready'"


@pytest.mark.parametrize("place", ["{}", "127.0.0.1:{}", "localhost:{}"])
async def test_an_open_port_makes_it_ready(outlet: Outlet, port: int, place: str) -> None:
    """Here, or at its host."""
    assert await _ready(outlet, tcp=place.format(port)) is None


async def test_a_port_that_opens_later_makes_it_ready(outlet: Outlet, closed_port: int) -> None:
    """It is looked at again and again."""
    waiter = asyncio.ensure_future(_ready(outlet, tcp=str(closed_port), interval=0.005))
    await asyncio.sleep(0.02)
    assert not waiter.done()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", closed_port)
    async with server:
        assert await waiter is None


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Where connections were refused, all of them."""
    tried: list[tuple[str, int]] = []

    async def connect(address: str, port: int) -> None:
        tried.append((address, port))
        raise ConnectionRefusedError(errno.ECONNREFUSED, "in the words of a loop")

    monkeypatch.setattr(probes, "_connect", connect)
    return tried


async def test_a_port_that_stays_closed(outlet: Outlet, refused: list[tuple[str, int]]) -> None:
    """Why is told, with the port."""
    why = await _ready(outlet, tcp="80", interval=0.005, timeout=0.02)
    assert why == "no connection to 127.0.0.1:80: Connection refused, after 0.02 s"
    assert refused[:4] == [("127.0.0.1", 80), ("::1", 80)] * 2


async def test_the_port_of_a_process_on_a_node_is_there(
    outlet: Outlet, refused: list[tuple[str, int]]
) -> None:
    """A node is a host; one that the template names comes first."""
    assert await _ready(outlet, node="127.0.0.2", tcp="80", timeout=0.001) == (
        "no connection to 127.0.0.2:80: Connection refused, after 0.001 s"
    )
    assert await _ready(outlet, node="127.0.0.2", tcp="[::1]:80", timeout=0.001) == (
        "no connection to [::1]:80: Connection refused, after 0.001 s"
    )
    assert set(refused) == {("127.0.0.2", 80), ("::1", 80)}


async def test_who_connects_to_itself_has_found_nobody(
    closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It happens with a port that the system may give to anybody."""
    plain = socket.socket

    def bound(family: int, kind: int) -> socket.socket:
        made = plain(family, kind)
        with suppress(OSError):
            made.bind(("127.0.0.1", closed_port))
        return made

    monkeypatch.setattr(socket, "socket", bound)
    with pytest.raises(ConnectionRefusedError):
        await probes._connect("127.0.0.1", closed_port)


async def test_a_port_that_does_not_answer(outlet: Outlet, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never hangs."""
    monkeypatch.setattr(probes, "_connect", lambda address, port: asyncio.sleep(20))
    assert await _ready(outlet, tcp="80", timeout=0.02) == (
        "no connection to 127.0.0.1:80: no answer in time, after 0.02 s"
    )


async def test_a_host_that_is_unknown(outlet: Outlet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Perhaps it will be known."""

    async def addresses(self: object, host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(Resolver, "addresses", addresses)
    assert await _ready(outlet, tcp="nowhere:80", timeout=0.01) == (
        "nowhere:80: Name or service not known, after 0.01 s"
    )


async def test_a_command_makes_it_ready(outlet: Outlet) -> None:
    """When it exits with 0; text goes to a shell."""
    process = _Process(1, LaunchError("test", "no room", temporary=True), 0)
    assert await _ready(outlet, process, command="test -e ready", interval=0.001) is None
    assert [command for command, _ in process.asked] == [["/bin/sh", "-c", "test -e ready"]] * 3
    assert all(59 < timeout <= 60 for _, timeout in process.asked)


async def test_a_command_that_fails(outlet: Outlet) -> None:
    """Its first word is told; the rest may be secret."""
    process = _Process(1)
    why = await _ready(outlet, process, command=["curl", "--user", "me:secret"], timeout=0.01)
    assert why == "command curl does not exit with 0, after 0.01 s"
    assert process.asked[0][0] == ["curl", "--user", "me:secret"]


async def test_a_command_that_nobody_can_run(outlet: Outlet) -> None:
    """Why is told."""
    process = _Process(LaunchError("web", "no descriptor is left", temporary=True))
    why = await _ready(outlet, process, command="true", timeout=0.01)
    assert why == "web: no descriptor is left, after 0.01 s"


# -- alive ---------------------------------------------------------------------------------------


async def test_failures_in_a_row_are_its_death() -> None:
    """One that succeeds in between is enough to live."""
    process = _Process(1, 1, 0, 1, 1, 1)
    assert (
        await _alive(process, command=["look"], timeout=3.0) == "command look does not exit with 0, 3 times"
    )
    assert process.asked == [(["look"], 3.0)] * 6


async def test_looks_that_cannot_be_made_do_not_count() -> None:
    """They tell nothing of the process."""
    away = LaunchError("n1", "it cannot be reached", temporary=True)
    process = _Process(1, away, OSError(errno.EMFILE, "Too many open files"), 1, 0)
    watching = asyncio.ensure_future(_alive(process, command=["look"]))
    while len(process.asked) < 8:
        await asyncio.sleep(0.001)
    assert not watching.done()
    process.codes = [away, 1, away, 1, away, 1]
    assert await watching == "command look does not exit with 0, 3 times"
    assert process.codes == [1]


async def test_a_closed_port_is_its_death(closed_port: int) -> None:
    """Once may be enough."""
    why = await _alive(tcp=f"127.0.0.1:{closed_port}", failures=1)
    assert why == f"no connection to 127.0.0.1:{closed_port}: Connection refused"


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EMFILE, errno.EADDRNOTAVAIL])
async def test_our_own_trouble_is_not_its_death(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the network, or this machine, is at fault."""
    looks = 0

    async def connect(address: str, port: int) -> None:
        nonlocal looks
        looks += 1
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(probes, "_connect", connect)
    watching = asyncio.ensure_future(_alive(tcp="80", failures=1))
    while looks < 6:
        await asyncio.sleep(0.001)
    assert not watching.done()
    watching.cancel()


async def test_one_address_that_answers_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when another one does not."""
    tried: list[str] = []

    async def connect(address: str, port: int) -> None:
        tried.append(address)
        if address == "::1":
            await asyncio.sleep(20)

    monkeypatch.setattr(probes, "_connect", connect)
    monkeypatch.setattr(probes, "_HERE", ("::1", "127.0.0.1"))
    monkeypatch.setattr(probes, "_CONNECT_SECONDS", 0.1)
    watching = asyncio.ensure_future(_alive(tcp="80", failures=1))
    while len(tried) < 3:
        await asyncio.sleep(0.001)
    assert tried == ["::1", "127.0.0.1", "::1"]
    assert not watching.done()
    watching.cancel()


async def test_who_is_not_looked_at_is_never_dead() -> None:
    """Its caller ends the wait."""
    watching = asyncio.ensure_future(watch_alive(_template(), cast(Running, _Process(1)), None, 0))
    await turns(5)
    assert not watching.done()
    watching.cancel()


async def test_the_first_look_comes_at_any_moment_of_half_an_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that those who were started together are not looked at together."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(anyio, "sleep", sleep)
    process = _Process(1)
    template = _template(liveness=Liveness(command=["look"], interval=60, failures=2))
    await watch_alive(template, cast(Running, process), None, 0, chance=lambda: 1.0)
    assert pauses == [30, 60]
