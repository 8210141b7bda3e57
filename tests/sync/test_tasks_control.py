"""Tests of asynctask.sync.tasks: suspending, aborting, killing, waiting, Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.errors import TaskStateError
from asynctask.scheduling import Run
from asynctask.sync import (
    Task,
    WorkerPopen,
    task_cleanup,
    task_self,
    task_terminate,
    task_wait,
)
from tests.support import refused
from tests.sync.helpers import (
    PATIENCE,
    Aside,
    Heard,
    Line,
    New,
    Says,
    all_of,
    fires,
    run_program,
    running,
    waited,
    written_down,
)

KILLED = "the task was killed: call task_self() for a new one"
FOR_EVER = "exec sleep 60"


# -- suspending -------------------------------------------------------------------------------------------


def test_suspend_and_resume(other: Task) -> None:
    """While it holds still, nothing is heard; nothing is lost."""
    heard = Heard()
    line = Line(other, heard)
    port = other.port(Says("ev_msg", lambda port, msg: heard.events.append(msg)), autoclose=True)
    line.write(b"one\n")
    other.resume()
    waited(heard.read)
    assert (other.suspend(), other.suspend(), other.running()) == (True, False, True)
    line.write(b"two\n")
    other.timer(0, fires(lambda: heard.events.append("fired")))
    port.msg_send("message")
    for _ in range(20):
        other.flush_errors()  # the loop goes round
    assert heard.events == ["start", "pickup line", "read line stdout one"]
    heard.read.clear()
    other.resume()
    waited(heard.read)
    line.end()
    other.join()
    assert sorted(heard.events[3:6]) == ["fired", "message", "read line stdout two"]
    assert (heard.events[6:], other.key_buffer("line")) == (["close False"], b"one\ntwo")


def test_suspend_without_a_run(task: Task, other: Task) -> None:
    """There is nothing to suspend."""
    assert (task.suspend(), other.suspend(), Aside(task.suspend).result()) == (False, False, False)


def test_suspend_right_after_resume(other: Task) -> None:
    """Though the thread may not have begun; it is suspended when the call returns."""
    heard = Heard()
    line = Line(other, heard)
    line.write(b"one\n")
    other.resume()
    assert other.suspend()
    before = heard.events.copy()
    for _ in range(20):
        other.flush_errors()
    assert heard.events == before
    line.end()
    other.resume()
    other.join()
    assert heard.events == ["start", "pickup line", "read line stdout one", "close False"]


def test_suspend_of_a_run_that_is_ending(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is over, and run() is about to return: there is nothing to suspend."""
    execute = Run.execute
    suspended: list[bool] = []

    async def execute_and_suspend(run: Run, timeout: float | None) -> bool:
        in_time = await execute(run, timeout)
        suspended.append(task.suspend())
        return in_time

    monkeypatch.setattr(Run, "execute", execute_and_suspend)
    assert task.run("echo out").read() == b"out"
    assert (suspended, task.running()) == ([False], False)


def test_a_thread_s_own_run_is_suspended_and_resumed_by_another(task: Task) -> None:
    """run() blocks all the while."""
    heard = Heard()
    line = Line(task, heard)
    line.write(b"one\n")

    def hold() -> tuple[bool, bool]:
        waited(heard.read)
        suspended = task.suspend()
        line.write(b"two\n")
        line.end()
        running = task.running()
        task.resume()
        return suspended, running

    holding = Aside(hold)
    task.run()
    assert holding.result() == (True, True)
    assert task.key_buffer("line") == b"one\ntwo"


def test_a_handler_suspends_and_resumes(task: Task) -> None:
    """Its own task."""
    heard: list[object] = []

    def ev_read(worker: WorkerPopen) -> None:
        heard.append(task.suspend())
        task.resume()
        heard.append(worker.current_msg)

    task.run("echo 1; echo 2", handler=Says("ev_read", ev_read))
    assert heard == [True, b"1", True, b"2"]


def test_abort_of_a_run_that_is_suspended(other: Task) -> None:
    """It ends; what was read is kept."""
    line = running(other)
    assert other.suspend()
    other.abort()
    line.end()
    assert (other.running(), other.result.summary()) == (False, "1 aborted (line)")


# -- aborting -----------------------------------------------------------------------------------------------


