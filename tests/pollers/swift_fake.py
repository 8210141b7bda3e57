"""A Swift and a Keystone that fail on demand, on the test's own loop."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

__all__ = ("PASSWORD", "TOKEN", "FakeSwift", "Request", "answer")

PASSWORD = "opensesame-42"
TOKEN = "gAAAAAsecrettokensecrettoken"


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


def answer(status: int, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """An HTTP answer; with a length that is greater than the body's it is cut off."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {size}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class FakeSwift:
    """Serves one container ``box`` at ``/v1/AUTH_test``, with logins of version 1 and 3.

    Attributes:
        objects: what is in the container: names and ETags.
        requests: what was asked, logins and listings.
        faults: how to answer the next listings; empty bytes: as it should be; None: not at all.
        login_fault: how to answer logins.
        page: the most objects in one answer.
        storage_url: what logins tell; by default itself.
        token: what logins give; others are refused.
        before_page: called before each listing with its number.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.objects: dict[str, str] = {}
        self.requests: list[Request] = []
        self.faults: deque[bytes | None] = deque()
        self.login_fault: bytes | None = None
        self.page = 10_000
        self.storage_url = ""
        self.token = TOKEN
        self.before_page: Any = lambda number: None
        self.heard = asyncio.Event()
        self.let_go = asyncio.Event()
        self.hold = False  # connections stay open after the answer
        self._tls = tls
        self._pages = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.let_go.set()
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def logins(self) -> int:
        """How often somebody has tried to log in."""
        return sum(1 for request in self.requests if "auth" in request.path.split("/"))

    @property
    def listings(self) -> list[Request]:
        """The requests for listings."""
        return [request for request in self.requests if request.path == "/v1/AUTH_test/box"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            said = self._answer(await _read(reader))
            if said is None:
                await self.let_go.wait()
            else:
                writer.write(said)
                await writer.drain()
                if self.hold:
                    await self.let_go.wait()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    def _answer(self, request: Request) -> bytes | None:
        self.requests.append(request)
        self.heard.set()
        if request.path.endswith("/auth/v1.0"):
            return self.login_fault or self._login_1(request)
        if request.path.endswith("/v3/auth/tokens"):
            return self.login_fault or self._login_3(request)
        if request.headers["x-auth-token"] != self.token:
            return answer(401)
        fault = self.faults.popleft() if self.faults else b""
        return self._listing(request) if fault == b"" else fault

    def _storage(self) -> str:
        scheme = "https" if self._tls else "http"
        return self.storage_url or f"{scheme}://{self.place}/v1/AUTH_test"

    def _login_1(self, request: Request) -> bytes:
        if (request.headers["x-auth-user"], request.headers["x-auth-key"]) != ("test:tester", PASSWORD):
            return answer(401)
        return answer(200, b"", f"X-Storage-Url: {self._storage()}", f"X-Auth-Token: {self.token}")

    def _login_3(self, request: Request) -> bytes:
        identity = json.loads(request.body)["auth"]["identity"]
        given = identity.get("application_credential", {}).get("secret")
        if (given or identity["password"]["user"]["password"]) != PASSWORD:
            return answer(401, b"{}")
        endpoint = {"interface": "public", "region": "north", "region_id": "north", "url": self._storage()}
        token = {
            "methods": ["password"],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "tester", "domain": {"id": "default", "name": "Default"}},
            "catalog": [{"type": "object-store", "name": "swift", "id": "s", "endpoints": [endpoint]}],
        }
        body = json.dumps({"token": token}).encode()
        return answer(201, body, f"X-Subject-Token: {self.token}", "Content-Type: application/json")

    def _listing(self, request: Request) -> bytes:
        self._pages += 1
        self.before_page(self._pages)
        marker, prefix = request.query.get("marker", ""), request.query.get("prefix", "")
        names = sorted(name for name in self.objects if name > marker and name.startswith(prefix))
        limit = min(self.page, int(request.query.get("limit", self.page)))
        return answer(200, self.page_of(*names[:limit]), "Content-Type: application/json; charset=utf-8")

    def page_of(self, *names: str) -> bytes:
        """The body of a listing."""
        entries = [
            {
                "name": name,
                "hash": self.objects.get(name, "e0"),
                "bytes": 1,
                "last_modified": "2024-01-01T00:00:00.000000",
                "content_type": "text/plain",
            }
            for name in names
        ]
        return json.dumps(entries).encode()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, unquote(parts.path), query, headers, body)
