"""Asking web servers: what is bounded, what is kept secret, what errors say."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from asynctask.errors import PollerError, UsageError
from asynctask.pollers import http_fetch
from asynctask.pollers.http_fetch import Fetcher, Question, need
from tests.pollers.web import Asked, Web, reply


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def _fetcher(verify: Path | None = None) -> AsyncIterator[Fetcher]:
    fetcher = Fetcher("http://subject/", verify)
    await fetcher.open()
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


async def _fails(question: Question, *, temporary: bool, verify: Path | None = None) -> str:
    """The reason, as said."""
    async with _fetcher(verify) as fetcher:
        with pytest.raises(PollerError) as caught:
            await fetcher.fetch(question)
    assert (caught.value.url, caught.value.temporary) == ("http://subject/", temporary)
    return caught.value.reason


async def test_an_answer_is_read() -> None:
    """Headers are in lower case."""
    async with Web(lambda asked: reply(200, b"hello", ETag='"a"')) as web, _fetcher() as fetcher:
        answer = await fetcher.fetch(Question(web.url + "/a%2Fb?c=%7E", {"X-Mine": "1"}))
    assert (answer.status, answer.reason, answer.body) == (200, "So", b"hello")
    assert answer.headers == {"etag": '"a"', "content-length": "5"}
    assert (web.paths, web.asked[0].headers["x-mine"]) == (["/a%2Fb?c=%7E"], "1")


async def test_opening_again_does_nothing() -> None:
    """There is one client."""
    async with _fetcher() as fetcher:
        session = fetcher._session
        await fetcher.open()
        assert fetcher._session is session


async def test_a_body_that_nobody_wants_is_not_read() -> None:
    """It may be long, or never end."""

    def wants(status: int, headers: Mapping[str, str]) -> bool:
        return "x-read" in headers

    async with Web(lambda asked: reply(200, b"a" * 100, length=10**12)) as web, _fetcher() as fetcher:
        answer = await fetcher.fetch(Question(web.url, {}, wants_body=wants))
    assert answer.body == b""


async def test_a_body_that_is_too_long_is_refused() -> None:
    """The bound counts what comes, whatever the headers say."""
    async with Web(lambda asked: reply(200, b"a" * 11)) as web:
        reason = await _fails(Question(web.url, {}, limit=10), temporary=False)
    assert reason == "the answer is longer than 10 bytes"


async def test_half_a_body_is_no_answer() -> None:
    """It breaks off before its length is there."""
    async with Web(lambda asked: reply(200, b"half", length=8)) as web:
        assert await _fails(Question(web.url, {}), temporary=True) == "the answer broke off"


async def test_a_refused_connection_is_said() -> None:
    """Nothing listens there."""
    async with Web() as web:
        await web.stop()
        reason = await _fails(Question(web.url, {}), temporary=True)
    assert reason.startswith("connecting failed: ")
    assert "efused" in reason or "Connect call failed" in reason


async def test_a_connection_that_ends_before_an_answer_is_said() -> None:
    """Asked once more, for it may have been an old one."""
    async with Web(lambda asked: b"") as web:
        reason = await _fails(Question(web.url, {}), temporary=True)
    assert reason == "the connection broke before there was an answer"


async def test_what_is_no_http_is_said() -> None:
    """Something else listens there."""
    async with Web(lambda asked: b"220 mail.example ESMTP\r\n\r\n") as web:
        assert await _fails(Question(web.url, {}), temporary=True) == "what the server answers is no HTTP"


async def test_silence_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is there, and nothing comes."""
    monkeypatch.setattr(http_fetch, "_SILENT", 0.05)
    async with Web(lambda asked: None) as web:
        assert await _fails(Question(web.url, {}), temporary=True) == "the server was silent for 0.05 s"


async def test_cancelling_gives_the_connection_up() -> None:
    """The server sees its end."""
    async with Web(lambda asked: None) as web, _fetcher() as fetcher:
        asking = asyncio.create_task(fetcher.fetch(Question(web.url, {})))
        await web.hanging.wait()
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        async with asyncio.timeout(5):
            while web._connections:
                await asyncio.sleep(0)


# -- redirects --------------------------------------------------------------------------------------


async def test_redirects_are_followed_as_far_as_wanted() -> None:
    """With none wanted the redirect is the answer."""

    def answering(asked: Asked) -> bytes:
        number = int(asked.path[1:])
        return reply(302, Location=f"/{number - 1}") if number else reply(200, b"there")

    async with Web(answering) as web, _fetcher() as fetcher:
        answer = await fetcher.fetch(Question(web.url + "/2", {}, redirects=2))
        assert (answer.url, answer.body) == (web.url + "/0", b"there")
        assert (await fetcher.fetch(Question(web.url + "/2", {}))).status == 302
        reason = await _fails(Question(web.url + "/3", {}, redirects=2), temporary=False)
    assert reason == "more than 2 redirects"


async def test_secret_headers_do_not_leave_their_origin() -> None:
    """Nor do they come back with the next redirect."""
    async with Web() as far, Web() as near, _fetcher() as fetcher:
        far.answering = lambda asked: reply(307, Location=near.url + "/end")
        near.answering = lambda asked: (
            reply(200)
            if asked.path == "/end"
            else reply(307, Location=far.url if asked.path == "/b" else "/b")
        )
        question = Question(near.url + "/a", {"X-Open": "1"}, secret={"X-Token": "t"}, redirects=5)
        answer = await fetcher.fetch(question)
    assert answer.url == near.url + "/end"
    assert [asked.headers.get("x-token") for asked in near.asked] == ["t", "t", None]
    assert [asked.headers.get("x-token") for asked in far.asked] == [None]
    assert {asked.headers["x-open"] for asked in (*near.asked, *far.asked)} == {"1"}