def test_abort_in_a_handler(task: Task) -> None:
    """It returns, the run ends, results are kept, and what waits never starts."""
    handler = New()
    heard: list[str] = []

    def ev_read(worker: Any, node: str, sname: str, msg: bytes) -> None:
        New.ev_read(handler, worker, node, sname, msg)
        task.abort()
        heard.append("went on")

    handler.ev_read = ev_read  # type: ignore[method-assign]
    task.set_info("fanout", 1)
    task.shell(f"echo out; {FOR_EVER}", nodes="n[1-2]", remote=False, handler=handler)
    task.run()
    assert handler.events == ["start", "pickup n1", "read n1 stdout out", "close False"]
    assert (heard, written_down(task.iter_buffers())) == (["went on"], [(b"out", "n1")])
    assert task.result.summary() == "1 aborted (n1), 1 never started (n2)"
    assert task.run("echo again").read() == b"again"


def test_halt_in_a_handler(task: Task) -> None:
    """What runs goes on to its end; what waits never starts."""
    handler = New()

    def ev_read(worker: Any, node: str, sname: str, msg: bytes) -> None:
        New.ev_read(handler, worker, node, sname, msg)
        task.halt()

    handler.ev_read = ev_read  # type: ignore[method-assign]
    task.set_info("fanout", 1)
    task.shell("echo out; sleep 0.05; echo over", nodes="n[1-2]", remote=False, handler=handler)
    task.run()
    assert handler.events[-3:] == ["read n1 stdout over", "hup n1 0", "close False"]
    assert task.result.summary() == "1 ok, 1 never started (n2)"


def test_halt_before_the_run(task: Task) -> None:
    """What is scheduled is forgotten."""
    task.shell("echo never", key="k")
    task.halt()
    task.run()
    assert dict(task.result) == {}


def test_abort_by_another_thread(task: Task) -> None:
    """It returns when the run is over."""
    heard = Heard()

    def abort() -> bool:
        waited(heard.read)
        task.abort()
        return task.running()

    aborting = Aside(abort)
    task.run(f"echo out; {FOR_EVER}", handler=heard)
    assert (aborting.result(), heard.events[-1]) == (False, "close False")
    assert (task.key_buffer("localhost"), task_self() is task) == (b"out", True)


def test_abort_of_a_task_that_does_not_run(task: Task, other: Task) -> None:
    """What was scheduled is forgotten."""
    forgotten = [task.shell("echo out"), other.shell("echo out")]
    timer = task.timer(60, fires(lambda: None))
    task.abort()
    other.abort()
    task.run()
    other.resume()
    other.join()
    assert [worker.retcode() for worker in forgotten] == [None, None]
    assert (timer.is_valid(), task.result.summary()) == (False, "no targets")


def test_abort_of_a_task_that_was_woken(other: Task) -> None:
    """Whether its thread had begun or not."""
    for _ in range(20):
        other.run(FOR_EVER)
        other.abort()
        assert not other.running()


@pytest.mark.parametrize("name", ["run", "resume", "shell", "schedule", "timer", "port"])
def test_a_killed_task_cannot_be_used(task: Task, name: str) -> None:
    """The next task_self() is a new one."""
    task.abort(kill=True)
    handler = SimpleNamespace(ev_timer=print, ev_msg=print)
    args: dict[str, tuple[Any, ...]] = {
        "shell": ("true",),
        "schedule": (WorkerPopen("true"),),
        "timer": (0, handler),
        "port": (handler,),
    }
    refused(TaskStateError, KILLED, lambda: getattr(task, name)(*args.get(name, ())))
    new = task_self()
    assert new is not task
    assert new.run("echo out").read() == b"out"


def test_a_handler_kills_its_task(task: Task) -> None:
    """The run ends, its results stay, the thread gets a new one."""
    task.run(f"echo out; {FOR_EVER}", handler=Says("ev_read", lambda worker: task.abort(kill=True)))
    assert (task.key_buffer("localhost"), task_self() is task) == (b"out", False)
    refused(TaskStateError, KILLED, task.run)


