"""Tests of asynctask.dispatch.polling."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from asynctask.dispatch import ErrorEvent, Event, EventGenerator, EventQueue, polling
from asynctask.dispatch.inside import is_inside
from asynctask.dispatch.polling import Polling, PollingStatistics
from asynctask.errors import TaskStateError, UsageError
from tests.dispatch.helpers import PATIENCE, Given, Sleeps, waited
from tests.support import turns


class Bench:
    """A polling side whose sleeps last as long as the test says."""

    def __init__(self, *generators: Any, maxsize: int = 100) -> None:
        self.sleeps = Sleeps()
        self.queue = EventQueue(maxsize)
        self.polling = Polling(self.queue, 1, self.sleeps)
        for generator in generators:
            self.polling.add(generator)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It runs meanwhile, and is stopped at the end."""
        task = asyncio.create_task(self.polling.run())
        try:
            yield
        finally:
            self.polling.stop()
            await asyncio.wait_for(task, PATIENCE)

    async def data(self) -> list[Any]:
        """The data of what is on the queue now; of an error, its text."""
        events = [await self.queue.get() for _ in range(self.queue.statistics().waiting)]
        return [repr(event.error) if isinstance(event, ErrorEvent) else event.data for event in events]


async def test_generators_are_polled_in_order_each_round() -> None:
    """All events of a poll come on the queue, in their order, before anything is polled again."""
    bench = Bench(Given(None, "ab", "c", ""), Given(None, "1", "23"))
    async with bench.running():
        await bench.sleeps.asleep()
        assert await bench.data() == ["a", "b", "1"]
        await bench.sleeps.rounds(1)
        assert await bench.data() == ["c", "2", "3"]
        await bench.sleeps.rounds(1)
        assert await bench.data() == []


async def test_it_sleeps_so_long_between_rounds() -> None:
    """The interval can be changed meanwhile; nothing is polled while it sleeps."""
    generator = Given(None)
    bench = Bench(generator)
    async with bench.running():
        await bench.sleeps.asleep()
        await turns(20)
        assert generator.polls == 1
        bench.polling.poll_interval = 0.25
        await bench.sleeps.rounds(2)
        assert (generator.polls, bench.sleeps.seconds) == (3, [1, 0.25, 0.25])


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan, True, "1", None])
def test_an_interval_that_cannot_be(seconds: Any) -> None:
    """A loop without a pause would take a processor for itself."""
    with pytest.raises(UsageError, match=r"^poll_interval=.*: a number of seconds, more than 0$"):
        Polling(EventQueue(), seconds)


async def test_a_generator_that_is_added_meanwhile() -> None:
    """Has its turn in the next round, after the others."""
    bench = Bench(Given(None, "", "a"))
    async with bench.running():
        await bench.sleeps.asleep()
        late = Given(None, "b")
        bench.polling.add(late)
        bench.polling.add(late)
        await turns(5)
        assert late.polls == 0
        await bench.sleeps.rounds(1)
        assert (late.polls, await bench.data()) == (1, ["a", "b"])
        assert bench.polling.generators()[1:] == [late]
    assert late.stops == 1


async def test_a_full_queue_holds_the_polling() -> None:
    """Nothing is lost, nothing is polled."""
    generator = Given(None, "abc")
    bench = Bench(generator, maxsize=2)
    async with bench.running():
        await turns(10)
        assert (bench.sleeps.seconds, bench.queue.statistics().waiting) == ([], 2)
        assert (await bench.queue.get()).data == "a"
        await bench.sleeps.asleep()
        assert await bench.data() == ["b", "c"]


async def test_many_events_leave_others_their_turn() -> None:
    """A poll that gives thousands does not hold the loop."""
    bench = Bench(Given(None, range(1000)), maxsize=1000)
    counts = []
    async with bench.running():
        while not bench.sleeps.seconds:
            counts.append(bench.queue.statistics().waiting)
            await asyncio.sleep(0)
    assert len(counts) >= 20


# -- the end ----------------------------------------------------------------------------------------


