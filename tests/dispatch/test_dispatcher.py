"""Tests of asynctask.dispatch.dispatcher."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import anyio
import pytest

import asynctask.dispatch
from asynctask.dispatch import (
    ErrorEvent,
    Event,
    EventDispatcher,
    EventGenerator,
    ExecEventHandler,
    ThreadEventHandler,
)
from asynctask.dispatch.dispatcher import DispatcherStatistics
from asynctask.errors import TaskStateError, UsageError
from tests.dispatch.helpers import PATIENCE, Does, DoesAsync, Failing, Given, Noted, Sleeps, waited
from tests.support import turns


class Bench:
    """A dispatcher whose sleeps last as long as the test says."""

    def __init__(self, *generators: Any, **options: Any) -> None:
        self.sleeps = Sleeps()
        self.dispatcher = EventDispatcher(sleep=self.sleeps, **options)
        for generator in generators:
            self.dispatcher.add_event_generator(generator)


class Long:
    """A handler that does not end by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = 0

    async def process_event(self, event: Any) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1


def test_the_names_of_the_framework_are_there() -> None:
    """Each class with its methods."""
    methods = {
        "EventDispatcher": ["start", "run", "stop", "error_handler", "add_event_generator"],
        "EventGenerator": ["get_events", "stop"],
        "EventProcessor": ["run", "stop", "dispatch_event"],
        "Event": ["__str__"],
        "EventHandler": ["process_event", "__str__"],
        "ChainEventHandler": ["process_event", "__str__"],
        "ExecEventHandler": ["process_event"],
        "PrintEventHandler": ["process_event"],
    }
    for name, wanted in methods.items():
        found = getattr(asynctask.dispatch, name)
        assert [each for each in wanted if not callable(getattr(found, each, None))] == []


async def test_the_processor_works_from_the_first_moment() -> None:
    """Before any generator was asked."""
    noted = Noted()
    async with EventDispatcher() as dispatcher:
        assert await dispatcher.put(Event("me", noted, 1)) is True
        await waited(noted.enough)
    assert noted.seen == [1]


def test_it_polls_every_second_by_default() -> None:
    """Any other interval is possible, also later."""
    dispatcher = EventDispatcher()
    assert dispatcher.poll_interval == 1
    dispatcher.poll_interval = 0.5
    assert dispatcher.poll_interval == 0.5
    assert EventDispatcher(2).poll_interval == 2
    with pytest.raises(UsageError):
        EventDispatcher(0)


async def test_events_are_processed_while_the_polling_sleeps() -> None:
    """Nobody waits for the interval to be over but the generators."""
    noted = Noted(3)
    bench = Bench(Given(noted, "ab"), Given(noted, "c"))
    async with bench.dispatcher:
        await bench.sleeps.asleep()
        await waited(noted.enough)
        assert bench.sleeps.seconds == [1]
    assert noted.seen == ["a", "b", "c"]


async def test_polling_goes_on_while_a_handler_works() -> None:
    """The queue grows; nothing is lost."""
    may_end = asyncio.Event()
    seen: list[Any] = []

    class Slow:
        async def process_event(self, event: Any) -> bool:
            await may_end.wait()
            seen.append(event.data)
            return True

    generator = Given(Slow(), "a", "b", "c")
    bench = Bench(generator)
    async with bench.dispatcher:
        await bench.sleeps.asleep()
        await bench.sleeps.rounds(3)
        assert (generator.polls, bench.dispatcher.statistics().waiting) == (4, 2)
        may_end.set()
    assert seen == ["a", "b", "c"]


