"""Tests of asynctask.sync.dispatch: the event framework in two plain threads."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from asynctask.errors import TaskStateError, UsageError
from asynctask.sync import dispatch
from asynctask.sync.dispatch import (
    ChainEventHandler,
    Event,
    EventDispatcher,
    EventGenerator,
    EventHandler,
    EventProcessor,
    EventQueue,
    ExecEventHandler,
    ThreadEventHandler,
)
from tests.sync.helpers import PATIENCE, Aside, run_program, waited

SHORT = 0.001  # seconds; a sleep between polls that nobody notices
FOR_EVER = 1000.0  # one whose end no test sees


class Does(EventHandler):
    """Calls a function with the event."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def process_event(self, event: Any) -> Any:
        return self.function(event)


class Noted(EventHandler):
    """Writes down the data of events, and the threads in which they came."""

    def __init__(self, enough: int = 1) -> None:
        self.seen: list[Any] = []
        self.threads: set[threading.Thread] = set()
        self.enough = threading.Event()
        self._number = enough

    def process_event(self, event: Any) -> bool:
        self.seen.append(event.data)
        self.threads.add(threading.current_thread())
        if len(self.seen) >= self._number:
            self.enough.set()
        return True


class Given(EventGenerator):
    """Gives what a test says, a round each: data for events, or an exception to raise; then nothing."""

    def __init__(self, handler: Any, *rounds: Any) -> None:
        self.handler = handler
        self.rounds = list(rounds)
        self.threads: set[threading.Thread] = set()
        self.polls = 0
        self.stops = 0

    def get_events(self) -> list[Any]:
        self.threads.add(threading.current_thread())
        self.polls += 1
        given = self.rounds.pop(0) if self.rounds else ()
        if isinstance(given, BaseException):
            raise given
        return [Event(self, self.handler, data) for data in given]

    def stop(self) -> None:
        self.threads.add(threading.current_thread())
        self.stops += 1


@pytest.fixture
def dispatcher() -> Iterator[EventDispatcher]:
    """One that polls all the time; it is stopped at the end."""
    made = EventDispatcher(SHORT)
    yield made
    made.stop(PATIENCE)


SAMPLE = """
from time import sleep
from asynctask.sync.dispatch import *

class Doorbell(EventGenerator):
    def get_events(self):
        return [Event("door", Bell(), "ring")]
    def stop(self):
        print("released")

class Bell(EventHandler):
    def process_event(self, event):
        global rung
        if not rung:
            print(event.data)
        rung = True
        return True

rung = False

dispatcher = EventDispatcher()
try:
   dispatcher.error_handler(PrintEventHandler())
   dispatcher.add_event_generator(EventGenerator())
   dispatcher.add_event_generator(Doorbell())
   dispatcher.start()
   while 1:
       if rung:
           raise KeyboardInterrupt
       sleep(0.001)
except:
   dispatcher.stop()
import threading
print(threading.enumerate() == [threading.main_thread()])
"""


def test_the_sample_runs_as_written() -> None:
    """And nothing is left of it; the only change is that it interrupts itself."""
    finished = run_program(SAMPLE, "-W", "error", "-X", "dev")
    assert (finished.stdout, finished.stderr, finished.returncode) == ("ring\nreleased\nTrue\n", "", 0)


def test_threads_do_not_keep_the_interpreter_alive() -> None:
    """Neither those of one that is running nor of one that nobody started."""
    finished = run_program(
        "from asynctask.sync.dispatch import *\n"
        "idle, running = EventDispatcher(), EventDispatcher()\n"
        "running.add_event_generator(EventGenerator())\n"
        "running.start()\n",
        "-W",
        "error",
    )
    assert (finished.stdout, finished.stderr, finished.returncode) == ("", "", 0)


def test_all_names_come_with_a_star() -> None:
    """Those of the framework, and what is added."""
    assert {
        "ChainEventHandler",
        "Event",
        "EventDispatcher",
        "EventGenerator",
        "EventHandler",
        "EventProcessor",
        "ExecEventHandler",
        "PrintEventHandler",
    } < set(dispatch.__all__)
    assert all(getattr(dispatch, name) for name in dispatch.__all__)


