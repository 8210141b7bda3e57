"""Tests of asynctask.attachments: timers and ports in the run of a task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asynctask.errors import HandlerErrors, PortClosedError, TaskStateError, TaskTimeoutError, UsageError
from asynctask.port import Port
from asynctask.task import Task
from asynctask.timer import Timer
from asynctask.workers.base import Sink
from tests.support import OK, Recorder, Scripted, for_ever, greet, refused, turns

SOON = 0.01  # seconds
NEVER = 60.0


class Clock:
    """Hears a timer; does something at the Nth time."""

    def __init__(self, stop_after: int = 0, then: Callable[[Timer], object] = Timer.invalidate) -> None:
        self.fired = 0
        self._stop_after = stop_after
        self._then = then

    def ev_timer(self, timer: Timer) -> None:
        self.fired += 1
        if self.fired == self._stop_after:
            self._then(timer)


class Mailman:
    """Hears a port; closes it at a certain message."""

    def __init__(self, last: object = "last") -> None:
        self.events: list[object] = []
        self._last = last

    def ev_port_start(self, port: Port) -> None:
        self.events.append("start")

    async def ev_msg(self, port: Port, msg: object) -> None:
        await asyncio.sleep(0)
        self.events.append(msg)
        if msg == self._last:
            port.close()


# -- timers -------------------------------------------------------------------------------------------------


async def test_a_timer_keeps_the_run_going_until_it_has_fired() -> None:
    """Once, and then it is not valid any more."""
    task, clock = Task(), Clock()
    timer = task.timer(SOON, clock)
    assert timer.is_valid()
    await task.run()
    assert (clock.fired, timer.is_valid()) == (1, False)


async def test_a_timer_repeats_until_it_is_invalidated() -> None:
    """In its own handler, too."""
    task, clock = Task(), Clock(stop_after=3)
    timer = task.timer(0, clock, interval=SOON)
    await task.run()
    assert (clock.fired, timer.is_valid()) == (3, False)


async def test_a_timer_that_is_set_again_in_its_handler_fires_again() -> None:
    """A handler of the only firing may ask for another."""
    task, clock = Task(), Clock(1, lambda timer: timer.set_nextfire(0))
    timer = task.timer(0, clock)
    await task.run()
    assert (clock.fired, timer.is_valid()) == (2, False)


async def test_an_autoclose_timer_ends_with_the_run() -> None:
    """It never kept it going."""
    task, clock = Task(), Clock()
    timer = task.timer(NEVER, clock, interval=NEVER, autoclose=True)
    task.schedule(Scripted(greet, ["a"]))
    assert (await task.run()).ok
    assert (clock.fired, timer.is_valid()) == (0, False)


async def test_nothing_but_autoclose_ends_at_once() -> None:
    """A run whose objects all wait for others has nothing to wait for."""
    task, recorder = Task(), Recorder()
    timer = task.timer(NEVER, Clock(), autoclose=True)
    port = task.port(Mailman(), autoclose=True)
    task.schedule(Scripted(for_ever, ["a"], autoclose=True, handler=recorder))
    await task.run()
    assert (timer.is_valid(), port.closed) == (False, True)
    assert recorder.events in (["end a never started", "close False"], ["end a aborted", "close False"])


async def test_an_autoclose_worker_is_stopped_when_all_else_is_over() -> None:
    """It hears its end like any other."""
    task, recorder = Task(), Recorder()
    task.schedule(Scripted(for_ever, ["a"], autoclose=True, handler=recorder))
    task.timer(SOON, Clock())
    await task.run()
    assert recorder.events == ["start", "pickup a", "end a aborted", "close False"]


async def test_a_handler_of_the_end_may_add_more() -> None:
    """The run goes on as long as there is something that keeps it going."""
    task, recorder = Task(), Recorder()

    class Again(Recorder):
        def ev_close(self, worker: Any, timedout: bool) -> None:
            super().ev_close(worker, timedout)
            task.schedule(Scripted(greet, ["b"], handler=recorder))

    task.schedule(Scripted(for_ever, ["a"], autoclose=True, handler=Again()))
    await task.run()
    assert recorder.events == [
        "start",
        "pickup b",
        "read b stdout I am b",
        "hup b 0",
        "end b ok",
        "close False",
    ]


async def test_a_slow_timer_handler_is_not_called_again_meanwhile() -> None:
    """The firings that it missed are made up for by one."""
    entered = 0

    class Slow:
        inside = 0

        async def ev_timer(self, timer: Timer) -> None:
            nonlocal entered
            entered += 1
            self.inside += 1
            assert self.inside == 1
            await asyncio.sleep(5 * SOON)
            self.inside -= 1
            if entered == 2:
                timer.invalidate()

    task = Task()
    task.timer(0, Slow(), interval=SOON)
    await task.run()
    assert entered == 2


async def test_a_timer_whose_handler_raises_is_over() -> None:
    """The rest goes on, and the run raises what was raised."""

    def fail(timer: Timer) -> None:
        raise ValueError("no")

    task = Task()
    timer = task.timer(0, Clock(1, fail), interval=SOON)
    worker = task.schedule(Scripted(greet, ["a"]))
    with pytest.raises(HandlerErrors) as caught:
        await task.run()
    (error,) = caught.value.exceptions
    assert (repr(error), error.__notes__) == ("ValueError('no')", ["raised in ev_timer"])
    assert (timer.is_valid(), worker.retcode()) == (False, 0)


@pytest.mark.parametrize("how", ["abort", "timeout", "cancel"])
async def test_timers_end_with_a_run_that_is_stopped(how: str) -> None:
    """Whatever stops it."""
    task, clock = Task(), Clock()
    timer = task.timer(NEVER, clock, interval=NEVER)
    running = asyncio.create_task(task.run(SOON if how == "timeout" else None))
    await turns(3)
    if how == "abort":
        task.abort()
        await running
    elif how == "cancel":
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    else:
        with pytest.raises(TaskTimeoutError):
            await running
    assert (clock.fired, timer.is_valid()) == (0, False)


async def test_aborting_a_task_that_does_not_run_forgets_its_timers() -> None:
    """As it does its workers."""
    task = Task()
    timer = task.timer(0, Clock())
    task.abort()
    assert not timer.is_valid()
    assert len(await task.run()) == 0


async def test_timers_are_added_and_set_while_the_task_runs() -> None:
    """From a handler and from outside."""
    task = Task()
    second = Clock()
    task.timer(0, Clock(1, lambda timer: task.timer(0, second)))
    late = Clock()
    timer = task.timer(NEVER, late)
    running = asyncio.create_task(task.run())
    await turns(5)
    timer.set_nextfire(0)
    await running
    assert (second.fired, late.fired) == (1, 1)


async def test_a_thousand_timers_end_together() -> None:
    """Ending them is no recursion."""
    task = Task()
    timers = [task.timer(NEVER, Clock(), autoclose=True) for _ in range(1000)]
    await task.run()
    assert not any(timer.is_valid() for timer in timers)


@pytest.mark.parametrize(
    ("fire", "interval", "message"),
    [
        (-1, -1, "timer: fire=-1: a number of seconds, 0 or more"),
        (float("nan"), -1, "timer: fire=nan: a number of seconds, 0 or more"),
        (0, -2, "timer: interval=-2: a number of seconds, 0 or more"),
    ],
)
def test_a_time_that_is_no_time(fire: float, interval: float, message: str) -> None:
    """It is said at the call."""
    refused(UsageError, message, lambda: Task().timer(fire, Clock(), interval))


# -- ports --------------------------------------------------------------------------------------------------


async def test_a_port_with_a_handler_keeps_the_run_going_until_it_is_closed() -> None:
    """Messages that were sent before the run count; each is delivered once, in order."""
    task, mailman = Task(), Mailman()
    port = task.port(mailman)
    await port.msg_send("early")
    running = asyncio.create_task(task.run())
    for message in (1, 2, "last"):
        await port.msg_send(message)
    await running
    assert mailman.events == ["start", "early", 1, 2, "last"]


async def test_what_is_in_a_port_when_it_is_closed_is_still_delivered() -> None:
    """Closing is about what comes later."""
    task, mailman = Task(), Mailman()
    port = task.port(mailman)
    for message in range(5):
        port.msg_send_nowait(message)
    task.remove_port(port)
    await task.run()
    assert mailman.events == ["start", 0, 1, 2, 3, 4]
    with pytest.raises(PortClosedError):
        await port.msg_send("late")


async def test_an_autoclose_port_is_closed_at_the_end_with_all_delivered() -> None:
    """It did not keep the run going; nothing is dropped."""
    task, mailman = Task(), Mailman()
    port = task.port(mailman, autoclose=True)

    async def send(node: str, sink: Sink) -> Any:
        sink.started()
        for message in range(3):
            port.msg_send_nowait(message)
        return OK

    task.schedule(Scripted(send, ["a"]))
    await task.run()
    assert (mailman.events, port.closed) == (["start", 0, 1, 2], True)


async def test_a_port_outlives_a_run_that_is_aborted() -> None:
    """What was not delivered is there for the next run, and ``ev_port_start`` came once."""
    task, mailman = Task(), Mailman()
    port = task.port(mailman)
    running = asyncio.create_task(task.run())
    await turns(3)
    task.abort()
    await running
    assert not port.closed
    port.msg_send_nowait(1)
    port.msg_send_nowait("last")
    await task.run()
    assert mailman.events == ["start", 1, "last"]


async def test_a_mailbox_without_a_handler_does_not_keep_the_run_going() -> None:
    """Nobody in the run would take anything out of it; it is closed with the task's block."""
    async with Task() as task:
        port = task.port()
        assert len(await task.run()) == 0
        await port.msg_send("hi")
        assert await port.msg_recv() == "hi"
        waiting = asyncio.create_task(port.msg_recv())
        await turns(2)
    with pytest.raises(PortClosedError):
        await waiting