async def test_the_order_of_each_generator_is_kept() -> None:
    """All events of all of them are processed, once."""
    noted = Noted()
    names = [f"g{number}" for number in range(5)]
    given = {
        name: [[f"{name} {item}" for item in range(part, part + 7)] for part in (0, 7, 14)] for name in names
    }
    bench = Bench(*(Given(noted, *rounds) for rounds in given.values()), maxsize=3)
    async with bench.dispatcher:
        await bench.sleeps.asleep()
        await bench.sleeps.rounds(3)
    for name in names:
        assert [each for each in noted.seen if each.startswith(name)] == [f"{name} {n}" for n in range(21)]
    assert len(noted.seen) == 105


async def test_what_is_pushed_needs_no_polling() -> None:
    """It is processed at once."""

    class Pushes(EventGenerator):
        async def __aiter__(self) -> AsyncIterator[Event]:
            yield Event(self, noted, 1)

    noted = Noted()
    bench = Bench(Pushes())
    async with bench.dispatcher:
        await waited(noted.enough)
        assert len(bench.sleeps.seconds) <= 1


async def test_two_dispatchers_are_independent() -> None:
    """One goes on when the other has ended."""
    first, second = Noted(), Noted()
    async with EventDispatcher() as outer:
        async with EventDispatcher() as inner:
            await inner.put(Event("me", first, 1))
        await outer.put(Event("me", second, 2))
    assert (first.seen, second.seen) == ([1], [2])


async def test_a_blocking_handler_in_a_thread_leaves_the_loop_free() -> None:
    """It ends with the block."""
    may_end = threading.Event()
    names: list[str] = []

    def block(event: Any) -> bool:
        assert may_end.wait(PATIENCE)
        names.append(threading.current_thread().name)
        return True

    async with EventDispatcher() as dispatcher:
        await dispatcher.put(Event("me", ThreadEventHandler(Does(block))))
        await turns(5)
        may_end.set()
    assert names == ["handler Does"]


# -- stopping ---------------------------------------------------------------------------------------


async def test_stop_returns_when_all_that_is_pending_is_processed() -> None:
    """Generators are asked once more, then stopped, once."""
    noted = Noted()
    asynchronous = DoesAsync(noted.process_event)
    generator = Given(asynchronous, "abc", "de", "f")
    bench = Bench(generator)
    async with bench.dispatcher as dispatcher:
        await bench.sleeps.asleep()
        assert await dispatcher.stop() is True
        assert noted.seen == ["a", "b", "c", "d", "e"]
        assert (generator.polls, generator.stops) == (2, 1)
        with pytest.raises(TaskStateError, match=r"^the dispatcher is stopped: the event is not taken$"):
            await dispatcher.put(Event("me", noted))
    assert generator.stops == 1


async def test_leaving_the_block_stops_it() -> None:
    """Also with an error, which comes out."""
    noted = Noted()
    generator = Given(noted, "a")

    async def block() -> None:
        async with EventDispatcher() as dispatcher:
            dispatcher.add_event_generator(generator)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await block()
    assert (noted.seen, generator.stops) == (["a"], 1)


async def test_stopping_twice_and_at_the_same_time() -> None:
    """All wait for the same end."""
    generator = Given(Noted(), "a")
    async with EventDispatcher() as dispatcher:
        dispatcher.add_event_generator(generator)
        ends = await asyncio.gather(dispatcher.stop(), dispatcher.stop(), dispatcher.join())
        assert list(ends) == [True] * 3
        assert await dispatcher.stop() is True
    assert generator.stops == 1


async def test_stopping_before_it_was_started() -> None:
    """Generators are stopped and not asked; it cannot be started then."""
    generator = Given(Noted(), "a")
    dispatcher = EventDispatcher()
    dispatcher.add_event_generator(generator)
    assert await dispatcher.stop() is True
    assert (generator.polls, generator.stops) == (0, 1)
    with pytest.raises(TaskStateError, match=r"^the dispatcher was stopped: make a new one$"):
        dispatcher.start()
    with pytest.raises(TaskStateError):
        await dispatcher.__aenter__()


