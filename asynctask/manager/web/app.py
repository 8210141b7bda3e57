"""The application: routes, the page, and how errors are told."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from asynctask.errors import (
    AsyncTaskError,
    ManagerError,
    ProcessNotFoundError,
    TaskStateError,
    TemplateNotFoundError,
    UsageError,
)
from asynctask.manager.web.access import Token
from asynctask.manager.web.guard import Guard
from asynctask.manager.web.routes import Routes

__all__ = ("application",)

_STATIC: Final = Path(__file__).with_name("static")
#: The files of the page, under which path, and what they are.
_FILES: Final = MappingProxyType(
    {
        "/": ("index.html", "text/html"),
        "/static/page.css": ("page.css", "text/css"),
        "/static/page.js": ("page.js", "text/javascript"),
        "/static/api.js": ("api.js", "text/javascript"),
        "/static/logs.js": ("logs.js", "text/javascript"),
        "/static/spark.js": ("spark.js", "text/javascript"),
        "/static/table.js": ("table.js", "text/javascript"),
        "/static/icon.svg": ("icon.svg", "image/svg+xml"),
    }
)

#: The first that fits counts.
_STATUS: Final[Mapping[type[AsyncTaskError], int]] = MappingProxyType(
    {
        TemplateNotFoundError: 404,
        ProcessNotFoundError: 404,
        UsageError: 400,
        ManagerError: 409,
        TaskStateError: 409,
        AsyncTaskError: 500,
    }
)


def application(routes: Routes, *, token: Token | None, hosts: Collection[str] | None) -> ASGIApp:
    """The ASGI application.

    Args:
        routes: what it does.
        token: what callers have to know.
        hosts: the names that it answers to; see :class:`Guard`.
    """
    app = Starlette(
        routes=[*routes.all(), *(_file(path, *what) for path, what in _FILES.items())],
        exception_handlers={AsyncTaskError: _failed, HTTPException: _refused, Exception: _broken},
    )
    app.router.redirect_slashes = False
    return Guard(app, token, hosts)


def _file(path: str, name: str, media_type: str) -> Route:
    """A file of the page, read once."""
    content = (_STATIC / name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}

    async def endpoint(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media_type)

    return Route(path, endpoint, methods=["GET"])


def _failed(request: Request, exc: Exception) -> Response:
    status = next(status for kind, status in _STATUS.items() if isinstance(exc, kind))
    return JSONResponse({"error": str(exc)}, status)


def _refused(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return JSONResponse({"error": exc.detail}, exc.status_code, exc.headers)


def _broken(request: Request, exc: Exception) -> Response:
    """A fault of ours: the server's log has the traceback, the client does not."""
    return JSONResponse({"error": "internal error; the log of the manager tells more"}, 500)
