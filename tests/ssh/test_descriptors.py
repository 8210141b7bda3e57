"""Tests of asynctask.ssh.descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from asynctask.ssh import descriptors
from asynctask.ssh.descriptors import RESERVE, Room, room_for_connections
from tests.support import turns

Limits = tuple[int, int]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int, int], list[Limits]]:
    """Sets soft limit, hard limit and descriptors in use; the list gets what is set."""

    def setting(soft: int, hard: int, in_use: int) -> list[Limits]:
        now = [(soft, hard)]
        monkeypatch.setattr(resource, "getrlimit", lambda which: now[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda which, limits: now.append(limits))
        monkeypatch.setattr(descriptors, "_in_use", lambda: in_use)
        return now

    return setting


def test_enough(limits: Callable[[int, int, int], list[Limits]]) -> None:
    """What is there is not raised."""
    now = limits(1024, 4096, 100)
    assert room_for_connections(500) == 500
    assert now == [(1024, 4096)]


def test_raised_by_what_is_missing(limits: Callable[[int, int, int], list[Limits]]) -> None:
    """And by no more."""
    now = limits(256, 4096, 100)
    assert room_for_connections(500) == 500
    assert now == [(256, 4096), (256 + 500 - (256 - 100 - RESERVE), 4096)]


def test_as_far_as_the_hard_limit(limits: Callable[[int, int, int], list[Limits]]) -> None:
    """The rest wait."""
    now = limits(256, 300, 100)
    assert room_for_connections(500) == 300 - 100 - RESERVE
    assert now[-1] == (300, 300)


def test_none_left(limits: Callable[[int, int, int], list[Limits]]) -> None:
    """Not less than none."""
    limits(64, 64, 60)
    assert room_for_connections(500) == 0


def test_no_limit(limits: Callable[[int, int, int], list[Limits]]) -> None:
    """There is one all the same: programs go through all the descriptors that they could have."""
    now = limits(resource.RLIM_INFINITY, resource.RLIM_INFINITY, 100)
    assert room_for_connections(100_000) == 65536 - 100 - RESERVE
    assert len(now) == 1


def test_a_limit_that_cannot_be_raised(
    limits: Callable[[int, int, int], list[Limits]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox may forbid it."""
    limits(256, 4096, 100)

    def fail(*args: object) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "setrlimit", fail)
    assert room_for_connections(500) == 256 - 100 - RESERVE


def test_the_real_limit() -> None:
    """In a process that has few: what it says can be opened, and the limit is where it should be."""
    program = (
        "import os, resource; from asynctask.ssh.descriptors import *\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))\n"
        "room = room_for_connections(1000)\n"
        "opened = [os.open('/dev/null', os.O_RDONLY) for _ in range(room)]\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE), room > 190, room_for_connections(1))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "(256, 256) True 0\n"


def test_in_use() -> None:
    """Those that are open."""
    before = descriptors._in_use()
    fd = os.open(os.devnull, os.O_RDONLY)
    try:
        assert descriptors._in_use() == before + 1
    finally:
        os.close(fd)


# -- room ------------------------------------------------------------------------------------------------


class Evictions:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


async def test_places_as_there_are_descriptors() -> None:
    """Who finds none has something closed that nobody uses, and waits for a place."""
    left = [3]
    evict = Evictions()
    room = Room(evict, lambda wanted: left[0])
    for _ in range(3):
        await room.take()
        room.opened()
    left[0] = 0
    waiter = asyncio.create_task(room.take())
    await turns(2)
    assert (evict.count, room.waiting) == (1, 1)
    room.give()
    await waiter
    assert room.waiting == 0


async def test_what_is_not_open_yet_counts() -> None:
    """It is not among the descriptors in use, and will be."""
    room = Room(Evictions(), lambda wanted: 2)
    await room.take()
    await room.take()
    waiter = asyncio.create_task(room.take())  # two are free, and two are about to be opened
    await turns(2)
    assert room.waiting == 1
    room.give()
    await waiter


async def test_one_always() -> None:
    """The first connection is tried whatever the limit says, so that there is an error to tell."""
    room = Room(Evictions(), lambda wanted: 0)
    await room.take()
    waiter = asyncio.create_task(room.take())
    await turns(2)
    assert room.waiting == 1
    room.give()
    await waiter


async def test_it_is_not_looked_for_ever_again() -> None:
    """Looking takes time: for a moment it is believed that there is no room."""
    looks: list[int] = []

    def look(wanted: int) -> int:
        looks.append(wanted)
        return 0

    room = Room(Evictions(), look)
    waiters = [asyncio.create_task(room.take()) for _ in range(20)]
    await turns(2)
    assert looks == [256]
    for waiter in waiters:
        await waiter
        room.give()
