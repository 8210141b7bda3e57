"""Tests of asynctask.dispatch.generators."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from asynctask.dispatch import Event, EventGenerator
from asynctask.dispatch.generators import MOST_LEFT_OUT, Source, rounds_left_out
from asynctask.errors import UsageError
from tests.dispatch.helpers import Given

pytestmark = pytest.mark.one_loop

EVENT = Event("me", None, 1)


class Returns(EventGenerator):
    """Returns what it is given."""

    def __init__(self, returned: Any) -> None:
        self.returned = returned

    def get_events(self) -> Any:
        return self.returned


class Pushing(EventGenerator):
    """Pushes one event."""

    async def __aiter__(self) -> AsyncIterator[Event]:
        yield EVENT


def test_the_base_generates_nothing() -> None:
    """An empty list, not ``None``; it can be stopped."""
    generator = EventGenerator()
    assert generator.get_events() == []
    assert generator.stop() is None
    assert generator.get_events() == []


async def test_a_poll_gives_what_is_returned_in_order() -> None:
    """Whatever holds it."""
    other = Event("me", None, 2)
    assert await Source(Returns([EVENT, other])).poll() == ([EVENT, other], None)
    assert await Source(Returns(iter((other, EVENT)))).poll() == ([other, EVENT], None)


async def test_an_async_generator_is_awaited() -> None:
    """Its stop() too."""
    stops: list[int] = []

    class Async:
        async def get_events(self) -> list[Event]:
            return [EVENT]

        async def stop(self) -> None:
            stops.append(1)

    source = Source(Async())
    assert await source.poll() == ([EVENT], None)
    await source.stop()
    assert stops == [1]


async def test_none_is_no_list() -> None:
    """The error says what is wanted."""
    events, error = await Source(Returns(None)).poll()
    assert events == []
    assert repr(error) == "TypeError('get_events() returned None: a list of events is wanted')"


async def test_what_came_before_an_error_is_not_lost() -> None:
    """Be it raised, or something that is no event."""

    def breaks() -> Iterator[Event]:
        yield EVENT
        raise ValueError("x")

    events, error = await Source(Returns(breaks())).poll()
    assert (events, repr(error)) == ([EVENT], "ValueError('x')")
    events, error = await Source(Returns([EVENT, "b"])).poll()
    assert (events, repr(error)) == ([EVENT], "TypeError(\"'b' is no event: it has no handler\")")


@pytest.mark.parametrize("by_argument", [True, False])
async def test_a_blocking_generator_is_called_in_a_thread(by_argument: bool) -> None:
    """It says so itself, or who adds it does."""
    threads: list[bool] = []

    class Blocking(Given):
        blocking = not by_argument

        def get_events(self) -> list[Any]:
            threads.append(threading.current_thread() is threading.main_thread())
            return super().get_events()

        def stop(self) -> None:
            threads.append(threading.current_thread() is threading.main_thread())

    source = Source(Blocking(None, "a"), True if by_argument else None)
    assert source.is_apart
    events, error = await source.poll()
    await source.stop()
    assert ([event.data for event in events], error, threads) == (["a"], None, [False, False])


def test_it_may_be_called_here_although_it_says_that_it_blocks() -> None:
    """Who adds it knows better."""

    class Blocking(EventGenerator):
        blocking = True

    assert not Source(Blocking(), False).is_apart


def test_one_that_pushes_has_a_task_of_its_own() -> None:
    """And needs no get_events()."""
    assert Source(Pushing()).pushes
    assert Source(Pushing()).is_apart
    assert not Source(EventGenerator()).is_apart


def test_what_is_no_generator_is_refused() -> None:
    """At the call."""
    with pytest.raises(UsageError, match=r"^an event generator needs get_events\(\) or __aiter__: int$"):
        Source(3)
    with pytest.raises(UsageError, match=r"^Pushing pushes its events, on the loop: no thread for it$"):
        Source(Pushing(), True)


async def test_a_generator_without_stop_is_stopped_too() -> None:
    """There is nothing to do."""

    class Duck:
        def get_events(self) -> list[Event]:
            return []

    await Source(Duck()).stop()


def test_what_keeps_failing_has_its_turn_less_and_less_often() -> None:
    """Until it works."""
    source = Source(EventGenerator())
    assert source.is_due()
    turns = []
    for _ in range(3):
        source.failed()
        turns.append([source.is_due() for _ in range(5)].index(True))
    assert turns == [0, 1, 3]
    assert source.went_well()
    assert not source.went_well()
    assert source.is_due()


def test_how_many_rounds_are_left_out() -> None:
    """A minute of them at most, by default."""
    assert [rounds_left_out(failures) for failures in range(1, 9)] == [0, 1, 3, 7, 15, 31, 63, 63]
    assert rounds_left_out(10**9) == MOST_LEFT_OUT


async def test_what_blocks_between_events_does_so_in_the_thread() -> None:
    """A generator function only begins to work when somebody takes from it."""
    threads: list[threading.Thread] = []

    class Yields(EventGenerator):
        blocking = True

        def get_events(self) -> Iterator[Event]:
            threads.append(threading.current_thread())
            yield EVENT

    assert await Source(Yields()).poll() == ([EVENT], None)
    assert threads != [threading.current_thread()]
