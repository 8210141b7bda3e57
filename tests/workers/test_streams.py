"""Tests of asynctask.workers.streams: real pipes, terminals, sockets and files."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import TaskStateError, UsageError
from asynctask.events import EventHandler
from asynctask.outcome import Outcome
from asynctask.task import Task
from asynctask.workers.base import Worker
from asynctask.workers.streams import StreamWorker
from asynctask.workers.writing import HIGH_WATER
from tests.support import refused, turns
from tests.workers.ends import Ends, Log, begin, is_open, run, until_read

# -- reading ----------------------------------------------------------------------------------------


async def test_what_comes_in_is_delivered_line_by_line(ends: Ends) -> None:
    """Under the name of the stream, with the key as node; at the end there is no exit status."""
    source, end = ends.pipe()
    os.write(end, b"one\ntwo\nthree")
    os.close(end)
    log = Log()
    worker = StreamWorker(log, "box")
    worker.set_reader("console", source)
    result = await run(worker)
    assert log.events == [
        "start",
        "pickup box",
        "read box console one",
        "read box console two",
        "read box console three",
        "end box ok",
        "close False",
    ]
    assert (result["box"].outcome, result["box"].rc, result["box"].stdout) == (Outcome.OK, None, b"")
    assert not is_open(source)


async def test_output_is_gathered_under_the_names_of_standard_streams(ends: Ends) -> None:
    """And told line by line all the same."""
    worker = StreamWorker(log := Log(), stderr=True)
    for name in ("stdout", "stderr"):
        source, end = ends.pipe()
        os.write(end, f"on {name}\n".encode())
        os.close(end)
        worker.set_reader(name, source)
    result = await run(worker)
    assert (result["streams"].stdout, result["streams"].stderr) == (b"on stdout\n", b"on stderr\n")
    assert sorted(log.of("streams")) == [
        "end streams ok",
        "pickup streams",
        "read streams stderr on stderr",
        "read streams stdout on stdout",
    ]
    assert (worker.read(), worker.read(sname="stderr")) == (b"on stdout", b"on stderr")


async def test_what_comes_later_is_delivered_when_it_comes(ends: Ends) -> None:
    """Not all at the end."""
    source, end = ends.pipe()
    heard = asyncio.Queue[bytes]()

    class Listener(EventHandler):
        def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            heard.put_nowait(msg)

    worker = StreamWorker(Listener())
    worker.set_reader("in", source)
    running = begin(worker)
    for line in (b"1", b"2", b"3"):
        os.write(end, line + b"\n")
        assert await heard.get() == line
    assert not running.done()
    os.close(end)
    await running


async def test_a_plain_file_is_read_to_its_end(tmp_path: Path) -> None:
    """No loop can say when it is ready."""
    (tmp_path / "log").write_bytes(b"".join(b"line %d\n" % number for number in range(40_000)))
    log = Log()
    worker = StreamWorker(log)
    file = (tmp_path / "log").open("rb")
    worker.set_reader("file", file)
    await run(worker)
    assert log.events[2:-2] == [f"read streams file line {number}" for number in range(40_000)]
    assert file.closed


async def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    """It ends at once."""
    worker = StreamWorker(log := Log())
    worker.set_reader("file", Path("/dev/null").open("rb"))  # noqa: SIM115 - the worker closes it
    await run(worker)
    assert log.events == ["start", "pickup streams", "end streams ok", "close False"]


async def test_a_terminal_ends_when_its_other_side_is_gone(ends: Ends) -> None:
    """The system calls that an error."""
    master, slave = ends.terminal()
    worker = StreamWorker(log := Log())
    worker.set_reader("tty", master)
    running = begin(worker)
    os.write(slave, b"login:\n")
    while "read streams tty login:" not in log.events:
        await asyncio.sleep(0.001)
    os.close(slave)
    await running
    assert log.events[2:] == ["read streams tty login:", "end streams ok", "close False"]


async def test_a_socket_is_read_and_written() -> None:
    """Both directions of one descriptor, which is closed when both have ended."""
    ours, theirs = socket.socketpair()
    worker = StreamWorker(log := Log())
    worker.set_reader("in", ours)
    worker.set_writer("out", ours)
    worker.write(b"hello")
    with theirs:
        running = begin(worker)
        assert await until_read(theirs.fileno(), 5) == b"hello"
        theirs.sendall(b"you too\n")
        theirs.shutdown(socket.SHUT_WR)
        while worker._readers["in"].open:
            await asyncio.sleep(0.001)
        assert ours.fileno() != -1
        worker.write(b"bye")
        worker.set_write_eof()
        await running
        assert (ours.fileno(), theirs.recv(10), theirs.recv(10)) == (-1, b"bye", b"")
    assert log.events == [
        "start",
        "pickup streams",
        "written streams out 5",
        "read streams in you too",
        "written streams out 3",
        "end streams ok",
        "close False",
    ]


async def test_a_slow_handler_pauses_the_stream(ends: Ends) -> None:
    """What is not read stays in the pipe; nothing is lost."""
    source, end = ends.pipe()
    os.set_blocking(end, False)
    lines: list[int] = []
    let = asyncio.Event()

    class Slow(EventHandler):
        async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            await let.wait()
            lines.append(len(msg))

    worker = StreamWorker(Slow())
    worker.set_reader("in", source)
    task = Task()
    task.schedule(worker)
    running = asyncio.create_task(task.run(timeout=20))
    sent, quiet, line = 0, 0, b"x" * 4095 + b"\n"
    while quiet < 20:  # the pipe stays full: nobody reads any more
        try:
            sent += os.write(end, line)
            quiet = 0
        except BlockingIOError:
            quiet += 1
            await asyncio.sleep(0.001)
    statistics = task.statistics()
    assert statistics is not None
    assert (statistics.paused, lines) == (1, [])
    assert sent < 2 * HIGH_WATER
    os.close(end)
    let.set()
    await running
    assert lines == [4095] * (sent // 4096)


async def test_a_file_of_a_slow_handler_is_read_once(tmp_path: Path) -> None:
    """However often it is paused."""
    (tmp_path / "log").write_bytes(b"".join(b"%07d\n" % number for number in range(60_000)))
    numbers: list[int] = []

    class Slow(EventHandler):
        async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            numbers.append(int(msg))
            if len(numbers) % 5000 == 0:
                await turns(3)

    worker = StreamWorker(Slow())
    worker.set_reader("file", (tmp_path / "log").open("rb"))
    await run(worker)
    assert numbers == list(range(60_000))


# -- what keeps it going, and its end ---------------------------------------------------------------


async def test_the_worker_goes_on_while_a_stream_retains_it(ends: Ends) -> None:
    """One that does not is closed with it."""
    (source, end), (other, other_end) = ends.pipe(), ends.pipe()
    worker = StreamWorker(log := Log())
    worker.set_reader("a", source)
    worker.set_reader("b", other, retain=False)
    running = begin(worker)
    os.write(other_end, b"hi\n")
    while "read streams b hi" not in log.events:
        await asyncio.sleep(0.001)
    assert not running.done()
    os.close(end)
    await running
    assert (is_open(source), is_open(other)) == (False, False)


async def test_a_stream_that_does_not_retain_may_end_first(ends: Ends) -> None:
    """The others go on."""
    (source, end), (other, other_end) = ends.pipe(), ends.pipe()
    os.close(other_end)
    worker = StreamWorker()
    worker.set_reader("a", source)
    worker.set_reader("b", other, retain=False)
    running = begin(worker)
    while is_open(other):
        await asyncio.sleep(0.001)
    assert not running.done()
    os.close(end)
    await running


async def test_a_worker_without_streams_is_over_at_once() -> None:
    """There is nothing to wait for."""
    assert (await run(StreamWorker()))["streams"].outcome is Outcome.OK


async def test_a_descriptor_can_be_kept_open(ends: Ends) -> None:
    """It belongs to the program then."""
    (source, end), (other, other_end) = ends.pipe(), ends.pipe()
    os.close(end)
    worker = StreamWorker()
    worker.set_reader("in", source, closefd=False)
    worker.set_writer("out", other_end, closefd=False)
    worker.set_write_eof()
    await run(worker)
    assert (is_open(source), is_open(other_end), is_open(other)) == (True, True, True)


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_descriptor_that_is_kept_is_as_it_was(ends: Ends, blocking: bool) -> None:
    """Others may use it, and rely on whether it blocks; a terminal and a pipe alike."""
    source, slave = ends.terminal()
    end, other = ends.pipe()
    for fd in (slave, end):
        os.set_blocking(fd, blocking)
    os.close(other)
    worker = StreamWorker()
    worker.set_reader("in", end, closefd=False)
    worker.set_writer("out", slave, closefd=False)
    worker.write(b"x")
    worker.set_write_eof()
    await run(worker)
    assert [os.get_blocking(fd) for fd in (slave, end)] == [blocking] * 2
    assert os.read(source, 10) == b"x"


async def test_an_aborted_worker_lets_go_of_all(ends: Ends) -> None:
    """What waits to be written is told."""
    (source, _), (_, end) = ends.pipe(), ends.pipe()
    worker = StreamWorker(log := Log())
    worker.set_reader("in", source)
    worker.set_writer("out", end)
    running = begin(worker)
    await turns(10)
    worker.abort()
    result = await running
    assert (result["streams"].outcome, is_open(source), is_open(end)) == (Outcome.ABORTED, False, False)
    assert log.events == ["start", "pickup streams", "end streams aborted", "close False"]


async def test_a_worker_can_be_out_of_time(ends: Ends) -> None:
    """As a whole."""
    source, _ = ends.pipe()
    worker = StreamWorker(log := Log(), timeout=0.01)
    worker.set_reader("in", source)
    await run(worker)
    assert log.events == ["start", "pickup streams", "end streams timed out", "close True"]
    assert (is_open(source), worker.did_timeout()) == (False, True)


async def test_a_worker_need_not_keep_the_run_going(ends: Ends) -> None:
    """It is aborted when all else is over."""
    source, _ = ends.pipe()
    worker = StreamWorker(autoclose=True)
    worker.set_reader("in", source)
    assert (await run(worker))["streams"].outcome in {Outcome.ABORTED, Outcome.NEVER_STARTED}


# -- misuse -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["set_reader", "set_writer"])
@pytest.mark.parametrize("second", ["set_reader", "set_writer"])
def test_a_name_is_taken_once(ends: Ends, first: str, second: str) -> None:
    """Whether it is read or written."""
    worker = StreamWorker()
    getattr(worker, first)("a", ends.pipe()[0])
    refused(UsageError, "there is a stream 'a' already", lambda: getattr(worker, second)("a", ends.pipe()[0]))


@pytest.mark.parametrize("method", ["set_reader", "set_writer"])
def test_a_descriptor_is_taken_once_a_direction(ends: Ends, method: str) -> None:
    """Two readers would take each other's data."""
    worker = StreamWorker()
    fd = ends.pipe()[0]
    getattr(worker, method)("a", fd)
    refused(
        UsageError,
        f"stream 'b': {fd} is the stream 'a' already",
        lambda: getattr(worker, method)("b", fd),
    )


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (-1, "[Errno 9] Bad file descriptor"),
        (None, "'NoneType' object has no attribute 'fileno'"),
        ("path", "'str' object has no attribute 'fileno'"),
    ],
)
@pytest.mark.parametrize("method", ["set_reader", "set_writer"])
def test_a_stream_is_an_open_file(method: str, file: Any, why: str) -> None:
    """It is looked at when it is set."""
    refused(
        UsageError,
        f"stream 'a': {file!r} is no open file: {why}",
        lambda: getattr(StreamWorker(), method)("a", file),
    )


