"""Who is let in."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from asynctask.manager.web.access import SECURITY_HEADERS, Token
from asynctask.manager.web.guard import Guard

SECRET = "0123456789abcdef"
AUTHORIZED = {"authorization": f"Bearer {SECRET}"}


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application."""
    await send({"type": "http.response.start", "status": 204, "headers": [(b"x-app", b"1")]})
    await send({"type": "http.response.body", "body": b""})


async def ask(
    guard: Guard, method: str = "GET", path: str = "/api/ps", **headers: str
) -> tuple[int, dict[bytes, bytes], bytes]:
    """The status, headers and body of an answer."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    named = {"host": "localhost:8000"} | {key.replace("_", "-"): value for key, value in headers.items()}
    encoded = [(key.encode(), value.encode()) for key, value in named.items()]
    await guard({"type": "http", "method": method, "path": path, "headers": encoded}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.fixture
def guard() -> Guard:
    """With a token, for a name."""
    return Guard(nothing, Token(SECRET), {"box.example"})


@pytest.mark.parametrize("path", ["/api", "/api/ps", "/api/nothing", "/metrics"])
async def test_what_is_told_of_processes_needs_the_token(guard: Guard, path: str) -> None:
    """Also what there is not: whoever has no token learns nothing."""
    status, headers, body = await ask(guard, path=path)

    assert status == 401
    assert headers[b"www-authenticate"] == b'Bearer realm="asynctask"'
    assert body == b'{"error":"the token is missing or wrong: Authorization: Bearer <token>"}'
    assert (await ask(guard, path=path, **AUTHORIZED))[0] == 204


@pytest.mark.parametrize("path", ["/", "/static/page.js", "/apidocs"])
async def test_the_page_needs_no_token(guard: Guard, path: str) -> None:
    """It asks for it."""
    assert (await ask(guard, path=path))[0] == 204


async def test_without_a_token_everybody_is_let_in() -> None:
    """On a Unix socket; and by whatever name."""
    assert (await ask(Guard(nothing, None, None), "POST", host="whatever"))[0] == 204


async def test_a_name_that_is_not_ours_is_refused(guard: Guard) -> None:
    """Before the token: the browser that was deceived may have it."""
    assert (await ask(guard, host="evil.example", **AUTHORIZED))[0] == 421
    assert (await ask(guard, path="/", host="evil.example"))[0] == 421
    assert (await ask(guard, host="box.example:99", **AUTHORIZED))[0] == 204


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_changes_from_another_origin_are_refused(guard: Guard, method: str) -> None:
    """Also with the token."""
    assert (await ask(guard, method, origin="http://evil.example", **AUTHORIZED))[0] == 403
    assert (await ask(guard, method, sec_fetch_site="cross-site", **AUTHORIZED))[0] == 403
    assert (await ask(guard, method, origin="http://localhost:8000", **AUTHORIZED))[0] == 204


async def test_every_answer_has_its_headers(guard: Guard) -> None:
    """Those of the application, of errors, and a date."""
    for answer in (await ask(guard), await ask(guard, **AUTHORIZED), await ask(guard, host="evil")):
        assert set(SECURITY_HEADERS) < set(answer[1].items())
        assert answer[1][b"date"].endswith(b" GMT")
    policy = dict(SECURITY_HEADERS)[b"content-security-policy"]
    assert policy.startswith(b"default-src 'self';")
    assert b"unsafe" not in policy


async def test_what_is_told_is_kept_nowhere(guard: Guard) -> None:
    """Unless the application has said something else."""

    async def cached(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"x")]})
        await send({"type": "http.response.body", "body": b""})

    assert (await ask(guard))[1][b"cache-control"] == b"no-store"
    assert (await ask(guard, **AUTHORIZED))[1][b"cache-control"] == b"no-store"
    assert (await ask(Guard(cached, None, None)))[1][b"cache-control"] == b"x"


async def test_a_request_has_one_end(guard: Guard) -> None:
    """A proxy that believes the length, where we believe the chunks, could be made to pass on another one."""
    status, headers, _ = await ask(guard, transfer_encoding="chunked", content_length="5", **AUTHORIZED)

    assert (status, headers[b"connection"]) == (400, b"close")


async def test_what_is_no_request_is_not_let_through(guard: Guard) -> None:
    """There are no web sockets here."""

    async def send(message: MutableMapping[str, Any]) -> None:
        raise AssertionError(message)

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError

    await guard({"type": "websocket"}, receive, send)


@pytest.mark.parametrize("broken_off", [True, False])
async def test_a_request_that_the_server_breaks_off_is_no_error(broken_off: bool) -> None:
    """Any other cancellation goes on."""

    async def stuck(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    state = {"broken_off": lambda: broken_off}
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": state}
    task = asyncio.create_task(Guard(stuck, None, None)(scope, None, None))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled() is not broken_off
