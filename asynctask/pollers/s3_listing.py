"""Lists a bucket: botocore signs and reads in a thread, the loop carries the requests.

So a thread never waits for the network on its own: cancelling ends the request, and with it the work of the
thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio

from asynctask.errors import PollerError
from asynctask.pollers.changes import Listing, Stamp
from asynctask.pollers.http_fetch import Answer, Question

__all__ = ("Courier", "list_objects", "patiently", "stamp")

#: Seconds before a request is made again, the last time included: a listing of many pages need not begin anew
#: because of one.
PAUSES = (0.2, 1.0)
_ENDING = 2.0  # seconds
_BUSY = frozenset({429, 500, 502, 503, 504})

Fetch = Callable[[Question], Awaitable[Answer]]


async def patiently(fetch: Fetch, question: Question) -> Answer:
    """Ask up to three times, as long as what comes of it may pass.

    Raises:
        PollerError: the last time there was no answer.
    """
    for pause in PAUSES:
        try:
            answer = await fetch(question)
        except PollerError as exc:
            if not exc.temporary:
                raise
        else:
            if answer.status not in _BUSY or "retry-after" in answer.headers:
                return answer
        await asyncio.sleep(pause)
    return await fetch(question)


class Courier:
    """Carries requests of a thread over the loop it was made on.

    Args:
        fetch: how.
        patience: the seconds that the thread waits for an answer; the loop should give up before.
    """

    def __init__(self, fetch: Fetch, patience: float) -> None:
        self._fetch = fetch
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def send(self, request: Any, **_: Any) -> Any:
        """Have a request of botocore carried; called in the thread, in place of its own client.

        Raises:
            PollerError: there is no answer.
            concurrent.futures.CancelledError: nobody wants it any more.
        """
        from botocore.awsrequest import AWSResponse

        headers = {name: _text(value) for name, value in request.headers.items()}
        question = Question(request.url, headers, method=request.method)
        carrying = self._carry(question)
        try:
            waiting = asyncio.run_coroutine_threadsafe(carrying, self._loop)
        except RuntimeError:  # the loop is closed
            carrying.close()
            raise
        answer = waiting.result(self._patience)
        return AWSResponse(answer.url, answer.status, dict(answer.headers), _Body(answer.body))

    async def aclose(self) -> None:
        """Give up what is on its way; what comes later is refused."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        with anyio.move_on_after(_ENDING, shield=True):
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def _carry(self, question: Question) -> Answer:
        if self._closed:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            return await self._fetch(question)
        finally:
            self._tasks.discard(task)


class _Body:
    """A body as botocore reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def list_objects(client: Any, url: str, bucket: str, prefix: str, page_size: int) -> Listing:
    """All objects; called in a thread.

    Raises:
        PollerError: a page is not a whole one.
        Exception: of botocore.
    """
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": page_size}
    )
    listing: Listing = {}
    for page in pages:
        _check(page, url)
        for entry in page.get("Contents", ()):
            listing[entry["Key"]] = stamp(entry)
    return listing


def _check(page: dict[str, Any], url: str) -> None:
    """To botocore an empty answer is an empty bucket, and a page that points to no other one the last."""
    more = page.get("IsTruncated")
    if more is None or (more and not page.get("NextContinuationToken")):
        raise PollerError(url, "a part of the answer of the store is missing")


def stamp(entry: dict[str, Any]) -> Stamp:
    """An object is modified when its ETag or its size changes; without an ETag the date decides."""
    etag = entry.get("ETag", "")
    return ("object", etag, entry.get("Size", 0), "" if etag else str(entry.get("LastModified", "")))
