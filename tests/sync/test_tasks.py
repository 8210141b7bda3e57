"""Tests of asynctask.sync.tasks: a task and its thread, runs, what they bring, misuse."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from asynctask import sync
from asynctask.errors import EmptyTargetsError, HandlerErrors, TaskStateError, UsageError
from asynctask.sync import (
    AlreadyRunningError,
    NodeSet,
    Task,
    TaskError,
    TaskMsgTreeError,
    WorkerPopen,
    task_self,
)
from tests.support import refused
from tests.sync.helpers import PATIENCE, Aside, New, Says, all_of, fires, written_down

KILLED = "the task was killed: call task_self() for a new one"
FOR_EVER = "exec sleep 60"


# -- one task a thread --------------------------------------------------------------------------------


def test_a_thread_has_one_task(task: Task) -> None:
    """Under each of its names, and whatever else is asked for it."""
    assert task_self() is task
    assert Task(thread=threading.current_thread(), defaults=object()) is task
    assert (task.thread, task.running()) == (threading.current_thread(), False)


def test_each_thread_has_its_own(task: Task) -> None:
    """Several at once."""
    found = all_of([Aside(lambda: (task_self(), task_self(), threading.current_thread())) for _ in range(4)])
    assert len({id(mine) for mine, _, _ in found} | {id(task)}) == 5
    assert all(mine is again and mine.thread is thread for mine, again, thread in found)


def test_the_task_of_another_thread(task: Task) -> None:
    """It may be had by naming the thread."""
    thread = threading.current_thread()
    assert Aside(lambda: Task(thread=thread)).result() is task


def test_a_task_with_a_thread_of_its_own(other: Task) -> None:
    """It is there at once, waits, and keeps the program."""
    number = Task._count
    assert (other.thread.name, other.thread.daemon, other.thread.is_alive()) == (
        f"Task-{number}",
        False,
        True,
    )
    assert (other.running(), Task(thread=other.thread)) == (False, other)


def test_a_task_goes_with_its_thread() -> None:
    """Nothing keeps it."""
    reference = weakref.ref(Aside(task_self).result())
    gc.collect()
    assert reference() is None


# -- running --------------------------------------------------------------------------------------------


def test_with_nothing_to_run_it_returns_at_once(task: Task) -> None:
    """Each way."""
    assert (task.run(), task.run(5), task.run(timeout=5), task.run(None)) == (None, None, None, None)
    task.resume()
    task.resume(0)
    assert task.max_retcode() is None


def test_run_waits_for_what_is_scheduled(task: Task) -> None:
    """And may be called again, for what is scheduled then."""
    first = task.shell("echo one; exit 1", key="a")
    second = task.shell("echo %h two", nodes="n[1-2]", remote=False)
    assert first.read() is None
    task.run()
    assert (first.read(), second.node_buffer("n2"), task.max_retcode()) == (b"one", b"n2 two", 1)
    task.run()
    assert (list(task.iter_buffers()), task.max_retcode()) == ([], None)


def test_run_with_a_command(task: Task) -> None:
    """It takes what shell() takes, and returns the worker."""
    worker = task.run("echo %h; exit %n", nodes="n[1-2]", remote=False, stderr=True)
    assert (worker.nodes, written_down(worker.iter_retcodes())) == (NodeSet("n[1-2]"), [(0, "n1"), (1, "n2")])


@pytest.mark.parametrize("how", ["number", "keyword", "resume"])
def test_the_task_times_out(task: Task, how: str) -> None:
    """All that runs ends as timed out, what waits never starts; the error has the result."""
    handler = New()
    task.set_info("fanout", 1)
    task.shell(f"echo out; {FOR_EVER}", nodes="n[1-2]", remote=False, handler=handler)
    calls: dict[str, Callable[[], object]] = {
        "number": lambda: task.run(0.1),
        "keyword": lambda: task.run(timeout=0.1),
        "resume": lambda: task.resume(0.1),
    }
    with pytest.raises(sync.TimeoutError) as caught:
        calls[how]()
    assert str(caught.value) == "the run did not end within 0.1 s: 1 timed out (n1), 1 never started (n2)"
    assert (caught.value.timeout, caught.value.result) == (0.1, task.result)
    assert handler.events == ["start", "pickup n1", "read n1 stdout out", "close True"]
    assert (list(task.iter_keys_timeout()), task.num_timeout()) == (["n1"], 1)
    assert written_down(task.iter_buffers()) == [(b"out", "n1")]


def test_a_timeout_with_a_command_is_the_worker_s(task: Task) -> None:
    """It is no error of the run."""
    worker = task.run(FOR_EVER, timeout=0.05, key="k")
    assert (worker.did_timeout(), task.num_timeout(), list(task.iter_keys_timeout())) == (True, 1, ["k"])
    assert (worker.retcode(), task.max_retcode()) == (None, None)
    refused(KeyError, "'x'", lambda: task.key_retcode("x"))


def test_run_without_a_command_takes_no_settings(task: Task) -> None:
    """They would be lost."""
    text = "run() without a command does not take handler, nodes"
    refused(TypeError, text, lambda: task.run(nodes="n1", handler=None))


def test_a_run_within_a_run(task: Task) -> None:
    """An error, in the handler that tries; the run goes on."""
    text = "the task runs already: run() within a run"
    heard: list[str] = []

    def ev_read(worker: WorkerPopen) -> None:
        for call in (task.run, task.resume, lambda: task.run("true")):
            refused(AlreadyRunningError, text, call)
        heard.append("refused")

    worker = task.run("echo out", handler=Says("ev_read", ev_read), key="k")
    assert (heard, worker.retcode()) == (["refused"], 0)
    assert task.result.summary() == "2 ok"  # what run() was to run was scheduled


def test_another_thread_cannot_run_it(task: Task) -> None:
    """A task without a thread of its own runs in the one that it is bound to."""
    text = "only MainThread can run this task: it has no thread of its own"
    refused(TaskError, text, Aside(task.run).result)
    worker = Aside(lambda: task.shell("echo out")).result()
    task.run()
    assert worker.read() == b"out"


def test_resume_wakes_a_task_with_a_thread_of_its_own(other: Task) -> None:
    """It returns at once; join() waits for the end, and finds the results."""
    worker = other.shell("read line; echo $line")
    other.resume()
    assert other.running()
    worker.write(b"go\n")
    other.join()
    assert (worker.read(), other.running(), other.key_retcode("localhost")) == (b"go", False, 0)


def test_it_may_be_woken_again_and_again(other: Task) -> None:
    """Each time it runs what was scheduled since."""
    outputs = []
    for number in range(5):
        worker = other.run(f"echo {number}")
        other.join()
        outputs.append(worker.read())
    assert outputs == [b"0", b"1", b"2", b"3", b"4"]


def test_what_comes_too_late_for_a_run_wakes_it_again(other: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command and resume() while the run before is ending: it is run, and not only scheduled."""
    run = other._task.run
    workers: list[WorkerPopen] = []

    async def run_and_more(timeout: float | None) -> object:
        result = await run(timeout)
        if not workers:
            workers.append(Aside(lambda: other.run("echo late")).result())
        return result

    monkeypatch.setattr(other._task, "run", run_and_more)
    other.run("echo early")
    other.join()
    assert (len(workers), workers[0].read()) == (1, b"late")


