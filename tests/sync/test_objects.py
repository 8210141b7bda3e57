"""Tests of asynctask.sync.objects."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.errors import PortClosedError, PortFullError, TaskStateError, UsageError
from asynctask.port import PortStatistics
from asynctask.sync import EngineIllegalOperationError, EnginePort, EngineTimer, EventHandler, Task, task_self
from asynctask.sync import home as home_module
from asynctask.sync.objects import loop_runs_here
from tests.support import refused
from tests.sync.helpers import Aside, Says, all_of, waited

STANDS_STILL = "a loop runs in this thread, and would stand still: receive in another"


class Collects(EventHandler):
    """Writes down so many messages, and then closes the port."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.messages: list[Any] = []

    def ev_msg(self, port: Any, msg: Any) -> None:
        self.messages.append(msg)
        if len(self.messages) == self.count:
            port.close()


# -- ports with a handler -----------------------------------------------------------------------------


def test_messages_are_delivered_in_order(task: Task) -> None:
    """Those that were sent before the run, too, whatever they are; the run ends with the port."""
    handler = Collects(3)
    port = task.port(handler)
    message = object()
    assert (port.msg_send(message), port.msg_send(None)) == (True, True)
    sending = Aside(lambda: port.msg_send("last"))
    task.run()
    assert (sending.result(), handler.messages) == (True, [message, None, "last"])


def test_a_handler_gets_the_port_that_was_made(task: Task) -> None:
    """In ev_port_start, once, and in ev_msg, in the first run and in the next."""
    heard: list[Any] = []

    def ev_msg(port: EnginePort, msg: int) -> None:
        heard.append((msg, port))
        task.abort()

    handler = SimpleNamespace(ev_port_start=lambda port: heard.append(("start", port)), ev_msg=ev_msg)
    port = task.port(handler)
    for number in range(2):
        port.msg_send(number)
        task.run()
    assert heard == [("start", port), (0, port), (1, port)]
    assert (type(port), port.eh, port.autoclose) == (EnginePort, handler, False)


def test_msg_waits_until_it_is_taken(task: Task) -> None:
    """Whoever sends goes on after that."""
    order: list[str] = []
    taken = threading.Event()

    def ev_msg(port: EnginePort, msg: object) -> None:
        order.append(f"took {msg}")
        if msg == "last":
            waited(taken)  # the sender goes on while this is at work
            port.close()

    port = task.port(Says("ev_msg", ev_msg))

    def send() -> None:
        for message in ("first", "last"):
            assert port.msg(message)
            order.append(f"sent {message}")
        taken.set()

    sending = Aside(send)
    task.run()
    sending.result()
    assert order == ["took first", "sent first", "took last", "sent last"]


def test_msg_that_is_sent_once_does_not_wait(task: Task) -> None:
    """ClusterShell's second argument."""
    port = task.port(Collects(1))
    assert port.msg("a", True)
    assert port.statistics() == PortStatistics(
        qlimit=32, waiting=1, sent=1, received=0, senders=0, receivers=0
    )
    task.run()


def test_msg_in_the_thread_that_would_take_it(task: Task) -> None:
    """ClusterShell waits for ever; here it is an error, in a handler and out of one."""
    text = "a task's own thread would wait for itself: use msg_send()"
    port = task.port(handler := Collects(1))
    refused(TaskStateError, text, lambda: port.msg("a"))
    heard: list[str] = []

    def ev_timer(timer: EngineTimer) -> None:
        refused(TaskStateError, text, lambda: port.msg("a"))
        heard.append("refused")
        port.msg_send("b")

    task.timer(0, Says("ev_timer", ev_timer))
    task.run()
    assert (heard, handler.messages) == (["refused"], ["b"])


def test_a_full_port_in_the_thread_that_would_make_room(task: Task) -> None:
    """ClusterShell waits for ever; here it is an error, and the message is not sent."""
    task.set_default("port_qlimit", 2)
    port = task.port(handler := Collects(2))
    for number in range(2):
        assert port.msg_send(number)
    text = "the port is full (2 messages): the message is not sent"
    refused(PortFullError, text, lambda: port.msg_send(2))
    task.run()
    assert handler.messages == [0, 1]


