"""Listing a bucket: pages, requests that the loop carries for a thread, patience."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.errors import PollerError
from asynctask.pollers import s3_listing
from asynctask.pollers.http_fetch import Answer, Question
from asynctask.pollers.s3_listing import Courier, list_objects, patiently, stamp

pytestmark = pytest.mark.usefixtures("descriptions_out_of_sight")

URL = "s3://bucket/"
QUESTION = Question("http://store/", {})


class _Client:
    """As much of a client as is used."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = pages
        self.asked: dict[str, Any] = {}

    def get_paginator(self, name: str) -> _Client:
        assert name == "list_objects_v2"
        return self

    def paginate(self, **asked: Any) -> Iterable[dict[str, Any]]:
        self.asked = asked
        return iter(self.pages)


def _entry(name: str, etag: str = '"e"', size: int = 1) -> dict[str, Any]:
    return {"Key": name, "ETag": etag, "Size": size, "LastModified": "now"}


# -- pages ------------------------------------------------------------------------------------------


@pytest.mark.one_loop("no loop")
def test_all_pages_make_the_listing() -> None:
    """Names are those of the objects."""
    client = _Client(
        {"IsTruncated": True, "NextContinuationToken": "t", "Contents": [_entry("a"), _entry("b/c")]},
        {"IsTruncated": False, "Contents": [_entry("d", size=2)]},
    )
    assert list_objects(client, URL, "bucket", "pre", 2) == {
        "a": ("object", '"e"', 1, ""),
        "b/c": ("object", '"e"', 1, ""),
        "d": ("object", '"e"', 2, ""),
    }
    assert client.asked == {"Bucket": "bucket", "Prefix": "pre", "PaginationConfig": {"PageSize": 2}}


@pytest.mark.one_loop("no loop")
def test_an_empty_bucket_says_that_it_is_empty() -> None:
    """That there is no other page."""
    assert list_objects(_Client({"IsTruncated": False}), URL, "bucket", "", 9) == {}


@pytest.mark.one_loop("no loop")
@pytest.mark.parametrize(
    "page", [{}, {"IsTruncated": True}, {"IsTruncated": True, "NextContinuationToken": ""}]
)
def test_half_a_page_is_no_listing(page: dict[str, Any]) -> None:
    """Botocore takes it for the last one."""
    with pytest.raises(PollerError, match="a part of the answer of the store is missing") as caught:
        list_objects(_Client(page), URL, "bucket", "", 9)
    assert caught.value.temporary


@pytest.mark.one_loop("no loop")
def test_the_etag_decides() -> None:
    """Where there is none, the date does."""
    assert stamp(_entry("a")) == stamp({**_entry("a"), "LastModified": "later"})
    assert stamp(_entry("a")) != stamp(_entry("a", etag='"f"'))
    assert stamp(_entry("a", etag="")) != stamp({**_entry("a", etag=""), "LastModified": "later"})


# -- patience ---------------------------------------------------------------------------------------


async def _asked(monkeypatch: pytest.MonkeyPatch, *answers: int | PollerError, **headers: str) -> Any:
    """What comes of asking, and how often it was asked."""
    monkeypatch.setattr(s3_listing, "PAUSES", (0, 0))
    left = list(answers)

    async def fetch(question: Question) -> Answer:
        answer = left.pop(0)
        if isinstance(answer, PollerError):
            raise answer
        return Answer(question.url, answer, "", headers)

    try:
        outcome: Any = (await patiently(fetch, QUESTION)).status
    except PollerError as exc:
        outcome = exc
    return outcome, len(answers) - len(left)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_what_may_pass_is_asked_again(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice."""
    assert await _asked(monkeypatch, status, 200, 200) == (200, 2)
    assert await _asked(monkeypatch, status, status, status, 200) == (status, 3)


@pytest.mark.parametrize("status", [200, 301, 400, 403, 404])
async def test_what_does_not_pass_is_the_answer(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once."""
    assert await _asked(monkeypatch, status, 200) == (status, 1)


async def test_who_says_when_to_come_again_is_not_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The poller comes again then."""
    assert await _asked(monkeypatch, 503, 200, **{"retry-after": "9"}) == (503, 1)


async def test_a_connection_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If that can help."""
    passing, staying = PollerError(URL, "refused"), PollerError(URL, "certificate", temporary=False)
    assert await _asked(monkeypatch, passing, 200) == (200, 2)
    assert await _asked(monkeypatch, passing, 500, passing, 200) == (passing, 3)
    assert await _asked(monkeypatch, staying, 200) == (staying, 1)


# -- the courier ------------------------------------------------------------------------------------

REQUEST = SimpleNamespace(method="GET", url="http://store/a", headers={"A": b"\xe9", "B": "c"})


async def test_a_thread_gets_what_the_loop_has_fetched() -> None:
    """Headers come as text or bytes."""
    asked = []

    async def fetch(question: Question) -> Answer:
        asked.append((question.method, question.url, question.headers))
        return Answer(question.url, 201, "", {"x": "y"}, b"body")

    courier = Courier(fetch, 5)
    answer = await asyncio.to_thread(courier.send, REQUEST)
    assert asked == [("GET", "http://store/a", {"A": "\xe9", "B": "c"})]
    assert (answer.status_code, answer.content, answer.headers["X"]) == (201, b"body", "y")
    await courier.aclose()


async def test_closing_ends_what_is_on_its_way() -> None:
    """The thread goes on at once, and gets nothing any more."""
    begun = asyncio.Event()

    async def fetch(question: Question) -> Answer:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    courier = Courier(fetch, 5)

    def send() -> str:
        with pytest.raises(concurrent.futures.CancelledError):
            courier.send(REQUEST)
        return "ended"

    sending = asyncio.create_task(asyncio.to_thread(send))
    await begun.wait()
    await courier.aclose()
    assert await sending == "ended"
    assert await asyncio.to_thread(send) == "ended"


@pytest.mark.one_loop("the loop is closed")
def test_a_thread_whose_loop_is_closed_ends() -> None:
    """And no coroutine is left that nobody awaits."""

    async def make() -> Courier:
        return Courier(lambda question: asyncio.sleep(0, Answer("", 200, "", {})), 5)

    courier = asyncio.run(make())
    with pytest.raises(RuntimeError, match="closed"):
        courier.send(REQUEST)
