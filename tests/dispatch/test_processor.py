"""Tests of asynctask.dispatch.processor."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from asynctask.dispatch import ErrorEvent, Event, EventProcessor, EventQueue
from asynctask.dispatch import processor as processor_module
from asynctask.dispatch.processor import ProcessorStatistics
from asynctask.errors import TaskStateError, UsageError
from tests.dispatch.helpers import Does, DoesAsync, Failing, Noted, waited
from tests.support import turns


async def _processor(*events: Any, closed: bool = True) -> EventProcessor:
    """One with events on its queue."""
    queue = EventQueue()
    for event in events:
        await queue.put(event)
    if closed:
        queue.close()
    return EventProcessor(queue)


def _events(handler: Any, *data: Any) -> list[Event]:
    return [Event("me", handler, each) for each in data]


async def test_events_are_processed_in_order() -> None:
    """By their own handlers, plain or async, until the queue is closed and empty."""
    noted = Noted()
    asynchronous = DoesAsync(noted.process_event)
    processor = await _processor(*_events(noted, 1, 2), *_events(asynchronous, 3), *_events(noted, 4))
    await processor.run()
    assert noted.seen == [1, 2, 3, 4]
    assert processor.statistics().processed == 4


async def test_one_at_a_time() -> None:
    """The next waits for the handler of the one before."""
    steps: list[str] = []

    class Slow:
        async def process_event(self, event: Any) -> bool:
            steps.append(f"begin {event.data}")
            await turns(3)
            steps.append(f"end {event.data}")
            return True

    await (await _processor(*_events(Slow(), 1, 2))).run()
    assert steps == ["begin 1", "end 1", "begin 2", "end 2"]


async def test_dispatch_event_processes_one() -> None:
    """It returns when the handler has; false when there is nothing more to come."""
    noted = Noted()
    processor = await _processor(*_events(noted, 1, 2))
    assert await processor.dispatch_event() is True
    assert noted.seen == [1]
    assert [await processor.dispatch_event(), await processor.dispatch_event()] == [True, False]
    assert noted.seen == [1, 2]


async def test_dispatch_event_within_itself_is_refused() -> None:
    """Events are processed one at a time; the error goes where errors go."""

    class Again:
        async def process_event(self, event: Any) -> bool:
            return await processor.dispatch_event()

    errors = Noted()
    processor = await _processor(*_events(Again(), 1))
    processor.error_handler(errors)
    await processor.run()
    assert [type(error) for error, _ in errors.seen] == [TaskStateError]


@pytest.mark.parametrize(("seconds", "turns_of_others"), [(0.0, 100), (1000.0, 0)])
async def test_plain_handlers_leave_others_their_turn(
    seconds: float, turns_of_others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so long, however many events there are."""
    monkeypatch.setattr(processor_module, "SLICE", seconds)
    counts: list[int] = []
    noted = Noted()
    processor = await _processor(*_events(noted, *range(100)))
    running = asyncio.create_task(processor.run())
    while not running.done():
        counts.append(len(noted.seen))
        await asyncio.sleep(0)
    assert len(counts) - turns_of_others in range(10)


async def test_stop_leaves_what_is_queued() -> None:
    """The one in work is finished."""
    noted = Noted()

    def stop(event: Any) -> bool:
        processor.stop()
        return noted.process_event(event)

    processor = await _processor(*_events(Does(stop), 1), *_events(noted, 2, 3), closed=False)
    await asyncio.wait_for(processor.run(), 20)
    assert noted.seen == [1]
    assert processor.queue.statistics().waiting == 2
    assert await processor.dispatch_event() is False
    assert await processor.queue.put("more") is False


async def test_stop_wakes_one_that_waits_for_events() -> None:
    """From another thread as well."""
    processor = await _processor(closed=False)
    running = asyncio.create_task(processor.run())
    await turns(3)
    thread = threading.Thread(target=processor.stop)
    thread.start()
    await asyncio.wait_for(running, 20)
    thread.join()


# -- errors -----------------------------------------------------------------------------------------


async def test_what_a_handler_raises_becomes_an_event_for_the_error_handler() -> None:
    """Its data are the exception and the event, its originator is the processor; it comes at once."""
    noted = Noted()
    error = ValueError("x")
    broken = Event("me", Failing(error), 1)
    processor = await _processor(broken, *_events(noted, 2))
    processor.error_handler(noted)
    await processor.run()
    first, second = noted.events
    assert isinstance(first, ErrorEvent)
    assert (first.data, first.originator, first.handler) == ((error, broken), processor, noted)
    assert second.data == 2


async def test_the_error_is_the_one_that_was_raised() -> None:
    """Also one that asyncio would make another of."""
    errors: list[BaseException] = []
    error = StopIteration(1)
    processor = await _processor(*_events(Failing(error), 1))
    processor.error_handler(Does(lambda event: errors.append(event.error)))
    await processor.run()
    assert errors == [error]


