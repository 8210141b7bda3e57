"""Watching the objects in a bucket: a real store, and one that does what no real one should."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

from asynctask.errors import PollerError, UsageError
from asynctask.pollers import s3_listing
from asynctask.pollers.registry import make_poller
from asynctask.pollers.s3 import S3Poller
from asynctask.pollers.s3_client import make_client
from tests.pollers.moto_server import Store, store_running
from tests.pollers.web import Asked, Web, reply

pytestmark = pytest.mark.usefixtures("descriptions_out_of_sight")

URL = "s3://bucket/"


@pytest.fixture(autouse=True, scope="module")
def _descriptions() -> None:
    """What botocore knows about S3 is read once in the process, and never collected as garbage."""
    make_client("http://h/", "x", None, True, lambda **_: None)
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of the test, and none of whoever runs it."""
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(s3_listing, "PAUSES", (0, 0))


async def _told(poller: S3Poller) -> list[tuple[str, str]]:
    return [(change.url, change.event) for change in await poller.get_new_events()]


async def _fails(poller: S3Poller, reason: str, *, temporary: bool) -> PollerError:
    with pytest.raises(PollerError, match=reason) as caught:
        await poller.get_new_events()
    assert caught.value.temporary is temporary
    return caught.value


# -- moto's server ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Store]:
    """The server, for all tests of this module."""
    with store_running() as store:
        yield store


@pytest.fixture
def store(running: Store) -> Store:
    """The server with one empty bucket."""
    running.reset()
    running.request("PUT", "/bucket")
    return running


async def _do(call: Callable[..., object], *args: object) -> None:
    await asyncio.to_thread(call, *args)


@pytest.mark.one_loop("what a real store answers")
async def test_objects_come_change_and_go(store: Store) -> None:
    """Each is told once."""
    await _do(store.put, "bucket", "old", b"1")
    async with S3Poller("s3://bucket", endpoint=store.url) as poller:
        assert await _told(poller) == []
        await _do(store.put, "bucket", "new", b"1")
        assert await _told(poller) == [("s3://bucket/new", "created")]
        await _do(store.put, "bucket", "old", b"2")
        await _do(store.delete, "bucket", "new")
        assert await _told(poller) == [("s3://bucket/new", "deleted"), ("s3://bucket/old", "modified")]
        await _do(store.put, "bucket", "old", b"2")
        assert await _told(poller) == []


@pytest.mark.one_loop("what a real store answers")
async def test_all_pages_are_read(store: Store) -> None:
    """Seven objects, three a page."""
    names = [f"o{number}" for number in range(7)]
    for name in names:
        await _do(store.put, "bucket", name)
    async with S3Poller(URL, endpoint=store.url, page_size=3, existing=True) as poller:
        assert await _told(poller) == [(URL + name, "created") for name in names]
        await _do(store.delete, "bucket", "o6")
        assert await _told(poller) == [(URL + "o6", "deleted")]


@pytest.mark.one_loop("what a real store answers")
async def test_names_may_have_any_characters(store: Store) -> None:
    """In events they are quoted."""
    names = ["a\x01\x1f", "b c+d%20", "e?f#g", "h//i/", "ü<&>'\"", "~!*()"]
    for name in names:
        await _do(store.put, "bucket", name)
    async with S3Poller(URL, endpoint=store.url, page_size=2, existing=True) as poller:
        assert {url for url, _ in await _told(poller)} == {
            URL + quoted
            for quoted in (
                *("a%01%1F", "b%20c%2Bd%2520", "e%3Ff%23g", "h//i/"),
                *("%C3%BC%3C%26%3E%27%22", "~%21%2A%28%29"),
            )
        }
        state = await poller.save()
    async with S3Poller(URL, endpoint=store.url, state=state) as poller:
        assert await _told(poller) == []


@pytest.mark.one_loop("what a real store answers")
@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://bucket/in", ["in/a", "in/b%20c", "index"]),
        ("s3://bucket/in/", ["in/a", "in/b%20c"]),
        ("s3://bucket/in/b%20", ["in/b%20c"]),
        ("s3://bucket/none", []),
    ],
)
async def test_a_prefix_is_where_names_begin(store: Store, url: str, found: list[str]) -> None:
    """Events have the whole name."""
    for name in ("in/a", "in/b c", "index", "out"):
        await _do(store.put, "bucket", name)
    async with S3Poller(url, endpoint=store.url, existing=True) as poller:
        assert poller.url == url
        assert await _told(poller) == [(URL + name, "created") for name in found]


