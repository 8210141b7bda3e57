"""Tests of asynctask.pollers.joining."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from asynctask.dispatch import Event, EventDispatcher
from asynctask.emitter import EventEmitter
from asynctask.errors import EmitterClosedError, PollerError, UsageError
from asynctask.pollers.file import FilePoller
from asynctask.pollers.joining import PollerGenerator, publish_changes
from tests.pollers.fakes import FakePoller, failure
from tests.support import refused, turns


def entries(*names: str) -> FakePoller:
    """A poller that has some entries to report."""
    poller = FakePoller(existing=True)
    poller.put(**dict.fromkeys(names, 1))
    return poller


class Handler:
    """Writes down what it is given; can be waited for."""

    def __init__(self, wanted: int) -> None:
        self.events: list[Event] = []
        self._wanted = wanted
        self.enough = asyncio.Event()

    def process_event(self, event: Event) -> bool:
        self.events.append(event)
        if len(self.events) == self._wanted:
            self.enough.set()
        return True


async def test_a_dispatcher_hears_of_files(tmp_path: Path) -> None:
    """Each change is an event of the generator, with the change as its data."""
    handler = Handler(2)
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    async with FilePoller(tmp_path, existing=True) as poller, EventDispatcher() as dispatcher:
        generator = PollerGenerator(poller, handler, interval=0.01)
        dispatcher.add_event_generator(generator)
        await asyncio.wait_for(handler.enough.wait(), 10)
    assert [event.data for event in handler.events] == [
        (f"file://{tmp_path}/a", "created"),
        (f"file://{tmp_path}/b", "created"),
    ]
    assert {event.originator for event in handler.events} == {generator}
    assert str(generator) == f"PollerGenerator(file://{tmp_path})"


async def test_the_poller_outlives_the_dispatcher() -> None:
    """It is the caller's; it goes on with what comes later."""
    poller, handler = entries("a"), Handler(1)
    async with EventDispatcher() as dispatcher:
        dispatcher.add_event_generator(PollerGenerator(poller, handler))
        await asyncio.wait_for(handler.enough.wait(), 10)
    poller.put(b=1)
    assert [change.url for change in await poller.get_new_events()] == ["test://host/b"]


async def test_what_did_not_become_an_event_is_given_back() -> None:
    """A generator that is stopped within a batch loses nothing."""
    poller = entries("a", "b", "c")
    generator = PollerGenerator(poller, None)
    assert (await anext(aiter(generator))).data.url == "test://host/a"
    generator.stop()
    generator.stop()
    with pytest.raises(StopAsyncIteration):
        await anext(generator)
    assert [change.url for change in await poller.get_new_events()] == ["test://host/b", "test://host/c"]


async def test_a_batch_that_comes_to_a_generator_that_was_stopped() -> None:
    """It was waited for when the generator was stopped: all of it is given back."""
    poller = entries("a", "b")
    poller.gate = asyncio.Event()
    generator = PollerGenerator(poller, None)
    waiting = asyncio.ensure_future(anext(generator, None))
    await turns(3)
    generator.stop()
    poller.gate.set()
    assert await waiting is None
    assert [change.url for change in await poller.get_new_events()] == ["test://host/a", "test://host/b"]


async def test_a_generator_ends_with_its_poller() -> None:
    """When that is closed."""
    poller = entries()
    waiting = asyncio.ensure_future(anext(PollerGenerator(poller, None), None))
    await turns(3)
    await poller.aclose()
    assert await waiting is None


async def publish_until(poller: FakePoller, emitter: EventEmitter, count: int, **settings: Any) -> list[Any]:
    """What a listener hears until there is so much."""
    heard: list[Any] = []
    enough = asyncio.Event()

    def listener(topic: str, change: Any) -> None:
        heard.append((topic, change))
        if len(heard) == count:
            enough.set()

    emitter.subscribe("poller", listener)
    publishing = asyncio.create_task(publish_changes(poller, emitter, "inbox", **settings))
    await asyncio.wait_for(enough.wait(), 10)
    await poller.aclose()
    await publishing
    return heard


async def test_an_emitter_hears_of_changes() -> None:
    """Under a topic with the name and the event; it ends when the poller is closed."""
    poller = entries("a", "b")
    await poller.get_new_events()
    poller.put(a=2, b=None, c=1)
    async with EventEmitter() as emitter:
        heard = await publish_until(poller, emitter, 3)
    assert heard == [
        ("poller.inbox.deleted", ("test://host/b", "deleted")),
        ("poller.inbox.modified", ("test://host/a", "modified")),
        ("poller.inbox.created", ("test://host/c", "created")),
    ]


async def test_a_batch_that_is_larger_than_the_emitter() -> None:
    """It waits for room: nothing is dropped."""
    poller = entries(*(f"n{number:03}" for number in range(200)))
    async with EventEmitter(max_size=3) as emitter:
        heard = await publish_until(poller, emitter, 200)
        assert emitter.statistics().dropped == 0
    assert [change.url[-3:] for _, change in heard] == [f"{number:03}" for number in range(200)]


async def test_what_was_not_published_is_given_back() -> None:
    """Whether this was cancelled or the emitter closed."""
    poller = entries("a", "b", "c")
    emitter = EventEmitter()
    with emitter.stream("poller", maxsize=1, overflow="wait") as stream:
        publishing = asyncio.create_task(publish_changes(poller, emitter, "inbox"))
        first = await anext(stream)
        await turns(5)  # the second is in the stream, the third waits
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        second = await anext(stream)
    assert [event.args[0].url for event in (first, second)] == ["test://host/a", "test://host/b"]
    emitter.subscribe("poller", lambda *args: None)
    emitter.close()
    with pytest.raises(EmitterClosedError):
        await publish_changes(poller, emitter, "inbox")
    assert [change.url for change in await poller.get_new_events()] == ["test://host/c"]


async def test_what_cannot_be_helped_is_raised() -> None:
    """Whoever publishes has to know."""
    poller = entries()
    poller.error = failure(temporary=False)
    with pytest.raises(PollerError, match="is away"):
        await publish_changes(poller, EventEmitter(), "inbox")


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "a.*"])
async def test_what_is_no_name(name: str) -> None:
    """It could not be part of a topic."""
    publishing = publish_changes(entries(), EventEmitter(), name)
    refused(UsageError, f"name: a part of a topic, not {name!r}", lambda: publishing.send(None))
