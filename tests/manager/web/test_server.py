"""uvicorn in a loop that is ours."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from asynctask.manager.web import server as module
from asynctask.manager.web.listening import tcp_listeners
from asynctask.manager.web.server import Server


class App:
    """An application that answers when it may."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may = asyncio.Event()
        self.cancelled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            assert scope["state"]["broken_off"]()
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[tuple[Server, asyncio.Task[None], int]]:
    """A server of an application, its task and its port."""
    server = Server(app)
    listeners = await tcp_listeners("127.0.0.1", 0)
    port = listeners[0].getsockname()[1]
    task = asyncio.create_task(server.serve(listeners))
    await server.wait_ready(task)
    try:
        yield server, task, port
    finally:
        server.finish()
        await task


async def ask(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request that waits for its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /secret?token=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return reader, writer


async def test_the_programs_own_matters_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Its signal handlers and its logging; no request is logged."""
    caplog.set_level(logging.DEBUG)
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    access = logging.getLogger("uvicorn.access")
    before = (access.handlers, access.propagate, access.level, logging.getLogger("uvicorn").handlers)
    app = App()
    app.may.set()
    async with serving(app) as (_, _, port):
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
        reader, writer = await ask(port)
        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        writer.close()

    assert (access.handlers, access.propagate, access.level, logging.getLogger("uvicorn").handlers) == before
    assert "secret" not in caplog.text


async def test_a_request_that_goes_on_comes_to_its_end() -> None:
    """The server waits for it, but takes no new ones."""
    app = App()
    async with serving(app) as (server, _, port):
        reader, writer = await ask(port)
        await app.asked.wait()
        server.finish()
        await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        app.may.set()
        assert (await reader.read()).endswith(b"ok")
        writer.close()


async def test_a_request_that_does_not_end_is_broken_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After a bounded time; nobody is to blame for it."""
    monkeypatch.setattr(module, "_FINISHING", 0.02)
    app = App()
    async with serving(app) as (server, task, port):
        reader, writer = await ask(port)
        await app.asked.wait()
        server.finish()
        await task
        assert await reader.read() == b""
        writer.close()

    assert app.cancelled
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_a_client_that_does_not_go_on_is_left(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    """Before its first request, in the middle of one, or in a body that nobody waits for any more."""
    monkeypatch.setattr(module, "_IDLE", 0.02)
    app = App()
    app.may.set()
    async with serving(app) as (server, _, port):
        server.config.timeout_keep_alive = 0.02  # type: ignore[assignment]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for byte in sent:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        answer = await reader.read()
        writer.close()

    assert (b" 200 OK" in answer) is sent.startswith(b"POST")


async def test_a_client_that_does_not_read_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """To close its connection in order would be to wait for it."""
    monkeypatch.setattr(module, "_SLOWEST", 0.02)
    ended = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not scope["state"]["broken_off"]():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        ended.set()

    async with serving(endless) as (server, _, port):
        _, writer = await ask(port)
        await ended.wait()
        writer.close()
        while server.server_state.connections:
            await asyncio.sleep(0)


async def test_there_are_not_too_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes when all have a request is told so."""
    monkeypatch.setattr(module, "_MOST_CONNECTIONS", 1)
    app = App()
    async with serving(app) as (_, _, port):
        _, first = await ask(port)
        await app.asked.wait()
        reader, second = await ask(port)
        assert await reader.readline() == b"HTTP/1.1 503 Service Unavailable\r\n"
        app.may.set()
        first.close()
        second.close()


async def test_connections_without_a_request_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of them is closed."""
    monkeypatch.setattr(module, "_MOST_CONNECTIONS", 2)
    app = App()
    app.may.set()
    async with serving(app) as (_, _, port):
        oldest, first = await asyncio.open_connection("127.0.0.1", port)
        second = (await asyncio.open_connection("127.0.0.1", port))[1]
        second.write(b"GET / HTT")
        reader, third = await ask(port)
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        assert await oldest.read() == b""
        for writer in (first, second, third):
            writer.close()


async def test_a_server_that_cannot_start_tells_why() -> None:
    """Not for ever."""
    server = Server(App())
    broken = socket.socket()
    broken.close()
    task = asyncio.create_task(server.serve([broken]))

    with pytest.raises((OSError, ValueError)):
        await server.wait_ready(task)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b"GET  HTTP\r\n\r\n"]
)
async def test_what_is_no_request_is_refused(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Another protocol, or headers without an end; no log can be filled with it."""
    async with serving(App()) as (_, _, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        with suppress(ConnectionResetError):  # it had not read all of it
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()

    assert caplog.text == ""


async def test_an_upgrade_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """Without a word of packages that we do not need."""
    app = App()
    app.may.set()
    async with serving(app) as (_, _, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.close()

    assert caplog.text == ""


async def test_a_fault_of_the_application_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async with serving(broken) as (_, _, port):
        reader, writer = await ask(port)
        assert await reader.readline() == b"HTTP/1.1 500 Internal Server Error\r\n"
        writer.close()

    assert "ZeroDivisionError" in caplog.text


async def test_answers_are_sent_at_once() -> None:
    """Head and body are two packets: without TCP_NODELAY the second waits 40 ms for word of the first."""
    app = App()
    async with serving(app) as (server, _, port):
        _, writer = await ask(port)
        await app.asked.wait()
        (connection,) = server.server_state.connections
        sock = connection.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        app.may.set()
        writer.close()
