"""Tests of asynctask.sync.workers."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import EmptyTargetsError, PlaceholderError, TaskStateError, UsageError
from asynctask.sync import (
    DistantWorker,
    EventHandler,
    ExecWorker,
    NodeSet,
    StreamWorker,
    Task,
    Worker,
    WorkerError,
    WorkerPopen,
    WorkerSimple,
    WorkerSsh,
)
from asynctask.sync.workers import no_limit
from tests.support import refused
from tests.sync.helpers import Aside, New, Old, Says, all_of, waited, written_down


def _ran(task: Task, worker: Any) -> Any:
    """A worker made by hand, when it is over."""
    task.schedule(worker)
    task.run()
    return worker


# -- WorkerPopen --------------------------------------------------------------------------------------


def test_popen(task: Task) -> None:
    """One command, here, whose output and status it has itself."""
    worker = _ran(task, WorkerPopen("echo out; echo err >&2; exit 3", key="k", stderr=True))
    assert (worker.read(), worker.error(), worker.retcode(), worker.key) == (b"out", b"err", 3, "k")
    assert (worker.read("k"), worker.read("k", "stderr"), worker.did_timeout()) == (b"out", b"err", False)
    assert (task.key_buffer("k"), task.key_retcode("k")) == (b"out", 3)


def test_popen_without_output(task: Task) -> None:
    """None, not an empty text."""
    worker = _ran(task, WorkerPopen("true"))
    assert (worker.read(), worker.error(), worker.retcode()) == (None, None, 0)


def test_popen_positional_arguments(task: Task) -> None:
    """command, key, handler, stderr, timeout, autoclose."""
    handler = Old()
    worker = _ran(task, WorkerPopen("exec sleep 60", "k", handler, True, 0.05, False))
    assert handler.events == ["start", "pickup None", "timeout", "close"]
    assert (worker.did_timeout(), worker.num_timeout(), list(worker.iter_keys_timeout())) == (True, 1, ["k"])
    assert worker.retcode() is None


def test_popen_needs_a_command() -> None:
    """At once."""
    refused(UsageError, "missing command parameter in WorkerPopen constructor", lambda: WorkerPopen(""))


def test_popen_finds_the_end_of_its_input_if_told(task: Task) -> None:
    """``stdin=False``: nobody has to write the end."""
    assert _ran(task, WorkerPopen("cat; echo over", stdin=False)).read() == b"over"


def test_percent_signs_of_a_command_without_nodes_are_its_own(task: Task) -> None:
    """There is no node to put in."""
    assert task.run("echo %h %n").read() == b"%h %n"


# -- ExecWorker ---------------------------------------------------------------------------------------


def test_exec(task: Task) -> None:
    """One process a node, with placeholders replaced; buffers come with node sets."""
    worker = _ran(task, ExecWorker("n[1-3]", None, command="echo %n | sed s/2/0/; exit %n"))
    assert worker.nodes == NodeSet("n[1-3]")
    assert written_down(worker.iter_buffers()) == [(b"0", "n1,n3"), (b"1", "n2")]
    assert [type(nodes) for _, nodes in worker.iter_buffers()] == [NodeSet, NodeSet]
    assert written_down(worker.iter_retcodes()) == [(0, "n1"), (1, "n2"), (2, "n3")]
    assert list(worker.iter_node_buffers()) == [("n1", b"0"), ("n3", b"0"), ("n2", b"1")]
    assert list(worker.iter_node_retcodes()) == [("n1", 0), ("n2", 1), ("n3", 2)]
    assert (worker.node_buffer("n2"), worker.node_retcode("n3"), worker.node_rc("n3")) == (b"1", 2, 2)


def test_exec_with_standard_error_apart(task: Task) -> None:
    """It has getters of its own."""
    worker = _ran(task, ExecWorker("n[1-2]", None, command="echo out; echo err %h >&2", stderr=True))
    assert written_down(worker.iter_buffers()) == [(b"out", "n1,n2")]
    assert written_down(worker.iter_errors()) == [(b"err n1", "n1"), (b"err n2", "n2")]
    assert list(worker.iter_node_errors()) == [("n1", b"err n1"), ("n2", b"err n2")]
    assert (worker.node_error("n2"), worker.node_error_buffer("n2")) == (b"err n2", b"err n2")
    assert worker.read("n1", "stderr") == b"err n1"


def test_getters_that_are_given_nodes(task: Task) -> None:
    """Only these count; none, if none are given."""
    worker = _ran(task, ExecWorker("n[1-3]", None, command="echo out; exit 1"))
    assert written_down(worker.iter_buffers(["n1", "n3"])) == [(b"out", "n1,n3")]
    assert written_down(worker.iter_buffers(NodeSet("n2"))) == [(b"out", "n2")]
    assert written_down(worker.iter_retcodes({"n3"})) == [(1, "n3")]
    assert list(worker.iter_node_buffers(["n2"])) == [("n2", b"out")]
    assert list(worker.iter_buffers([])) == []
    assert list(worker.iter_errors(["n1"])) == []


def test_a_string_is_no_collection_of_nodes(task: Task) -> None:
    """It would match letters."""
    worker = _ran(task, ExecWorker("n1", None, command="echo out"))
    refused(
        TypeError,
        "match_keys: a collection of node names, not the string 'n1'",
        lambda: worker.iter_buffers("n1"),
    )


def test_a_node_that_the_worker_does_not_have(task: Task) -> None:
    """It has no status; its buffers are empty."""
    worker = _ran(task, ExecWorker("n1", None, command="echo out"))
    refused(KeyError, "'n9'", lambda: worker.node_retcode("n9"))
    refused(KeyError, "'n9'", lambda: worker.read("n9"))
    assert (worker.node_buffer("n9"), worker.node_error("n9")) == (b"", b"")


def test_exec_timeout(task: Task) -> None:
    """Positional, as third argument; a node that was in time has its status."""
    worker = _ran(task, ExecWorker("n[1-2]", None, 0.05, command="test %n = 0 || exec sleep 60"))
    assert (worker.num_timeout(), list(worker.iter_keys_timeout())) == (1, ["n2"])
    assert list(worker.iter_node_retcodes()) == [("n1", 0)]


@pytest.mark.parametrize("timeout", [-1, None])
def test_no_timeout(task: Task, timeout: float | None) -> None:
    """ClusterShell's -1, and None."""
    assert _ran(task, ExecWorker("n1", None, timeout, command="true")).node_retcode("n1") == 0
    assert (no_limit(timeout), no_limit(0), no_limit(1.5)) == (None, 0, 1.5)


