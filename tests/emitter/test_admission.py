"""Tests of asynctask.emitter.admission."""

from __future__ import annotations

import asyncio

import pytest

from asynctask.emitter.admission import Admission
from asynctask.emitter.boxes import Box
from tests.support import turns


def _box(promised: int = 0, size: int = 1) -> Box:
    box = Box("box", size, "wait")
    box.promised = promised
    return box


async def _enter(admission: Admission, *boxes: Box) -> asyncio.Task[None]:
    task = asyncio.create_task(admission.enter(boxes))
    await turns(1)
    return task


async def test_who_finds_room_does_not_wait() -> None:
    """A place is promised in the queue and in each box."""
    queue: list[int] = []
    admission, box = Admission(queue, 2), _box()
    await admission.enter((box,))
    assert (admission.limit, box.promised, admission.waiting) == (1, 1, 0)
    admission.use()
    assert (admission.limit, box.promised) == (2, 1)


async def test_the_full_queue_serves_in_turn() -> None:
    """Who comes later waits longer."""
    queue = [0, 0]
    admission = Admission(queue, 2)
    first, second = await _enter(admission), await _enter(admission)
    assert admission.waiting == 2
    queue.pop()
    admission.admit()
    await turns(1)
    assert (first.done(), second.done()) == (True, False)
    admission.use()
    admission.admit()
    await second


async def test_nobody_waits_for_the_box_of_another() -> None:
    """The queue has room: a full box concerns only who goes into it."""
    full, free = _box(1), _box()
    admission = Admission([], 5)
    waiting = await _enter(admission, full, free)
    await admission.enter((free,))
    assert not waiting.done()
    assert (full.promised, free.promised) == (1, 1)
    full.promised = free.promised = 0
    admission.admit()
    await waiting
    assert (full.promised, free.promised) == (1, 1)


async def test_who_waits_for_one_box_is_served_in_turn() -> None:
    """Also when room comes for one at a time."""
    box = _box(1)
    admission = Admission([], 5)
    tasks = [await _enter(admission, box) for _ in range(3)]
    order = []
    for _ in tasks:
        box.promised -= 1
        admission.admit()
        await turns(1)
        order.append([task.done() for task in tasks])
    assert order == [[True, False, False], [True, True, False], [True, True, True]]


async def test_cancelled_while_waiting() -> None:
    """Nothing is reserved, and nobody is kept in the list."""
    box = _box(1)
    admission = Admission([], 5)
    task = await _enter(admission, box)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(admission._lines), box.promised, admission.limit) == (0, 1, 5)


async def test_cancelled_when_admitted() -> None:
    """The places go to the next one."""
    box = _box(1)
    admission = Admission([], 5)
    first, second = await _enter(admission, box), await _enter(admission, box)
    box.promised = 0
    admission.admit()
    first.cancel()
    await second
    assert first.cancelled()
    assert (box.promised, admission.limit) == (1, 4)


async def test_cancelled_in_the_turn_of_admission() -> None:
    """Who was cancelled before is passed over."""
    box = _box(1)
    admission = Admission([], 5)
    first, second = await _enter(admission, box), await _enter(admission, box)
    first.cancel()
    box.promised = 0
    admission.admit()
    await second
    assert first.cancelled()
    assert (box.promised, admission.limit) == (1, 4)


async def test_dismissed() -> None:
    """All wake, with nothing reserved."""
    box = _box(1)
    admission = Admission([], 5)
    tasks = [await _enter(admission, box) for _ in range(2)]
    tasks[0].cancel()
    admission.dismiss()
    await tasks[1]
    assert (box.promised, admission.limit) == (1, 5)
    await asyncio.wait(tasks)


async def test_forgotten() -> None:
    """The places of a loop that is gone are free again."""
    admission = Admission([], 2)
    await admission.enter(())
    admission.forget()
    assert admission.limit == 2


class _Asked(Box):
    """Counts how often somebody looks whether it is full."""

    asked = 0

    def is_full(self) -> bool:
        self.asked += 1
        return super().is_full()


async def test_however_many_wait_one_is_looked_at() -> None:
    """Who comes, and who is served, costs the same behind a thousand others."""
    box = _Asked("box", 1, "wait")
    box.promised = 1
    admission = Admission([], 5)
    tasks = [asyncio.create_task(admission.enter((box,))) for _ in range(100)]
    await turns(1)
    assert (admission.waiting, box.asked) == (100, 100)
    for served in range(1, 101):
        box.promised -= 1
        admission.admit()
        await turns(1)
        admission.use()
        assert sum(task.done() for task in tasks) == served
    assert box.asked < 400


async def test_who_came_first_is_first_whatever_he_waits_for() -> None:
    """Among those whose boxes have room."""
    queue = [0]
    admission, box = Admission(queue, 1), _box()
    order: list[int] = []

    async def enter(number: int, *boxes: Box) -> None:
        await admission.enter(boxes)
        order.append(number)

    tasks = [asyncio.create_task(enter(number, *([box] * (number % 2)))) for number in range(4)]
    await turns(1)
    queue.clear()
    for _ in tasks:
        admission.admit()
        await turns(1)
        admission.use()
        box.promised = 0
    assert order == [0, 1, 2, 3]
