"""SwiftPoller with a real Swift."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, unquote

import pytest

from asynctask.errors import PollerError, UsageError
from asynctask.pollers import Change, make_poller
from asynctask.pollers.swift import SwiftPoller
from tests.pollers.swift_fake import FakeSwift
from tests.pollers.swift_server import ACCOUNT, HOW_TO_GET, KEY, USER, SwiftServer, find_swift

pytestmark = pytest.mark.one_loop("the client runs in a thread; test_swift_client has what a loop can change")

ODD_NAMES = [
    "a",
    "a/",
    "a/b",
    "a//b",
    "/rooted",
    "..",
    "./x",
    "a/../b",
    "with space",
    "plus+and&=",
    "per%cent%20",
    "what?#;",
    "umläut/ü",
    "日本語",
    "\U0001f40d",
    "line\nbreak\ttab",
    "quote\"'<>\\",
    "x" * 1024,
]


class Site:
    """A real Swift and what writes to it, each time by a connection of its own."""

    def __init__(self, server: SwiftServer) -> None:
        self.server = server
        self.token = ""
        self._boxes = 0
        self._log_in()
        self._send("PUT", "first", b"")  # makes the account

    @property
    def storage_url(self) -> str:
        """Where the account is."""
        return f"http://{self.place}/v1/AUTH_{ACCOUNT}"

    async def forget(self) -> None:
        """Have the server forget all tokens; the writer gets a new one."""
        await asyncio.to_thread(self.server.forget)
        await asyncio.to_thread(self._log_in)

    async def put(self, box: str, *names: str, body: bytes = b"1") -> None:
        """Create or overwrite objects, or without names the container."""
        for name in names or [""]:
            await asyncio.to_thread(self._send, "PUT", _path(box, name), body if name else b"")

    async def delete(self, box: str, *names: str) -> None:
        """Delete objects, or without names the container."""
        for name in names or [""]:
            await asyncio.to_thread(self._send, "DELETE", _path(box, name), b"")

    async def paint(self, box: str, name: str, colour: str) -> None:
        """Give an object other metadata."""
        await asyncio.to_thread(self._send, "POST", _path(box, name), b"", {"X-Object-Meta-Colour": colour})

    async def box(self) -> str:
        """A container that no other test has."""
        box = self.missing_box()
        await self.put(box)
        return box

    def missing_box(self) -> str:
        """The name of a container that is not there."""
        self._boxes += 1
        return f"box {self._boxes}"

    def _log_in(self) -> None:
        headers = {"X-Auth-User": f"{ACCOUNT}:{USER}", "X-Auth-Key": KEY}
        self.token = self._request("GET", "/auth/v1.0", b"", headers)["X-Auth-Token"]

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        token = {"X-Auth-Token": self.token}
        self._request(method, f"/v1/AUTH_{ACCOUNT}/{path}", body, {**token, **(headers or {})})

    def _request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        with closing(HTTPConnection("127.0.0.1", self.server.port, timeout=30)) as connection:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            answer.read()
        assert answer.status < 300, f"{method} {path}: {answer.status}"
        return dict(answer.headers.items())

    def url(self, box: str, query: str = "", key: str = KEY, scheme: str = "swift") -> str:
        """What to watch."""
        login = f"{USER}+{ACCOUNT}:{quote(key, safe='')}"
        return f"{scheme}://{login}@{self.place}/auth/v1.0?{quote(box)}{query}"

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server.port}"

    def told(self, box: str, changes: list[Change] | tuple[Change, ...]) -> list[tuple[str, str]]:
        """The names, unquoted, and what happened to them."""
        root = f"swift://{self.place}/{quote(box)}/"
        assert all(change.url.startswith(root) for change in changes)
        return [(unquote(change.url.removeprefix(root)), change.event) for change in changes]


def _path(box: str, name: str) -> str:
    return f"{quote(box)}/{quote(name)}" if name else quote(box)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One real Swift; without it tests are skipped, in CI they fail."""
    if find_swift() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW_TO_GET)
        pytest.skip(HOW_TO_GET)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("NO_PROXY", "127.0.0.1")
        for name in [*os.environ]:
            if name.startswith(("OS_", "ST_")):
                environment.delenv(name)
        with SwiftServer() as server:
            yield Site(server)