def test_what_comes_when_the_loop_is_closed_is_there_for_the_next_run(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is over, but run() has not returned yet."""
    close = asyncio.Runner.close
    workers: list[WorkerPopen] = []

    def close_and_more(runner: asyncio.Runner) -> None:
        close(runner)
        if not workers:
            workers.append(Aside(lambda: task.shell("echo late")).result())

    monkeypatch.setattr(asyncio.Runner, "close", close_and_more)
    task.run("true")
    task.run()
    assert (len(workers), workers[0].read()) == (1, b"late")


# -- handlers that raise ------------------------------------------------------------------------------


def _raises(error: BaseException) -> Says:
    def ev_read(worker: WorkerPopen) -> None:
        raise error

    return Says("ev_read", ev_read)


def test_what_a_handler_raises_comes_out_of_run(task: Task) -> None:
    """The very exception, when all else is done."""
    error = ValueError("mine")
    other = task.shell("read line; echo done", key="b")
    task.shell("echo out", handler=_raises(error), key="a")
    task.timer(0, fires(lambda: other.write(b"go\n")))
    with pytest.raises(ValueError, match="mine") as caught:
        task.run()
    assert caught.value is error
    assert error.__notes__ == ["raised in ev_read for a"]
    assert (task.key_buffer("a"), other.read()) == (b"out", b"done")


def test_what_several_handlers_raise_comes_in_a_group(task: Task) -> None:
    """With the result."""
    errors = [ValueError("one"), KeyError("two")]
    for key, error in zip("ab", errors, strict=True):
        task.shell("echo out", handler=_raises(error), key=key)
    with pytest.raises(HandlerErrors) as caught:
        task.run()
    assert (sorted(map(str, caught.value.exceptions)), caught.value.result) == (
        ["'two'", "one"],
        task.result,
    )


def test_a_handler_that_ends_the_program(task: Task) -> None:
    """All is stopped, then the program ends."""
    other = task.shell(FOR_EVER)
    task.shell("echo out", handler=_raises(SystemExit(3)))
    with pytest.raises(SystemExit) as caught:
        task.run()
    assert (caught.value.code, other.retcode(), task.running()) == (3, None, False)


def test_excepthook(other: Task, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception ends the task's own thread, and is told."""
    name = other.thread.name
    other.run("echo out", handler=_raises(ValueError("mine")))
    other.join()
    other.thread.join(PATIENCE)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert (out, lines[:2]) == ("", [f"Exception in {name}:", "Traceback (most recent call last):"])
    assert lines[-2:] == ["ValueError: mine", "raised in ev_read for localhost"]
    refused(TaskStateError, KILLED, other.run)


def test_excepthook_may_be_replaced(other: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets what sys.excepthook gets, in the task's thread."""
    seen: list[Any] = []
    monkeypatch.setattr(other, "excepthook", lambda *args: seen.append((*args, threading.current_thread())))
    other.shell(FOR_EVER)
    other.resume(0.05)
    other.thread.join(PATIENCE)
    ((kind, value, trace, thread),) = seen
    assert kind is sync.TimeoutError
    assert str(value) == "the run did not end within 0.05 s: 1 timed out (localhost)"
    assert (trace, thread) == (value.__traceback__, other.thread)


# -- parameters and results ---------------------------------------------------------------------------


def test_defaults(task: Task) -> None:
    """ClusterShell's, among them an input that stays open; the program's own; no others."""
    assert [task.default(key) for key in ("stdin", "stderr", "stdout_msgtree", "port_qlimit")] == [
        True,
        False,
        True,
        32,
    ]
    task.set_default("USER_mine", 1)
    assert (task.default("USER_mine"), task.default("USER_other", 2), task.default("x")) == (1, 2, None)
    with pytest.raises(
        UsageError, match=r"^unknown default 'mine': one of .*, or a name that begins with USER_$"
    ):
        task.set_default("mine", 1)


def test_infos(task: Task) -> None:
    """ClusterShell's, and any of the program's own."""
    assert (task.info("fanout"), task.info("debug"), task.info("mine", "none")) == (64, False, "none")
    task.set_info("fanout", 3)
    task.set_info("mine", 1)
    assert (task.info("fanout"), task.info("mine")) == (3, 1)


def test_print_debug_gets_the_task(task: Task) -> None:
    """The façade's."""
    lines: list[tuple[object, str]] = []
    task.set_info("print_debug", lambda *args: lines.append(args))
    task.set_info("debug", True)
    task.run("echo out", key="k")
    assert [line for _, line in lines] == ["EXEC: k: echo out", "LINE k stdout: out"]
    assert {id(shown) for shown, _ in lines} == {id(task)}


def test_results_by_key(task: Task) -> None:
    """Unknown keys have empty buffers and no status; several workers of a key are joined."""
    for command in ("echo one; echo err >&2; exit 1", "echo two; exit 2"):
        task.shell(command, key="k", stderr=True)
    task.run()
    assert (task.key_buffer("k"), task.node_buffer("k"), task.key_error("k"), task.node_error("k")) == (
        b"one\ntwo",
        b"one\ntwo",
        b"err",
        b"err",
    )
    assert (task.key_retcode("k"), task.node_retcode("k"), task.max_retcode()) == (2, 2, 2)
    assert (task.key_buffer("x"), task.key_error("x")) == (b"", b"")
    refused(KeyError, "'x'", lambda: task.key_retcode("x"))


def test_results_in_groups(task: Task) -> None:
    """Those of some keys if these are given; an empty collection of keys is no filter."""
    task.shell("echo $((%n / 2)); echo err >&2; exit %n", nodes="n[0-2]", remote=False, stderr=True)
    task.run()
    assert written_down(task.iter_buffers()) == [(b"0", "n0,n1"), (b"1", "n2")]
    assert written_down(task.iter_buffers(["n1"])) == written_down(task.iter_buffers(NodeSet("n1")))
    assert written_down(task.iter_buffers(["n1"])) == [(b"0", "n1")]
    assert written_down(task.iter_buffers([])) == [(b"0", "n0,n1"), (b"1", "n2")]
    assert written_down(task.iter_errors(["n0", "n2"])) == [(b"err", "n0,n2")]
    assert written_down(task.iter_retcodes()) == [(0, "n0"), (1, "n1"), (2, "n2")]
    assert written_down(task.iter_retcodes(["n2"])) == [(2, "n2")]


def test_results_are_forgotten(task: Task) -> None:
    """Each stream by itself."""
    task.run("echo out; echo err >&2", key="k", stderr=True)
    task.flush_buffers()
    assert (task.key_buffer("k"), task.key_error("k")) == (b"", b"err")
    task.flush_errors()
    assert (task.key_error("k"), list(task.iter_errors())) == (b"", [])


def test_results_that_are_not_kept(task: Task) -> None:
    """Asking for them is an error; the others are there."""
    for stream in ("stdout", "stderr"):
        task.set_default(f"{stream}_msgtree", False)
    task.run("echo out", key="k")
    text = "{} is not kept: set the default {}_msgtree before the run"
    for call in (lambda: task.key_buffer("k"), task.iter_buffers):
        refused(TaskMsgTreeError, text.format("stdout", "stdout"), call)
    for call in (lambda: task.key_error("k"), task.iter_errors):
        refused(TaskMsgTreeError, text.format("stderr", "stderr"), call)
    assert task.key_retcode("k") == 0


# -- misuse -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", ["", NodeSet(), []])
def test_no_nodes(task: Task, nodes: Any) -> None:
    """Nothing runs; ClusterShell would run the command here."""
    refused(
        EmptyTargetsError,
        "the set of targets is empty: name a node, nothing runs without one",
        lambda: task.shell("false", nodes=nodes),
    )
    task.run()
    assert task.max_retcode() is None


def test_shell_with_what_does_not_fit(task: Task) -> None:
    """Each is an error at the call."""
    refused(
        TaskError,
        "key= names the target of a command without nodes=; give one of them",
        lambda: task.shell("true", nodes="n1", key="k"),
    )
    refused(
        TaskError,
        "tree mode required, and there is none yet: use tree=False or leave it out",
        lambda: task.shell("true", nodes="n1", tree=True),
    )
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        task.shell("true", colour="red")  # type: ignore[call-arg]
    refused(UsageError, "missing command parameter in WorkerPopen constructor", lambda: task.shell(""))
    task.run()
    assert task.result.summary() == "no targets"


async def test_in_a_loop_of_asyncio() -> None:
    """It would stand still; what is scheduled stays for a run elsewhere."""
    task = task_self()
    worker = task.shell("echo out")
    text = "this thread runs an asyncio loop: use asynctask.Task there, and await it"
    refused(TaskStateError, text, task.run)
    assert not task.running()
    other = Task()
    other_worker = other.run("echo out")
    await asyncio.to_thread(other.join)
    assert (worker.retcode(), other_worker.read()) == (None, b"out")


def test_the_program_s_own_loop_stays(task: Task) -> None:
    """A run has a loop of its own, and leaves the thread's alone."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        task.run("true")
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()