@pytest.mark.parametrize("kind", [ExecWorker, WorkerSsh])
def test_a_command_is_needed(kind: type[ExecWorker]) -> None:
    """At once, under the name of the class."""
    text = f"missing command or source parameter in {kind.__name__} constructor"
    refused(UsageError, text, lambda: kind("n1", None))


def test_nodes_are_needed() -> None:
    """Nothing runs here instead."""
    with pytest.raises(EmptyTargetsError):
        ExecWorker("", None, command="true")


def test_an_unknown_placeholder_is_refused_when_scheduled(task: Task) -> None:
    """Nothing else of the run is lost; the worker is not scheduled."""
    other = task.shell("echo out")
    worker = ExecWorker("n1", None, command="date +%H")
    with pytest.raises(PlaceholderError, match="%H"):
        task.schedule(worker)
    task.run()
    assert (worker.task, other.read()) == (None, b"out")


# -- every worker -------------------------------------------------------------------------------------


def test_a_worker_is_scheduled_once(task: Task) -> None:
    """Neither in the same run, nor in the next, nor in another task."""
    worker = WorkerPopen("echo out")
    task.schedule(worker)
    for _ in range(2):
        refused(WorkerError, "worker has already been scheduled", lambda: task.schedule(worker))
        task.run()
    elsewhere = Aside(lambda: Task(thread=threading.current_thread()).schedule(worker))
    refused(WorkerError, "worker has already been scheduled", elsewhere.result)
    assert worker.read() == b"out"


def test_scheduled_by_several_threads_at_once(task: Task) -> None:
    """One of them has its way."""
    worker = WorkerPopen("echo out")
    ready = threading.Barrier(8)

    def schedule() -> bool:
        ready.wait()
        try:
            task.schedule(worker)
        except WorkerError:
            return False
        return True

    assert sorted(all_of([Aside(schedule) for _ in range(8)])) == [False] * 7 + [True]
    task.run()
    assert (worker.read(), len(task.result.all())) == (b"out", 1)