def test_a_full_port_makes_other_threads_wait(task: Task) -> None:
    """Until there is room: all messages arrive, those of each thread in order."""
    task.set_default("port_qlimit", 1)
    port = task.port(handler := Collects(40))

    def send(name: int) -> list[bool]:
        return [port.msg_send((name, number)) for number in range(10)]

    senders = [Aside(partial(send, name)) for name in range(4)]
    task.run()
    assert all_of(senders) == [[True] * 10] * 4
    for name in range(4):
        assert [number for sender, number in handler.messages if sender == name] == list(range(10))


def test_a_closed_port_takes_nothing(task: Task) -> None:
    """Both ways of sending say so."""
    port = task.port(handler := Collects(1))
    task.remove_port(port)
    port.close()
    assert (port.msg_send("a"), Aside(lambda: port.msg("a")).result()) == (False, False)
    task.run()
    assert handler.messages == []


def test_closing_tells_a_sender_that_waits_for_room(task: Task) -> None:
    """Its message is not sent; what was in the port is delivered."""
    task.set_default("port_qlimit", 1)
    port = task.port(handler := Collects(9))
    port.msg_send("in time")
    sending = Aside(lambda: port.msg_send("too late"))
    task.remove_port(port)
    assert sending.result() is False
    task.run()
    assert handler.messages == ["in time"]


def test_another_thread_ends_the_run_by_closing(task: Task) -> None:
    """Nothing else keeps it going."""
    started = threading.Event()
    handler = SimpleNamespace(ev_port_start=lambda port: started.set(), ev_msg=lambda port, msg: None)
    port = task.port(handler)

    def close() -> None:
        waited(started)
        task.remove_port(port)

    closing = Aside(close)
    task.run()
    closing.result()


def test_an_autoclose_port_does_not_keep_the_run_going(task: Task) -> None:
    """What is in it is delivered all the same; then it is closed."""
    handler = Collects(9)
    port = task.port(handler, autoclose=True)
    port.msg_send("a")
    task.run()
    assert (handler.messages, port.autoclose, port.msg_send("b")) == (["a"], True, False)


def test_msg_to_a_run_that_ends_without_taking_it(other: Task) -> None:
    """It says so instead of waiting for ever."""
    entered, leave = threading.Event(), threading.Event()

    def ev_msg(port: EnginePort, msg: object) -> None:
        entered.set()
        waited(leave)
        other.abort(kill=True)

    port = other.port(Says("ev_msg", ev_msg))
    other.resume()
    first = Aside(lambda: port.msg("first"))
    waited(entered)
    second = Aside(lambda: port.msg("second"))
    leave.set()
    assert (first.result(), second.result(), port.msg("third")) == (True, False, False)


def test_a_killed_task_takes_no_messages(other: Task) -> None:
    """Its ports are closed: nobody waits for room or for an answer."""
    port, box = other.port(Collects(9)), other.port()
    other.abort(kill=True)
    assert (port.msg_send("a"), port.msg("b"), box.msg_send("c")) == (False, False, False)
    refused(PortClosedError, "the port is closed and empty", box.msg_recv)


def test_a_handler_of_a_port_needs_a_method(task: Task) -> None:
    """At once, in other threads too."""
    text = "the handler of a port needs a method ev_msg: object"
    refused(UsageError, text, lambda: task.port(object()))
    refused(UsageError, text, Aside(lambda: task.port(object())).result)