def test_both_are_threads(dispatcher: EventDispatcher) -> None:
    """The processor's is started by the constructor, the dispatcher's by start()."""
    assert isinstance(dispatcher, threading.Thread)
    assert isinstance(dispatcher.processor, threading.Thread)
    assert (dispatcher.processor.is_alive(), dispatcher.is_alive()) == (True, False)
    dispatcher.start()
    assert dispatcher.is_alive()
    assert (dispatcher.daemon, dispatcher.processor.daemon) == (True, True)


def test_one_thread_polls_and_another_one_processes(dispatcher: EventDispatcher) -> None:
    """Neither is this one."""
    noted = Noted(3)
    generator = Given(noted, "ab", "c")
    dispatcher.add_event_generator(generator)
    dispatcher.start()
    waited(noted.enough)
    dispatcher.stop()
    assert noted.seen == ["a", "b", "c"]
    assert generator.threads == {dispatcher}
    assert noted.threads == {dispatcher.processor}


def test_events_are_processed_while_the_polling_sleeps() -> None:
    """Stopping wakes it."""
    noted = Noted()
    dispatcher = EventDispatcher(FOR_EVER)
    assert dispatcher.poll_interval == FOR_EVER
    dispatcher.add_event_generator(Given(noted, "a"))
    dispatcher.start()
    waited(noted.enough)
    assert dispatcher.stop() is True


def test_a_slow_handler_does_not_hold_the_polling(dispatcher: EventDispatcher) -> None:
    """Nothing is lost meanwhile."""
    may_end = threading.Event()
    polled = threading.Event()
    noted = Noted()

    class Counting(Given):
        def get_events(self) -> list[Any]:
            if self.polls == 5:
                polled.set()
            return super().get_events()

    slow = ChainEventHandler(Does(lambda event: may_end.wait(PATIENCE)), noted)
    dispatcher.add_event_generator(Counting(slow, *"abcde"))
    dispatcher.start()
    waited(polled)
    assert noted.seen == []
    may_end.set()
    dispatcher.stop()
    assert noted.seen == list("abcde")


def test_a_generator_may_be_added_while_it_runs(dispatcher: EventDispatcher) -> None:
    """By any thread; one that pushes is heard at once, for it has no need of polls."""

    class Pushes(EventGenerator):
        async def __aiter__(self) -> AsyncIterator[Event]:
            yield Event(self, noted, "pushed")

    noted = Noted(2)
    dispatcher.start()
    dispatcher.add_event_generator(Given(noted, ["polled"]))
    dispatcher.add_event_generator(Pushes())
    waited(noted.enough)
    assert sorted(noted.seen) == ["polled", "pushed"]


def test_async_generators_and_handlers_work_as_well(dispatcher: EventDispatcher) -> None:
    """Each on the loop of its thread."""
    noted = Noted()

    class Async(Given):
        async def get_events(self) -> list[Any]:  # type: ignore[override]
            await asyncio.sleep(0)
            return super().get_events()

    class Handler:
        async def process_event(self, event: Any) -> bool:
            await asyncio.sleep(0)
            return noted.process_event(event)

    dispatcher.add_event_generator(Async(Handler(), "a"))
    dispatcher.start()
    waited(noted.enough)
    assert noted.threads == {dispatcher.processor}


def test_errors_reach_the_error_handler(dispatcher: EventDispatcher) -> None:
    """Those of handlers with the event, those of generators; it can be taken away."""
    errors = Noted(2)

    def fail(event: Any) -> None:
        raise KeyError("h")

    dispatcher.error_handler(errors)
    dispatcher.add_event_generator(Given(Does(fail), "a", ValueError("g")))
    dispatcher.start()
    waited(errors.enough)
    (handler_s, event), (generator_s, nothing) = errors.seen
    assert (repr(handler_s), event.data, repr(generator_s), nothing) == (
        "KeyError('h')",
        "a",
        "ValueError('g')",
        None,
    )
    dispatcher.error_handler(None)
    dispatcher.add_event_generator(Given(Does(fail), "b"))
    dispatcher.stop()
    assert len(errors.seen) == 2


# -- stopping ---------------------------------------------------------------------------------------