def test_before_it_is_scheduled_there_is_nothing() -> None:
    """Its getters answer all the same."""
    worker = ExecWorker("n1", None, command="true")
    assert (worker.task, worker.read(), worker.node_buffer("n1"), worker.node_error("n1")) == (
        None,
        None,
        b"",
        b"",
    )
    refused(KeyError, "'n1'", lambda: worker.node_retcode("n1"))
    for iterate in (
        worker.iter_buffers,
        worker.iter_errors,
        worker.iter_retcodes,
        worker.iter_node_buffers,
        worker.iter_node_errors,
        worker.iter_node_retcodes,
        worker.iter_keys_timeout,
    ):
        assert list(iterate()) == []
    assert (worker.num_timeout(), worker.did_timeout()) == (0, False)
    worker.flush_buffers()
    worker.flush_errors()
    worker.abort()
    assert WorkerPopen("true").retcode() is None


def test_a_worker_keeps_what_it_brought(task: Task) -> None:
    """Later runs are no concern of it."""
    first = task.run("echo one")
    second = task.run("echo two")
    assert (first.read(), second.read(), task.key_buffer("localhost")) == (b"one", b"two", b"two")
    assert (first.task, repr(first)) == (task, "<WorkerPopen 'echo one'>")


def test_written_before_it_is_scheduled(task: Task) -> None:
    """Every node gets it."""
    worker = ExecWorker("n[1-2]", None, command="cat")
    worker.write(b"one\n")
    worker.write(b"two\n")
    worker.set_write_eof()
    assert written_down(_ran(task, worker).iter_buffers()) == [(b"one\ntwo", "n1,n2")]


def test_written_by_its_handler(task: Task) -> None:
    """What comes back is the answer to it."""
    heard: list[bytes] = []

    def ev_read(worker: Any) -> None:
        heard.append(worker.current_msg)
        if len(heard) < 4:
            worker.write(b"%d\n" % len(heard))
        else:
            worker.set_write_eof()

    worker = WorkerPopen("cat", handler=Says("ev_read", ev_read))
    worker.write(b"0\n")
    _ran(task, worker)
    assert heard == [b"0", b"1", b"2", b"3"]


def test_written_by_other_threads_while_it_is_scheduled_and_runs(task: Task) -> None:
    """Nothing is lost, and each thread's lines keep their order."""
    worker = WorkerPopen("cat")
    begun, half = threading.Event(), threading.Event()

    def write(name: bytes) -> None:
        for number in range(200):
            worker.write(b"%s %d\n" % (name, number))
            if number == 100:
                half.set()

    names = (b"a", b"b", b"c")
    writers = [Aside(partial(write, name)) for name in names]
    waited(half)
    worker.eh = Says("ev_start", lambda worker: begun.set())

    def close() -> None:
        waited(begun)
        all_of(writers)
        worker.set_write_eof()

    closing = Aside(close)
    _ran(task, worker)
    closing.result()
    lines = [line.split() for line in (worker.read() or b"").splitlines()]
    for name in names:
        assert [int(number) for writer, number in lines if writer == name] == list(range(200))


def test_too_late_to_write(task: Task) -> None:
    """After the end was written there is an error; in another thread it is in the log alone."""
    worker = WorkerPopen("cat")
    worker.set_write_eof()
    task.schedule(worker)
    refused(
        TaskStateError,
        "the end of the input has been written: nothing can follow it",
        lambda: worker.write(b"x"),
    )
    task.run()


def test_abort_of_one_worker(task: Task) -> None:
    """In a handler; the others go on, and what it has printed is kept."""
    other = WorkerPopen("read line; echo $line")

    def ev_read(worker: Any) -> None:
        worker.abort()
        worker.abort()
        other.write(b"went on\n")

    worker = WorkerPopen("echo out; exec sleep 60", handler=Says("ev_read", ev_read))
    task.schedule(other)
    _ran(task, worker)
    assert (worker.read(), worker.retcode(), other.read(), other.retcode()) == (b"out", None, b"went on", 0)


