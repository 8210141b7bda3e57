"""A Swift that fails: nothing is lost, nothing told twice, and nothing secret told at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import ssl
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask.errors import PollerError, TaskStateError
from asynctask.pollers import Change
from asynctask.pollers.swift import SwiftPoller
from asynctask.pollers.swift_client import Abandoned, SwiftClient
from asynctask.pollers.swift_urls import find_place
from tests.pollers.swift_fake import PASSWORD, TOKEN, FakeSwift, answer


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine's environment says does not count."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in [*os.environ]:
        if name.startswith(("OS_", "ST_")):
            monkeypatch.delenv(name)


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[FakeSwift]:
    """A container with two objects."""
    async with FakeSwift() as server:
        server.objects = {"a": "e1", "b": "e1"}
        yield server


def poller_of(fake: FakeSwift, query: str = "", **options: Any) -> SwiftPoller:
    """A poller by version 1."""
    return SwiftPoller(f"swift://tester+test:{PASSWORD}@{fake.place}?box&auth=1{query}", **options)


def keystone_poller_of(fake: FakeSwift, query: str = "", **options: Any) -> SwiftPoller:
    """A poller by version 3."""
    return SwiftPoller(f"swift://tester+lab:{PASSWORD}@{fake.place}?box{query}", **options)


async def eventually(happened: Callable[[], object]) -> None:
    """Wait for something that a thread does."""
    while not happened():
        await asyncio.sleep(0.001)


def told(fake: FakeSwift, changes: list[Change]) -> list[tuple[str, str]]:
    """The names and what happened to them."""
    root = f"swift://{fake.place}/box/"
    return [(change.url.removeprefix(root), change.event) for change in changes]


async def fails(poller: SwiftPoller) -> PollerError:
    """The error of a look that has to fail."""
    with pytest.raises(PollerError) as raised:
        await poller.get_new_events()
    return raised.value


async def test_pages_follow_one_another(fake: FakeSwift) -> None:
    """Each begins after the last name of the one before; an empty one is the end."""
    fake.objects = dict.fromkeys("abcdefg", "e1")
    async with poller_of(fake, "&prefix=", page_size=3, existing=True) as poller:
        assert told(fake, await poller.get_new_events()) == [(name, "created") for name in "abcdefg"]
    assert [request.query.get("marker") for request in fake.listings] == [None, "c", "f", "g"]
    assert {request.query["limit"] for request in fake.listings} == {"3"}
    assert {request.headers["x-newest"] for request in fake.listings} == {"true"}
    assert fake.logins == 1


async def test_the_pages_of_a_server_are_as_long_as_it_likes(fake: FakeSwift) -> None:
    """That a page is short does not mean that it is the last one."""
    fake.objects = dict.fromkeys("abcde", "e1")
    fake.page = 2
    async with poller_of(fake, existing=True, newest=False) as poller:
        assert told(fake, await poller.get_new_events()) == [(name, "created") for name in "abcde"]
    assert not any("limit" in request.query or "x-newest" in request.headers for request in fake.listings)


async def test_changes_between_pages_repeat_nothing(fake: FakeSwift) -> None:
    """What comes and goes while pages are read is told once, now or at the next look."""
    fake.objects = dict.fromkeys("bdfh", "e1")

    def change(number: int) -> None:
        if number == 5:  # the second page of the second look
            fake.objects |= {"a": "e1", "e": "e1"}
            fake.objects.pop("b")

    fake.page, fake.before_page = 2, change
    async with poller_of(fake) as poller:
        assert await poller.get_new_events() == []
        assert told(fake, await poller.get_new_events()) == [("e", "created")]
        assert told(fake, await poller.get_new_events()) == [("b", "deleted"), ("a", "created")]
        assert await poller.get_new_events() == []


async def test_a_server_that_does_not_go_by_the_marker_is_an_error(fake: FakeSwift) -> None:
    """It would never end."""
    async with poller_of(fake) as poller:
        await poller.start()
        fake.faults += [answer(200, fake.page_of("a", "b", "c"))] * 2
        error = await fails(poller)
        assert (error.reason, error.temporary) == ("the server repeats a part of the listing", True)
        assert await poller.get_new_events() == []


async def test_a_token_that_has_expired_is_renewed_once(fake: FakeSwift) -> None:
    """The look that finds it out succeeds all the same."""
    async with poller_of(fake) as poller:
        await poller.start()
        fake.token, fake.objects["c"] = "another token", "e1"
        assert told(fake, await poller.get_new_events()) == [("c", "created")]
        assert fake.logins == 2
        assert poller.statistics().failures == 0


async def test_a_new_token_that_is_refused_is_the_end(fake: FakeSwift) -> None:
    """Trying again would not help."""
    async with poller_of(fake) as poller:
        await poller.start()
        fake.requests.clear()
        fake.faults += [answer(401), answer(401)]
        error = await fails(poller)
        assert (error.temporary, error.reason) == (False, "a new token is refused (HTTP 401 Unauthorized)")
        assert (len(fake.listings), fake.logins) == (2, 1)


@pytest.mark.one_loop("the client runs in a thread")
@pytest.mark.parametrize(
    ("status", "temporary", "words"),
    [
        (403, False, "may not be listed"),
        (404, True, "no such container"),
        (412, False, "cannot be listed"),
        (429, True, "cannot be listed"),
        (498, True, "cannot be listed"),
        (500, True, "cannot be listed"),
        (503, True, "cannot be listed"),
    ],
)
async def test_what_the_server_refuses(fake: FakeSwift, status: int, temporary: bool, words: str) -> None:
    """On whichever page it happens: nothing counts as deleted, and nothing is told twice afterwards."""
    fake.objects, fake.page = dict.fromkeys("abcd", "e1"), 2
    async with poller_of(fake) as poller:
        await poller.start()
        fake.objects |= {"a": "e2", "e": "e1"}
        fake.objects.pop("d")
        for before in range(3):
            fake.faults += [b""] * before + [answer(status, b"no")]
            error = await fails(poller)
            assert (error.url, error.temporary) == (f"swift://{fake.place}/box", temporary)
            assert words in error.reason
            assert f"HTTP {status}" in error.reason
        expected = [("d", "deleted"), ("a", "modified"), ("e", "created")]
        assert sorted(told(fake, await poller.get_new_events())) == sorted(expected)
        assert await poller.get_new_events() == []


JSON = "Content-Type: application/json"
PAGE = b'[{"name": "a", "hash": "e1", "bytes": 1, "last_modified": "2024-01-01T00:00:00.000000"}]'


@pytest.mark.one_loop("the client runs in a thread")
@pytest.mark.parametrize(
    "damaged",
    [
        answer(200, PAGE[:40], length=len(PAGE)),
        answer(200, b"", length=len(PAGE)),
        answer(200, PAGE[:40]),
        answer(200, b""),
        answer(200, gzip.compress(PAGE)[:-9], "Content-Encoding: gzip"),
        answer(200, gzip.compress(PAGE)[:5], "Content-Encoding: gzip"),
        answer(200, b"<html>Welcome</html>"),
        answer(200, b'{"name": "a"}'),
        answer(200, b'["a"]'),
        answer(200, b"7"),
        answer(200, b"0"),
        answer(200, b"{}"),
        answer(200, b"null"),
        answer(200, b'[{"subdir": "a/"}]'),
        answer(200, PAGE.replace(b'"a"', b"5")),
        answer(200, PAGE.replace(b'"a"', b'"\\ud800"')),
        answer(200, PAGE.replace(b'"e1"', b"NaN")),
        answer(200, b"[" * 100_000),
        answer(200, PAGE, "Content-Type: application/json; charset=klingon"),
        b"HTTP/1.1 200 OK\r\nContent-",
        b"what?\r\n\r\n",
    ],
    ids=[
        "half",
        "none",
        "half-json",
        "empty",
        "half-gzip",
        "head-of-gzip",
        "html",
        "object",
        "strings",
        "number",
        "zero",
        "empty-object",
        "null",
        "subdir",
        "name-is-a-number",
        "name-is-no-text",
        "hash-equals-nothing",
        "deep",
        "charset",
        "half-head",
        "no-http",
    ],
)
async def test_half_a_page(fake: FakeSwift, damaged: bytes) -> None:
    """What is not a whole listing is no listing, on the first page and on the second."""
    async with poller_of(fake, page_size=1) as poller:
        await poller.start()
        fake.objects["c"] = "e1"
        for before in range(2):
            fake.faults += [b""] * before + [damaged]
            error = await fails(poller)
            assert error.temporary
        assert told(fake, await poller.get_new_events()) == [("c", "created")]


async def test_a_redirection_is_not_followed(fake: FakeSwift) -> None:
    """A token or password would be sent along to wherever it leads."""
    async with FakeSwift() as other, poller_of(fake) as poller:
        elsewhere = f"Location: http://{other.place}/v1/AUTH_test/box"
        fake.faults.append(answer(302, b"", elsewhere))
        assert "HTTP 302" in (await fails(poller)).reason
        fake.token, fake.login_fault = "another", answer(307, b"", elsewhere)
        assert (await fails(poller)).reason == "the server to log in at gives no login"
        assert other.requests == []


@pytest.mark.one_loop("the client runs in a thread")
@pytest.mark.parametrize(
    ("fault", "temporary", "words"),
    [
        (answer(401), False, "the login is refused"),
        (answer(403), False, "no login there"),
        (answer(404), False, "no login there"),
        (answer(500), True, "no login there"),
        (answer(503), True, "no login there"),
        (answer(200, b"Welcome"), False, "gives no login"),
        *(
            (answer(201, body, "X-Subject-Token: t", JSON), False, "gives no login")
            for body in (b'{"token": null}', b'{"token": {}}', b"null")
        ),
    ],
)
@pytest.mark.parametrize("make", [poller_of, keystone_poller_of])
async def test_a_login_that_fails(
    fake: FakeSwift, make: Any, fault: bytes, temporary: bool, words: str
) -> None:
    """The password is tried once."""
    fake.login_fault = fault
    async with make(fake) as poller:
        error = await fails(poller)
        assert (error.temporary, fake.logins) == (temporary, 1)
        assert words in error.reason


async def test_nobody_listens() -> None:
    """It is said why there is no connection."""
    async with FakeSwift() as gone:
        pass
    for poller in (poller_of(gone), keystone_poller_of(gone)):
        async with poller:
            error = await fails(poller)
            assert (error.reason, error.temporary) == ("no connection: Connection refused", True)


async def test_a_server_that_is_silent(fake: FakeSwift) -> None:
    """No request waits longer than it is told to."""
    async with poller_of(fake, request_timeout=0.1) as poller:
        fake.faults.append(None)
        error = await fails(poller)
        assert (error.reason, error.temporary) == ("no answer within 0.1 s", True)
        assert await poller.get_new_events() == []


async def test_cancelling_waits_for_no_server(fake: FakeSwift) -> None:
    """The request ends by itself, and the next look begins after it."""
    async with poller_of(fake) as poller:
        await poller.start()
        fake.heard.clear()
        fake.objects["c"] = "e1"
        fake.faults.append(None)
        looking = asyncio.create_task(poller.get_new_events())
        await fake.heard.wait()
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        fake.let_go.set()
        assert told(fake, await poller.get_new_events()) == [("c", "created")]


async def test_what_trickles_in_is_given_up_with_the_look(fake: FakeSwift) -> None:
    """An answer that never ends holds no thread when nobody wants it any more."""
    async with poller_of(fake) as poller:
        await poller.start()
        fake.heard.clear()
        fake.faults.append(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")
        fake.hold = True
        looking = asyncio.create_task(poller.get_new_events())
        await fake.heard.wait()
        await eventually(lambda: poller._client._reader.reading)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        await eventually(lambda: not poller._requests.busy)


async def test_closing_waits_for_no_server(fake: FakeSwift) -> None:
    """The thread closes the connections when the request has ended."""
    poller = poller_of(fake)
    await poller.start()
    fake.heard.clear()
    fake.faults.append(None)
    looking = asyncio.create_task(poller.get_new_events())
    await fake.heard.wait()
    await poller.aclose()
    with pytest.raises(TaskStateError, match="was closed"):
        await looking
    fake.let_go.set()
    await eventually(lambda: not poller._requests.busy)
    assert poller._client._connection is None
    assert poller._client._session is None


async def test_no_secret_is_logged_or_told(fake: FakeSwift, caplog: pytest.LogCaptureFixture) -> None:
    """Password and token are in no record of any library, in no error, in no repr and in no state."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("swiftclient").setLevel(logging.DEBUG)
    texts = []
    for make in (poller_of, keystone_poller_of):
        async with make(fake) as poller:
            await poller.start()
            fake.faults += [answer(401), answer(401)]
            error = await fails(poller)
            fake.faults.append(answer(500, b"sorry"))
            texts += ["".join(traceback.format_exception(error)), str(await fails(poller))]
            texts += [repr(poller), poller.url, (await poller.save()).decode(), str(poller.statistics())]
    texts.append(caplog.text)
    assert "swiftclient" in caplog.text
    assert "/v1/AUTH_test/box" in caplog.text
    for secret in (PASSWORD, TOKEN, TOKEN[:8]):
        assert not [text for text in texts if secret in text]


