"""A manager with processes that are none, served over HTTP, and a client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from asynctask.manager.manager import Manager
from asynctask.manager.template import ProcessTemplate
from asynctask.manager.web.serving import WebServer
from tests.manager.fakes import FakeLauncher

TOKEN = "token-of-the-tests"


class Web:
    """What a test speaks to."""

    def __init__(self, manager: Manager, launcher: FakeLauncher, server: WebServer) -> None:
        self.manager = manager
        self.launcher = launcher
        self.server = server
        self.http = aiohttp.ClientSession(server.url, headers={"Authorization": f"Bearer {TOKEN}"})

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        """The status of an answer, and its JSON."""
        async with self.http.request(method, path, json=body, **more) as response:
            return response.status, await response.json()

    async def follow(self, path: str, last_id: str | None = None) -> Following:
        """A stream of events."""
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        response = await self.http.get(path, headers=headers)
        assert response.status == 200, await response.text()
        return Following(response)


class Following:
    """The client's end of a stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.last_id = ""

    async def next(self) -> tuple[str, Any] | None:
        """The next event, and its data; ``None``: the stream has ended."""
        found: dict[str, str] = {}
        while line := (await self._response.content.readline()).decode():
            if line != "\n":
                key, _, value = line.rstrip("\n").partition(": ")
                found[key] = value
                continue
            self.last_id = found.get("id", self.last_id)
            if "data" in found:
                return found["event"], json.loads(found["data"])
            found = {}
        return None

    def close(self) -> None:
        """Leave."""
        self._response.close()

    def __enter__(self) -> Following:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@asynccontextmanager
async def web(*templates: ProcessTemplate, **options: Any) -> AsyncIterator[Web]:
    """A server, with templates that are loaded and started."""
    launcher = FakeLauncher()
    async with Manager(launcher=launcher) as manager:
        for template in templates:
            await manager.load(template)
        async with WebServer(manager, **({"token": TOKEN} | options)) as server:
            served = Web(manager, launcher, server)
            async with served.http:
                yield served
