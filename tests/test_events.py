"""Tests of asynctask.events."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from unittest.mock import AsyncMock, MagicMock

import pytest

from asynctask.events import EventHandler, Hooks, call
from asynctask.workers.base import Worker

NAMES = ("start", "pickup", "read", "hup", "end", "close")


def _heard(handler: object) -> set[str]:
    hooks = Hooks(handler)
    return {name for name in NAMES if getattr(hooks, name) is not None}


def test_the_base_class_hears_nothing() -> None:
    """What is not overridden costs nothing."""
    hooks = Hooks(EventHandler())
    assert _heard(EventHandler()) == set()
    assert (hooks.wants_output, hooks.wants_node_events) == (False, False)


def test_overridden_methods_are_heard() -> None:
    """And only these."""

    class Handler(EventHandler):
        def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            """Hear output."""

    class Child(Handler):
        async def ev_close(self, worker: Worker, timedout: bool) -> None:
            """Hear the end, too."""

    assert _heard(Handler()) == {"read"}
    assert _heard(Child()) == {"read", "close"}


def test_any_object_with_some_of_the_methods_serves() -> None:
    """No base class is needed, and a method may be any callable."""
    assert _heard(SimpleNamespace(ev_end=print, ev_hup=len, other=1)) == {"end", "hup"}
    assert _heard(object()) == set()


def test_a_method_set_to_none_is_not_heard() -> None:
    """That is how a subclass says that it does not want an event."""
    assert _heard(SimpleNamespace(ev_end=None)) == set()


def test_a_method_that_cannot_be_called_is_refused() -> None:
    """It would never be heard."""
    with pytest.raises(TypeError, match=r"^SimpleNamespace\.ev_read is not callable$"):
        Hooks(SimpleNamespace(ev_read=3))


def test_close_alone_is_no_event_of_a_node() -> None:
    """A handler of nothing else costs nothing a node."""
    hooks = Hooks(SimpleNamespace(ev_close=print))
    assert (hooks.wants_output, hooks.wants_node_events) == (False, False)


@pytest.mark.parametrize(
    "name", ["start", "pickup", "read", "written", "unwritten", "progress", "hup", "end"]
)
def test_what_is_delivered_a_node(name: str) -> None:
    """Each other event needs a delivery, and only ev_read needs lines."""
    hooks = Hooks(SimpleNamespace(**{f"ev_{name}": print}))
    assert hooks.wants_node_events
    assert hooks.wants_output is (name == "read")


def test_a_mock_hears_the_public_events_alone() -> None:
    """A mock answers to every name; in-house ones do not count."""
    assert _heard(MagicMock()) == set(NAMES)
    assert Hooks(MagicMock()).lines is None


async def test_plain_and_async_hooks_are_called_alike() -> None:
    """What a plain hook returns is dropped, unless it can be awaited."""
    seen: list[str] = []

    async def slow(word: str) -> None:
        await asyncio.sleep(0)
        seen.append(word)

    await call(seen.append, "plain")
    await call(slow, "async")
    await call(SimpleNamespace(hook=slow).hook, "a plain attribute")
    await call(lambda: 5)
    assert seen == ["plain", "async", "a plain attribute"]


async def test_an_async_mock_is_awaited() -> None:
    """Handlers in tests are often mocks."""
    hook = AsyncMock()
    await call(hook, 1, 2)
    hook.assert_awaited_once_with(1, 2)