@pytest.mark.one_loop("what a real store answers")
async def test_a_missing_bucket_may_come(store: Store) -> None:
    """When it goes nothing is taken for deleted."""
    async with S3Poller("s3://later/", endpoint=store.url) as poller:
        error = await _fails(poller, "the store answers 404 NoSuchBucket", temporary=True)
        assert error.url == "s3://later/"
        await _do(store.request, "PUT", "/later")
        assert await _told(poller) == []
        await _do(store.put, "later", "a")
        assert await _told(poller) == [("s3://later/a", "created")]
        await _do(store.reset)
        await _fails(poller, "404 NoSuchBucket", temporary=True)
        assert poller.statistics().entries == 1


@pytest.mark.one_loop("what a real store answers")
async def test_a_later_poller_goes_on_where_the_first_ended(store: Store) -> None:
    """It repeats nothing and misses nothing."""
    await _do(store.put, "bucket", "a", b"1")
    async with S3Poller(URL, endpoint=store.url) as poller:
        await poller.start()
        state = await poller.save()
    await _do(store.put, "bucket", "a", b"2")
    await _do(store.put, "bucket", "b", b"1")
    async with make_poller(URL, endpoint=store.url, state=state) as later:
        changes = await later.get_new_events()
    assert changes == [(URL + "a", "modified"), (URL + "b", "created")]


@pytest.mark.one_loop("what a real store answers")
async def test_requests_are_signed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store looks at keys and signatures; wrong ones end a watch."""
    for name in ("a", "b +~'", "c"):
        await _do(store.put, "bucket", f"ü &{name}")
    key, secret = await asyncio.to_thread(store.user)
    made: dict[str, Any] = {"endpoint": store.url, "page_size": 1, "existing": True}
    async with S3Poller("s3://bucket/%C3%BC%20%26", **made) as poller:
        await _fails(poller, "the store answers 403 InvalidAccessKeyId", temporary=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    async with S3Poller("s3://bucket/%C3%BC%20%26", **made) as poller:
        await _fails(poller, "the store answers 403 SignatureDoesNotMatch", temporary=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    async with S3Poller("s3://bucket/%C3%BC%20%26", **made) as poller:
        assert len(await _told(poller)) == 3


@pytest.mark.one_loop("what a real store answers")
async def test_credentials_may_stand_in_a_profile(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the files that all tools share."""
    key, secret = await asyncio.to_thread(store.user)
    (tmp_path / "credentials").write_text(
        f"[mine]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    async with S3Poller(URL, endpoint=store.url, profile="mine") as poller:
        assert await _told(poller) == []
    async with S3Poller(URL, endpoint=store.url, profile="other") as poller:
        await _fails(poller, "there is no such profile", temporary=False)


# -- a store that misbehaves ------------------------------------------------------------------------


def _page(*names: str, after: str = "", truncated: bool | None = None) -> bytes:
    """A page as it is sent."""
    more = bool(after) if truncated is None else truncated
    entries = "".join(
        f"<Contents><Key>{escape(name)}</Key><LastModified>2026-03-01T12:00:00.000Z</LastModified>"
        "<ETag>&quot;e&quot;</ETag><Size>1</Size></Contents>"
        for name in names
    )
    token = f"<NextContinuationToken>{after}</NextContinuationToken>" if after else ""
    text = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}<Name>bucket</Name>{entries}"
    return f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{text}</ListBucketResult>'.encode()


def _pages(asked: Asked) -> bytes:
    """Three objects on two pages."""
    return reply(200, _page("c") if _token(asked) else _page("a", "b", after="t1"))


def _token(asked: Asked) -> str:
    return parse_qs(urlsplit(asked.path).query).get("continuation-token", [""])[0]


def _error(status: int, code: str) -> bytes:
    return reply(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())


FAULTS: list[tuple[str, bytes, str, bool]] = [
    ("denied", _error(403, "AccessDenied"), "403 AccessDenied; reading needs", False),
    ("signature", _error(403, "SignatureDoesNotMatch"), "403 SignatureDoesNotMatch", False),
    ("no bucket", _error(404, "NoSuchBucket"), "404 NoSuchBucket", True),
    ("internal", _error(500, "InternalError"), "500 InternalError", True),
    ("slow down", _error(503, "SlowDown"), "503 SlowDown", True),
    ("bad gateway", reply(502, b"<html>"), "the store answers 502$", True),
    ("half a body", reply(200, _page("c")[:99], length=999), "the answer broke off$", True),
    ("half a page", reply(200, _page("c")[:99]), "the store ", True),
    ("nothing", reply(200), "a part of the answer of the store is missing$", True),
    ("no next page", reply(200, _page("c", truncated=True)), "a part of the answer", True),
    ("the same token", reply(200, _page("c", after="t1")), "cannot be read$", True),
    ("a login page", reply(200, b"<html><body/></html>"), "a part of the answer", True),
    ("no http", b"\0\0\r\n\r\n", "is no HTTP$", True),
]