async def test_a_handler_may_ask_for_the_end() -> None:
    """It is told that it comes later; what is pending is processed."""
    noted = Noted()
    answers: list[bool] = []

    class Stops:
        async def process_event(self, event: Any) -> bool:
            answers.append(await dispatcher.stop())
            answers.append(await dispatcher.join())
            return True

    async with EventDispatcher() as dispatcher:
        await dispatcher.put(Event("me", Stops()))
        await dispatcher.put(Event("me", noted, "later"))
        assert await asyncio.wait_for(dispatcher.join(), PATIENCE) is True
    assert (answers, noted.seen) == ([False, False], ["later"])


async def test_source_may_ask_for_the_end() -> None:
    """In the order of the queue; nobody awaits what stop() returns there."""
    noted = Noted()
    async with EventDispatcher() as dispatcher:
        pill = ExecEventHandler("dispatcher.stop()", {"dispatcher": dispatcher})
        for event in (Event("me", noted, 1), Event("me", pill), Event("me", noted, 2)):
            await dispatcher.put(event)
        await asyncio.wait_for(dispatcher.join(), PATIENCE)
    assert noted.seen == [1, 2]


async def test_a_thread_may_ask_for_the_end() -> None:
    """And whoever waits is told."""
    async with EventDispatcher() as dispatcher:
        thread = threading.Thread(target=dispatcher.stop)
        thread.start()
        await asyncio.wait_for(dispatcher.join(), PATIENCE)
    thread.join()


async def test_a_generator_may_ask_for_the_end() -> None:
    """It is told the same."""
    answers: list[bool] = []

    class Stops(EventGenerator):
        async def get_events(self) -> list[Any]:
            answers.append(await dispatcher.stop())
            return []

    async with EventDispatcher() as dispatcher:
        dispatcher.add_event_generator(Stops())
        await asyncio.wait_for(dispatcher.join(), PATIENCE)
    assert answers == [False, False]


async def test_a_handler_may_add_a_generator() -> None:
    """It is polled in the next round."""
    noted = Noted()
    late = Given(noted, ["late"])
    bench = Bench(Given(Does(lambda event: bench.dispatcher.add_event_generator(late)), "a"))
    async with bench.dispatcher:
        await bench.sleeps.asleep()
        while bench.dispatcher.statistics().generators < 2:
            await asyncio.sleep(0)
        await bench.sleeps.rounds(1)
        await waited(noted.enough)
    assert (noted.seen, late.stops) == (["late"], 1)


async def test_a_handler_that_puts_does_not_wait_for_itself() -> None:
    """While there is room it may; else it is an error, not a deadlock."""
    errors = Noted()
    noted = Noted()

    class Puts:
        async def process_event(self, event: Any) -> bool:
            await dispatcher.put(Event(self, noted, 1))
            return await dispatcher.put(Event(self, noted, 2))

    async with EventDispatcher(maxsize=1) as dispatcher:
        dispatcher.error_handler(errors)
        await dispatcher.put(Event("me", Puts()))
        await waited(errors.enough)
    assert noted.seen == [1]
    assert str(errors.seen[0][0]) == "the queue is full, and the handler that puts would wait for itself"


# -- without a block --------------------------------------------------------------------------------


async def test_start_and_stop_without_a_block() -> None:
    """As the calls have always been; starting again changes nothing."""
    noted = Noted()
    dispatcher = EventDispatcher()
    dispatcher.add_event_generator(Given(noted, "ab"))
    dispatcher.start()
    dispatcher.start()
    await waited(noted.enough)
    assert await dispatcher.stop() is True
    assert noted.seen == ["a", "b"]