async def test_created_modified_deleted(site: Site) -> None:
    """What is there at the start is the baseline; then each change is told once."""
    box = await site.box()
    await site.put(box, "old", "older")
    async with make_poller(site.url(box)) as poller:
        assert await poller.get_new_events() == []
        await site.put(box, "new")
        await site.put(box, "old", body=b"2")
        await site.delete(box, "older")
        expected = [("new", "created"), ("old", "modified"), ("older", "deleted")]
        assert sorted(site.told(box, await poller.get_new_events())) == expected
        assert await poller.get_new_events() == []


async def test_the_pair_of_the_seed(site: Site) -> None:
    """An event is a URL, without credentials, and a word."""
    box = await site.box()
    await site.put(box, "a b")
    async with make_poller(site.url(box), existing=True) as poller:
        [(subject, event)] = await poller.get_new_events()
        assert (subject, event) == (f"swift://{site.place}/{quote(box)}/a%20b", "created")
        assert poller.url == f"swift://{site.place}/{quote(box)}"


@pytest.mark.parametrize("change", ["same content", "metadata"])
async def test_an_object_that_is_written_again_is_modified(site: Site, change: str) -> None:
    """With the same content, too, and when only its metadata changes."""
    box = await site.box()
    await site.put(box, "a")
    async with make_poller(site.url(box)) as poller:
        await poller.start()
        if change == "metadata":
            await site.paint(box, "a", "red")
        else:
            await site.put(box, "a")
        assert site.told(box, await poller.get_new_events()) == [("a", "modified")]


async def test_deleted_and_created_between_two_looks(site: Site) -> None:
    """One that was there is modified; one that came and went is nothing."""
    box = await site.box()
    await site.put(box, "a")
    async with make_poller(site.url(box)) as poller:
        await poller.start()
        await site.delete(box, "a")
        await site.put(box, "a", "brief")
        await site.delete(box, "brief")
        assert site.told(box, await poller.get_new_events()) == [("a", "modified")]


async def test_odd_names_over_many_pages(site: Site) -> None:
    """Whatever Swift takes as a name is told, once, quoted, and in any page."""
    box = await site.box()
    async with make_poller(site.url(box), page_size=3) as poller:
        await poller.start()
        await site.put(box, *ODD_NAMES)
        changes = await poller.get_new_events()
        assert sorted(site.told(box, changes)) == sorted((name, "created") for name in ODD_NAMES)
        assert all(url.isascii() and url.isprintable() and " " not in url for url, _ in changes)
        gone = ODD_NAMES[::4]
        await site.delete(box, *gone)
        changes = await poller.get_new_events()
        assert sorted(site.told(box, changes)) == sorted((name, "deleted") for name in gone)


async def test_a_prefix_leaves_the_rest_out(site: Site) -> None:
    """It is the server that leaves it out."""
    box = await site.box()
    async with make_poller(site.url(box, "&prefix=in%20%C3%BC/")) as poller:
        assert poller.url == f"swift://{site.place}/{quote(box)}?prefix=in%20%C3%BC/"
        await poller.start()
        await site.put(box, "in ü/a", "in ü/b/c", "in", "out/a")
        assert site.told(box, await poller.get_new_events()) == [
            ("in ü/a", "created"),
            ("in ü/b/c", "created"),
        ]


async def test_a_token_that_the_server_has_forgotten(site: Site) -> None:
    """A new one is fetched, and nobody notices."""
    box = await site.box()
    async with make_poller(site.url(box)) as poller:
        await poller.start()
        await site.put(box, "a")
        await site.forget()
        assert site.told(box, await poller.get_new_events()) == [("a", "created")]
        assert poller.statistics().failures == 0


async def test_a_wrong_password_is_no_matter_of_time(site: Site) -> None:
    """Watching ends with it, and it is not repeated."""
    box = await site.box()
    async with make_poller(site.url(box, key="wrong-password")) as poller:
        with pytest.raises(PollerError, match="login is refused") as raised:
            await anext(poller.watch())
        assert not raised.value.temporary
        assert "wrong-password" not in str(raised.value)