def test_killing_ends_the_task_s_own_thread(other: Task) -> None:
    """Waiting or at work."""
    waiting, line = Task(), running(other)
    waiting.abort(kill=True)
    other.abort(kill=True)
    line.end()
    for each in (waiting, other):
        each.thread.join(PATIENCE)
        assert (each.thread.is_alive(), each.running()) == (False, False)
    assert other.result.summary() == "1 aborted (line)"
    assert not {waiting, other} & set(Task._all)


def test_a_handler_kills_a_task_with_a_thread_of_its_own(other: Task) -> None:
    """The thread ends after the run."""
    other.run(f"echo out; {FOR_EVER}", handler=Says("ev_read", lambda worker: other.abort(kill=True)))
    other.thread.join(PATIENCE)
    assert (other.thread.is_alive(), other.key_buffer("localhost")) == (False, b"out")


def test_another_thread_kills_the_run_of_a_thread(task: Task) -> None:
    """run() returns there."""
    heard = Heard()

    def kill() -> None:
        waited(heard.started)
        task.abort(kill=True)

    killing = Aside(kill)
    task.run(FOR_EVER, handler=heard)
    killing.result()
    assert task_self() is not task


def test_killing_twice(other: Task) -> None:
    """Is fine."""
    other.abort(kill=True)
    other.abort(kill=True)
    other.join()


def test_task_terminate(task: Task) -> None:
    """The same for the thread's own task; other threads keep theirs."""
    other = Task()
    task_terminate()
    refused(TaskStateError, KILLED, task.run)
    assert (task_self() is task, other.thread.is_alive()) == (False, True)


def test_task_cleanup(task: Task, other: Task) -> None:
    """All are killed, and their threads are over."""
    line = running(other)
    task_cleanup()
    line.end()
    assert (list(Task._all), other.thread.is_alive()) == ([], False)
    refused(TaskStateError, KILLED, task.run)


def test_task_cleanup_in_a_handler(task: Task, other: Task) -> None:
    """Its own task ends after it."""
    task.run(f"echo out; {FOR_EVER}", handler=Says("ev_read", lambda worker: task_cleanup()))
    assert (list(Task._all), other.thread.is_alive()) == ([], False)


# -- waiting ------------------------------------------------------------------------------------------------


def test_join_waits_for_the_end(other: Task) -> None:
    """And returns at once when there is nothing to wait for, and in the task's own thread."""
    other.join()
    line = running(other)
    joining = [Aside(other.join) for _ in range(2)]
    other.timer(0, fires(other.join))
    other.flush_errors()
    assert [each.done for each in joining] == [False, False]
    line.end()
    all_of(joining)
    assert not other.running()


@pytest.mark.parametrize("wait", [task_wait, lambda: Task.wait(threading.current_thread())])
def test_waiting_for_all_other_tasks(task: Task, other: Task, wait: Callable[[], None]) -> None:
    """Not for one's own, not for those that do nothing."""
    Task()
    lines = [running(other), running(Task())]
    waiting = Aside(wait)
    lines[0].end()
    other.join()
    assert not waiting.done
    lines[1].end()
    waiting.result()
    task.timer(0, fires(wait))
    task.run()


# -- Ctrl-C -------------------------------------------------------------------------------------------------

INTERRUPTED = """
import os, signal, threading
from asynctask.sync import task_self

class Handler:
    def ev_read(self, worker, node, sname, msg):
        print(msg.decode(), flush=True)
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
    def ev_end(self, worker, node, result):
        print(node, result.outcome)
    def ev_close(self, worker, timedout):
        print("close", timedout)

task = task_self()
task.shell("echo ready; exec sleep 60", key="k", handler=Handler())
try:
    task.run()
except KeyboardInterrupt:
    print("interrupted", task.running(), task.key_buffer("k"))
print(task.run("echo again").read())
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_ctrl_c() -> None:
    """What runs is stopped, then run() raises; the task can be used again."""
    done = run_program(INTERRUPTED, "-W", "error")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ready",
        "k aborted",
        "close False",
        "interrupted False b'ready'",
        "b'again'",
        "True",
    ]


OWN_THREAD = """
import sys
from asynctask.sync import Task

class Handler:
    def ev_read(self, worker):
        print(worker.current_msg.decode())

Task().run("echo out", handler=Handler())
"""


def test_a_program_ends_when_its_tasks_are_done() -> None:
    """Its main thread does not have to wait for them, nor to end them."""
    done = run_program(OWN_THREAD, "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")
