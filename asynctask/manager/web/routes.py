"""What there is over HTTP: a thin skin over the operations of a manager."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from asynctask._version import __version__
from asynctask.emitter.topics import parse_pattern
from asynctask.errors import UsageError
from asynctask.manager.control.operations import Reread, perform, stream
from asynctask.manager.web import streams
from asynctask.manager.web.bodies import json_object
from asynctask.manager.web.feeds import Feed
from asynctask.manager.web.metrics import CONTENT_TYPE, exposition
from asynctask.manager.web.sampling import Sampler
from asynctask.manager.web.sse import EventSource, Source

if TYPE_CHECKING:
    from asynctask.manager.manager import Manager

__all__ = ("ROUTES", "Routes")

#: Method and path, the operation, and what of the path goes into its parameters, under which name.
ROUTES: Final[Mapping[tuple[str, str], tuple[str, Mapping[str, str]]]] = {
    ("GET", "/api/status"): ("status", {}),
    ("GET", "/api/ps"): ("ps", {}),
    ("GET", "/api/stats"): ("stats", {}),
    ("POST", "/api/start"): ("start", {}),
    ("POST", "/api/stop"): ("stop", {}),
    ("POST", "/api/restart"): ("restart", {}),
    ("POST", "/api/reread"): ("reread", {}),
    ("GET", "/api/templates"): ("list", {}),
    ("POST", "/api/templates"): ("load", {}),
    ("GET", "/api/templates/{name}"): ("info", {"name": "name"}),
    ("PUT", "/api/templates/{name}"): ("update", {"name": ""}),
    ("DELETE", "/api/templates/{name}"): ("unload", {"name": "name"}),
    ("GET", "/api/templates/{name}/stats"): ("stats", {"name": "name"}),
    ("POST", "/api/templates/{name}/start"): ("start", {"name": "names"}),
    ("POST", "/api/templates/{name}/stop"): ("stop", {"name": "names"}),
    ("POST", "/api/templates/{name}/restart"): ("restart", {"name": "names"}),
    ("POST", "/api/templates/{name}/reload"): ("reload", {"name": "names"}),
    ("POST", "/api/templates/{name}/scale"): ("scale", {"name": "name"}),
    ("POST", "/api/templates/{name}/commit"): ("commit", {"name": "name"}),
    ("POST", "/api/templates/{name}/kill"): ("kill", {"name": "target"}),
    ("POST", "/api/templates/{name}/send"): ("send", {"name": "target"}),
    ("POST", "/api/templates/{name}/close-input"): ("close_input", {"name": "target"}),
    ("GET", "/api/processes/{pid:int}"): ("process", {"pid": "pid"}),
    ("POST", "/api/processes/{pid:int}/stop"): ("stop_process", {"pid": "pid"}),
    ("POST", "/api/processes/{pid:int}/kill"): ("kill", {"pid": "target"}),
    ("POST", "/api/processes/{pid:int}/send"): ("send", {"pid": "target"}),
    ("POST", "/api/processes/{pid:int}/close-input"): ("close_input", {"pid": "target"}),
}

#: What can stand behind the question mark, by operation.
_ASKED: Final[Mapping[str, Collection[str]]] = {"ps": ("names", "usage"), "stats": ("name",)}
#: Lines of output that are looked through for what a client that comes back has missed.
_RESUMED_LINES = 1000
_MOST_DIGITS = 9
_MOST_SHOWN = 40


class Routes:
    """The routes of a manager.

    Args:
        manager: what is shown and steered.
        events: its last events.
        sampler: what its processes take.
        run: tells this run of the server from others, in the positions that clients come back with.
        reread: see :func:`asynctask.manager.control.operations.perform`.
    """

    def __init__(
        self,
        manager: Manager,
        events: Feed[dict[str, Any]],
        sampler: Sampler,
        run: str,
        reread: Reread | None = None,
    ) -> None:
        self._manager = manager
        self._events = events
        self._sampler = sampler
        self._run = run
        self._reread = reread

    def all(self) -> list[Route]:
        """Routes for an application."""
        operations: dict[str, dict[str, tuple[str, Mapping[str, str]]]] = {}
        for (method, path), target in ROUTES.items():
            operations.setdefault(path, {})[method] = target
        return [
            *(
                Route(path, self._operation(of_path), methods=[*of_path])
                for path, of_path in operations.items()
            ),
            Route("/api", self._index, methods=["GET"]),
            Route("/api/events", self._follow_events, methods=["GET"]),
            Route("/api/output", self._follow_output, methods=["GET"]),
            Route("/api/monitor", self._follow_monitor, methods=["GET"]),
            Route("/api/live", self._follow_all, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
        ]

    # -- one answer ---------------------------------------------------------------------------

    def _operation(
        self, of_path: Mapping[str, tuple[str, Mapping[str, str]]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            reading = request.method in {"GET", "HEAD"}
            operation, of_the_path = of_path["GET" if reading else request.method]
            params = _query(request, _ASKED.get(operation, ())) if reading else await json_object(request)
            self._add(params, request.path_params, of_the_path)
            answer = await perform(self._manager, operation, params, reread=self._reread)
            return JSONResponse(answer, 201 if operation in {"load", "commit"} else 200)

        return endpoint

    def _add(self, params: dict[str, Any], found: Mapping[str, Any], names: Mapping[str, str]) -> None:
        """What is in the path: a name as it is, never a pattern."""
        for key, name in names.items():
            if key == "name":
                self._manager.info(found[key])
            if not name:  # of the template in the body, which has to be the one of the path
                template = params.get("template")
                if isinstance(template, dict) and template.setdefault("name", found[key]) != found[key]:
                    raise UsageError(f"the path names template {found[key]!r}, the body another one")
            elif name in params or (name == "names" and "name" in params):
                raise UsageError(f"{name} is given in the path, so not in the body")
            else:
                params[name] = [found[key]] if name == "names" else found[key]

    async def _index(self, request: Request) -> Response:
        """What there is."""
        return JSONResponse(
            {
                "version": __version__,
                "operations": [f"{method} {path}" for method, path in ROUTES],
                "streams": ["/api/events", "/api/output", "/api/monitor", "/api/live"],
            }
        )

    async def _metrics(self, request: Request) -> Response:
        """For Prometheus."""
        stats = await self._manager.stats()
        templates = [self._manager.info(name) for name in self._manager.list()]
        text = exposition(self._manager.status(), templates, stats, __version__)
        return PlainTextResponse(text, media_type=CONTENT_TYPE)

    # -- answers that go on -------------------------------------------------------------------

    async def _follow_events(self, request: Request) -> Response:
        query = _query(request, ("pattern",))
        return self._follow(self._its_events(query, self._position(request)))

    async def _follow_output(self, request: Request) -> Response:
        query = _query(request, ("names", "lines", "stream"))
        return self._follow(self._its_output(query, self._position(request)))

    async def _follow_monitor(self, request: Request) -> Response:
        query = _query(request, ("name",))
        return self._follow(self._its_samples(query))

    async def _follow_all(self, request: Request) -> Response:
        """All in one connection, for browsers have few: events, what processes take, perhaps output."""
        query = _query(request, ("names", "lines"))
        position = self._position(request)
        sources = [self._its_samples({}), self._its_events({}, position)]
        if "names" in query:
            sources.append(self._its_output(query, position))
        return self._follow(*sources)

    def _its_events(self, query: dict[str, Any], position: streams.Position) -> Source:
        return streams.events(self._events, position, parse_pattern(query.get("pattern", ".")))

    def _its_samples(self, query: dict[str, Any]) -> Source:
        name = query.get("name")
        if name is not None:
            self._manager.info(name)
        return streams.samples(self._sampler, name)

    def _its_output(self, query: dict[str, Any], position: streams.Position) -> Source:
        if position.time:
            query["lines"] = _RESUMED_LINES
        lines = stream(self._manager, "output", query)
        return streams.output(cast("AsyncGenerator[dict[str, Any], None]", lines), position)

    def _follow(self, *sources: Source) -> Response:
        return cast("Response", EventSource(*sources, streams.until_closed(self._events)))

    def _position(self, request: Request) -> streams.Position:
        return streams.Position.of(request.headers.get("last-event-id"), self._run, self._events.last)


def _query(request: Request, known: Collection[str]) -> dict[str, Any]:
    """The parameters behind the question mark, as the operations want them.

    Raises:
        HTTPException: 400, one is not known, given twice, or has a wrong value.
    """
    params: dict[str, Any] = {}
    for key, text in request.query_params.multi_items():
        if key not in known:
            raise HTTPException(400, f"no such parameter: {key!r}")
        if key == "names":
            params.setdefault(key, []).append(text)
        elif key in params:
            raise HTTPException(400, f"{key} is given twice")
        elif key == "lines":
            params[key] = _whole(key, text)
        elif key == "usage":
            params[key] = _truth(key, text)
        else:
            params[key] = text
    return params


def _whole(key: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise HTTPException(400, f"{key}: {text[:_MOST_SHOWN]!r} is no whole number")
    if len(text) > _MOST_DIGITS:
        raise HTTPException(400, f"{key} is too large")
    return int(text)


def _truth(key: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise HTTPException(400, f"{key}: {text[:_MOST_SHOWN]!r} is neither true nor false")
    return text == "true"
