"""What clients send: JSON objects, with a bound."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

__all__ = ("LARGEST", "json_object")

#: Bytes of a body.
LARGEST = 1 << 20
#: Seconds that a client may take to send it.
PATIENCE = 30.0


async def json_object(request: Request) -> dict[str, Any]:
    """The object in a body; an empty one when there is no body.

    Raises:
        HTTPException: 400, it is no JSON object; 408, it takes too long; 413, it is too large; 415, it does
            not say that it is JSON, as no form of a foreign page can.
    """
    body = await _read(request)
    if not body:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body has to be JSON: Content-Type: application/json")
    try:
        value = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        reason = exc if isinstance(exc, json.JSONDecodeError) else "it cannot be read"
        raise HTTPException(400, f"the body is no JSON: {reason}") from None
    if not isinstance(value, dict):
        raise HTTPException(400, "the body has to be a JSON object")
    return value


async def _read(request: Request) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > LARGEST:
        raise _too_large()
    body = bytearray()
    try:
        with anyio.fail_after(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST:
                    raise _too_large()
    except TimeoutError:
        raise HTTPException(408, "the body did not come") from None
    except ClientDisconnect:
        raise HTTPException(400, "the body did not come") from None
    return bytes(body)


def _too_large() -> HTTPException:
    # The rest is not read, so the connection is of no more use.
    return HTTPException(413, f"the body is larger than {LARGEST} bytes", {"connection": "close"})


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