def test_stop_returns_when_all_is_processed() -> None:
    """Both threads have ended then; generators were stopped once."""
    noted = Noted()
    dispatcher = EventDispatcher(FOR_EVER, maxsize=10)
    generator = Given(noted, range(100), range(100, 200))
    dispatcher.add_event_generator(generator)
    dispatcher.start()
    assert dispatcher.stop() is True
    assert noted.seen == list(range(200))
    assert (generator.stops, dispatcher.is_alive(), dispatcher.processor.is_alive()) == (1, False, False)
    assert dispatcher.stop() is True
    assert dispatcher.statistics().processed == 200
    with pytest.raises(
        TaskStateError, match=r"^the dispatcher was started or stopped before: make a new one$"
    ):
        dispatcher.start()


def test_stop_before_start() -> None:
    """Generators are stopped, in the dispatcher's thread, and not asked."""
    dispatcher = EventDispatcher()
    generator = Given(Noted(), "a")
    dispatcher.add_event_generator(generator)
    assert dispatcher.stop() is True
    assert (generator.polls, generator.stops, generator.threads) == (0, 1, {dispatcher})
    with pytest.raises(TaskStateError):
        dispatcher.start()


def test_several_threads_may_stop_it(dispatcher: EventDispatcher) -> None:
    """All wait for the same end, started or not."""
    asides = [Aside(dispatcher.stop) for _ in range(5)]
    assert [aside.result() for aside in asides] == [True] * 5


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_a_handler_may_stop_it(dispatcher: EventDispatcher, in_a_thread: bool) -> None:
    """It is told that it comes later; what is pending is processed."""
    answers: list[Any] = []
    noted = Noted()
    stops: Any = Does(lambda event: answers.append(dispatcher.stop()))
    generator = Given(ThreadEventHandler(stops) if in_a_thread else stops, "a")
    dispatcher.add_event_generator(generator)
    dispatcher.add_event_generator(Given(noted, "b"))
    dispatcher.start()
    dispatcher.join(PATIENCE)
    dispatcher.processor.join(PATIENCE)
    assert (answers, noted.seen, generator.stops) == ([False], ["b"], 1)


def test_source_may_stop_it(dispatcher: EventDispatcher) -> None:
    """In the order of the queue."""
    noted = Noted()
    pill = ExecEventHandler("dispatcher.stop()", {"dispatcher": dispatcher})
    dispatcher.add_event_generator(Given(noted, [1]))
    dispatcher.add_event_generator(Given(pill, [2]))
    dispatcher.add_event_generator(Given(noted, [3]))
    dispatcher.start()
    dispatcher.processor.join(PATIENCE)
    assert noted.seen == [1, 3]


def test_a_generator_may_stop_it(dispatcher: EventDispatcher) -> None:
    """It is told the same."""
    answers: list[bool] = []

    class Stops(EventGenerator):
        def get_events(self) -> list[Any]:
            answers.append(dispatcher.stop())
            return []

    dispatcher.add_event_generator(Stops())
    dispatcher.start()
    dispatcher.join(PATIENCE)
    assert answers == [False, False]


def test_a_blocking_generator_that_was_added_later_may_stop_it(dispatcher: EventDispatcher) -> None:
    """It would wait for itself, in a thread of its own."""
    answers: list[bool] = []

    class Stops(EventGenerator):
        def get_events(self) -> list[Any]:
            answers.append(dispatcher.stop())
            return []

    dispatcher.start()
    dispatcher.add_event_generator(Stops(), thread=True)
    dispatcher.join(PATIENCE)
    assert (dispatcher.is_alive(), set(answers)) == (False, {False})


def test_a_handler_may_add_a_generator(dispatcher: EventDispatcher) -> None:
    """It is polled in the next round."""
    noted = Noted()
    adds = Does(lambda event: dispatcher.add_event_generator(Given(noted, "b")))
    dispatcher.add_event_generator(Given(adds, "a"))
    dispatcher.start()
    waited(noted.enough)


def test_stop_with_a_timeout(dispatcher: EventDispatcher) -> None:
    """It goes on stopping, and may be waited for again."""
    begun, may_end = threading.Event(), threading.Event()

    def wait(event: Any) -> bool:
        begun.set()
        return may_end.wait(PATIENCE)

    dispatcher.add_event_generator(Given(Does(wait), "a"))
    dispatcher.start()
    waited(begun)
    assert dispatcher.stop(0.01) is False
    may_end.set()
    assert dispatcher.stop() is True


