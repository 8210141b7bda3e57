"""Tests of asynctask.sync.tasks: what other threads, and handlers of other tasks, ask for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.errors import UsageError
from asynctask.sync import (
    EnginePort,
    ExecWorker,
    Task,
    task_wait,
)
from tests.support import refused
from tests.sync.helpers import PATIENCE, Aside, Heard, Says, all_of, fires, running, waited

KILLED = "the task was killed: call task_self() for a new one"
FOR_EVER = "exec sleep 60"


# -- what is added while it runs ----------------------------------------------------------------------


def test_handlers_add_workers(task: Task) -> None:
    """In every event, the first and the last as well."""
    ran: list[str] = []

    def adds(event: str) -> Callable[..., None]:
        def hook(worker: Any, *args: object) -> None:
            task.shell(f"echo {event}", key=event, handler=Says("ev_read", lambda w: ran.append(w.key)))

        return hook

    events = ("start", "pickup", "read", "hup", "end", "close")
    task.run("echo out", handler=SimpleNamespace(**{f"ev_{event}": adds(event) for event in events}))
    assert sorted(ran) == sorted(events)


def test_other_threads_add_while_it_runs(other: Task) -> None:
    """Workers, timers, ports, all of them; and their settings."""
    line = running(other)
    heard: list[str] = []
    other.set_info("fanout", 7)

    def ev_msg(port: EnginePort, msg: str) -> None:
        heard.append(msg)
        port.close()

    def add(number: int) -> None:
        other.shell(
            f"echo {number}", key=f"k{number}", handler=Says("ev_read", lambda w: heard.append("read"))
        )
        other.schedule(ExecWorker(f"n{number}", None, command="echo %h"))
        other.timer(0, fires(lambda: heard.append("timer")))
        port = other.port(Says("ev_msg", ev_msg))
        assert port.msg("msg")

    all_of([Aside(partial(add, number)) for number in range(4)])
    line.end()
    other.join()
    assert sorted(heard) == ["msg"] * 4 + ["read"] * 4 + ["timer"] * 4
    assert [other.node_buffer(f"n{number}") for number in range(4)] == [b"n0", b"n1", b"n2", b"n3"]
    assert other.info("fanout") == 7


def test_other_threads_add_while_it_does_not_run(task: Task) -> None:
    """All of it is run."""
    ready = threading.Barrier(8)

    def add(number: int) -> None:
        ready.wait()
        for each in range(5):
            task.shell("true", key=f"k{number}.{each}")

    all_of([Aside(partial(add, number)) for number in range(8)])
    task.run()
    assert task.result.summary() == "40 ok"


def test_a_fanout_that_another_thread_changes(other: Task) -> None:
    """It takes effect at once."""
    other.set_info("fanout", 1)
    line = running(other)
    heard = Heard()
    worker = other.shell("echo out", handler=heard)
    other.flush_errors()  # the worker is there by now, and its turn has not come
    assert heard.events == []
    other.set_info("fanout", 2)
    waited(heard.read)
    line.end()
    worker.set_write_eof()
    other.join()


def test_what_another_thread_asks_for_in_vain_is_logged(
    other: Task, caplog: pytest.LogCaptureFixture
) -> None:
    """It has gone on; nothing else suffers."""
    line = running(other)
    with caplog.at_level(logging.ERROR, "asynctask.sync.home"):
        other.set_info("fanout", 0)
        other.flush_errors()
    line.end()
    other.join()
    (record,) = caplog.records
    assert record.getMessage() == f"{other.thread.name}: what another thread asked for failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "fanout=0: how many nodes run at once, 1 or more"
    refused(
        UsageError, "fanout=0: how many nodes run at once, 1 or more", lambda: other.set_info("fanout", 0)
    )


# -- handlers of several tasks ------------------------------------------------------------------------


def test_handlers_of_two_tasks_send_to_each_other_at_once(other: Task) -> None:
    """Neither waits for the other's handler to return."""
    another, meeting = Task(), threading.Barrier(2)
    ports: dict[Task, Any] = {}
    heard: dict[Task, list[object]] = {other: [], another: []}

    def plays(mine: Task, theirs: Task) -> Says:
        def ev_msg(port: Any, msg: int) -> None:
            if msg < 50:
                meeting.wait(PATIENCE)
            heard[mine].append(msg)
            if msg < 50:
                assert ports[theirs].msg_send(msg + 1)
            else:
                port.close()

        return Says("ev_msg", ev_msg)

    ports[other] = other.port(plays(other, another))
    ports[another] = another.port(plays(another, other))
    for task, port in ports.items():
        port.msg_send(0)
        task.resume()
    task_wait()
    assert heard == {other: list(range(51)), another: list(range(51))}


def test_handlers_of_two_tasks_add_to_each_other_at_once(other: Task) -> None:
    """Timers, which wait for an answer, and workers, which do not."""
    tasks = [other, Task()]
    lines = [running(task) for task in tasks]
    meeting, all_fired = threading.Barrier(2), threading.Event()
    fired: list[str] = []

    def fire() -> None:
        fired.append("fired")
        if len(fired) == 40:
            all_fired.set()

    def add(theirs: Task) -> None:
        meeting.wait(PATIENCE)
        for _ in range(20):
            theirs.timer(0, fires(fire))
        theirs.shell("true")

    for mine, theirs in (tasks, reversed(tasks)):
        mine.timer(0, fires(partial(add, theirs)))
    waited(all_fired)
    for line in lines:
        line.end()
    task_wait()
    assert [task.result.summary() for task in tasks] == ["2 ok", "2 ok"]


def test_handlers_of_two_tasks_abort_each_other_at_once(other: Task) -> None:
    """Both runs end."""
    another, meeting = Task(), threading.Barrier(2)

    def aborts(theirs: Task) -> Says:
        def ev_start(worker: Any) -> None:
            meeting.wait(PATIENCE)
            theirs.abort()

        return Says("ev_start", ev_start)

    other.run(FOR_EVER, handler=aborts(another))
    another.run(FOR_EVER, handler=aborts(other))
    task_wait()
    assert [task.result.summary() for task in (other, another)] == ["1 aborted (localhost)"] * 2