async def test_stopping_polls_once_more_and_stops_each_generator_once() -> None:
    """What happened before is not lost; it wakes who sleeps."""
    first, second = Given(None, "a", "b", "c"), Given(None)
    bench = Bench(first, second)
    async with bench.running():
        await bench.sleeps.asleep()
    assert await bench.data() == ["a", "b"]
    assert (first.polls, first.stops, second.stops) == (2, 1, 1)
    assert bench.queue.closed
    with pytest.raises(TaskStateError, match=r"^the dispatcher is stopped: the generator is not added$"):
        bench.polling.add(Given(None))


async def test_without_polling_generators_are_stopped_all_the_same() -> None:
    """For one that never was started."""
    generator = Given(None, "a")
    bench = Bench(generator)
    bench.polling.stop()
    await bench.polling.run(poll=False)
    assert (generator.polls, generator.stops, await bench.data()) == (0, 1, [])


async def test_polling_has_ended_before_a_generator_is_stopped() -> None:
    """For all of them."""
    steps: list[str] = []

    class Tells(EventGenerator):
        def __init__(self, name: str) -> None:
            self.name = name

        def get_events(self) -> list[Any]:
            steps.append(f"poll {self.name}")
            return []

        async def stop(self) -> None:
            await asyncio.sleep(0)
            steps.append(f"stop {self.name}")

    bench = Bench(Tells("a"), Tells("b"))
    async with bench.running():
        await bench.sleeps.asleep()
    assert steps == ["poll a", "poll b", "poll a", "poll b", "stop a", "stop b"]


