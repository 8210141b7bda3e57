"""Watching a resource of a web server."""

from __future__ import annotations

import asyncio
import http.server
import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import PollerError, UsageError
from asynctask.pollers.http import HttpPoller
from tests.pollers.web import Asked, Web, reply

NONE: list[str] = []


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


async def _events(poller: HttpPoller) -> list[str]:
    """What has happened to the resource."""
    changes = await poller.get_new_events()
    assert all(change.url == poller.url for change in changes)
    return [change.event for change in changes]


async def _fails(poller: HttpPoller, reason: str, *, temporary: bool) -> None:
    with pytest.raises(PollerError, match=reason) as caught:
        await poller.get_new_events()
    assert caught.value.temporary is temporary


def _etag(value: str) -> Callable[[Asked], bytes]:
    """A server that knows one ETag."""

    def answering(asked: Asked) -> bytes:
        if asked.headers.get("if-none-match") == value:
            return reply(304, ETag=value)
        return reply(200, b"body", ETag=value)

    return answering


def _gone(asked: Asked) -> bytes:
    return reply(404)


async def test_a_resource_comes_changes_and_goes() -> None:
    """Each is told once."""
    async with Web(_gone) as web, HttpPoller(web.url + "/news") as poller:
        told = [await _events(poller)]
        for answering in (_etag('"1"'), _etag('"1"'), _etag('"2"'), _etag('"2"'), _gone, _gone, _etag('"2"')):
            web.answering = answering
            told.append(await _events(poller))
    assert told == [NONE, ["created"], NONE, ["modified"], NONE, ["deleted"], NONE, ["created"]]


async def test_what_has_not_changed_is_not_sent_again() -> None:
    """The question names what is known; after it is gone nothing is."""
    async with Web(_etag('W/"1"')) as web, HttpPoller(web.url) as poller:
        for _ in range(3):
            assert await _events(poller) == NONE
        web.answering = _gone
        assert await _events(poller) == ["deleted"]
        assert await _events(poller) == NONE
    asked = [asked.headers.get("if-none-match") for asked in web.asked]
    assert asked == [None, 'W/"1"', 'W/"1"', 'W/"1"', None]
    assert web.connections <= 2  # a body that is not read ends one


@pytest.mark.parametrize("etag", ["*", '"\x01"', '"\x7f"'])
async def test_an_etag_that_cannot_be_asked_by_still_tells_what_has_changed(etag: str) -> None:
    """``*`` would mean any, and control characters are sent to nobody."""
    async with Web(lambda asked: reply(200, ETag=etag)) as web, HttpPoller(web.url) as poller:
        assert await _events(poller) == NONE
        assert await _events(poller) == NONE
        web.answering = lambda asked: reply(200, ETag='"2"')
        assert await _events(poller) == ["modified"]
    assert not [asked for asked in web.asked if "if-none-match" in asked.headers]


async def test_an_etag_may_have_any_letters() -> None:
    """They come back as they were sent."""
    etag = b'"\xe9\xc3\xa9\t"'.decode("latin-1")
    answer = b"HTTP/1.1 200 So\r\nETag: " + etag.encode("latin-1") + b"\r\nContent-Length: 0\r\n\r\n"
    async with Web(lambda asked: answer) as web, HttpPoller(web.url) as poller:
        assert await _events(poller) == NONE
        assert await _events(poller) == NONE
        assert poller.statistics().failures == 0


async def test_a_weak_etag_is_as_good_as_a_strong_one() -> None:
    """A proxy that compresses makes one of the other."""
    async with Web(lambda asked: reply(200, ETag='"1"')) as web, HttpPoller(web.url) as poller:
        assert await _events(poller) == NONE
        web.answering = lambda asked: reply(200, ETag='W/"1"')
        assert await _events(poller) == NONE


async def test_without_an_etag_the_date_decides() -> None:
    """It is a text, which may also go backwards."""
    dates = iter(["Sun, 01 Mar 2026 12:00:00 GMT"] * 2 + ["Sun, 01 Mar 2026 11:00:00 GMT"] * 2)
    async with Web(lambda asked: reply(200, Last_Modified=next(dates))) as web, HttpPoller(web.url) as poller:
        assert [await _events(poller) for _ in range(4)] == [NONE, NONE, ["modified"], NONE]
    assert [asked.method for asked in web.asked] == ["GET", "HEAD", "HEAD", "HEAD"]
    assert web.connections == 1


async def test_a_server_that_cannot_tell_the_header_alone_is_asked_for_all() -> None:
    """What it answers to that does not count."""

    def answering(asked: Asked) -> bytes:
        return reply(404) if asked.method == "HEAD" else reply(200, Last_Modified="now")

    async with Web(answering) as web, HttpPoller(web.url) as poller:
        assert [await _events(poller) for _ in range(2)] == [NONE, NONE]
    assert [asked.method for asked in web.asked] == ["GET", "HEAD", "GET"]


