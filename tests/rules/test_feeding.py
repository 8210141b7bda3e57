"""Tests of asynctask.rules.feeding."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.errors import PollerError
from asynctask.pollers.saving import unpack
from asynctask.rules.feeding import Feed
from asynctask.rules.lanes import Lane, Shop
from asynctask.rules.letters import DeadLetters
from asynctask.rules.model import Watched
from tests.rules.support import FakePoller, rule
from tests.support import turns

URL = "file:///inbox"


class _Feeding:
    def __init__(self, lane: Lane, poller: FakePoller, feed: Feed, heard: list[str]) -> None:
        self.lane, self.poller, self.feed, self.heard = lane, poller, feed, heard

    async def handle(self) -> str:
        async with asyncio.timeout(10):
            await self.lane.inbox.wait()
        (one,) = self.lane.inbox.take()
        one.handled()
        return one.name


@asynccontextmanager
async def _feeding(state: Path | None = None, **settings: Any) -> AsyncIterator[_Feeding]:
    heard: list[str] = []
    lane = Lane(rule(when="poller.inbox.created", **settings))
    async with EventEmitter() as emitter, FakePoller(URL) as poller:
        emitter.subscribe(".", lambda topic, change: heard.append(topic))
        shop = Shop(emitter, None, DeadLetters(None), lambda: None)  # type: ignore[arg-type]
        feed = Feed(Watched(name="inbox", url=URL, state=state), poller, [lane], shop)
        tasks = [asyncio.create_task(feed.watch()), asyncio.create_task(feed.keep())]
        async with asyncio.timeout(10):
            while not poller.statistics().looks:
                await asyncio.sleep(0)
        await turns(5)
        yield _Feeding(lane, poller, feed, heard)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _kept(path: Path, *names: str) -> None:
    """Wait until a state has these names."""
    async with asyncio.timeout(10):
        while not path.exists() or set(unpack(URL, path.read_bytes())) != set(names):
            await asyncio.sleep(0.001)


async def test_changes_go_to_the_rules_that_want_them() -> None:
    """And to whoever hears the emitter."""
    async with _feeding(only=("*.csv",)) as feeding:
        feeding.poller.put("a.csv", "b.txt")
        assert await feeding.handle() == "a.csv"
        feeding.poller.put("a.csv", version=2)
        async with asyncio.timeout(10):
            while feeding.feed.brought < 2:
                await asyncio.sleep(0)
        await turns(3)
        assert len(feeding.lane.inbox) == 0
    assert feeding.heard == ["poller.inbox.created", "poller.inbox.created", "poller.inbox.modified"]


async def test_the_state_is_kept_when_all_is_handled(tmp_path: Path) -> None:
    """First that of the start; then not before the rule is done, and not out of order."""
    path = tmp_path / "state"
    async with _feeding(path) as feeding:
        await _kept(path)
        feeding.poller.put("a", "b")
        assert await feeding.handle() == "a"
        await turns(5)
        await _kept(path)
        assert await feeding.handle() == "b"
        await _kept(path, "a", "b")


async def test_what_was_not_handled_is_not_kept(tmp_path: Path) -> None:
    """Also when all is being stopped."""
    path = tmp_path / "state"
    async with _feeding(path) as feeding:
        await _kept(path)
        feeding.poller.put("a")
        async with asyncio.timeout(10):
            await feeding.lane.inbox.wait()
    assert unpack(URL, path.read_bytes()) == {}


async def test_a_rule_without_room_holds_the_poller_back() -> None:
    """Nothing is dropped."""
    async with _feeding(queue=1) as feeding:
        feeding.poller.put(*"abc")
        assert [await feeding.handle() for _ in "abc"] == ["a", "b", "c"]
        assert feeding.lane.statistics().dropped == 0


async def test_a_state_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said once, and the rules go on."""
    async with _feeding(tmp_path / "none" / "state") as feeding:
        for name in "ab":
            feeding.poller.put(name)
            assert await feeding.handle() == name
    assert caplog.messages == [f"state {tmp_path}/none/state cannot be written: No such file or directory"]


async def test_a_poller_that_can_never_see(caplog: pytest.LogCaptureFixture) -> None:
    """It ends, and has why; the engine tells it."""
    error = PollerError(URL, "gone for good", temporary=False)
    async with _feeding() as feeding:
        feeding.poller.error = error
        feeding.poller.put("a")
        async with asyncio.timeout(10):
            while feeding.feed.broken is None:
                await asyncio.sleep(0)
    assert feeding.feed.broken is error
    assert (feeding.feed.name, caplog.messages) == ("inbox", [])