async def test_a_redirect_that_nobody_may_follow_is_an_error() -> None:
    """It leads into the file system."""
    async with Web(lambda asked: reply(302, Location="file:///etc/passwd")) as web:
        reason = await _fails(Question(web.url, {}, redirects=2), temporary=False)
    assert reason == "a redirect leads to something else than http"


def test_secrets_do_not_show() -> None:
    """Not in a traceback with local variables either."""
    assert "token" not in repr(Question("http://h/", {"A": "token"}, secret={"B": "token"}))


# -- Retry-After ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_wants_to_be_left_alone_is(status: int) -> None:
    """It is not asked before the time is over, whoever wants to."""
    now = 1000.0
    async with Web(lambda asked: reply(status, Retry_After="60")) as web:
        fetcher = Fetcher("http://subject/", clock=lambda: now)
        await fetcher.open()
        assert (await fetcher.fetch(Question(web.url, {}))).status == status
        now += 59
        with pytest.raises(PollerError, match=r"has asked to be left alone for another 1 s$") as caught:
            await fetcher.fetch(Question(web.url, {}))
        assert caught.value.temporary
        now += 1
        assert (await fetcher.fetch(Question(web.url, {}))).status == status
        await fetcher.aclose()
    assert len(web.asked) == 2


async def test_other_answers_make_nobody_wait() -> None:
    """Also with that header."""
    async with Web(lambda asked: reply(200, Retry_After="60")) as web, _fetcher() as fetcher:
        for _ in range(2):
            assert (await fetcher.fetch(Question(web.url, {}))).status == 200


# -- TLS and proxies --------------------------------------------------------------------------------


async def test_the_certificate_of_a_server_is_checked(certified: tuple[Path, ssl.SSLContext]) -> None:
    """Nobody knows who signed it."""
    _, context = certified
    async with Web(tls=context) as web:
        reason = await _fails(Question(web.url, {}), temporary=False)
    assert reason.startswith("the certificate of the server does not hold: self")
    assert web.asked == []


async def test_a_certificate_may_be_known_from_a_file(certified: tuple[Path, ssl.SSLContext]) -> None:
    """Nothing is left when it is closed."""
    file, context = certified
    async with Web(lambda asked: reply(200, b"safe"), tls=context) as web, _fetcher(file) as fetcher:
        assert (await fetcher.fetch(Question(web.url, {}))).body == b"safe"


async def test_a_file_without_certificates_is_said(tmp_path: Path) -> None:
    """Before anything is asked."""
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "none.pem", "\0"):
        question = Question("https://127.0.0.1:1/", {})
        reason = await _fails(question, temporary=False, verify=tmp_path / name)
        assert reason.startswith(f"no CA certificates can be read from {tmp_path / name}: ")


async def test_a_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its credentials are for it alone, and are not told when it does not work."""
    async with Web(lambda asked: reply(200, b"from afar")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://u:hunter2@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        async with _fetcher() as fetcher:
            assert (await fetcher.fetch(Question("http://far.example/a", {}))).body == b"from afar"
        assert proxy.paths == ["http://far.example/a"]
        assert proxy.asked[0].headers["proxy-authorization"].startswith("Basic ")
        await proxy.stop()
        assert "hunter2" not in await _fails(Question("http://far.example/a", {}), temporary=True)


@pytest.mark.parametrize("answer", [b"220 mail.example\r\n\r\n", b"", reply(200, b"half", length=8)])
async def test_the_errors_of_the_client_do_not_go_along(answer: bytes) -> None:
    """They have all headers in them, those of a proxy, too."""
    async with Web(lambda asked: answer) as web, _fetcher() as fetcher:
        with pytest.raises(PollerError) as caught:
            await fetcher.fetch(Question(web.url, {}, secret={"X-Token": "hunter2"}))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_what_a_proxy_refuses_is_told_without_its_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the client has them in its text."""
    async with Web(lambda asked: reply(407)) as proxy, _fetcher() as fetcher:
        monkeypatch.setenv("https_proxy", f"http://u:hunter2@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(PollerError, match=r"the proxy answers 407$") as caught:
            await fetcher.fetch(Question("https://far.example/", {}, secret={"X-Token": "hunter3"}))
    assert caught.value.__context__ is None
    assert [(asked.method, "x-token" in asked.headers) for asked in proxy.asked] == [("CONNECT", False)]


@pytest.mark.parametrize(("headers", "name"), [({"user-agent": "mine"}, "mine"), ({}, "asynctask/")])
async def test_there_is_one_name_in_a_request(headers: dict[str, str], name: str) -> None:
    """Ours, or that of the caller."""
    async with Web(lambda asked: reply(200)) as web, _fetcher() as fetcher:
        await fetcher.fetch(Question(web.url, headers))
    assert web.asked[0].headers["user-agent"].startswith(name)
    assert web.asked[0].names.count("user-agent") == 1


def test_what_is_not_installed_is_said() -> None:
    """And how to get it."""
    need("json", "http")
    with pytest.raises(
        UsageError, match=r"^a poller for s3: URLs needs nosuch: pip install 'asynctask\[s3\]'$"
    ):
        need("nosuch", "s3")