def test_abort_of_one_worker_by_another_thread(task: Task) -> None:
    """Its handler hears the end of it."""
    handler = New()
    started = threading.Event()
    handler.ev_start = lambda worker: started.set()  # type: ignore[method-assign]
    worker = WorkerPopen("exec sleep 60", "k", handler)

    def abort() -> None:
        waited(started)
        worker.abort()

    aborting = Aside(abort)
    _ran(task, worker)
    aborting.result()
    assert handler.events == ["pickup k", "close False"]


def test_autoclose(task: Task) -> None:
    """When all else is over, it is aborted."""
    worker = WorkerPopen("echo out; exec sleep 60", autoclose=True)
    task.schedule(worker)
    task.run("true")
    assert (worker.retcode(), task.result.summary()) == (None, "1 ok, 1 aborted (localhost)")


def test_flush(task: Task) -> None:
    """What was printed so far is forgotten, by the worker alone."""
    worker = _ran(task, ExecWorker("n1", None, command="echo out; echo err >&2", stderr=True))
    worker.flush_buffers()
    assert (worker.node_buffer("n1"), worker.node_error("n1")) == (b"", b"err")
    worker.flush_errors()
    assert (worker.read("n1"), worker.read("n1", "stderr")) == (None, None)


def test_names_of_the_streams() -> None:
    """Scripts compare with them."""
    assert (Worker.SNAME_STDIN, Worker.SNAME_STDOUT, Worker.SNAME_STDERR) == ("stdin", "stdout", "stderr")


# -- StreamWorker and WorkerSimple --------------------------------------------------------------------


def test_streams(task: Task) -> None:
    """Named; what is read comes with its name, what is written goes to the one that is named, or to all."""
    (r1, w1), (r2, w2), (r3, w3) = os.pipe(), os.pipe(), os.pipe()
    for writer, text in ((w1, b"one\n"), (w2, b"two")):
        os.write(writer, text)
        os.close(writer)
    handler = New()
    worker = StreamWorker(handler, key="k")
    worker.set_reader("first", r1)
    worker.set_reader("stdout", r2)
    worker.set_writer("out", w3)
    worker.write(b"all ")
    worker.write(b"named", "out")
    worker.set_write_eof("out")
    _ran(task, worker)
    assert os.read(r3, 100) == b"all named"
    os.close(r3)
    assert sorted(handler.events[2:-1]) == ["read k first one", "read k stdout two"]
    assert (handler.events[:2], handler.events[-1]) == (["start", "pickup k"], "close False")
    assert (worker.read(), task.key_buffer("k"), list(task.iter_retcodes())) == (b"two", b"two", [])


def test_streams_of_the_older_kind_of_handler(task: Task) -> None:
    """current_sname says which."""
    reader, writer = os.pipe()
    os.write(writer, b"line\n")
    os.close(writer)
    handler = Old()
    worker = StreamWorker(handler)
    worker.set_key("later")
    worker.set_reader("console", reader)
    _ran(task, worker)
    assert handler.events == ["start", "pickup later", "read later console b'line'", "close"]


def test_a_stream_that_does_not_retain_the_worker(task: Task) -> None:
    """It is over when the others are; the file is left open if it is told so."""
    (r1, w1), (r2, w2) = os.pipe(), os.pipe()
    os.close(w1)
    worker = StreamWorker(None, "k", False, -1, False)
    worker.set_reader("short", r1, closefd=True)
    worker.set_reader("long", r2, retain=False, closefd=False)
    _ran(task, worker)
    os.close(r2)
    os.close(w2)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(r1)


def test_streams_time_out(task: Task) -> None:
    """All of it has the time that is given."""
    reader, writer = os.pipe()
    handler = Old()
    worker = StreamWorker(handler, "k", timeout=0.05)
    worker.set_reader("in", reader)
    _ran(task, worker)
    os.close(writer)
    assert (handler.events, list(worker.iter_keys_timeout())) == (
        ["start", "pickup k", "timeout", "close"],
        ["k"],
    )


def test_streams_are_added_before_it_is_scheduled(task: Task) -> None:
    """ClusterShell's text."""
    reader, writer = os.pipe()
    os.close(writer)
    worker = StreamWorker(None)
    worker.set_reader("in", reader)
    task.schedule(worker)
    for call in (
        lambda: worker.set_reader("in2", reader),
        lambda: worker.set_writer("out", reader),
        lambda: worker.set_key("k"),
    ):
        refused(WorkerError, "cannot add new stream at runtime", call)
    task.run()


