"""Tests of asynctask.publishing: what a task does, heard through an emitter."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from asynctask import events
from asynctask.emitter import EventEmitter
from asynctask.errors import UsageError
from asynctask.task import Task
from tests.support import Scripted, greet, turns


async def test_each_event_with_its_record() -> None:
    """In order, under the name of the event without ``ev_``."""
    heard: list[tuple[str, object]] = []
    async with EventEmitter() as emitter, Task() as task:
        emitter.subscribe("task.build", lambda topic, record: heard.append((topic, record)))
        publisher = task.publish_to(emitter, "build")
        worker = task.schedule(Scripted(greet, ["a"]))
        result = await task.run()
        await turns(3)
    assert heard == [
        ("task.build.start", events.WorkerStarted(worker)),
        ("task.build.pickup", events.NodeStarted(worker, "a")),
        ("task.build.read", events.NodeOutput(worker, "a", "stdout", b"I am a")),
        ("task.build.hup", events.NodeExited(worker, "a", 0)),
        ("task.build.end", events.NodeEnded(worker, "a", result["a"])),
        ("task.build.close", events.WorkerClosed(worker, timedout=False)),
    ]
    assert (publisher.published, publisher.refused) == (6, 0)


async def test_timers_and_ports() -> None:
    """Those that have handlers."""
    heard: list[str] = []

    async with EventEmitter() as emitter, Task() as task:
        emitter.subscribe("task.t", lambda topic, record: heard.append(topic))
        task.publish_to(emitter, "t")
        task.timer(0, SimpleNamespace(ev_timer=lambda timer: None))
        port = task.port(SimpleNamespace(ev_msg=lambda port, msg: port.close()))
        await port.msg_send("x")
        await task.run()
        await turns(3)
    assert sorted(heard) == ["task.t.msg", "task.t.port_start", "task.t.timer"]


async def test_only_what_is_subscribed_to_is_delivered() -> None:
    """An event that nobody hears does not wait in the emitter."""
    heard: list[str] = []
    async with EventEmitter(max_size=1, overflow="error") as emitter, Task() as task:
        emitter.subscribe("task.*.close", lambda topic, record: heard.append(topic))
        publisher = task.publish_to(emitter, "t")
        task.schedule(Scripted(greet, list("abc")))
        await task.run()
        await turns(3)
    assert (heard, publisher.refused) == (["task.t.close"], 0)


async def test_of_what_nobody_hears_there_is_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not even made; nor counted by the emitter."""
    heard: list[str] = []
    monkeypatch.delattr(events.NodeOutput, "__init__")  # making one would fail
    async with EventEmitter() as emitter, Task() as task:
        emitter.subscribe("task.t.end", lambda topic, record: heard.append(topic))
        publisher = task.publish_to(emitter, "t")
        task.schedule(Scripted(greet, ["a"]))
        await task.run()
        await turns(3)
        assert (heard, publisher.published, publisher.refused) == (["task.t.end"], 1, 0)
        assert emitter.statistics().unheard == 0


async def test_a_full_emitter_does_not_break_the_run() -> None:
    """What it does not take is counted."""
    async with EventEmitter(max_size=1, overflow="error") as emitter, Task() as task:
        with emitter.stream("task", maxsize=1, overflow="error"):
            publisher = task.publish_to(emitter, "t")
            task.schedule(Scripted(greet, ["a"]))
            result = await task.run()
    assert (result.ok, publisher.published, publisher.refused) == (True, 1, 5)


async def test_a_closed_emitter_does_not_break_the_run() -> None:
    """Nor one that is closed meanwhile."""
    async with Task() as task:
        emitter = EventEmitter()
        publisher = task.publish_to(emitter, "t")
        emitter.close()
        task.schedule(Scripted(greet, ["a"]))
        result = await task.run()
    assert (result.ok, publisher.published, publisher.refused) == (True, 0, 6)


async def test_stopping() -> None:
    """At once, also within a run, and for those that come."""
    heard: list[str] = []
    async with EventEmitter() as emitter, Task() as task:
        emitter.subscribe("task", lambda topic, record: heard.append(topic))
        publisher = task.publish_to(emitter, "t")
        task.schedule(Scripted(greet, ["a"], handler=SimpleNamespace(ev_hup=lambda *_: publisher.stop())))
        await task.run()
        publisher.stop()
        task.schedule(Scripted(greet, ["b"]))
        await task.run()
        await turns(3)
    assert heard[:3] == ["task.t.start", "task.t.pickup", "task.t.read"]
    assert {"task.t.end", "task.t.close"}.isdisjoint(heard)


@pytest.mark.parametrize("name", ["", "a.b", "*", "a*", ".", "a b", "\n", None])
async def test_a_name_that_is_no_component(name: str) -> None:
    """It is refused, and nothing is published."""
    async with EventEmitter() as emitter:
        task = Task()
        with pytest.raises(UsageError, match="published under one word"):
            task.publish_to(emitter, name)
        assert task._watchers == []