@pytest.mark.one_loop("what answers mean")
@pytest.mark.parametrize(
    ("answer", "reason", "temporary"),
    [fault[1:] for fault in FAULTS],
    ids=[fault[0] for fault in FAULTS],
)
async def test_a_page_that_fails_changes_nothing(answer: bytes, reason: str, temporary: bool) -> None:
    """Nothing is deleted, and nothing told twice when the store is well again."""

    def failing(asked: Asked) -> bytes:
        return answer if _token(asked) else _pages(asked)

    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url) as poller:
        assert await _told(poller) == []
        web.answering = failing
        await _fails(poller, reason, temporary=temporary)
        assert poller.statistics().entries == 3
        web.answering = _pages
        assert await _told(poller) == []


@pytest.mark.parametrize("answer", [reply(200), _error(500, "InternalError")], ids=["nothing", "error"])
async def test_a_first_page_that_fails_is_no_empty_bucket(answer: bytes) -> None:
    """Also when the poller is new: it has then not begun."""
    async with Web(lambda asked: answer) as web, S3Poller(URL, endpoint=web.url, existing=True) as poller:
        await _fails(poller, "the store ", temporary=True)
        web.answering = _pages
        assert len(await _told(poller)) == 3
        web.answering = lambda asked: answer
        await _fails(poller, "the store ", temporary=True)
        web.answering = _pages
        assert await _told(poller) == []


async def test_one_page_that_fails_once_is_asked_for_again() -> None:
    """The listing does not begin anew."""
    answers = iter([_page("a", after="t1"), b"", _page("b")])

    def answering(asked: Asked) -> bytes:
        body = next(answers)
        return reply(200, body) if body else _error(503, "SlowDown")

    async with Web(answering) as web, S3Poller(URL, endpoint=web.url, existing=True) as poller:
        assert await _told(poller) == [(URL + "a", "created"), (URL + "b", "created")]
    assert [_token(asked) for asked in web.asked] == ["", "t1", "t1"]


async def test_a_store_that_wants_to_be_left_alone_is() -> None:
    """For as long as it says."""
    async with (
        Web(lambda asked: reply(503, Retry_After="60")) as web,
        S3Poller(URL, endpoint=web.url) as poller,
    ):
        await _fails(poller, "the store answers 503", temporary=True)
        await _fails(poller, r"has asked to be left alone for another \d+ s$", temporary=True)
    assert len(web.asked) == 1


async def test_a_store_that_is_away_deletes_nothing() -> None:
    """It is tried three times."""
    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url) as poller:
        assert await _told(poller) == []
        await web.stop()
        await _fails(poller, "connecting failed: ", temporary=True)
        assert poller.statistics().entries == 3


async def test_a_bucket_in_another_region_is_found() -> None:
    """The store says where it is."""

    def answering(asked: Asked) -> bytes:
        if "/eu-west-3/" in asked.headers["authorization"]:
            return _pages(asked)
        body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"
        return reply(400, body)

    async with Web(answering) as web, S3Poller(URL, endpoint=web.url, existing=True) as poller:
        assert len(await _told(poller)) == 3
        assert await _told(poller) == []


async def test_nobody_has_to_be_known() -> None:
    """To a public bucket requests go without credentials."""
    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url, anonymous=True) as poller:
        assert await _told(poller) == []
    assert not [asked for asked in web.asked if "authorization" in asked.headers]


async def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """And asks nobody."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url) as poller:
        await _fails(poller, "there are no whole credentials", temporary=False)
    assert web.asked == []


async def test_certificates_may_be_given(
    certified: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the call, or in the variable of all AWS tools."""
    file, context = certified
    async with Web(_pages, tls=context) as web:
        async with S3Poller(URL, endpoint=web.url) as poller:
            await _fails(poller, "the certificate of the server does not hold", temporary=False)
        async with S3Poller(URL, endpoint=web.url, verify=file) as poller:
            assert await _told(poller) == []
        monkeypatch.setenv("AWS_CA_BUNDLE", str(file))
        async with S3Poller(URL, endpoint=web.url) as poller:
            assert await _told(poller) == []


