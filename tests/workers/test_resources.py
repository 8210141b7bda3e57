"""Tests of asynctask.workers.resources."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from asynctask.errors import SpawnError
from asynctask.workers import resources as module
from asynctask.workers.resources import Resources
from tests.support import turns


class Thing:
    """Writes down that it was closed; may wait or raise meanwhile."""

    def __init__(
        self, name: str, closed: list[str], wait: asyncio.Event | None = None, error: Exception | None = None
    ) -> None:
        self._name = name
        self._closed = closed
        self._wait = wait
        self._error = error

    async def aclose(self) -> None:
        if self._wait is not None:
            await self._wait.wait()
        self._closed.append(self._name)
        if self._error is not None:
            raise self._error


def test_the_first_who_asks_makes_it_and_all_others_share_it() -> None:
    """One thing a key."""
    resources, closed = Resources(), list[str]()
    first = resources.get("key", lambda: Thing("first", closed))
    assert resources.get("key", lambda: Thing("second", closed)) is first
    assert resources.get("other", lambda: Thing("third", closed)) is not first


async def test_what_is_shared_is_used_and_not_closed() -> None:
    """Its owner closes it."""
    resources, closed = Resources(), list[str]()
    shared = Thing("shared", closed)
    resources.share("key", shared)
    assert resources.get("key", lambda: Thing("own", closed)) is shared
    await resources.aclose()
    assert (closed, resources.get("key", lambda: Thing("own", closed))) == ([], shared)


def test_more_may_come_unless_it_is_said() -> None:
    """What is kept for the next command may serve."""
    assert not Resources().once


async def test_all_are_closed_in_reverse_order_and_once() -> None:
    """What was made later may need what was made before."""
    resources, closed = Resources(), list[str]()
    for name in "abc":
        resources.get(name, lambda name=name: Thing(name, closed))  # type: ignore[misc]
    await resources.aclose()
    await resources.aclose()
    assert closed == ["c", "b", "a"]


async def test_after_closing_things_are_made_anew() -> None:
    """A task that runs twice needs them twice."""
    resources, closed = Resources(), list[str]()
    first = resources.get("a", lambda: Thing("first", closed))
    await resources.aclose()
    assert resources.get("a", lambda: Thing("second", closed)) is not first
    await resources.aclose()
    assert closed == ["first", "second"]


async def test_one_that_does_not_close_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a bounded time."""
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.01)
    resources, closed = Resources(), list[str]()
    resources.get("a", lambda: Thing("a", closed))
    resources.get("b", lambda: Thing("b", closed, wait=asyncio.Event()))
    await resources.aclose()
    assert closed == ["a"]


async def test_one_that_raises_does_not_keep_the_others() -> None:
    """Its error is raised when all are closed."""
    resources, closed = Resources(), list[str]()
    resources.get("a", lambda: Thing("a", closed))
    resources.get("b", lambda: Thing("b", closed, error=OSError("b is stuck")))
    resources.get("c", lambda: Thing("c", closed))
    with pytest.raises(OSError, match=r"^b is stuck$"):
        await resources.aclose()
    assert closed == ["c", "b", "a"]


async def test_closing_goes_on_in_a_cancelled_scope() -> None:
    """The caller's cancellation waits."""
    resources, closed = Resources(), list[str]()
    event = asyncio.Event()
    resources.get("a", lambda: Thing("a", closed))
    resources.get("b", lambda: Thing("b", closed, wait=event))
    asyncio.get_running_loop().call_later(0.01, event.set)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await resources.aclose()
    assert closed == ["b", "a"]


async def test_closing_goes_on_when_the_task_is_cancelled() -> None:
    """A native cancellation gives up what is being closed, not the rest."""
    resources, closed = Resources(), list[str]()
    resources.get("a", lambda: Thing("a", closed))
    resources.get("b", lambda: Thing("b", closed, wait=asyncio.Event()))
    closing = asyncio.create_task(resources.aclose())
    await turns(2)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert closed == ["a"]


# -- who wants to know ------------------------------------------------------------------------------


async def test_nodes_are_announced_in_order() -> None:
    """Each when the one before it is written down."""
    resources, told = Resources(), list[str]()

    async def before_start(node: str) -> None:
        await asyncio.sleep(0)
        told.append(node)

    resources.before_start = before_start
    announce = resources.announcer("a", "b")
    assert announce is not None
    assert told == []
    await announce()
    assert told == ["a", "b"]


async def test_what_must_not_start() -> None:
    """The error names the node, and why; those after it are not announced."""
    resources, told = Resources(), list[str]()

    async def before_start(node: str) -> None:
        told.append(node)
        raise ValueError("full")

    resources.before_start = before_start
    announce = resources.announcer("a", "b")
    assert announce is not None
    with pytest.raises(SpawnError) as raised:
        await announce()
    assert (str(raised.value), told) == ("a: not started, for before_start raised ValueError('full')", ["a"])


def test_nobody_wants_to_know() -> None:
    """There is nothing to await."""
    assert Resources().announcer("a") is None
