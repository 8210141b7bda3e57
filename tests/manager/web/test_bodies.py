"""What clients send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from asynctask.manager.web import bodies
from asynctask.manager.web.bodies import LARGEST, json_object


def request(
    *chunks: bytes | None, content_type: str = "application/json", length: str | None = None
) -> Request:
    """A request with a body in chunks; after ``None`` the client is gone, without an end it is silent."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        chunk = left.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    headers = [(b"content-type", content_type.encode())]
    if length is not None:
        headers.append((b"content-length", length.encode()))
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def refusal(of: Request) -> tuple[int, str]:
    """Why a body is refused."""
    with pytest.raises(HTTPException) as told:
        await json_object(of)
    return told.value.status_code, told.value.detail


async def test_an_object_comes_in_pieces() -> None:
    """However it is cut."""
    assert await json_object(request(b'{"n"', b": 3}", b"")) == {"n": 3}


async def test_no_body_is_an_empty_object() -> None:
    """Whatever type it says it has."""
    assert await json_object(request(b"", content_type="text/plain")) == {}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])
async def test_what_a_form_could_send_is_refused(kind: str) -> None:
    """A page of another origin can send forms, and text."""
    assert (await refusal(request(b"{}", b"", content_type=kind)))[0] == 415


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"3",
        b"null",
        b'{"n": NaN}',
        b'{"n": Infinity}',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"n": %s}' % (b"1" * 5000),
    ],
)
async def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Broken, deep or huge: it is the client's fault."""
    status, text = await refusal(request(body, b""))

    assert status == 400
    assert len(text) < 120


async def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    """Nothing of it."""
    assert (await refusal(request(length=str(LARGEST + 1))))[0] == 413
    assert (await refusal(request(length="9" * 5000)))[0] == 413


async def test_a_body_that_becomes_too_large_is_not_read_to_its_end() -> None:
    """It need not say how large it is."""
    chunk = b" " * (LARGEST // 4)

    assert (await refusal(request(*[chunk] * 5)))[0] == 413


async def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, for a while."""
    monkeypatch.setattr(bodies, "PATIENCE", 0.01)

    assert (await refusal(request(b"{")))[0] == 408
    assert (await refusal(request(b"{", None)))[0] == 400