async def test_run_goes_on_until_it_is_stopped() -> None:
    """Cancelling ends it."""
    noted = Noted()
    dispatcher = EventDispatcher()
    dispatcher.add_event_generator(Given(noted, "a"))
    running = asyncio.create_task(dispatcher.run())
    await waited(noted.enough)
    _ = dispatcher.stop()
    await asyncio.wait_for(running, PATIENCE)
    running = asyncio.create_task(EventDispatcher().run())
    await turns(3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_who_waits_for_what_was_not_started() -> None:
    """Would wait for ever."""
    with pytest.raises(TaskStateError, match=r"^the dispatcher was not started: nobody would stop it$"):
        await EventDispatcher().join()


def test_without_a_loop() -> None:
    """The error says what there is instead."""
    with pytest.raises(TaskStateError, match=r"^no asyncio loop runs here: use asynctask.sync.dispatch$"):
        EventDispatcher().start()


async def test_one_block_at_a_time() -> None:
    """There is one owner."""
    async with EventDispatcher() as dispatcher:
        with pytest.raises(TaskStateError, match=r"^the dispatcher is in a block already$"):
            await dispatcher.__aenter__()


# -- cancelling, and what ends a program --------------------------------------------------------------


@pytest.mark.parametrize("by", ["task", "scope"])
async def test_cancelling_leaves_nothing(by: str) -> None:
    """The handler in work is cancelled, what is queued is not processed, generators are stopped."""
    long, noted = Long(), Noted()
    generator = Given(noted, "a")
    scope = anyio.CancelScope()

    async def block() -> None:
        with scope:
            async with EventDispatcher() as dispatcher:
                await dispatcher.put(Event("me", long))
                dispatcher.add_event_generator(generator)
                await anyio.sleep_forever()

    task = asyncio.create_task(block())
    await waited(long.begun)
    if by == "scope":
        scope.cancel()
        await task
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (long.cancelled, noted.seen, generator.stops) == (1, [], 1)


async def test_cancelling_at_the_first_moment_stops_generators() -> None:
    """Though nothing of it has run yet."""
    generator = Given(Noted())

    async def block() -> None:
        async with EventDispatcher() as dispatcher:
            dispatcher.add_event_generator(generator)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await block()
    assert generator.stops == 1


async def test_cancelling_who_waits_for_a_handler_that_does_not_end() -> None:
    """stop() has gone on waiting for it; leaving the block by cancellation does not."""
    long = Long()
    with anyio.CancelScope() as scope:
        async with EventDispatcher() as dispatcher:
            await dispatcher.put(Event("me", long))
            await waited(long.begun)
            with anyio.move_on_after(0.01):
                await dispatcher.stop()
            assert long.cancelled == 0
            asyncio.get_running_loop().call_soon(scope.cancel)
    assert (scope.cancelled_caught, long.cancelled) == (True, 1)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["handler", "thread", "generator"])
async def test_what_ends_a_program_comes_out_of_the_block(error: BaseException, where: str) -> None:
    """The block is cancelled, the dispatcher has ended, and the task is not cancelled afterwards."""
    generator = Given(None, error) if where == "generator" else Given(None)
    cancelled = False
    try:
        async with EventDispatcher() as dispatcher:
            dispatcher.add_event_generator(generator)
            if where != "generator":
                failing: Any = Failing(error)
                await dispatcher.put(
                    Event("me", ThreadEventHandler(failing) if where == "thread" else failing)
                )
            try:
                await asyncio.Event().wait()
            finally:
                cancelled = True
    except BaseException as exc:
        assert exc is error
    else:
        pytest.fail("nothing was raised")
    assert cancelled
    assert generator.stops == 1
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_ends_a_program_when_the_block_swallows_its_cancellation() -> None:
    """It comes out as well, and no cancellation is left behind."""
    error = SystemExit(3)
    try:
        async with EventDispatcher() as dispatcher:
            await dispatcher.put(Event("me", Failing(error)))
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    except SystemExit as exc:
        assert exc is error
    else:
        pytest.fail("nothing was raised")
    await asyncio.sleep(0)


async def test_what_ends_a_program_comes_out_of_stop_without_a_block() -> None:
    """Once."""
    dispatcher = EventDispatcher()
    dispatcher.start()
    await dispatcher.put(Event("me", Failing(SystemExit(3))))
    with pytest.raises(SystemExit):
        await dispatcher.join()
    assert await dispatcher.stop() is True