@pytest.mark.one_loop("the client runs in a thread")
async def test_what_a_server_says_about_a_failure_is_told_nowhere(
    fake: FakeSwift, caplog: pytest.LogCaptureFixture
) -> None:
    """It may have repeated what it was sent; the libraries log it, and their errors have it in them."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("swiftclient").setLevel(logging.DEBUG)
    for make in (poller_of, keystone_poller_of):
        for status in (401, 404, 500):
            echo = answer(status, f"{PASSWORD} {TOKEN}".encode(), f"X-Echo: {TOKEN}")
            fake.faults += [echo] * (2 if status == 401 else 1)
            async with make(fake) as poller:
                error = await fails(poller)
            assert error.__cause__ is None
            assert error.__context__ is None
    assert "RESP STATUS: 404" in caplog.text
    assert PASSWORD not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.one_loop("the client runs in a thread")
@pytest.mark.parametrize(
    "url", ["file:///x", "http://h:x/", "http://[", f"http://u:{PASSWORD}@127.0.0.1:9/v1", "ftp://h/"]
)
async def test_a_login_that_names_no_storage(fake: FakeSwift, url: str) -> None:
    """No token leaves for it."""
    fake.storage_url = url
    async with poller_of(fake) as poller:
        error = await fails(poller)
        assert error.reason in {"the login names no storage", "the server to log in at gives no login"}
        assert not error.temporary
    assert fake.listings == []


@pytest.mark.one_loop("the client runs in a thread")
@pytest.mark.parametrize("where", ["login", "listing"])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_is_bounded(
    fake: FakeSwift, where: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is long only when it is unpacked."""
    monkeypatch.setattr("asynctask.pollers.swift_client.LONGEST", 100_000)
    body = b"[" + b" " * 100_000
    endless = answer(200, gzip.compress(body), "Content-Encoding: gzip") if packed else answer(200, body)
    async with poller_of(fake) as poller:
        if where == "login":
            fake.login_fault = endless
        else:
            fake.faults.append(endless)
        error = await fails(poller)
        assert (error.reason, error.temporary) == ("the answer is longer than 100000 bytes", False)