def test_a_stream_that_is_not_there(task: Task) -> None:
    """What was written before is looked at when the worker is scheduled, which it then is not."""
    worker = StreamWorker(None)
    worker.write(b"x", "nowhere")
    with pytest.raises(UsageError, match="no writer"):
        task.schedule(worker)
    assert worker.task is None


def test_simple(task: Task, tmp_path: Path) -> None:
    """Up to three files under the usual names, in ClusterShell's order of arguments."""
    out, err, into = tmp_path / "out", tmp_path / "err", tmp_path / "in"
    out.write_bytes(b"from out\n")
    err.write_bytes(b"from err\n")
    handler = Old()
    worker = WorkerSimple(out.open("rb"), into.open("wb"), err.open("rb"), "k", handler, stderr=True)
    worker.write(b"written")
    worker.set_write_eof()
    _ran(task, worker)
    assert sorted(handler.events) == [
        "close",
        "error None stderr b'from err'",
        "pickup None",
        "read None stdout b'from out'",
        "start",
    ]
    assert (worker.read(), worker.error(), into.read_bytes()) == (b"from out", b"from err", b"written")


def test_simple_with_one_file_that_stays_open(task: Task, tmp_path: Path) -> None:
    """Those that are None are left out."""
    path = tmp_path / "out"
    path.write_bytes(b"one\ntwo\n")
    with path.open("rb") as file:
        worker = _ran(task, WorkerSimple(file, None, None, "k", None, closefd=False))
        assert not file.closed
    assert worker.read() == b"one\ntwo"


# -- WorkerSsh ----------------------------------------------------------------------------------------


def test_ssh(task: Task, ssh_nodes: tuple[str, ...]) -> None:
    """By hand, against a real server: written to, with events, output and status of each node."""
    handler = New()
    nodes = NodeSet.fromlist(ssh_nodes)
    worker = WorkerSsh(
        nodes, handler, 20, command="read line; echo got $line; echo err >&2; exit 3", stderr=True
    )
    worker.write(b"hello\n")
    _ran(task, worker)
    assert written_down(worker.iter_buffers()) == [(b"got hello", ",".join(ssh_nodes))]
    assert written_down(worker.iter_errors()) == [(b"err", ",".join(ssh_nodes))]
    assert written_down(worker.iter_retcodes()) == [(3, ",".join(ssh_nodes))]
    for node in ssh_nodes:
        assert [event for event in handler.events if f" {node}" in event and "stderr" not in event] == [
            f"pickup {node}",
            f"read {node} stdout got hello",
            f"hup {node} 3",
        ]
    assert (handler.events[0], handler.events[-1]) == ("start", "close False")


def test_ssh_by_shell(task: Task, ssh_nodes: tuple[str, ...]) -> None:
    """It is what ``nodes=`` means."""
    worker = task.run("echo $((6 * 7))", nodes=",".join(ssh_nodes), stdin=False)
    assert (type(worker), worker.nodes) == (DistantWorker, NodeSet.fromlist(ssh_nodes))
    assert written_down(task.iter_buffers()) == [(b"42", ",".join(ssh_nodes))]


def test_a_worker_of_the_task_and_its_settings(task: Task) -> None:
    """What is left out is taken from the task; what is given counts."""
    task.set_default("stderr", True)
    task.set_info("command_timeout", 0.05)
    apart = ExecWorker("n1", None, command="echo err >&2; exec sleep 60")
    joined = ExecWorker("n1", None, 20, command="echo err >&2", stderr=False)
    for worker in (apart, joined):
        task.schedule(worker)
    task.run()
    assert (apart.node_error("n1"), apart.num_timeout()) == (b"err", 1)
    assert (joined.node_buffer("n1"), joined.num_timeout()) == (b"err", 0)


@pytest.mark.parametrize("handler", [EventHandler(), Says("ev_timer", print)])
def test_a_handler_may_be_any_object_with_methods(task: Task, handler: object) -> None:
    """Also one that hears nothing of workers."""
    assert _ran(task, ExecWorker("n1", handler, command="echo out")).node_buffer("n1") == b"out"
