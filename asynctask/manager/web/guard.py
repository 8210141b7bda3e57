"""Stands before the application: who is let in, what every answer carries, how an error looks."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from email.utils import formatdate

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asynctask.manager.web.access import SECURITY_HEADERS, Token, host_is_known, origin_is_ours

__all__ = ("Guard",)

_READING = frozenset({"GET", "HEAD"})
#: What is told to whoever has the token alone; the files of the page are no secret.
_BEHIND_THE_TOKEN = ("/api", "/metrics")


class Guard:
    """Lets requests through to an application.

    Args:
        app: the application.
        token: needed for all but the files of the page; ``None``: whoever can connect may do everything.
        hosts: names that it answers to besides ``localhost``, in lower case; ``None``: to any, since no
            browser gets here.
    """

    def __init__(self, app: ASGIApp, token: Token | None, hosts: Collection[str] | None) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI has it."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = (b"date", formatdate(usegmt=True).encode())
                headers = [*message.get("headers", ()), *SECURITY_HEADERS, date]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        if scope["type"] != "http":
            return
        refused = self._refusal(scope)
        try:
            await (refused or self._app)(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            # By the server, which is being closed and has broken the connection off: nobody is left to hear.
            if not scope.get("state", {}).get("broken_off", _never)():
                raise

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if "transfer-encoding" in headers and "content-length" in headers:
            # A proxy may see another end of this request than we do, and so another request behind it.
            answer = _error(400, "Content-Length and Transfer-Encoding are given: one of them is enough")
            answer.headers["connection"] = "close"
            return answer
        if self._hosts is not None and not host_is_known(host, self._hosts):
            # Without the name: whoever has made it point here need not know why.
            return _error(421, "this server does not answer to that name; see --http-host")
        if scope["method"] not in _READING and not origin_is_ours(
            headers.get("origin"), host, headers.get("sec-fetch-site")
        ):
            return _error(403, "the request comes from a page of another origin")
        behind = any(
            scope["path"] == path or scope["path"].startswith(path + "/") for path in _BEHIND_THE_TOKEN
        )
        if behind and self._token is not None and not self._token.is_in(headers.get("authorization")):
            answer = _error(401, "the token is missing or wrong: Authorization: Bearer <token>")
            answer.headers["www-authenticate"] = 'Bearer realm="asynctask"'
            return answer
        return None


def _error(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text}, status)


def _never() -> bool:
    return False
