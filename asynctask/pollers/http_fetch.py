"""Asks web servers, for the pollers: bounded in time, size and redirects, with errors said in our words."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from asynctask._version import __version__
from asynctask.errors import PollerError, UsageError
from asynctask.pollers.aside import Aside
from asynctask.pollers.http_stamps import retry_after
from asynctask.pollers.http_urls import origin, proxy_for, redirected

if TYPE_CHECKING:
    import aiohttp

__all__ = ("Answer", "Fetcher", "Question", "need")

_CONNECTING, _SILENT = 10.0, 30.0  # seconds
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({429, 503})
_AUTOMATIC = ("Accept-Encoding", "Content-Type", "User-Agent")


def need(module: str, scheme: str) -> None:
    """Make sure that a package is there, without loading it.

    Args:
        module: of the package.
        scheme: of the URLs, which is also the name of the extra.

    Raises:
        UsageError: it is not, and how to get it.
    """
    if find_spec(module) is None:
        raise UsageError(f"a poller for {scheme}: URLs needs {module}: pip install 'asynctask[{scheme}]'")


@dataclass(frozen=True, slots=True)
class Question:
    """A request without a body."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Headers that are for this origin alone: no redirect takes them elsewhere."""
    method: str = "GET"
    redirects: int = 0
    """How many are followed. With 0 the redirect itself is the answer."""
    limit: int = 16 << 20
    """The most bytes of a body."""
    wants_body: Callable[[int, Mapping[str, str]], bool] = lambda status, headers: True
    """Decides by status and headers whether the body is read. If not, that ends the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    url: str
    status: int
    reason: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = b""


class Fetcher:
    """One client, with connections that are kept between two questions.

    Args:
        subject: the URL to name in errors.
        verify: a file of CA certificates; without it those of the system count.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        subject: str,
        verify: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._subject = subject
        self._aside = Aside(f"requests for {subject}")
        self._verify = verify
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._quiet_until = 0.0
        self._context: ssl.SSLContext | None = None

    async def open(self, verify: str | os.PathLike[str] | None = None) -> None:
        """Get ready; again it does nothing.

        Args:
            verify: counts where none was given before.
        """
        if self._session is not None:
            return
        self._verify = self._verify or verify
        await self._aside.do(lambda: import_module("aiohttp"))  # takes 0.2 s
        import aiohttp

        connector = aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), limit=4)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_AUTOMATIC,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECTING, sock_read=_SILENT),
        )

    async def fetch(self, question: Question) -> Answer:
        """Ask. Cancelling gives the connection up.

        Raises:
            PollerError: there is no answer, or not all of it, or it must not be asked now, or the CA
                certificates cannot be read.
        """
        if (left := self._quiet_until - self._clock()) > 0:
            raise self._error(f"the server has asked to be left alone for another {left:.0f} s")
        url, secret = question.url, question.secret
        for _ in range(question.redirects + 1):
            answer = await self._ask(question, url, {**question.headers, **secret})
            location = answer.headers.get("location")
            if not question.redirects or answer.status not in _REDIRECTS or location is None:
                return answer
            try:
                target = redirected(url, location)
            except ValueError as exc:
                raise self._error(f"a redirect {exc}", temporary=False) from None
            if origin(target) != origin(url):
                secret = {}
            url = target
        raise self._error(f"more than {question.redirects} redirects", temporary=False)

    async def aclose(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)  # transports tell of their end in the next turn

    async def _ask(self, question: Question, url: str, headers: Mapping[str, str]) -> Answer:
        import aiohttp
        import yarl

        assert self._session is not None, "it was not opened"
        context = await self._certificates() if url.startswith("https:") else None
        try:
            async with self._session.request(
                question.method,
                yarl.URL(url, encoded=True),  # as it was signed
                headers=_with_our_name(headers),
                allow_redirects=False,
                proxy=proxy_for(url),
                ssl=context or True,
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                self._heed(response.status, found)
                body = b""
                if question.wants_body(response.status, found):
                    body = await self._read(response, question.limit)
                return Answer(url, response.status, response.reason or "", found, body)
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            error = self._translated(exc)
        # Not above, where it would take the client's error along: that has all headers in it.
        raise error

    async def _certificates(self) -> ssl.SSLContext:
        """Read when first needed, for 40 ms."""
        if self._context is None:
            file = None if self._verify is None else os.fspath(self._verify)
            try:
                self._context = await self._aside.do(lambda: ssl.create_default_context(cafile=file))
            except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
                text = f"no CA certificates can be read from {file}: {getattr(exc, 'strerror', None) or exc}"
                raise self._error(text, temporary=False) from exc
        return self._context

    def _heed(self, status: int, headers: Mapping[str, str]) -> None:
        """A server that has too much to do is not asked again before it wants to be."""
        if status in _BUSY and (seconds := retry_after(headers.get("retry-after", ""), datetime.now(UTC))):
            self._quiet_until = self._clock() + seconds

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise self._error(f"the answer is longer than {limit} bytes", temporary=False)
        return b"".join(parts)

    def _translated(self, exc: Exception) -> PollerError:
        """In our words: those of the client may have credentials of a proxy in them."""
        import aiohttp

        match exc:
            case aiohttp.ClientConnectorCertificateError(certificate_error=error):
                said = getattr(error, "verify_message", "") or type(error).__name__
                return self._error(
                    f"the certificate of the server does not hold: {said}",
                    "verify= takes a file of CA certificates",
                    temporary=False,
                )
            case aiohttp.ClientHttpProxyError():
                return self._error(
                    f"the proxy answers {exc.status}", temporary=exc.status >= 500 or exc.status == 429
                )
            case aiohttp.ClientConnectorError():
                return self._error(f"connecting failed: {exc.os_error.strerror or exc.os_error}")
            case aiohttp.ConnectionTimeoutError():
                return self._error(f"connecting took longer than {_CONNECTING:g} s")
            case TimeoutError():
                return self._error(f"the server was silent for {_SILENT:g} s")
            case aiohttp.ClientPayloadError():
                return self._error("the answer broke off")
            case aiohttp.ServerConnectionError() | aiohttp.ClientOSError():
                return self._error("the connection broke before there was an answer")
            case aiohttp.ClientResponseError():
                return self._error("what the server answers is no HTTP")
            case aiohttp.InvalidURL() | ValueError():
                return self._error("the request cannot be sent", temporary=False)
        return self._error(f"the request failed: {type(exc).__name__}")

    def _error(self, reason: str, hint: str = "", *, temporary: bool = True) -> PollerError:
        return PollerError(self._subject, reason, hint, temporary=temporary)


def _with_our_name(headers: Mapping[str, str]) -> dict[str, str]:
    if any(name.lower() == "user-agent" for name in headers):
        return dict(headers)
    return {"User-Agent": f"asynctask/{__version__}", **headers}