async def test_a_login_that_trickles_in_is_given_up_with_the_look(fake: FakeSwift) -> None:
    """As a listing is."""
    async with keystone_poller_of(fake) as poller:
        fake.login_fault = b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"
        fake.hold = True
        looking = asyncio.create_task(poller.get_new_events())
        await eventually(lambda: poller._client._reader and poller._client._reader.reading)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        await eventually(lambda: not poller._requests.busy)


@pytest.mark.one_loop("the client runs in a thread")
async def test_user_and_password_are_sent_as_utf_8(fake: FakeSwift) -> None:
    """In headers, too, where the library takes Latin-1 or nothing."""
    async with SwiftPoller(f"swift://{fake.place}?box&auth=1", user="jös:日本", password="pä€s") as poller:
        await fails(poller)
    headers = fake.requests[0].headers
    sent = [headers[name].encode("latin-1").decode() for name in ("x-auth-user", "x-auth-key")]
    assert sent == ["jös:日本", "pä€s"]


async def test_keystone_hears_who_and_for_what(fake: FakeSwift) -> None:
    """The login names user, project and their domains, and the catalogue says where to go."""
    query = "&domain=Ours&project_domain=Theirs&region=north"
    async with keystone_poller_of(fake, query, existing=True) as poller:
        assert told(fake, await poller.get_new_events()) == [("a", "created"), ("b", "created")]
    assert fake.requests[0].path == "/v3/auth/tokens"
    asked = json.loads(fake.requests[0].body)["auth"]
    user = {"password": PASSWORD, "name": "tester", "domain": {"name": "Ours"}}
    assert asked["identity"]["password"]["user"] == user
    assert asked["scope"]["project"] == {"name": "lab", "domain": {"name": "Theirs"}}