@pytest.mark.parametrize("size", [1, (1 << 20) + 1])
async def test_without_either_the_body_decides(size: int) -> None:
    """A long one is looked at in a thread."""
    bodies = iter([b"a" * size, b"a" * size, b"b" * size, b"b" * size])
    async with Web(lambda asked: reply(200, next(bodies))) as web, HttpPoller(web.url) as poller:
        assert [await _events(poller) for _ in range(4)] == [NONE, NONE, ["modified"], NONE]


async def test_a_server_that_sends_an_etag_only_sometimes_changes_nothing() -> None:
    """Of several behind one address."""
    date = "Sun, 01 Mar 2026 12:00:00 GMT"
    answers = iter([reply(200, ETag='"1"', Last_Modified=date), reply(200, Last_Modified=date)] * 2)
    async with Web(lambda asked: next(answers)) as web, HttpPoller(web.url) as poller:
        assert [await _events(poller) for _ in range(4)] == [NONE] * 4


async def test_a_body_that_cannot_be_compared_is_an_error() -> None:
    """It is longer than is read."""
    async with Web(lambda asked: reply(200, b"12345")) as web, HttpPoller(web.url, body_limit=4) as poller:
        await _fails(poller, "the answer is longer than 4 bytes$", temporary=False)


async def test_what_is_there_at_the_start_may_be_reported() -> None:
    """If asked for."""
    async with Web(_etag('"1"')) as web, HttpPoller(web.url, existing=True) as poller:
        assert await _events(poller) == ["created"]
        assert await _events(poller) == NONE


async def test_a_later_poller_goes_on_where_the_first_ended() -> None:
    """It repeats nothing and misses nothing."""
    async with Web(_etag('"1"')) as web:
        async with HttpPoller(web.url) as poller:
            assert await _events(poller) == NONE
            state = await poller.save()
        async with HttpPoller(web.url, state=state) as poller:
            assert await _events(poller) == NONE
        web.answering = _etag('"2"')
        async with HttpPoller(web.url, state=state) as poller:
            assert await _events(poller) == ["modified"]


# -- what is no answer ------------------------------------------------------------------------------


@pytest.mark.one_loop("what answers mean")
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_server_in_trouble_deletes_nothing(status: int) -> None:
    """It is asked again, and nothing is told twice."""
    async with Web(_etag('"1"')) as web, HttpPoller(web.url) as poller:
        assert await _events(poller) == NONE
        web.answering = lambda asked: reply(status)
        await _fails(poller, f"the server answers {status} So$", temporary=True)
        web.answering = _etag('"1"')
        assert await _events(poller) == NONE


@pytest.mark.one_loop("what answers mean")
@pytest.mark.parametrize("status", [304, 400, 401, 403, 405])
async def test_a_server_that_refuses_says_nothing_about_the_resource(status: int) -> None:
    """Asking again does not help."""
    async with Web(lambda asked: reply(status)) as web, HttpPoller(web.url) as poller:
        await _fails(poller, f"the server answers {status} So", temporary=False)


@pytest.mark.one_loop("what answers mean")
@pytest.mark.parametrize("status", [404, 410])
async def test_only_two_answers_mean_that_it_is_gone(status: int) -> None:
    """And only after it was there."""
    async with Web(lambda asked: reply(status)) as web, HttpPoller(web.url, existing=True) as poller:
        assert await _events(poller) == NONE
        web.answering = _etag('"1"')
        assert await _events(poller) == ["created"]
        web.answering = lambda asked: reply(status)
        assert await _events(poller) == ["deleted"]


async def test_half_a_body_deletes_and_modifies_nothing() -> None:
    """It is asked again."""
    async with Web(lambda asked: reply(200, b"whole")) as web, HttpPoller(web.url) as poller:
        assert await _events(poller) == NONE
        web.answering = lambda asked: reply(200, b"who", length=5)
        await _fails(poller, "the answer broke off$", temporary=True)
        web.answering = lambda asked: reply(200, b"whole")
        assert await _events(poller) == NONE


async def test_a_server_that_is_away_deletes_nothing() -> None:
    """Nothing listens."""
    async with Web(_etag('"1"')) as web, HttpPoller(web.url) as poller:
        assert await _events(poller) == NONE
        await web.stop()
        await _fails(poller, "connecting failed: ", temporary=True)
        assert poller.statistics().entries == 1


async def test_a_look_is_bounded() -> None:
    """The server says nothing."""
    async with Web(lambda asked: None) as web, HttpPoller(web.url, timeout=0.05) as poller:
        await _fails(poller, r"no answer within 0\.05 s$", temporary=True)