def test_a_signal_handler_may_stop_it(dispatcher: EventDispatcher) -> None:
    """What is pending is processed meanwhile."""
    noted = Noted()
    answers: list[bool] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: answers.append(dispatcher.stop()))
    try:
        dispatcher.add_event_generator(Given(noted, "a"))
        dispatcher.start()
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (answers, noted.seen) == ([True], ["a"])


def test_one_that_nobody_started_leaves_no_thread_when_it_is_garbage() -> None:
    """As if it had never been."""
    dispatcher = EventDispatcher()
    processor, gone = dispatcher.processor, weakref.ref(dispatcher)
    del dispatcher
    gc.collect()
    assert gone() is None
    processor.join(PATIENCE)
    assert not processor.is_alive()


def test_an_argument_that_cannot_be_starts_no_thread() -> None:
    """It is refused at the call."""
    threads = threading.active_count()
    with pytest.raises(UsageError):
        EventDispatcher(-1)
    with pytest.raises(UsageError):
        EventDispatcher(maxsize=0)
    assert threading.active_count() == threads


def test_there_can_be_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many files are open: the constructor says so, and does not wait for ever."""

    def no_loop() -> None:
        raise OSError("Too many open files")

    monkeypatch.setattr(dispatch, "_new_loop", no_loop)
    making = Aside(EventDispatcher)
    with pytest.raises(OSError, match=r"^Too many open files$"):
        making.result()


@pytest.mark.parametrize("where", ["handler", "generator"])
def test_what_ends_a_program_ends_both_threads(where: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is in the log, and stop() raises it, once."""

    def leave(event: Any) -> None:
        raise SystemExit(3)

    dispatcher = EventDispatcher(SHORT)
    generator = Given(Does(leave), "a") if where == "handler" else Given(None, SystemExit(3))
    dispatcher.add_event_generator(generator)
    with caplog.at_level(logging.ERROR):
        dispatcher.start()
        dispatcher.join(PATIENCE)
        dispatcher.processor.join(PATIENCE)
    thread = "EventProcessor" if where == "handler" else "EventDispatcher"
    assert caplog.messages == [f"{thread} ended: SystemExit(3)"]
    assert generator.stops == 1
    with pytest.raises(SystemExit):
        dispatcher.stop()
    assert dispatcher.stop() is True


# -- the processor alone ------------------------------------------------------------------------------


def _filled(*events: Event) -> EventQueue:
    queue = EventQueue()

    async def fill() -> None:
        for event in events:
            await queue.put(event)

    asyncio.run(fill())
    return queue


def test_a_processor_processes_a_queue_until_it_is_stopped() -> None:
    """stop() waits for the event in work; what is queued then is not processed."""
    begun, may_end = threading.Event(), threading.Event()
    noted = Noted()

    def wait(event: Any) -> bool:
        begun.set()
        assert may_end.wait(PATIENCE)
        return noted.process_event(event)

    queue = _filled(Event("me", Does(wait), 1), Event("me", noted, 2))
    processor = EventProcessor(queue)
    processor.start()
    waited(begun)
    stopping = Aside(processor.stop)
    may_end.set()
    stopping.result()
    assert not processor.is_alive()
    assert queue.closed
    assert len(noted.seen) + queue.statistics().waiting == 2


def test_dispatch_event_processes_one_event_here() -> None:
    """It blocks until the handler has returned."""
    noted = Noted()
    processor = EventProcessor(_filled(Event("me", noted, 1), Event("me", noted, 2)))
    assert processor.dispatch_event() is True
    assert (noted.seen, noted.threads) == ([1], {threading.current_thread()})
    processor.stop()
    assert processor.dispatch_event() is False


async def test_dispatch_event_in_a_loop_is_refused() -> None:
    """The loop would stand still."""
    with pytest.raises(
        TaskStateError, match=r"^this thread runs an asyncio loop: use asynctask.dispatch there$"
    ):
        EventProcessor(EventQueue()).dispatch_event()


def test_a_handler_may_stop_the_processor(dispatcher: EventDispatcher) -> None:
    """The dispatcher ends with it: nobody would take its events."""
    generator = Given(Does(lambda event: dispatcher.processor.stop()), "ab")
    dispatcher.add_event_generator(generator)
    dispatcher.start()
    dispatcher.join(PATIENCE)
    assert dispatcher.stop() is True
    assert (dispatcher.statistics().processed, generator.stops) == (1, 1)