async def test_keystone_with_an_application_credential(
    fake: FakeSwift, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the environment, as OpenStack's tools have it."""
    monkeypatch.setenv("OS_AUTH_URL", f"http://{fake.place}/v3")
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_ID", "id1")
    monkeypatch.setenv("OS_APPLICATION_CREDENTIAL_SECRET", PASSWORD)
    async with SwiftPoller("swift:///?box", existing=True) as poller:
        assert len(await poller.get_new_events()) == 2
    identity = json.loads(fake.requests[0].body)["auth"]["identity"]
    assert identity["application_credential"] == {"id": "id1", "secret": PASSWORD}


@pytest.mark.parametrize("query", ["&region=south", "&interface=internal"])
async def test_a_catalogue_without_the_object_store(fake: FakeSwift, query: str) -> None:
    """It is said what to look at."""
    async with keystone_poller_of(fake, query) as poller:
        error = await fails(poller)
        assert (error.reason, error.temporary) == ("the catalogue has no object store", False)
        assert error.hint == "look at region= and interface="


async def test_the_caller_knows_better_where_the_storage_is(fake: FakeSwift) -> None:
    """storage_url counts more than what the login says."""
    fake.storage_url = "http://127.0.0.1:9/v1/AUTH_test"
    for make in (poller_of, keystone_poller_of):
        async with make(fake, storage_url=f"http://{fake.place}/v1/AUTH_test", existing=True) as poller:
            assert len(await poller.get_new_events()) == 2


async def test_tls(certified: tuple[Path, ssl.SSLContext]) -> None:
    """A certificate is checked, and no token leaves by a way without TLS after a login with it."""
    file, tls = certified
    async with FakeSwift(tls) as fake:
        fake.objects["a"] = "e1"
        url = f"swifts://tester+test:{PASSWORD}@{fake.place}?box&auth=1"
        async with SwiftPoller(url) as poller:
            error = await fails(poller)
            assert (error.reason, error.temporary) == ("its certificate is not trusted", False)
            assert fake.requests == []
        async with SwiftPoller(url, cacert=file, existing=True) as poller:
            assert [change.url for change in await poller.get_new_events()] == [
                f"swifts://{fake.place}/box/a"
            ]
        fake.storage_url = f"http://{fake.place}/v1/AUTH_test"
        fake.requests.clear()
        async with SwiftPoller(url, cacert=file) as poller:
            error = await fails(poller)
            assert (error.reason, error.temporary) == ("the login was by TLS, and the storage is not", False)
            assert fake.listings == []


@pytest.mark.one_loop("nothing here runs in a loop")
def test_a_client_that_was_closed_lists_nothing() -> None:
    """It would open connections that nobody closes."""
    place = find_place(f"swift://u+p:{PASSWORD}@127.0.0.1:9?box", {}, {})
    client = SwiftClient(place, page_size=0, newest=True, storage_url="", timeout=1.0)
    client.close()
    with pytest.raises(Abandoned):
        client.list_all(threading.Event())
    assert client._reader is None
