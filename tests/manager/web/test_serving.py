"""A manager over HTTP, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import stat
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from asynctask.errors import ManagerError, UsageError
from asynctask.manager.control import peer
from asynctask.manager.manager import Manager
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.web import server
from asynctask.manager.web.access import Token
from asynctask.manager.web.serving import WebServer
from tests.manager.fakes import FakeLauncher
from tests.manager.web.support import TOKEN, web

WEB = ProcessTemplate("web", "server")


def manager() -> Manager:
    """One without processes."""
    return Manager(launcher=FakeLauncher())


async def test_it_is_for_this_machine_alone() -> None:
    """Unless somebody says otherwise; the address is told when it listens."""
    async with manager() as served:
        web_server = WebServer(served, token=TOKEN)
        assert web_server.port == 0
        async with web_server:
            assert web_server.url == f"http://127.0.0.1:{web_server.port}/"
            assert web_server.is_local


async def test_streams_end_with_the_server() -> None:
    """At once, and in order."""
    async with web(WEB) as served:
        live = await served.follow("/api/live?names=web")
        output = await served.follow("/api/output")
        await live.next()
        async with asyncio.timeout(1):
            await served.server.aclose()
        while await live.next() is not None:
            pass
        assert await output.next() is None
        assert served.launcher.processes[0].closed is False


async def test_closing_twice_does_nothing() -> None:
    """Nor does closing what was never open."""
    async with manager() as served:
        web_server = WebServer(served, token=TOKEN)
        await web_server.aclose()
        async with WebServer(served, token=TOKEN) as web_server:
            await web_server.aclose()


async def test_closing_goes_on_when_it_is_cancelled() -> None:
    """Nothing is left behind: the harness looks."""
    async with manager() as served:
        web_server = WebServer(served, token=TOKEN)
        await web_server.start()
        closing = asyncio.create_task(web_server.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", web_server.port)


async def test_two_cannot_listen_at_one_port() -> None:
    """The second is told, and leaves nothing behind."""
    async with web() as served:
        with pytest.raises(ManagerError, match="Address already in use"):
            await WebServer(served.manager, port=served.server.port, token=TOKEN).start()


async def test_a_token_is_needed_where_anybody_can_connect() -> None:
    """On the loopback, too: other users of the machine can."""
    async with manager() as served:
        with pytest.raises(UsageError, match="HTTP needs a token"):
            WebServer(served)
        with pytest.raises(UsageError, match="16 to 1024 characters"):
            WebServer(served, token="short")


async def test_the_token_is_nowhere_to_be_seen(caplog: pytest.LogCaptureFixture) -> None:
    """Not in what is logged, at any level, nor in what is shown of the server."""
    caplog.set_level(logging.DEBUG)
    async with web(WEB, token=Token(TOKEN)) as served:
        await served.ask("GET", "/api/ps")
        await served.ask("GET", "/api/ps", headers={"Authorization": "Bearer wrong"})
        await served.ask("GET", f"/api/ps?token={TOKEN}")
        seen = caplog.text + repr(served.server) + repr(vars(served.server))

    assert TOKEN not in seen


async def test_a_unix_socket_needs_no_token(tmp_path: Path) -> None:
    """It is for our own user; it goes with the server."""
    path = tmp_path / "web.sock"
    async with manager() as served, WebServer(served, uds=path) as web_server:
        assert web_server.url == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as http,
            http.get("http://whatever/api/templates") as answer,
        ):
            assert await answer.json() == {"names": []}

    assert not path.exists()


async def test_another_user_is_refused_on_the_unix_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the mode of the socket would not."""
    monkeypatch.setattr(server, "peer_uid", lambda sock: 12345)
    assert not peer.may_command(12345)
    path = tmp_path / "web.sock"
    async with manager() as served, WebServer(served, uds=path):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /api/ps HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError, BrokenPipeError):
            assert await reader.read() == b""
        writer.close()

    assert "another user" in caplog.text


async def test_a_socket_that_somebody_else_has_put_there_is_left_alone(tmp_path: Path) -> None:
    """It is not ours any more."""
    path = tmp_path / "web.sock"
    async with manager() as served, WebServer(served, uds=path):
        path.unlink()
        path.touch()

    assert path.exists()


async def test_other_names_have_to_be_given() -> None:
    """A name that points here by somebody's doing is none of them."""
    async with web(hosts=["Box.Example"]) as served:
        given = await served.ask("GET", "/api/templates", headers={"Host": "box.example"})
        other = await served.ask("GET", "/api/templates", headers={"Host": "evil.example"})

    assert (given[0], other[0]) == (200, 421)


async def test_without_the_extra_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback."""
    for name in ("asynctask.manager.web.app", "asynctask.manager.web.server"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    async with manager() as served:
        with pytest.raises(UsageError, match=r"HTTP needs uvicorn: pip install 'asynctask\[web\]'"):
            WebServer(served, token=TOKEN)