async def test_a_port_whose_handler_raises_is_closed() -> None:
    """Senders are told, the run goes on, and the error says what was left."""

    class Failing:
        def ev_msg(self, port: Port, msg: object) -> None:
            raise ValueError(msg)

    task = Task()
    port = task.port(Failing())
    port.msg_send_nowait(1)
    port.msg_send_nowait(2)
    worker = task.schedule(Scripted(greet, ["a"]))
    with pytest.raises(HandlerErrors) as caught:
        await task.run()
    (error,) = caught.value.exceptions
    assert (repr(error), error.__notes__) == (
        "ValueError(1)",
        ["raised in ev_msg", "1 messages in the port were not delivered"],
    )
    assert (port.closed, worker.retcode()) == (True, 0)


async def test_tasks_send_each_other_messages() -> None:
    """Two tasks of one loop, each with a port that the other knows."""
    one, two = Task(), Task()
    answers = Mailman(last=3)

    class Echo:
        async def ev_msg(self, port: Port, msg: int) -> None:
            await back.msg_send(msg + 1)
            if msg == 2:
                port.close()

    there, back = one.port(Echo()), two.port(answers)

    async def ask() -> None:
        await there.msg_send(1)
        await there.msg_send(2)

    await asyncio.gather(one.run(), two.run(), ask())
    assert answers.events == ["start", 2, 3]


async def test_a_full_port_makes_its_sender_wait_not_the_run() -> None:
    """The limit is the task's ``port_qlimit``."""
    task, mailman = Task(), Mailman(last=9)
    task.set_default("port_qlimit", 1)
    port = task.port(mailman)
    sending = asyncio.create_task(_send_all(port, range(10)))
    await turns(5)
    assert (port.statistics().waiting, port.statistics().senders, sending.done()) == (1, 1, False)
    await task.run()
    await sending
    assert mailman.events == ["start", *range(10)]


async def _send_all(port: Port, messages: range) -> None:
    for message in messages:
        await port.msg_send(message)


def test_a_handler_that_hears_nothing_of_the_kind() -> None:
    """It is said at the call."""
    refused(UsageError, "the handler of a port needs a method ev_msg: int", lambda: Task().port(3))
    refused(UsageError, "the handler of a timer needs a method ev_timer: int", lambda: Task().timer(0, 3))


async def test_a_task_that_is_about_to_end_takes_no_more() -> None:
    """Neither timers nor ports."""
    async with Task() as task:
        pass
    refused(TaskStateError, "the task is closed: it takes no more timers", lambda: task.timer(0, Clock()))
    refused(TaskStateError, "the task is closed: it takes no more ports", task.port)
