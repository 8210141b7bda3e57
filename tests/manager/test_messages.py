"""Events: their topics and messages."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.manager.messages import PROCESS_EVENTS, TEMPLATE_EVENTS, Publisher

pytestmark = pytest.mark.one_loop("the emitter has its own tests")

SEED = {"create", "start", "stop", "restart", "update", "delete", "spawn", "reap", "exit", "stop_pid"}
SEED_PROC = {"start", "spawn", "exit", "stop", "stop_pid", "reap"}


async def heard(publish: Any) -> list[tuple[str, dict[str, Any]]]:
    """What a call publishes."""
    events: list[tuple[str, dict[str, Any]]] = []
    async with EventEmitter() as emitter:
        emitter.subscribe(".", lambda topic, message: events.append((topic, message)))
        publish(Publisher(emitter))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return events


def test_all_events_of_the_seed_are_there() -> None:
    """Those of templates, and those of processes."""
    assert {*TEMPLATE_EVENTS, *PROCESS_EVENTS} >= SEED
    assert set(PROCESS_EVENTS) >= SEED_PROC - {"start", "stop"}


@pytest.mark.parametrize("event", TEMPLATE_EVENTS)
async def test_an_event_of_a_template(event: str) -> None:
    """Start and stop are told of its processes, too."""
    expected = [(event, {"event": event, "name": "web"})]
    if event in ("start", "stop"):
        expected.append((f"proc.web.{event}", {"event": f"proc.web.{event}", "name": "web"}))
    assert await heard(lambda publisher: publisher.template(event, "web")) == expected


@pytest.mark.parametrize("event", PROCESS_EVENTS)
async def test_an_event_of_a_process_is_one_of_its_template(event: str) -> None:
    """First in short."""
    assert await heard(lambda publisher: publisher.process(event, "web", None, pid=3)) == [
        (event, {"event": event, "name": "web"}),
        (f"proc.web.{event}", {"event": f"proc.web.{event}", "name": "web", "pid": 3}),
    ]


async def test_a_process_on_a_node_tells_its_node() -> None:
    """In each of its messages."""
    assert await heard(lambda publisher: publisher.process("lost", "web", "n1", pid=3, reason="reset")) == [
        (
            "proc.web.lost",
            {"event": "proc.web.lost", "name": "web", "pid": 3, "reason": "reset", "node": "n1"},
        )
    ]


async def test_an_emitter_that_is_full_or_closed_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its owner wanted it so; the loss is logged."""
    async with EventEmitter(max_size=1, overflow="error") as emitter:
        with emitter.stream("."):
            publisher = Publisher(emitter)
            publisher.template("create", "web")
            publisher.template("delete", "web")
    publisher.template("create", "web")
    (record,) = caplog.records
    assert record.getMessage().startswith("event delete is lost: ")