# -- ending -----------------------------------------------------------------------------------------


async def test_a_look_is_bounded() -> None:
    """The store says nothing."""
    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url, timeout=1) as poller:
        await poller.start()
        poller._timeout = 0.05
        web.answering = lambda asked: None
        await _fails(poller, r"no answer within 0\.05 s$", temporary=True)
        poller._timeout = 5
        web.answering = _pages
        assert await _told(poller) == []


@pytest.mark.parametrize("end", ["cancel", "aclose"])
async def test_ending_a_look_leaves_nothing(end: str) -> None:
    """The thread ends with the request."""
    async with Web(lambda asked: None) as web:
        poller = S3Poller(URL, endpoint=web.url)
        looking = asyncio.create_task(poller.get_new_events())
        await web.hanging.wait()
        if end == "cancel":
            looking.cancel()
            await asyncio.wait([looking])
            assert looking.cancelled()
        await poller.aclose()
        await asyncio.wait([looking])
        assert not poller._aside.busy


async def test_what_hangs_for_credentials_does_not_keep_what_was_delivered_from_being_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A program that gives them may never end."""
    monkeypatch.setattr("asynctask.pollers.base.MANY", 0)
    hanging, going_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hang(*_: Any, **__: Any) -> None:
        loop.call_soon_threadsafe(hanging.set)
        going_on.wait(20)

    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url) as poller:
        await poller.start()
        poller._client.meta.events.register("before-sign.s3", hang)
        looking = asyncio.create_task(poller.get_new_events())
        await hanging.wait()
        looking.cancel()
        await asyncio.wait([looking])
        async with asyncio.timeout(5):
            state = await poller.save()
        going_on.set()
    assert state.count(b"\n") == 2


# -- secrets and misuse -----------------------------------------------------------------------------


async def test_credentials_are_shown_nowhere(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in what is told, logged by whomever, saved or raised; not even when the store repeats them."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hunter2token")
    repeated = reply(403, b"<Error><Code>InvalidToken</Code><Message>hunter2token</Message></Error>")
    async with Web(_pages) as web, S3Poller(URL, endpoint=web.url, existing=True) as poller:
        shown: list[Any] = [*await poller.get_new_events(), poller, poller.statistics(), await poller.save()]
        web.answering = lambda asked: repeated
        error = await _fails(poller, "403 InvalidToken", temporary=False)
        assert error.__context__ is None
        shown += [error, caplog.text]
    assert "Found credentials in environment variables" in caplog.text  # botocore may speak
    assert web.asked[0].headers["x-amz-security-token"] == "hunter2token"
    assert not [text for text in map(repr, shown) if "AKIDTEST" in text or "hunter2" in text]


@pytest.mark.one_loop("nothing is begun")
@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("s3://key:hunter2@bucket/", {}, "credentials do not belong into the URL; put them into AWS_ACC"),
        ("s3://bucket:hunter2/", {}, "credentials do not belong into the URL"),
        (URL, {"endpoint": "http://key:hunter2@h/"}, "endpoint: credentials do not belong into the URL"),
        (URL, {"endpoint": "store"}, "a URL to watch has a scheme and a host"),
        ("s3:///hunter2", {}, "a URL of objects to watch has the form s3://bucket/prefix"),
        ("s3://[hunter2", {}, "this is no URL of the form s3://bucket/prefix"),
        ("s3://bucket/a?hunter2", {}, "in an s3: URL ? is written %3F and # is written %23"),
        ("s3://bucket/hunter2%ff", {}, "in an s3: URL names are quoted as UTF-8"),
        ("s3://bucket/hunter2\udcff", {}, "in an s3: URL names are quoted as UTF-8"),
        ("s3://hunter2 x/", {}, "the name of a bucket has letters, digits and . - _ alone, 255 at most"),
        ("s3://../", {}, "the name of a bucket has letters, digits"),
        (URL, {"page_size": 0}, "page_size: from 1 to 1000, not 0"),
        (URL, {"page_size": 1001}, "page_size: from 1 to 1000, not 1001"),
    ],
)
async def test_what_cannot_be_used_is_refused_at_the_call(
    url: str, options: dict[str, Any], message: str
) -> None:
    """Without the secret in it."""
    with pytest.raises(UsageError) as caught:
        S3Poller(url, **options)
    assert str(caught.value).startswith(message)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__context__ is None
