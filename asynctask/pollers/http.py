"""Watches a resource of a web server."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace

from asynctask.errors import PollerError, UsageError
from asynctask.pollers.base import DEFAULT_TIMEOUT, SnapshotPoller
from asynctask.pollers.changes import Listing
from asynctask.pollers.http_fetch import Answer, Fetcher, Question, need
from asynctask.pollers.http_stamps import Validators, fault
from asynctask.pollers.http_urls import parse

__all__ = ("HttpPoller",)

_REDIRECTS = 5
_MISSING = frozenset({404, 410})
_BUSY = frozenset({429, 503})
#: A body of more bytes is hashed in a thread.
_LONG = 1 << 20

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# No control characters, and none that stand for bytes that are no UTF-8.
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
_OURS = frozenset(
    {
        *("accept-encoding", "host", "if-modified-since", "if-none-match", "range"),
        *("connection", "content-length", "expect", "transfer-encoding", "upgrade"),
    }
)


class HttpPoller(SnapshotPoller):
    """Watches one resource: it is created when the server has it, deleted when it answers 404 or 410.

    It is modified when its ETag changes, or, where none is sent, Last-Modified, or, where that is not sent
    either, the body. No more is sent than is needed for that. Up to five redirects are followed. Every other
    answer is an error and says nothing about the resource; 401, 403 and others of that kind end a watch. A
    server that sends Retry-After is not asked again before, 5 minutes at most.

    Args:
        url: ``https://host/path``. User and password in it are used for basic authentication and shown
            nowhere.
        headers: sent with each request, and nowhere else: no redirect takes them to another host, and they
            are never shown. For tokens.
        verify: a file of CA certificates that count instead of those of the system.
        body_limit: the most bytes of a body that has to be compared.
        existing: report the resource as created if it is there at the start.
        state: what :meth:`.Poller.save` returned.
        timeout: seconds that one look may take.

    Raises:
        UsageError: the URL or a header cannot be used, or aiohttp is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        verify: str | os.PathLike[str] | None = None,
        body_limit: int = 4 << 20,
        existing: bool = False,
        state: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        target = parse(url)
        need("aiohttp", "http")
        if body_limit < 1:
            raise UsageError(f"body_limit: 1 byte or more, not {body_limit}")
        super().__init__(target.url, existing=existing, state=state, timeout=timeout)
        self._secret = _checked(headers or {}, target.authorization)
        self._fetcher = Fetcher(target.url, verify)
        self._body_limit = body_limit
        self._seen: Validators | None = None

    async def _open(self) -> None:
        await self._fetcher.open()

    async def _list(self) -> Listing:
        answer = await self._ask()
        if answer.status in _MISSING:
            self._seen = None
        elif _is_there(answer.status):
            found = await self._validators(answer)
            if self._seen is None or not self._seen.same(found):
                self._seen = found
        elif answer.status != 304 or self._seen is None:
            reason, hint, temporary = fault(answer.status, answer.reason)
            raise PollerError(self._url, reason, hint, temporary=temporary)
        return {} if self._seen is None else {"": self._seen.stamp}

    async def _ask(self) -> Answer:
        """Have the server say no more than is needed.

        By an ETag it knows whether that is the one; unless the ETag cannot be sent, or means any. Not so by a
        date: If-Modified-Since would miss what has been replaced by something older. The header alone is then
        asked for, where the server can do that.
        """
        seen = self._seen or Validators()
        headers = {"Accept-Encoding": "identity"}
        if _VALUE.fullmatch(seen.etag) and seen.etag not in {"", "*"}:
            headers["If-None-Match"] = seen.etag
        question = Question(
            self._url,
            headers,
            secret=self._secret,
            redirects=_REDIRECTS,
            limit=self._body_limit,
            wants_body=_has_to_be_read,
        )
        if seen.modified and not seen.etag:
            answer = await self._fetcher.fetch(replace(question, method="HEAD"))
            if answer.status in _BUSY or (_is_there(answer.status) and Validators.of(answer.headers)):
                return answer
        return await self._fetcher.fetch(question)

    async def _validators(self, answer: Answer) -> Validators:
        if found := Validators.of(answer.headers):
            return found
        if len(answer.body) <= _LONG:
            return Validators(digest=_digest(answer.body))
        return Validators(digest=await self._aside.do(lambda: _digest(answer.body)))

    def _subject(self, name: str) -> str:
        return self._url

    async def _close(self) -> None:
        await self._fetcher.aclose()


def _is_there(status: int) -> bool:
    return 200 <= status < 300


def _has_to_be_read(status: int, headers: Mapping[str, str]) -> bool:
    return _is_there(status) and not Validators.of(headers)


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def _checked(headers: Mapping[str, str], authorization: str) -> dict[str, str]:
    """The headers to send; what is wrong with one is said without its value."""
    for name, value in headers.items():
        if not (isinstance(value, str) and _NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            shown = str(name).partition(":")[0]  # after it comes the value, if both were given as one
            raise UsageError(f"headers: this cannot be sent as a header: {shown!r}")
        if name.lower() in _OURS:
            raise UsageError(f"headers: {name} is set by the poller")
    if not authorization:
        return dict(headers)
    if any(name.lower() == "authorization" for name in headers):
        raise UsageError("headers: Authorization is given, and credentials stand in the URL: which counts?")
    return {**headers, "Authorization": authorization}
