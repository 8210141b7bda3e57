"""Tests of asynctask.ssh.held."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from asynctask.ssh.held import Held
from tests.support import turns


def held(sessions: int = 2, via: Held | None = None) -> Held:
    """A connection that is open."""
    connection: Any = SimpleNamespace(is_over=False)
    route: Any = None
    return Held(route, connection, via, sessions)


async def test_places() -> None:
    """So many sessions; the next waits."""
    connection = held(2)
    marks = [await connection.begin_session() for _ in range(2)]
    third = asyncio.create_task(connection.begin_session())
    await turns(2)
    assert (connection.sessions, connection.waiting) == (3, 1)
    connection.end_session(marks[0])
    await third
    assert (connection.sessions, connection.waiting) == (2, 0)


async def test_marks() -> None:
    """One at a time has none, and each of the others one of its own."""
    connection = held(9)
    first = await connection.begin_session()
    second = await connection.begin_session()
    third = await connection.begin_session()
    assert first is None
    assert second is not None
    assert third is not None
    assert len({second, third}) == 2
    assert len(second) == 16
    connection.end_session(second)
    assert await connection.begin_session() is not None
    connection.end_session(first)
    assert await connection.begin_session() is None


async def test_cancelled_while_waiting() -> None:
    """It is no session."""
    connection = held(1)
    await connection.begin_session()
    waiter = asyncio.create_task(connection.begin_session())
    await turns(2)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert (connection.sessions, connection.waiting) == (1, 0)


async def test_what_makes_it_busy() -> None:
    """A session, or another connection that goes through it."""
    connection = held()
    seen = [connection.is_busy]
    mark = await connection.begin_session()
    seen.append(connection.is_busy)
    connection.end_session(mark)
    seen.append(connection.is_busy)
    connection.passengers = 1
    seen.append(connection.is_busy)
    assert seen == [False, True, False, True]


async def test_used() -> None:
    """From the end of the first session on it may break unseen."""
    connection = held()
    mark = await connection.begin_session()
    assert not connection.used
    connection.end_session(mark)
    assert connection.used


def test_what_makes_it_useless() -> None:
    """It was discarded, closed here, or has broken."""
    for attribute in ("discarded", "closed"):
        connection = held()
        assert connection.is_usable
        setattr(connection, attribute, True)
        assert not connection.is_usable
    connection = held()
    broken: Any = connection.connection
    broken.is_over = True
    assert not connection.is_usable


def test_discarded_with_what_it_goes_through() -> None:
    """That may be what is broken."""
    bastion = held()
    held(via=bastion).discard()
    assert not bastion.is_usable


def test_depth() -> None:
    """Through how many others it goes."""
    assert held(via=held(via=held())).depth == 2


async def test_fewer_sessions_than_we_thought() -> None:
    """There are as many places as others have one; who was refused waits, and so does who comes."""
    connection = held(9)
    marks = [await connection.begin_session() for _ in range(4)]
    connection.refuse_session(marks.pop())
    connection.refuse_session(marks.pop())
    waiting = [asyncio.create_task(connection.begin_session()) for _ in range(2)]
    await turns(2)
    assert (connection.sessions, connection.with_place, connection.waiting) == (4, 2, 2)
    connection.end_session(marks[0])
    await waiting[0]
    assert (connection.sessions, connection.with_place, connection.waiting) == (3, 2, 1)
    connection.end_session(marks[1])
    await waiting[1]


async def test_there_is_always_one_session() -> None:
    """Whatever the server refuses."""
    connection = held(9)
    for _ in range(3):
        connection.refuse_session(await connection.begin_session())
    assert (connection.sessions, connection.waiting) == (0, 0)
    assert await connection.begin_session() is None
