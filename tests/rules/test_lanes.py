"""Tests of asynctask.rules.lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from asynctask.emitter import EventEmitter
from asynctask.errors import UsageError
from asynctask.pollers.changes import Change
from asynctask.rules.attempts import Done, OnWorker
from asynctask.rules.happening import Happening
from asynctask.rules.lanes import Cause, Lane, RuleEnded, Shop
from asynctask.rules.letters import DeadLetters
from asynctask.rules.limits import Rate
from asynctask.rules.model import Rule
from asynctask.rules.tracking import Deliveries
from tests.rules.support import happening, rule
from tests.support import turns


class _Carrier:
    """Commands that end when the test says."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self.go = asyncio.Event()
        self.done = Done(attempts=1)
        self.error: Exception | None = None

    async def carry_out(
        self, rule: Rule, nodes: Sequence[str], batch: Sequence[Happening], on_worker: OnWorker = print, /
    ) -> Done:
        self.begun.append([each.name for each in batch])
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return self.done

    def active_nodes(self) -> list[str]:
        return []

    def kill(self) -> None:
        return


class _Floor:
    """A lane that serves, and what it works with."""

    def __init__(self, rule: Rule, letters: Path | None = None) -> None:
        self.lane = Lane(rule)
        self.carrier = _Carrier()
        self.emitter = EventEmitter()
        self.shop = Shop(self.emitter, self.carrier, DeadLetters(letters), lambda: None)
        self.heard: list[tuple[str, RuleEnded]] = []
        self.emitter.subscribe("rule", lambda topic, ended: self.heard.append((topic, ended)))

    async def __aenter__(self) -> _Floor:
        self._serving = asyncio.create_task(self.lane.serve(self.shop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._serving
        self.emitter.close()

    async def until_idle(self) -> None:
        async with asyncio.timeout(10):
            while not self.lane.idle:
                await asyncio.sleep(0)
            await turns(3)


async def test_as_many_at_once_as_the_rule_says() -> None:
    """The others wait for their turn."""
    async with _Floor(rule(concurrency=2)) as floor:
        for name in "abc":
            await floor.lane.inbox.put(happening(name))
        await turns(10)
        assert floor.carrier.begun == [["a"], ["b"]]
        assert (floor.lane.statistics().running, floor.lane.statistics().waiting) == (2, 1)
        floor.carrier.go.set()
        await floor.until_idle()
    assert floor.carrier.begun == [["a"], ["b"], ["c"]]
    counts = floor.lane.statistics()
    assert (counts.ok, counts.dead, counts.attempts, counts.running, counts.waiting) == (3, 0, 3, 0, 0)


async def test_the_rate_is_kept() -> None:
    """What is over waits."""
    async with _Floor(rule(rate=Rate(1, 3600), concurrency=5)) as floor:
        for name in "ab":
            await floor.lane.inbox.put(happening(name))
        await turns(10)
    assert (floor.carrier.begun, floor.lane.statistics().waiting) == ([["a"]], 1)


async def test_what_went_well_is_published_and_handled() -> None:
    """As ``rule.<name>.ok``."""
    delivery = Deliveries().open(b"")
    async with _Floor(rule()) as floor:
        floor.carrier.go.set()
        await floor.lane.inbox.put(happening("a", delivery=delivery))
        await floor.until_idle()
    ((topic, ended),) = floor.heard
    assert (topic, ended.rule, ended.attempts) == ("rule.r.ok", "r", 1)
    assert ended.changes == (Change("file:///inbox/a", "created"),)
    assert delivery.over


async def test_what_failed_in_the_end_is_a_dead_letter(tmp_path: Path) -> None:
    """And handled with that."""
    delivery = Deliveries().open(b"")
    async with _Floor(rule(), tmp_path / "dead") as floor:
        floor.carrier.done = Done(attempts=3, reason="bad luck")
        floor.carrier.go.set()
        await floor.lane.inbox.put(happening("a", delivery=delivery))
        await floor.until_idle()
    assert [topic for topic, _ in floor.heard] == ["rule.r.dead"]
    assert '"reason": "bad luck"' in (tmp_path / "dead").read_text()
    assert (floor.lane.statistics().dead, delivery.over) == (1, True)


async def test_what_is_cancelled_is_not_handled() -> None:
    """So it comes again after a restart."""
    delivery = Deliveries().open(b"")
    async with _Floor(rule()) as floor:
        await floor.lane.inbox.put(happening("a", delivery=delivery))
        await turns(5)
    assert (floor.carrier.begun, delivery.over, floor.heard) == ([["a"]], False, [])


async def test_trouble_in_one_run_does_not_end_the_rule(caplog: pytest.LogCaptureFixture) -> None:
    """It is a dead letter like others."""
    async with _Floor(rule()) as floor:
        floor.carrier.error = ZeroDivisionError("oh")
        floor.carrier.go.set()
        for name in "ab":
            await floor.lane.inbox.put(happening(name))
        await floor.until_idle()
    assert (floor.carrier.begun, floor.lane.statistics().dead) == ([["a"], ["b"]], 2)
    assert caplog.messages[1] == "rule r: gave up on file:///inbox/a: ZeroDivisionError: oh"


async def test_a_rule_is_not_run_for_what_it_has_led_to(caplog: pytest.LogCaptureFixture) -> None:
    """Be it by way of others; counted, and said once."""
    floor = _Floor(rule(when="rule"))
    ended = RuleEnded(rule="s", changes=(), attempts=1, reason="", failed=())
    floor.shop.remember(ended, Cause(("r", "s"), None))
    for _ in range(2):
        floor.lane.hear(floor.shop, "rule.s.ok", ended)
    floor.lane.hear(
        floor.shop, "rule.x.ok", RuleEnded(rule="x", changes=(), attempts=1, reason="", failed=())
    )
    assert (len(floor.lane.inbox), floor.lane.statistics().loops) == (1, 2)
    assert caplog.messages == ["rule r: not run for rule.s.ok, which it has itself led to"]


async def test_a_full_queue_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """What is dropped is counted."""
    floor = _Floor(rule(queue=1))
    for _ in range(3):
        floor.lane.hear(floor.shop, "x", None)
    assert floor.lane.statistics().dropped == 2
    assert caplog.messages == ["rule r: its queue is full, events are dropped and counted"]


@pytest.mark.one_loop("it waits for nothing")
def test_only_some_names() -> None:
    """By patterns as a shell has them, on the last part of the path."""
    lane = Lane(rule(only=("*.csv", "[ab]")))
    wanted = [name for name in ("x.csv", "a", ".csv", "x.CSV", "c", "x.csv\n") if lane.wants(happening(name))]
    assert wanted == ["x.csv", "a", ".csv"]
    assert not lane.wants(Happening(topic="t"))


@pytest.mark.one_loop("it waits for nothing")
@pytest.mark.parametrize("settings", [{"nodes": "n[1-"}, {"nodes": "a", "worker": "shh"}, {"nodes": "@none"}])
def test_unknown_nodes_and_workers(settings: dict[str, str]) -> None:
    """They are refused before anything is watched."""
    with pytest.raises(UsageError):
        Lane(rule(**settings))