def test_a_file_that_is_closed_is_no_stream(tmp_path: Path) -> None:
    """Likewise."""
    with (tmp_path / "x").open("wb") as file:
        pass
    refused(
        UsageError,
        f"stream 'a': {file!r} is no open file: I/O operation on closed file",
        lambda: StreamWorker().set_writer("a", file),
    )


@pytest.mark.parametrize("method", ["set_reader", "set_writer"])
def test_a_scheduled_worker_takes_no_more_streams(ends: Ends, method: str) -> None:
    """They would not be read."""
    worker = StreamWorker()
    Task().schedule(worker)
    refused(
        TaskStateError,
        "a worker that is scheduled takes no more streams",
        lambda: getattr(worker, method)("a", ends.pipe()[0]),
    )


def test_writing_needs_a_writer(ends: Ends) -> None:
    """Nothing is dropped silently."""
    worker = StreamWorker()
    refused(UsageError, "the worker has no writer: set_writer() adds one", lambda: worker.write(b"x"))
    worker.set_reader("in", ends.pipe()[0])
    worker.set_writer("out", ends.pipe()[1])
    text = "no writer 'in': set_writer() adds one"
    refused(UsageError, text, lambda: worker.write(b"x", "in"))
    refused(UsageError, text, lambda: worker.set_write_eof("in"))


def test_nothing_can_be_written_after_the_end(ends: Ends) -> None:
    """Nor can something else than bytes."""
    worker = StreamWorker()
    worker.set_writer("out", ends.pipe()[1])
    refused(UsageError, "input is written as bytes, not str", lambda: worker.write("x"))  # type: ignore[arg-type]
    worker.set_write_eof()
    refused(
        TaskStateError,
        "the end of the input has been written: nothing can follow it",
        lambda: worker.write(b"x", "out"),
    )


async def test_a_worker_that_never_starts_closes_what_it_was_given() -> None:
    """And leaves open what it was only lent."""
    (given, _given), (lent, _lent) = socket.socketpair(), socket.socketpair()
    with given, _given, lent, _lent:
        worker = StreamWorker()
        worker.set_reader("given", given)
        worker.set_reader("lent", lent, closefd=False)
        task = Task()
        task.schedule(worker)
        worker.abort()
        await task.run()
        assert [result.outcome for result in worker.results()] == [Outcome.NEVER_STARTED]
        assert (given.fileno(), lent.fileno() >= 0) == (-1, True)
