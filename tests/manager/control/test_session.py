"""What a manager and a client say to each other."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from asynctask._version import __version__
from asynctask.manager import Manager, ProcessTemplate
from asynctask.manager.control import session as session_module
from asynctask.manager.control.server import ControlServer
from tests.manager.control.lines import Talk, connected
from tests.manager.fakes import FakeLauncher, FakeProcess


async def reread() -> Mapping[str, Any]:
    """A file that is read again, to no avail."""
    raise ZeroDivisionError("by zero")


@pytest.fixture
async def server(manager: Manager, run_dir: Path) -> AsyncIterator[ControlServer]:
    """A server of the manager."""
    async with ControlServer(manager, run_dir / "a.sock", reread=reread) as server:
        yield server


@pytest.fixture
async def talk(server: ControlServer) -> AsyncIterator[Talk]:
    """A client."""
    async with connected(server.path) as talk:
        yield talk


def error(text: str, kind: str = "UsageError") -> dict[str, str]:
    """How an error is told."""
    return {"type": kind, "text": text}


async def all_gone(server: ControlServer) -> None:
    """Wait until no client is left."""
    while server._clients:
        await asyncio.wait(server._clients)


async def web(manager: Manager, **fields: Any) -> None:
    """A template that runs."""
    await manager.load(ProcessTemplate("web", "serve", **fields))


async def test_the_manager_speaks_first(server: ControlServer) -> None:
    """It says who it is."""
    reader, writer = await asyncio.open_unix_connection(server.path)
    talk = Talk(reader, writer)
    assert await talk.hear() == {"asynctask": 1, "version": __version__, "name": "m", "pid": os.getpid()}
    await talk.close()


async def test_a_request_and_its_answer(talk: Talk) -> None:
    """With its number, or without."""
    talk.say(v=1, id=7, do="list", params={})
    assert await talk.hear() == {"id": 7, "result": {"names": []}}
    talk.say(do="list")
    assert await talk.hear() == {"id": None, "result": {"names": []}}


async def test_an_error(talk: Talk) -> None:
    """With its type."""
    talk.say(id="x", do="info", params={"name": "web"})
    text = "no template 'web' is loaded; there are: none"
    assert await talk.hear() == {"id": "x", "error": error(text, "TemplateNotFoundError")}


async def test_an_operation_that_breaks(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    """The client is told, the log has where, and all goes on."""
    with caplog.at_level(logging.ERROR, "asynctask"):
        said = await talk.ask("reread")
    assert said["error"] == error("internal error: ZeroDivisionError: by zero", "ManagerError")
    assert [record.message for record in caplog.records] == ["control: reread broke off"]
    assert "result" in await talk.ask("list")


async def test_a_slow_request_does_not_hold_up_others(
    talk: Talk, manager: Manager, launcher: FakeLauncher
) -> None:
    """Answers come when they are there."""
    await web(manager, autostart=False)
    launcher.held = asyncio.Event()
    talk.say(id=1, do="start")
    talk.say(id=2, do="list")
    assert (await talk.hear())["id"] == 2
    launcher.held.set()
    assert await talk.hear() == {"id": 1, "result": {"names": ["web"]}}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"GET / HTTP/1.1\r\n", "no JSON object in a line"),
        (b"\x00\xff\xfe\n", "no JSON object in a line"),
        (b"[1, 2]\n", "no JSON object in a line"),
        (b"{}\n", 'a request has either "do" or "follow"'),
        (b'{"v":2,"do":"stop"}\n', "this manager speaks version 1 of the protocol, and was asked in 2"),
        (b'{"id":[1],"do":"stop"}\n', "an id is a number or a string of at most 64 characters, not [1]"),
    ],
)
async def test_garbage(line: bytes, text: str, talk: Talk, manager: Manager) -> None:
    """It is an error, which harms nobody; empty lines are none."""
    await web(manager)
    talk.raw(b"\n \n" + line)
    assert await talk.hear() == {"id": None, "error": error(text)}
    assert (await talk.ask("status"))["result"]["processes"] == 1


async def test_a_line_that_is_too_long(talk: Talk, server: ControlServer) -> None:
    """It is the last one that is heard."""
    talk.raw(b'{"do":"' + b"x" * (1 << 20) + b'"}\n{"do":"list"}\n')
    text = "a line of more than 1048576 bytes: that is no request"
    assert await talk.hear() == {"id": None, "error": error(text)}
    assert await talk.hear() == {}
    await all_gone(server)


async def test_a_line_without_an_end(talk: Talk, server: ControlServer, manager: Manager) -> None:
    """What a client did not finish it does not mean."""
    await web(manager)
    talk.raw(b'{"do":"stop"}')
    talk.writer.write_eof()
    assert await talk.hear() == {}
    await all_gone(server)
    assert manager.status().processes == 1


async def test_a_client_that_says_no_more_is_still_answered(
    talk: Talk, manager: Manager, launcher: FakeLauncher
) -> None:
    """As one that a shell has put together."""
    await web(manager, autostart=False)
    launcher.held = asyncio.Event()
    talk.say(do="start")
    talk.writer.write_eof()
    while not launcher.attempts:
        await asyncio.sleep(0)
    launcher.held.set()
    assert (await talk.hear())["result"] == {"names": ["web"]}
    assert await talk.hear() == {}


# -- streams --------------------------------------------------------------------------------------


async def test_a_stream_until_it_is_cancelled(talk: Talk, manager: Manager) -> None:
    """Each item on a line; to cancel what is not there does nothing."""
    talk.say(id=1, follow="events", params={"pattern": "create"})
    talk.say(cancel=9)
    assert "result" in await talk.ask("list")  # by now it is heard
    await web(manager)
    item = {"topic": "create", "event": "create", "name": "web"}
    assert await talk.hear() == {"id": 1, "item": item}
    talk.say(cancel=1)
    assert await talk.hear() == {"id": 1, "end": True}
    talk.say(id=1, follow="events")  # its number is free again
    assert "result" in await talk.ask("list")
    await manager.stop("web")
    assert (await talk.hear())["item"]["topic"] == "exit"


async def test_a_stream_that_ends(talk: Talk, manager: Manager, launcher: FakeLauncher) -> None:
    """So it is told."""
    await web(manager)
    launcher.processes[0].ears.output("stdout", b"hello\n")
    talk.say(id=1, follow="output", params={"lines": 5, "follow": False})
    assert (await talk.hear())["item"]["line"] == "hello"
    assert await talk.hear() == {"id": 1, "end": True}


async def test_a_stream_that_cannot_be(talk: Talk) -> None:
    """The error is the answer."""
    talk.say(id=1, follow="output", params={"names": ["web"]})
    said = await talk.hear()
    assert said["error"] == error("no template 'web'; none is loaded", "TemplateNotFoundError")


async def test_what_is_done_cannot_be_cancelled(talk: Talk, manager: Manager, launcher: FakeLauncher) -> None:
    """Half a restart would leave nothing running."""
    await web(manager)
    launcher.held = asyncio.Event()
    talk.say(id=1, do="restart")
    talk.say(cancel=1)
    assert "result" in await talk.ask("list")
    launcher.held.set()
    assert await talk.hear() == {"id": 1, "result": {"names": ["web"]}}


async def test_a_number_that_is_taken(talk: Talk) -> None:
    """Its answers could not be told apart."""
    talk.say(id=1, follow="events")
    talk.say(id=1, do="list")
    text = "there is a request 1 already that goes on"
    assert await talk.hear() == {"id": 1, "error": error(text)}


async def test_more_requests_than_there_is_room_for(talk: Talk) -> None:
    """The rest goes on."""
    for number in range(65):
        talk.say(id=number, follow="events")
    text = "64 requests at once are enough: wait for answers"
    assert await talk.hear() == {"id": 64, "error": error(text)}
    talk.say(cancel=0)
    assert await talk.hear() == {"id": 0, "end": True}
    assert "result" in await talk.ask("list")


# -- clients that go, or are slow -----------------------------------------------------------------


async def test_a_client_that_goes_leaves_no_stream(server: ControlServer, manager: Manager) -> None:
    """What it followed ends with it."""
    async with connected(server.path) as talk:
        talk.say(id=1, follow="events")
        talk.say(id=2, follow="output")
        talk.say(id=3, follow="monitor", params={"interval": 0.1})
        assert (await talk.hear())["id"] == 3
    await all_gone(server)


async def test_what_was_asked_for_is_done_when_the_client_has_gone(
    server: ControlServer, manager: Manager, launcher: FakeLauncher
) -> None:
    """A restart is no less a restart."""
    await web(manager)
    await manager.load(ProcessTemplate("db", "serve", order=1))
    launcher.held = asyncio.Event()
    async with connected(server.path) as talk:
        talk.say(do="restart")
        while launcher.attempts < 3:
            await asyncio.sleep(0)
    launcher.held.set()
    await all_gone(server)
    assert launcher.attempts == 4
    assert manager.status().processes == 2


async def test_signs_of_life(
    server: ControlServer, manager: Manager, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come while something goes on."""
    monkeypatch.setattr(session_module, "HEARTBEAT", 0.01)
    await web(manager, autostart=False)
    launcher.held = asyncio.Event()
    async with connected(server.path) as other:
        assert "result" in await other.ask("list")
        other.say(id=1, do="start")
        assert await other.hear() == {"alive": True}
        launcher.held.set()
        while "result" not in (said := await other.hear()):
            assert said == {"alive": True}