async def test_a_stop_that_fails_or_takes_too_long_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each is an error event."""

    class Stuck(EventGenerator):
        async def stop(self) -> None:
            await asyncio.Event().wait()

    class Broken(EventGenerator):
        def stop(self) -> None:
            raise ValueError("x")

    monkeypatch.setattr(polling, "STOP_WAIT", 0.01)
    good = Given(None)
    bench = Bench(Stuck(), Broken(), good)
    with caplog.at_level(logging.WARNING):
        async with bench.running():
            await bench.sleeps.asleep()
    assert good.stops == 1
    assert await bench.data() == ["ValueError('x')", "TimeoutError('stop() took longer than 0.01 s')"]
    assert len(caplog.records) == 2


async def test_a_stop_that_raises_anything_still_closes_the_queue() -> None:
    """Who waits for the end of the queue would wait for ever."""

    class Odd(EventGenerator):
        def stop(self) -> None:
            raise GeneratorExit

    bench = Bench(Odd())
    bench.polling.stop()
    with pytest.raises(BaseExceptionGroup):
        await bench.polling.run()
    assert bench.queue.closed


async def test_cancelling_stops_generators_too() -> None:
    """At once: there is no last round."""
    generator = Given(None, "a", "b")
    bench = Bench(generator)
    task = asyncio.create_task(bench.polling.run())
    await bench.sleeps.asleep()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (generator.polls, generator.stops, bench.queue.closed) == (1, 1, True)


async def test_a_queue_that_nobody_empties_any_more_ends_it() -> None:
    """The processor has gone; there is nobody to poll for."""
    generator = Given(None, "a", "b")
    bench = Bench(generator)
    task = asyncio.create_task(bench.polling.run())
    await bench.sleeps.asleep()
    bench.queue.close()
    await asyncio.wait_for(task, PATIENCE)
    assert (generator.polls, generator.stops) == (1, 1)


# -- failures ---------------------------------------------------------------------------------------


async def test_a_generator_that_fails_becomes_an_error_event(caplog: pytest.LogCaptureFixture) -> None:
    """The others go on, it itself is polled in the next round."""
    failing, good = Given(None, ValueError("x"), "b"), Given(None, "a")
    bench = Bench(failing, good)
    with caplog.at_level(logging.INFO):
        async with bench.running():
            await bench.sleeps.asleep()
            event = await bench.queue.get()
            assert isinstance(event, ErrorEvent)
            assert (event.originator, event.handler, event.event) == (failing, None, None)
            assert await bench.data() == ["a"]
            await bench.sleeps.rounds(1)
            assert await bench.data() == ["b"]
    assert bench.polling.statistics() == PollingStatistics(generators=2, rounds=3, failed=1)
    assert [(record.levelname, record.message.rpartition(": ")[2]) for record in caplog.records] == [
        ("WARNING", "get_events() failed"),
        ("INFO", "works again after 1 failures"),
    ]


async def test_a_generator_that_keeps_failing_is_asked_less_often(caplog: pytest.LogCaptureFixture) -> None:
    """And logged once; the last round asks it again."""
    failing, good = Given(None, *(ValueError(str(number)) for number in range(9))), Given(None)
    bench = Bench(failing, good)
    with caplog.at_level(logging.WARNING):
        async with bench.running():
            await bench.sleeps.asleep()
            polls = [failing.polls]
            for _ in range(8):
                await bench.sleeps.rounds(1)
                polls.append(failing.polls)
            assert polls == [1, 2, 2, 3, 3, 3, 3, 4, 4]
    assert (failing.polls, good.polls, len(caplog.records)) == (5, 10, 1)


async def test_what_came_before_the_failure_is_on_the_queue() -> None:
    """Then comes the error."""

    class Half(EventGenerator):
        def get_events(self) -> list[Any]:
            return [Event(self, None, "a"), 3]

    bench = Bench(Half())
    async with bench.running():
        await bench.sleeps.asleep()
        assert await bench.data() == ["a", "TypeError('3 is no event: it has no handler')"]


async def test_a_cancellation_of_others_that_a_generator_lets_escape() -> None:
    """Is an error like any other."""
    bench = Bench(Given(None, asyncio.CancelledError()))
    async with bench.running():
        await bench.sleeps.asleep()
        assert await bench.data() == ["CancelledError()"]


@pytest.mark.parametrize("pushes", [False, True])
async def test_what_ends_a_program_ends_the_polling(pushes: bool) -> None:
    """Generators are stopped; it comes out."""

    class Ends(Given):
        async def __aiter__(self) -> AsyncIterator[Any]:
            if self.stops == 0:
                raise SystemExit(3)
            yield

    other = Given(None)
    bench = Bench(other, Ends(None) if pushes else Given(None, SystemExit(3)))
    with pytest.raises(SystemExit):
        await bench.polling.run()
    assert (other.polls <= 1, other.stops, bench.queue.closed) == (True, 1, True)


# -- pushing ----------------------------------------------------------------------------------------


class Pushes(EventGenerator):
    """Gives what the test puts in; an exception is raised."""

    def __init__(self) -> None:
        self.given: asyncio.Queue[Any] = asyncio.Queue()
        self.begins = self.ends = self.stops = 0

    async def __aiter__(self) -> AsyncIterator[Event]:
        self.begins += 1
        try:
            while (given := await self.given.get()) is not None:
                if isinstance(given, BaseException):
                    raise given
                yield Event(self, None, given)
        finally:
            self.ends += 1

    def stop(self) -> None:
        self.stops += 1


async def test_what_is_pushed_comes_at_once() -> None:
    """While the polling sleeps."""
    pushes = Pushes()
    bench = Bench(pushes)
    async with bench.running():
        await bench.sleeps.asleep()
        pushes.given.put_nowait("a")
        event = await asyncio.wait_for(bench.queue.get(), PATIENCE)
        assert (event.data, len(bench.sleeps.seconds)) == ("a", 1)
    assert (pushes.begins, pushes.ends, pushes.stops) == (1, 1, 1)


async def test_one_that_pushes_may_be_added_meanwhile() -> None:
    """It begins at once."""
    bench = Bench()
    async with bench.running():
        await bench.sleeps.asleep()
        pushes = Pushes()
        bench.polling.add(pushes)
        pushes.given.put_nowait("a")
        assert (await asyncio.wait_for(bench.queue.get(), PATIENCE)).data == "a"


async def test_one_that_has_no_more_to_push_is_still_stopped_once() -> None:
    """At the end; it is not begun again."""
    pushes = Pushes()
    bench = Bench(pushes)
    async with bench.running():
        await bench.sleeps.asleep()
        pushes.given.put_nowait(None)
        await bench.sleeps.rounds(3)
        assert (pushes.ends, pushes.stops) == (1, 0)
    assert (pushes.begins, pushes.stops) == (1, 1)


async def test_one_that_fails_while_pushing_is_begun_again() -> None:
    """After a while, which grows as it goes on failing; an event makes it as good as new."""
    pushes = Pushes()
    bench = Bench(pushes)
    async with bench.running():
        await bench.sleeps.asleep()  # the polling
        for given in (ValueError("1"), ValueError("2"), "a", ValueError("3")):
            pushes.given.put_nowait(given)
        for _ in range(3):
            await bench.sleeps.asleep()
            bench.sleeps.end()  # the polling's, which comes back
            await bench.sleeps.asleep()
            bench.sleeps.end()
        assert await bench.data() == ["ValueError('1')", "ValueError('2')", "a", "ValueError('3')"]
    waits = [seconds for seconds in bench.sleeps.seconds if seconds != 1]
    assert waits == [2]
    assert pushes.stops == 1


async def test_what_is_pushed_and_is_no_event_is_an_error() -> None:
    """The iterator is closed."""

    class Wrong(EventGenerator):
        closed = False

        async def __aiter__(self) -> AsyncIterator[int]:
            try:
                yield 3
            finally:
                self.closed = True

    wrong = Wrong()
    bench = Bench(wrong)
    async with bench.running():
        await bench.sleeps.asleep()
        await bench.sleeps.asleep()
        assert await bench.data() == ["TypeError('3 is no event: it has no handler')"]
        assert wrong.closed


async def test_one_that_never_waits_ends_too() -> None:
    """It has its turns between others, and no more of them once it is stopped."""

    class Flood(EventGenerator):
        async def __aiter__(self) -> AsyncIterator[Event]:
            while True:
                yield Event(self, None, 1)

    bench = Bench(Flood(), maxsize=1_000_000)
    async with bench.running():
        await bench.sleeps.asleep()


# -- threads ----------------------------------------------------------------------------------------


async def test_one_that_blocks_holds_up_nobody() -> None:
    """It has a pace of its own."""
    may_end = threading.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Blocking(Given):
        blocking = True

        def get_events(self) -> list[Any]:
            loop.call_soon_threadsafe(begun.set)
            assert may_end.wait(PATIENCE)
            return super().get_events()

    blocking, other = Blocking(None, ["slow"]), Given(None, "a", "b", "c")
    bench = Bench(blocking, other)
    async with bench.running():
        await bench.sleeps.asleep()
        await waited(begun)
        await bench.sleeps.rounds(2)
        assert (await bench.data(), blocking.polls) == (["a", "b", "c"], 0)
        may_end.set()
        await bench.sleeps.asleep()
        assert await bench.data() == ["slow"]
    assert (blocking.polls, blocking.stops) == (2, 1)


async def test_one_that_blocks_and_comes_late_has_its_last_round() -> None:
    """As any other that is added before the end is asked for."""
    blocking, pushes = Given(None, "a", "b"), Pushes()
    bench = Bench()
    async with bench.running():
        await bench.sleeps.asleep()
        bench.polling.add(blocking, thread=True)
        bench.polling.add(pushes)
    assert (await bench.data(), blocking.polls, blocking.stops, pushes.stops) == (["a"], 1, 1, 1)


async def test_what_begins_later_is_inside_as_well() -> None:
    """Whoever adds it, in whatever context: it must not wait for its own end."""
    inside: list[bool] = []
    bench = Bench()

    class Asks(Given):
        def get_events(self) -> list[Any]:
            inside.append(is_inside(bench.polling))
            return super().get_events()

    async with bench.running():
        await bench.sleeps.asleep()
        bench.polling.add(Asks(None), thread=True)
    assert inside == [True]