async def test_redirects_that_go_round_are_an_error() -> None:
    """Five are followed."""
    async with Web(lambda asked: reply(302, Location=asked.path)) as web, HttpPoller(web.url) as poller:
        await _fails(poller, "more than 5 redirects$", temporary=False)
    assert len(web.asked) == 6


async def test_a_resource_may_be_elsewhere() -> None:
    """Events name the URL that is watched."""

    def answering(asked: Asked) -> bytes:
        return reply(301, Location="/new") if asked.path == "/old" else _etag('"1"')(asked)

    async with Web(answering) as web, HttpPoller(web.url + "/old", existing=True) as poller:
        assert await _events(poller) == ["created"]
        assert await _events(poller) == NONE
    assert web.paths == ["/old", "/new"] * 2


async def test_closing_ends_a_look() -> None:
    """Nothing is left of it."""
    async with Web(lambda asked: None) as web:
        poller = HttpPoller(web.url)
        watching = asyncio.ensure_future(anext(poller.watch()))
        await web.hanging.wait()
        await poller.aclose()
        with pytest.raises(StopAsyncIteration):
            await watching


# -- secrets ----------------------------------------------------------------------------------------


async def test_credentials_are_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Not in what is told, logged, saved or raised."""
    caplog.set_level(logging.DEBUG)
    async with Web(_etag('"1"')) as web:
        url = web.url.replace("//", "//user:hunter2@")
        async with HttpPoller(url, headers={"X-Token": "hunter3"}, existing=True) as poller:
            shown = [*await poller.get_new_events(), poller.url, poller, poller.statistics()]
            shown.append(await poller.save())
            web.answering = lambda asked: reply(403)
            with pytest.raises(PollerError) as caught:
                await poller.get_new_events()
            shown += [str(caught.value), repr(caught.value), caplog.text]
    assert {asked.headers["authorization"] for asked in web.asked} == {"Basic dXNlcjpodW50ZXIy"}
    assert {asked.headers["x-token"] for asked in web.asked} == {"hunter3"}
    assert not [text for text in map(repr, shown) if "hunter" in text or "dXNlcj" in text]


async def test_certificates_may_be_given(certified: tuple[Path, ssl.SSLContext]) -> None:
    """Those of the system do not count then."""
    file, context = certified
    async with Web(_etag('"1"'), tls=context) as web:
        async with HttpPoller(web.url, verify=file) as poller:
            assert await _events(poller) == NONE
        async with HttpPoller(web.url) as poller:
            await _fails(poller, "the certificate of the server does not hold", temporary=False)


@pytest.mark.one_loop("nothing is begun")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": {"X-A": "hunter2\r\nX-B: c"}}, "headers: this cannot be sent as a header: 'X-A'"),
        ({"headers": {"X A": "hunter2"}}, "headers: this cannot be sent as a header: 'X A'"),
        ({"headers": {"X-A: hunter2": ""}}, "headers: this cannot be sent as a header: 'X-A'"),
        ({"headers": {"X-A": "hunter2\udcff"}}, "headers: this cannot be sent as a header: 'X-A'"),
        ({"headers": {"X-A": b"hunter2"}}, "headers: this cannot be sent as a header: 'X-A'"),
        ({"headers": {"X-A": None}}, "headers: this cannot be sent as a header: 'X-A'"),
        ({"headers": {"Content-Length": "7"}}, "headers: Content-Length is set by the poller"),
        ({"headers": {"Range": "bytes=0-1"}}, "headers: Range is set by the poller"),
        (
            {"headers": {"authorization": "hunter2"}},
            "headers: Authorization is given, and credentials stand in the URL: which counts?",
        ),
        ({"body_limit": 0}, "body_limit: 1 byte or more, not 0"),
        ({"timeout": 0}, "timeout: more than 0 seconds, not 0"),
    ],
)
async def test_what_cannot_be_used_is_refused_at_the_call(options: dict[str, Any], message: str) -> None:
    """Without the secret in it."""
    with pytest.raises(UsageError) as caught:
        HttpPoller("http://u:p@h/", **options)
    assert str(caught.value) == message


# -- a real server ----------------------------------------------------------------------------------


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Not into the output of the tests."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL under which the standard library serves the files of a directory."""
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_file_of_a_real_server(served: str, tmp_path: Path) -> None:
    """That server sends dates, in seconds."""
    file = tmp_path / "page"
    async with HttpPoller(served + "/page") as poller:
        told = [await _events(poller)]
        file.write_text("a")
        told += [await _events(poller), await _events(poller)]
        os.utime(file, (1e9, 1e9))
        told += [await _events(poller), await _events(poller)]
        file.unlink()
        told += [await _events(poller), await _events(poller)]
    assert told == [NONE, ["created"], NONE, ["modified"], NONE, ["deleted"], NONE]