# -- errors, bounds, counters -------------------------------------------------------------------------


async def test_errors_of_handlers_and_generators_reach_the_error_handler() -> None:
    """In the order of the queue."""
    errors = Noted(2)
    broken = Given(Failing(KeyError("h")), "a", ValueError("g"))
    bench = Bench(broken)
    bench.dispatcher.error_handler(errors)
    async with bench.dispatcher:
        await bench.sleeps.asleep()
        await bench.sleeps.rounds(1)
        await waited(errors.enough)
    first, second = errors.events
    assert isinstance(first, ErrorEvent)
    assert isinstance(second, ErrorEvent)
    assert (repr(first.error), first.event.data, first.originator) == (
        "KeyError('h')",
        "a",
        bench.dispatcher.processor,
    )
    assert (repr(second.error), second.event, second.originator) == ("ValueError('g')", None, broken)


async def test_an_error_handler_can_be_taken_away() -> None:
    """Then errors are silently ignored, as at first."""
    errors = Noted()
    async with EventDispatcher() as dispatcher:
        dispatcher.error_handler(errors)
        dispatcher.error_handler(None)
        await dispatcher.put(Event("me", Failing(ValueError())))
    assert errors.seen == []
    assert dispatcher.statistics().errors_discarded == 1


@pytest.mark.parametrize(("overflow", "left"), [("drop_oldest", ["d", "e"]), ("drop_newest", ["b", "c"])])
async def test_a_bound_with_a_policy(overflow: Any, left: list[str]) -> None:
    """What is lost is counted."""
    may_end = asyncio.Event()
    noted = Noted()

    class Slow:
        async def process_event(self, event: Any) -> bool:
            await may_end.wait()
            return noted.process_event(event)

    async with EventDispatcher(maxsize=2, overflow=overflow) as dispatcher:
        await dispatcher.put(Event("me", Slow(), "a"))
        await turns(5)
        for name in "bcde":
            await dispatcher.put(Event("me", noted, name))
        may_end.set()
    assert noted.seen == ["a", *left]
    assert dispatcher.statistics().dropped == 2


async def test_what_is_no_event_is_not_put() -> None:
    """It is refused at the call."""
    async with EventDispatcher() as dispatcher:
        with pytest.raises(UsageError, match=r"^3 is no event: it has no handler$"):
            await dispatcher.put(3)


async def test_statistics() -> None:
    """What was done on both sides."""
    bench = Bench(Given(Noted(), "ab", ValueError()), Given(Does(lambda event: False), "c"))
    async with bench.dispatcher as dispatcher:
        await bench.sleeps.asleep()
        await bench.sleeps.rounds(1)
        await dispatcher.put(Event("me", Failing(ValueError())))
    assert dispatcher.statistics() == DispatcherStatistics(
        generators=2,
        rounds=3,
        failed_generators=1,
        enqueued=5,
        dropped=0,
        waiting=0,
        most_waiting=dispatcher.statistics().most_waiting,
        processed=3,
        declined=1,
        failed=1,
        errors_handled=0,
        errors_discarded=2,
    )
    assert 1 <= dispatcher.statistics().most_waiting <= 3


async def test_a_dispatcher_as_text() -> None:
    """Its interval and its generators."""
    dispatcher = EventDispatcher(2)
    assert repr(dispatcher) == "<EventDispatcher every 2 s: no generators>"


async def test_idle_it_does_nothing() -> None:
    """While the polling sleeps, each of its tasks waits for something."""
    bench = Bench(Given(None))
    async with bench.dispatcher:
        await bench.sleeps.asleep()
        await turns(10)
        tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("event ")]
        assert len(tasks) == 3
        assert all(getattr(task, "_fut_waiter", 1) is not None for task in tasks)