async def test_a_process_that_does_not_read(
    server: ControlServer, manager: Manager, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends to it waits; nobody does when the client has gone, though nothing else tells of that."""

    class Deaf(FakeProcess):
        async def write(self, data: bytes, stream: str = "stdin") -> None:
            self.written.append((stream, data))
            await asyncio.Event().wait()

    monkeypatch.setattr(session_module, "HEARTBEAT", 0.01)
    deaf = Deaf()
    launcher.plan.append(deaf)
    await web(manager, stdin=True)
    async with connected(server.path) as talk:
        talk.say(do="send", params={"target": "web", "data": "hello"})
        while not deaf.written:
            await asyncio.sleep(0)
    await all_gone(server)


async def test_a_slow_reader_holds_up_nobody(
    server: ControlServer, manager: Manager, launcher: FakeLauncher
) -> None:
    """What it does not read in time is dropped and counted; memory is bounded."""
    await web(manager)
    ears = launcher.processes[0].ears
    async with connected(server.path) as slow, connected(server.path) as other:
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        slow.say(id=1, follow="output")
        assert "result" in await other.ask("list")
        for number in range(200):
            ears.output("stdout", b"%d %s\n" % (number, b"x" * 500) * 100)
            await asyncio.sleep(0)
        assert "result" in await other.ask("status")
        slow.writer.transport.resume_reading()  # type: ignore[attr-defined]
        seen, missed = 0, 0
        while missed == 0 or seen + missed < 20_000:
            item = (await slow.hear())["item"]
            missed += item.get("missed", 0)
            seen += "line" in item
    assert seen + missed == 20_000
