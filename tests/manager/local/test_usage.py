"""Tests of asynctask.manager.local.usage."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

import pytest

from asynctask.manager.launching import Usage
from asynctask.manager.local import usage as module
from asynctask.manager.local.usage import Meter, _Look
from tests.manager.local.conftest import Launch

BUSY = "while :; do :; done"


async def test_a_process_and_its_children(launch: Launch) -> None:
    """All of its session count."""
    started = await launch("sleep 60 & sleep 60 & echo ready; wait")
    await started.heard.until(b"ready")
    usage = await started.running.usage()
    assert usage is not None
    assert usage.processes == 3
    assert 500_000 < usage.memory < 100_000_000
    assert usage.cpu >= 0


async def test_who_has_ended_takes_nothing(launch: Launch) -> None:
    """Nobody is asked any more."""
    started = await launch("exit 0")
    await started.running.wait()
    assert await started.running.usage() is None


async def test_a_session_that_is_not_there() -> None:
    """Its number may be any."""
    meter = Meter()
    assert await meter.usage(1 << 30) is None
    await meter.aclose()


@pytest.mark.one_loop("arithmetic")
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, 30.0),  # 3 s in 10 s
        (_Look(108.0, 100.0, 2.0, 7, 1), 50.0),  # 1 s in 2 s
        (_Look(108.0, 100.0, 5.0, 7, 1), 0.0),  # a part of it has gone, with what it took
        (_Look(110.0, 100.0, 2.0, 7, 1), 0.0),  # no time has passed
    ],
)
def test_the_share_of_the_processor(before: _Look | None, expected: float) -> None:
    """Since the look before, and at first since the start."""
    assert _Look(110.0, 100.0, 3.0, 7, 2).usage(before) == Usage(expected, 7, 2)


class Looks:
    """Looks that take as long as a test likes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[set[int]] = []
        self.go_on = asyncio.Event()
        monkeypatch.setattr(asyncio, "to_thread", self._to_thread)

    async def _to_thread(self, function: Any, sessions: Collection[int]) -> dict[int, _Look]:
        assert function is module._look_at
        self.asked.append(set(sessions))
        cpu = float(len(self.asked))
        await self.go_on.wait()
        return {session: _Look(100.0 + cpu, 100.0, cpu, 1, 1) for session in sessions}


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_look_for_all_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks meanwhile is answered by the next, for things may have changed."""
    looks, meter = Looks(monkeypatch), Meter()
    first = [asyncio.create_task(meter.usage(each)) for each in (1, 2, 1)]
    await _settled()
    later = asyncio.create_task(meter.usage(2))
    await _settled()
    assert looks.asked == [{1, 2}]
    looks.go_on.set()
    assert await asyncio.gather(*first, later) == [Usage(100.0, 1, 1)] * 4
    assert looks.asked == [{1, 2}, {2}]
    await meter.aclose()


async def test_who_gives_up_takes_nothing_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look goes on."""
    looks, meter = Looks(monkeypatch), Meter()
    one, other = (asyncio.create_task(meter.usage(1)) for _ in range(2))
    await _settled()
    one.cancel()
    await _settled()
    looks.go_on.set()
    assert await other == Usage(100.0, 1, 1)
    assert one.cancelled()
    await meter.aclose()


async def test_who_has_ended_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it is looked at: its number may be another's tomorrow."""
    looks, meter = Looks(monkeypatch), Meter()
    asked = asyncio.create_task(meter.usage(1))
    await _settled()
    meter.forget(1)
    looks.go_on.set()
    await asked
    assert meter._looks == {}
    await meter.aclose()


async def test_the_end_answers_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a look that nobody makes."""
    Looks(monkeypatch)
    meter = Meter()
    asked = asyncio.create_task(meter.usage(1))
    await _settled()
    await meter.aclose()
    assert await asked is None
    await meter.aclose()


async def test_work_is_seen(launch: Launch) -> None:
    """It is more than nothing after a while."""
    busy = await launch(BUSY)
    while (used := await busy.running.usage()) is None or used.cpu < 1:
        await asyncio.sleep(0.01)