def test_a_port_made_by_another_thread_knows_itself_when_it_starts(
    other: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handler may be quicker than the thread that made it."""
    handled = threading.Event()
    keeping = _running(other)
    _answers_after(monkeypatch, handled)

    def ev_port_start(port: EnginePort) -> None:
        port.close()
        handled.set()

    other.port(SimpleNamespace(ev_port_start=ev_port_start, ev_msg=lambda port, msg: None))
    assert handled.is_set()
    keeping.close()
    other.join()


def _answers_after(monkeypatch: pytest.MonkeyPatch, handled: threading.Event) -> None:
    """Have a thread that waits for an answer of a task be slower than a handler."""

    class Slow(Future[Any]):
        def result(self, timeout: float | None = None) -> Any:
            answer = super().result(timeout)
            waited(handled)
            return answer

    monkeypatch.setattr(home_module, "Future", Slow)


def _running(other: Task) -> EnginePort:
    """Have a task run; it goes on until the port is closed."""
    started = threading.Event()
    handler = SimpleNamespace(ev_port_start=lambda port: started.set(), ev_msg=lambda port, msg: None)
    port = other.port(handler)
    other.resume()
    waited(started)
    return port


# -- ports without a handler -------------------------------------------------------------------------


def test_another_thread_receives(task: Task) -> None:
    """What the task's thread sends, while it runs and while it does not."""
    box = task.port()
    receiving = Aside(lambda: [box.msg_recv() for _ in range(4)])
    box.msg_send("before")
    task.timer(0, Says("ev_timer", lambda timer: [box.msg_send("in a handler"), box.msg_send(None)]))
    task.run()
    box.msg_send("after")
    assert receiving.result() == ["before", "in a handler", None, "after"]


def test_the_own_thread_receives_between_runs(task: Task) -> None:
    """What others send."""
    box = task.port()
    sending = Aside(lambda: [box.msg(number) for number in range(40)])
    assert [box.msg_recv() for _ in range(40)] == list(range(40))
    assert sending.result() == [True] * 40


def test_several_threads_receive_from_several(task: Task) -> None:
    """Each message once, also while the task begins to run, runs and stops."""
    box = task.port()
    receivers = [Aside(lambda: [box.msg_recv() for _ in range(50)]) for _ in range(4)]

    def send(first: int) -> list[bool]:
        return [box.msg_send(first + number) for number in range(50)]

    senders = [Aside(partial(send, first)) for first in range(0, 200, 50)]
    while not all(receiver.done for receiver in receivers):
        task.timer(0, Says("ev_timer", lambda timer: None))
        task.run()
    assert sorted(number for numbers in all_of(receivers) for number in numbers) == list(range(200))
    assert all_of(senders) == [[True] * 50] * 4
    assert box.statistics().waiting == 0


def test_closing_tells_a_receiver(task: Task) -> None:
    """After the last message."""
    box = task.port()
    receiving = Aside(lambda: (box.msg_recv(), box.msg_recv()))
    box.msg_send("a")
    box.close()
    refused(PortClosedError, "the port is closed and empty", receiving.result)
    assert box.statistics() == PortStatistics(32, waiting=0, sent=1, received=1, senders=0, receivers=0)


def test_a_port_with_a_handler_gives_its_messages_to_it(task: Task) -> None:
    """And to nobody else."""
    port = task.port(Collects(1))
    text = "a port with a handler gives its messages to ev_msg, and to nobody else"
    refused(UsageError, text, port.msg_recv)
    port.msg_send("a")
    refused(UsageError, text, port.msg_recv)
    task.run()


def test_a_handler_receives_what_is_there_and_does_not_wait(task: Task) -> None:
    """The task's loop would stand still."""
    box = task.port()
    box.msg_send("a")
    heard: list[Any] = []

    def ev_timer(timer: EngineTimer) -> None:
        heard.append(box.msg_recv())
        refused(TaskStateError, STANDS_STILL, box.msg_recv)
        heard.append("refused")

    task.timer(0, Says("ev_timer", ev_timer))
    task.run()
    assert heard == ["a", "refused"]


async def test_receiving_in_a_loop_of_asyncio() -> None:
    """It would stand still, too."""
    box = task_self().port()
    assert loop_runs_here()
    refused(TaskStateError, STANDS_STILL, box.msg_recv)
    box.msg_send("a")
    assert box.msg_recv() == "a"


def test_no_loop_runs_in_a_plain_thread() -> None:
    """Whatever other threads do."""
    assert not loop_runs_here()


# -- timers ----------------------------------------------------------------------------------------------


def test_a_timer_fires_once(task: Task) -> None:
    """Valid until then; its handler gets the timer that was made."""
    heard: list[Any] = []
    handler = Says("ev_timer", lambda timer: heard.append((timer, timer.is_valid())))
    timer = task.timer(0.01, handler)
    assert (type(timer), timer.is_valid(), timer.eh, timer.autoclose) == (EngineTimer, True, handler, False)
    task.run()
    assert (heard, timer.is_valid()) == ([(timer, True)], False)


def test_a_timer_repeats_until_it_is_invalidated(task: Task) -> None:
    """In its handler; doing it again is fine."""
    heard: list[int] = []

    def ev_timer(timer: EngineTimer) -> None:
        heard.append(len(heard))
        if len(heard) == 3:
            timer.invalidate()
            timer.invalidate()

    timer = task.timer(0.0, Says("ev_timer", ev_timer), interval=0.002)
    task.run()
    assert (heard, timer.is_valid()) == ([0, 1, 2], False)


def test_a_timer_is_set_again(task: Task) -> None:
    """By its handler, and before the run; with an interval it repeats."""
    heard: list[str] = []

    def ev_timer(timer: EngineTimer) -> None:
        heard.append("fired")
        if len(heard) == 1:
            timer.set_nextfire(0.001, 0.002)
        elif len(heard) == 3:
            timer.invalidate()

    task.timer(60, Says("ev_timer", ev_timer)).set_nextfire(0)
    task.run()
    assert heard == ["fired"] * 3


def test_a_timer_that_is_over_cannot_be_set(task: Task) -> None:
    """ClusterShell's error for one that was invalidated; it is the same for one that has fired."""
    text = "the timer is not valid any more: make a new one"
    timer = task.timer(0, Says("ev_timer", lambda timer: None))
    task.run()
    refused(EngineIllegalOperationError, text, lambda: timer.set_nextfire(1))
    timer = task.timer(60, Says("ev_timer", lambda timer: None))
    timer.invalidate()
    refused(EngineIllegalOperationError, text, Aside(lambda: timer.set_nextfire(1)).result)
    task.run()


def test_another_thread_makes_sets_and_ends_timers(other: Task) -> None:
    """While the task runs."""
    fired, again = threading.Event(), threading.Event()
    keeping = _running(other)
    other.timer(0, Says("ev_timer", lambda timer: fired.set()))
    late = other.timer(60, Says("ev_timer", lambda timer: again.set()))
    waited(fired)
    late.set_nextfire(0)
    waited(again)
    assert other.running()
    late = other.timer(60, Says("ev_timer", lambda timer: None))
    late.invalidate()
    keeping.close()
    other.join()
    assert (late.is_valid(), other.running()) == (False, False)


def test_a_timer_made_by_another_thread_knows_itself_when_it_fires(
    other: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handler may be quicker than the thread that made it."""
    handled = threading.Event()
    keeping = _running(other)
    _answers_after(monkeypatch, handled)

    def ev_timer(timer: EngineTimer) -> None:
        timer.invalidate()
        handled.set()

    other.timer(0, Says("ev_timer", ev_timer), interval=60)
    assert handled.is_set()
    keeping.close()
    other.join()


def test_an_autoclose_timer_does_not_keep_the_run_going(task: Task) -> None:
    """It is invalid at the end."""
    timer = task.timer(60, Says("ev_timer", lambda timer: None), autoclose=True)
    task.run("true")
    assert (timer.is_valid(), timer.autoclose) == (False, True)


@pytest.mark.parametrize(
    ("fire", "interval", "text"),
    [
        (-1, -1, "timer: fire=-1: a number of seconds, 0 or more"),
        (1, -2, "timer: interval=-2: a number of seconds, 0 or more"),
    ],
)
def test_a_time_that_is_none(task: Task, fire: float, interval: float, text: str) -> None:
    """At once; nothing is scheduled."""
    handler = Says("ev_timer", lambda timer: None)
    refused(UsageError, text, lambda: task.timer(fire, handler, interval))
    refused(UsageError, text, Aside(lambda: task.timer(fire, handler, interval)).result)
    task.run()


def test_a_handler_of_a_timer_needs_a_method(task: Task) -> None:
    """None has none."""
    text = "the handler of a timer needs a method ev_timer: NoneType"
    refused(UsageError, text, lambda: task.timer(0, None))