async def test_without_an_error_handler_errors_are_discarded(caplog: pytest.LogCaptureFixture) -> None:
    """The next event is processed; only who debugs sees something."""
    noted = Noted()
    processor = await _processor(*_events(Failing(ValueError("x")), 1), *_events(noted, 2))
    with caplog.at_level(logging.DEBUG):
        await processor.run()
    assert noted.seen == [2]
    records = [record for record in caplog.records if record.name == "asynctask.dispatch.processor"]
    assert [(record.levelname, record.getMessage()) for record in records] == [
        ("DEBUG", "no error handler for what Failing() raised")
    ]
    assert processor.statistics() == ProcessorStatistics(
        processed=1, declined=0, failed=1, errors_handled=0, errors_discarded=1
    )


async def test_what_the_error_handler_raises_is_discarded() -> None:
    """There is no error event about an error event."""
    calls: list[Any] = []

    class Worse(Failing):
        def process_event(self, event: Any) -> Any:
            calls.append(event.data)
            return super().process_event(event)

    error = ValueError("x")
    events = _events(Failing(error), 1)
    processor = await _processor(*events)
    processor.error_handler(Worse(KeyError("y")))
    await processor.run()
    assert calls == [(error, events[0])]
    assert processor.statistics().errors_discarded == 1


async def test_the_error_handler_can_be_replaced_and_taken_away() -> None:
    """The one of the moment counts."""
    first, second = Noted(), Noted()
    failing = Failing(ValueError())
    processor = await _processor(*_events(failing, 1, 2, 3))
    for handler in (first, second, None):
        processor.error_handler(handler)
        assert await processor.dispatch_event()
    assert [len(first.seen), len(second.seen)] == [1, 1]
    assert processor.statistics().errors_handled == 2


def test_what_cannot_handle_errors_is_refused() -> None:
    """At the call."""
    with pytest.raises(UsageError, match=r"^an error handler needs a method process_event: function$"):
        EventProcessor(EventQueue()).error_handler(lambda event: None)


async def test_an_async_error_handler_is_awaited() -> None:
    """Before the next event."""
    noted = Noted()
    processor = await _processor(*_events(Failing(ValueError()), 1), *_events(noted, 2))
    processor.error_handler(DoesAsync(noted.process_event))
    await processor.run()
    assert noted.seen[1] == 2


async def test_an_error_of_a_generator_is_for_the_error_handler_of_the_moment() -> None:
    """It comes by the queue."""
    noted = Noted()
    errors = ErrorEvent("generator", None, ValueError("x"))
    processor = await _processor(errors)
    processor.error_handler(noted)
    await processor.run()
    assert noted.events == [errors]
    assert processor.statistics().failed == 0


@pytest.mark.parametrize("outcome", [False, None, 0])
async def test_a_false_return_is_no_error(outcome: Any) -> None:
    """It is counted."""
    errors = Noted()
    processor = await _processor(*_events(Does(lambda event: outcome), 1))
    processor.error_handler(errors)
    await processor.run()
    assert errors.seen == []
    assert (processor.statistics().processed, processor.statistics().declined) == (1, 1)


async def test_an_event_without_a_handler_that_can_handle_it_is_an_error() -> None:
    """Like any other."""
    errors = Noted()
    processor = await _processor(Event("me", None, 1))
    processor.error_handler(errors)
    await processor.run()
    assert [type(error) for error, _ in errors.seen] == [AttributeError]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("where", ["handler", "error handler"])
async def test_what_ends_a_program_ends_the_processor(error: BaseException, where: str) -> None:
    """It comes out; what is queued stays."""
    noted = Noted()
    failing = Failing(error if where == "handler" else ValueError())
    processor = await _processor(*_events(failing, 1), *_events(noted, 2), closed=False)
    processor.error_handler(Failing(error))
    try:
        await processor.run()
    except BaseException as exc:
        assert exc is error
    else:
        pytest.fail("nothing was raised")
    assert noted.seen == []
    assert processor.queue.closed


async def test_cancelling_ends_it_within_a_handler() -> None:
    """It is no error of the handler."""
    begun = asyncio.Event()
    errors = Noted()

    class Long:
        async def process_event(self, event: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

    processor = await _processor(*_events(Long(), 1))
    processor.error_handler(errors)
    running = asyncio.create_task(processor.run())
    await waited(begun)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert errors.seen == []


async def test_a_cancellation_of_others_that_a_handler_lets_escape_is_an_error() -> None:
    """The processor goes on."""
    noted = Noted()
    processor = await _processor(*_events(Failing(asyncio.CancelledError()), 1), *_events(noted, 2))
    processor.error_handler(noted)
    await processor.run()
    assert isinstance(noted.seen[0][0], asyncio.CancelledError)
    assert noted.seen[1] == 2