async def test_who_may_not_read(site: Site) -> None:
    """Another account's container is refused, which does not pass by itself."""
    box = await site.box()
    async with make_poller(
        f"swift://{site.place}?{quote(box)}&auth=1",
        user="other:reader",
        password=KEY,
        storage_url=site.storage_url,
    ) as poller:
        with pytest.raises(PollerError, match="may not be listed") as raised:
            await poller.start()
        assert not raised.value.temporary


async def test_a_container_that_is_missing_is_waited_for(site: Site) -> None:
    """What is in it when it comes is the baseline."""
    box = site.missing_box()
    async with make_poller(site.url(box)) as poller:
        with pytest.raises(PollerError, match="no such container") as raised:
            await poller.get_new_events()
        assert raised.value.temporary
        await site.put(box)
        await site.put(box, "a")
        assert await poller.get_new_events() == []


async def test_a_container_that_is_removed_and_comes_back(site: Site) -> None:
    """Nothing counts as deleted while it is not there."""
    box = await site.box()
    await site.put(box, "a", "b")
    async with make_poller(site.url(box)) as poller:
        await poller.start()
        await site.delete(box, "a")
        await site.delete(box, "b")
        await site.delete(box)
        with pytest.raises(PollerError, match="no such container"):
            await poller.get_new_events()
        await site.put(box)
        await site.put(box, "b")
        expected = [("a", "deleted"), ("b", "modified")]
        assert sorted(site.told(box, await poller.get_new_events())) == expected


async def test_a_restart_misses_nothing_and_repeats_nothing(site: Site) -> None:
    """The state has what was delivered, and no credentials."""
    box = await site.box()
    await site.put(box, "a", "b", "c")
    async with make_poller(site.url(box), existing=True) as poller:
        assert len(await poller.get_new_events()) == 3
        state = await poller.save()
    assert KEY.encode() not in state
    assert quote(KEY, safe="").encode() not in state
    await site.put(box, "b", "d")
    await site.delete(box, "c")
    async with make_poller(site.url(box), state=state) as poller:
        expected = [("b", "modified"), ("c", "deleted"), ("d", "created")]
        assert sorted(site.told(box, await poller.get_new_events())) == expected


async def test_watching(site: Site) -> None:
    """Batches come while the container changes."""
    box = await site.box()
    async with make_poller(site.url(box, scheme="swt")) as poller:
        await poller.start()
        watch = poller.watch(interval=0.01)
        await site.put(box, "a")
        assert site.told(box, await anext(watch)) == [("a", "created")]
        await site.delete(box, "a")
        assert site.told(box, await anext(watch)) == [("a", "deleted")]


async def test_credentials_from_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody sees them in an argument list."""
    box = await site.box()
    await site.put(box, "a")
    monkeypatch.setenv("ST_AUTH", site.server.auth_url)
    monkeypatch.setenv("ST_USER", f"{ACCOUNT}:{USER}")
    monkeypatch.setenv("ST_KEY", KEY)
    async with make_poller(f"swift:///?{quote(box)}", existing=True) as poller:
        assert site.told(box, await poller.get_new_events()) == [("a", "created")]


async def test_by_way_of_keystone(site: Site) -> None:
    """A login of version 3 leads to the same container; this Keystone is an imitation, the Swift is real."""
    box = await site.box()
    await site.put(box, "a")
    async with FakeSwift() as keystone:
        keystone.storage_url, keystone.token = site.storage_url, site.token
        url = f"swift://tester+lab:opensesame-42@{keystone.place}?{quote(box)}"
        async with make_poller(url, existing=True) as poller:
            subject = f"swift://{keystone.place}/{quote(box)}/a"
            assert await poller.get_new_events() == [(subject, "created")]
        assert json.loads(keystone.requests[0].body)["auth"]["scope"]["project"]["name"] == "lab"


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the call that makes the poller."""
    monkeypatch.setattr("asynctask.pollers.swift.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs swiftclient: pip install 'asynctask\[swift\]'"):
        make_poller("swift://u+p:secret@h?box")


@pytest.mark.parametrize(
    "options",
    [{"page_size": -1}, {"request_timeout": 0}, {"timeout": 0}, {"auth": 2}, {"storage_url": "h"}],
)
def test_values_that_make_no_sense(options: dict[str, Any]) -> None:
    """They are refused at the call."""
    with pytest.raises(UsageError):
        SwiftPoller("swift://u+p:secret@h?box", **options)
