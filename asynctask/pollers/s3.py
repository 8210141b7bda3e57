"""Watches the objects in a bucket of S3, or of a store that speaks its protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from asynctask.errors import UsageError
from asynctask.pollers.aside import Aside
from asynctask.pollers.base import DEFAULT_TIMEOUT, SnapshotPoller
from asynctask.pollers.changes import Listing
from asynctask.pollers.http_fetch import Fetcher, need
from asynctask.pollers.http_urls import parse
from asynctask.pollers.s3_client import discreet, make_client
from asynctask.pollers.s3_faults import translated
from asynctask.pollers.s3_listing import Courier, list_objects, patiently

__all__ = ("S3Poller",)

T = TypeVar("T")

_SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


class S3Poller(SnapshotPoller):
    """Watches all objects of a bucket whose names begin with a prefix.

    An object is modified when its ETag changes. All pages of the listing have to come, whole; otherwise
    nothing is reported. Credentials are looked for as by all AWS tools: environment, profile, role.

    Args:
        url: ``s3://bucket/prefix``; special characters of the prefix are quoted. ``in`` is also the beginning
            of ``index``: for a directory it is ``in/``.
        endpoint: URL of another store than that of AWS.
        region: where the bucket is; else from environment or profile.
        profile: a section of ``~/.aws/config`` or ``~/.aws/credentials``.
        anonymous: look for no credentials; for public buckets.
        verify: a file of CA certificates that count instead of those of the system.
        page_size: objects that are asked for at a time, from 1 to 1000.
        existing: report what is there at the start as created.
        state: what :meth:`.Poller.save` returned.
        timeout: seconds that one look, at all pages, may take.

    Raises:
        UsageError: the URL or a value cannot be used, there are credentials in it, or aiohttp or botocore is
            not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        profile: str | None = None,
        anonymous: bool = False,
        verify: str | os.PathLike[str] | None = None,
        page_size: int = 1000,
        existing: bool = False,
        state: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        bucket, prefix = _parse(url)
        if endpoint is not None:
            target = parse(endpoint)
            if target.authorization:
                raise UsageError(f"endpoint: {_NO_CREDENTIALS}")
            endpoint = target.url
        if not 1 <= page_size <= 1000:
            raise UsageError(f"page_size: from 1 to 1000, not {page_size}")
        for module in ("aiohttp", "botocore"):
            need(module, "s3")
        super().__init__(_url(bucket, prefix), existing=existing, state=state, timeout=timeout)
        self._bucket, self._prefix, self._page_size = bucket, prefix, page_size
        self._make_client = partial(make_client, endpoint, region, profile, anonymous, self._send)
        self._requests = Aside(f"requests for {self._url}")  # what gives credentials may hang
        self._fetcher = Fetcher(self._url, verify)
        self._client: Any = None
        self._bundle: str | None = None  # CA certificates of the environment or the profile
        self._courier: Courier | None = None  # of the look that is going on

    async def _open(self) -> None:
        if self._client is None:
            self._client, self._bundle = await self._with_botocore(self._make_client)
        await self._fetcher.open(self._bundle)

    async def _with_botocore(self, work: Callable[[], T]) -> T:
        def in_thread() -> T:
            with discreet():
                return work()

        try:
            return await self._requests.do(in_thread)
        except Exception as exc:
            error = translated(self._url, exc)
        # Not above, where it would take botocore's error along: that has what the store said in it.
        raise error

    def _send(self, request: Any, **_: Any) -> Any:
        """Botocore asks here what is to be sent; in the thread."""
        assert self._courier is not None
        return self._courier.send(request)

    async def _list(self) -> Listing:
        client = self._client
        courier = Courier(lambda question: patiently(self._fetcher.fetch, question), self._timeout + 5)

        def work() -> Listing:
            self._courier = courier  # only now: what was given up before has ended
            return list_objects(client, self._url, self._bucket, self._prefix, self._page_size)

        try:
            return await self._with_botocore(work)
        finally:
            await courier.aclose()

    def _subject(self, name: str) -> str:
        return _url(self._bucket, name)

    async def _close(self) -> None:
        await self._fetcher.aclose()
        if self._client is not None:
            await self._requests.do(self._client.close)  # after what the thread is still doing


_NO_CREDENTIALS = (
    "credentials do not belong into the URL; put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or into a profile"
)


def _parse(url: str) -> tuple[str, str]:
    """Bucket and prefix.

    Raises:
        UsageError: it names no bucket. It is not repeated, for a part of it may be a secret.
    """
    parts = prefix = None
    with suppress(ValueError):
        parts = urlsplit(url)
        url.encode()
        prefix = unquote(parts.path.removeprefix("/"), errors="strict")
    if parts is None:
        raise UsageError("this is no URL of the form s3://bucket/prefix")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise UsageError(_NO_CREDENTIALS)
    if parts.scheme != "s3" or not parts.netloc:
        raise UsageError("a URL of objects to watch has the form s3://bucket/prefix")
    if "?" in url or "#" in url:
        raise UsageError("in an s3: URL ? is written %3F and # is written %23")
    if prefix is None:
        raise UsageError("in an s3: URL names are quoted as UTF-8")
    if not _BUCKET.fullmatch(parts.netloc):
        raise UsageError("the name of a bucket has letters, digits and . - _ alone, 255 at most")
    return parts.netloc, prefix


def _url(bucket: str, name: str) -> str:
    return f"{_SCHEME}{bucket}/{quote(name)}"
