"""Tests of asynctask.pump."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from asynctask.calling import Gate
from asynctask.events import EventHandler, Hooks, Progress
from asynctask.lines import PartialLine
from asynctask.outcome import Outcome
from asynctask.pump import HIGH_WATER, LOW_WATER, Listener, Pump
from asynctask.workers.base import Worker
from tests.support import AsyncRecorder, FakeSource, Recorder, Scripted, node_result, turns


async def _never(node: str, sink: object) -> Any:
    pytest.fail("the worker does not run here")


class Bench:
    """A pump with its handler, its source, and somebody who turns it."""

    def __init__(self, handler: object, nodes: Sequence[str] = ("a",), gate: Gate | None = None) -> None:
        self.source = FakeSource()
        self.gave_up: list[BaseException] = []
        self.read = 0
        worker = Scripted(_never, list(nodes))
        self.listener = Listener(worker, Hooks(handler), gate or Gate(), self.gave_up.append)
        self.pump = Pump(self.listener, tuple(nodes), self._output_done)
        self._nodes = nodes

    def _output_done(self) -> None:
        self.read += 1

    def start(self) -> None:
        """The command runs."""
        self.pump.started(self.source)

    def end(self, outcome: Outcome = Outcome.OK, rc: int | None = 0) -> None:
        """The target is over."""
        self.pump.end([node_result(node, outcome, rc) for node in self._nodes])

    async def turn(self) -> None:
        """Deliver all."""
        await self.pump.run()
        await self.pump.finish()

    @property
    def errors(self) -> list[tuple[str, list[str]]]:
        """What the handler raised, each with its notes."""
        return [(repr(exc), exc.__notes__) for exc in self.listener.errors]


Handlers = [Recorder, AsyncRecorder]


@pytest.mark.parametrize("kind", Handlers)
async def test_the_events_of_a_command_that_ends(kind: type[Recorder]) -> None:
    """Each once and in order, for plain and async handlers alike."""
    handler = kind()
    bench = Bench(handler)
    bench.start()
    bench.pump.data("stdout", b"one\ntw")
    bench.pump.data("stderr", b"oops\n")
    bench.pump.data("stdout", b"o\nthree")
    bench.end(Outcome.FAILED, 3)
    await bench.turn()
    assert handler.events == [
        "start",
        "pickup a",
        "read a stdout one",
        "read a stderr oops",
        "read a stdout two",
        "read a stdout three",
        "hup a 3",
        "end a failed",
    ]
    assert (bench.read, bench.errors) == (1, [])


@pytest.mark.parametrize("kind", Handlers)
async def test_the_events_of_a_command_that_was_stopped(kind: type[Recorder]) -> None:
    """There is no ev_hup without an exit status; the unfinished line is delivered."""
    handler = kind()
    bench = Bench(handler)
    bench.start()
    bench.pump.data("stdout", b"half")
    bench.end(Outcome.TIMED_OUT, None)
    await bench.turn()
    assert handler.events == ["start", "pickup a", "read a stdout half", "end a timed out"]


async def test_the_events_of_a_command_that_never_ran() -> None:
    """The end alone."""
    handler = Recorder()
    bench = Bench(handler)
    bench.end(Outcome.SPAWN_FAILED, None)
    await bench.turn()
    assert handler.events == ["end a could not spawn"]


async def test_events_come_while_the_command_runs() -> None:
    """Not all at its end."""
    handler = Recorder()
    bench = Bench(handler)
    turning = asyncio.create_task(bench.turn())
    bench.start()
    await turns(2)
    assert handler.events == ["start", "pickup a"]
    bench.pump.data("stdout", b"one\n")
    await turns(2)
    assert handler.events[2:] == ["read a stdout one"]
    bench.end()
    await turning
    assert handler.events[3:] == ["hup a 0", "end a ok"]


async def test_ev_start_comes_once_and_first() -> None:
    """A target that starts while ev_start is awaited waits for it."""
    handler = AsyncRecorder()
    first = Bench(handler)
    second = Bench(handler, ("b",))
    second.pump.listener = first.listener
    for bench in (first, second):
        bench.start()
        bench.end()
    await asyncio.gather(first.turn(), second.turn())
    assert handler.events[0] == "start"
    assert sorted(handler.events[1:3]) == ["pickup a", "pickup b"]
    assert handler.events.count("start") == 1


async def test_several_nodes_of_one_process_hear_each_event() -> None:
    """In the order of the nodes."""
    handler = Recorder()
    bench = Bench(handler, ("a", "b"))
    bench.start()
    bench.pump.data("stdout", b"1\n2\n")
    bench.end()
    await bench.turn()
    assert handler.events == [
        "start",
        "pickup a",
        "pickup b",
        "read a stdout 1",
        "read a stdout 2",
        "read b stdout 1",
        "read b stdout 2",
        "hup a 0",
        "hup b 0",
        "end a ok",
        "end b ok",
    ]


async def test_a_line_that_is_too_long_comes_in_marked_pieces() -> None:
    """Nothing of it is dropped."""
    pieces: list[bytes] = []
    bench = Bench(SimpleNamespace(ev_read=lambda worker, node, sname, msg: pieces.append(msg)))
    bench.start()
    for _ in range(40):
        bench.pump.data("stdout", b"x" * 65536)
    bench.pump.data("stdout", b"\n")
    bench.end()
    await bench.turn()
    assert [len(piece) for piece in pieces] == [1 << 20, 1 << 20, 1 << 19]
    assert [isinstance(piece, PartialLine) for piece in pieces] == [True, True, False]


async def test_lines_in_bulk_for_those_in_the_house() -> None:
    """All lines of a chunk in one call, of a class that says so."""
    heard: list[tuple[str, list[bytes]]] = []

    class Bulk:
        def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
            heard.append((sname, lines))

    bench = Bench(Bulk())
    bench.start()
    bench.pump.data("stdout", b"1\n2\n3")
    bench.end()
    await bench.turn()
    assert heard == [("stdout", [b"1", b"2"]), ("stdout", [b"3"])]


async def test_chunks_as_they_came_for_those_in_the_house() -> None:
    """With the ends of lines, which lines have lost; lines come as well if they are wanted."""
    heard: list[bytes] = []
    lines: list[bytes] = []

    class Exact:
        def _ev_chunk(self, worker: Worker, node: str, sname: str, chunk: bytes) -> None:
            heard.append(chunk)

    class Both(Exact):
        def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
            lines.append(msg)

    for handler in (Exact(), Both()):
        bench = Bench(handler)
        bench.start()
        bench.pump.data("stdout", b"1\r\n2\n3")
        bench.pump.data("stdout", b"\r")
        bench.end()
        await bench.turn()
    assert heard == [b"1\r\n2\n3", b"\r"] * 2
    assert lines == [b"1", b"2", b"3\r"]


# -- a handler that is slow -------------------------------------------------------------------------


class Turnstile(EventHandler):
    """Reads a line each time that it is let."""

    def __init__(self) -> None:
        self.lines = 0
        self.let = asyncio.Semaphore(0)

    async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        await self.let.acquire()
        self.lines += 1


async def test_a_slow_handler_pauses_its_source_and_resumes_it() -> None:
    """At the high-water mark and at the low-water mark, and each is counted once."""
    handler = Turnstile()
    bench = Bench(handler)
    turning = asyncio.create_task(bench.turn())
    bench.start()
    chunk = b"x" * 32767 + b"\n"
    while not bench.source.is_paused():
        bench.pump.data("stdout", chunk)
    assert bench.pump._pending == HIGH_WATER + len(chunk)
    bench.pump.data("stdout", chunk)  # what was on its way already
    assert (bench.source.calls, bench.listener.paused) == (["pause"], 1)
    while bench.source.is_paused():
        handler.let.release()
        await turns(3)
    assert bench.source.calls == ["pause", "resume"]
    assert bench.pump._pending == LOW_WATER
    for _ in range(10):
        handler.let.release()
    bench.end()
    await turning
    assert handler.lines == 10


async def test_without_a_source_nothing_can_be_paused() -> None:
    """A worker need not have one."""
    bench = Bench(Recorder())
    bench.pump.started(None)
    bench.pump.data("stdout", b"x\n" * HIGH_WATER)
    bench.end()
    await bench.turn()
    assert bench.listener.paused == 0


async def test_output_that_nobody_wants_is_not_kept() -> None:
    """A handler without ev_read costs no memory and is never behind."""
    bench = Bench(SimpleNamespace(ev_hup=print, ev_end=lambda *args: None))
    bench.start()
    for _ in range(100):
        bench.pump.data("stdout", bytes(65536))
    assert (bench.pump._pending, bench.source.calls, len(bench.pump._queue)) == (0, [], 1)
    bench.end(Outcome.TIMED_OUT, None)
    await bench.turn()


async def test_a_plain_handler_with_much_to_do_gives_way_to_others() -> None:
    """One line a chunk, each worth a millisecond: the loop goes round all the same."""

    def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass

    bench = Bench(SimpleNamespace(ev_read=ev_read))
    bench.start()
    for _ in range(150):
        bench.pump.data("stdout", b"x\n")
    bench.end()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await bench.turn()
    ticking.cancel()
    assert 5 <= ticks < 150


async def test_slow_plain_handlers_share_the_turns_of_the_loop() -> None:
    """The more there are, the less of a turn each has; all get on alike."""
    clock = 0.0
    done: list[str] = []
    longest = 0.0

    def ev_read(worker: Worker, node: str, sname: str, msg: bytes) -> None:
        nonlocal clock
        clock += 0.001
        done.append(node)

    async def tick() -> None:
        nonlocal longest
        while True:
            before = clock
            await asyncio.sleep(0)
            longest = max(longest, clock - before)

    gate = Gate()
    names = [f"n{number}" for number in range(16)]
    benches = [Bench(SimpleNamespace(ev_read=ev_read), [name], gate) for name in names]
    for bench in benches:
        bench.start()
        bench.pump.data("stdout", b"x\n" * 50)
        bench.end()
    loop = asyncio.get_running_loop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asynctask.pump.asyncio.get_running_loop", lambda: SimpleNamespace(time=lambda: clock))
        ticking = loop.create_task(tick())
        await asyncio.gather(*(bench.turn() for bench in benches))
        ticking.cancel()
    assert gate.busy == 0
    assert [done.count(name) for name in names] == [50] * 16
    assert longest < 0.03


# -- a handler that raises --------------------------------------------------------------------------


def _raising(name: str, error: BaseException | None = None, *, is_async: bool = False) -> Recorder:
    """A recorder whose one method raises after it has written."""
    handler = Recorder()
    record: Callable[..., None] = getattr(handler, name)

    def plain(*args: object) -> None:
        record(*args)
        raise error or ValueError(f"in {name}")

    async def waiting(*args: object) -> None:
        await asyncio.sleep(0)
        plain(*args)

    setattr(handler, name, waiting if is_async else plain)
    return handler


ALL = ["start", "pickup a", "read a stdout one", "read a stdout two", "hup a 0", "end a ok"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("name", "heard", "where"),
    [
        ("ev_start", ALL, "raised in ev_start"),
        ("ev_pickup", [*ALL[:2], ALL[-1]], "raised in ev_pickup for a"),
        ("ev_read", [*ALL[:3], ALL[-1]], "raised in ev_read for a"),
        ("ev_hup", ALL, "raised in ev_hup for a"),
        ("ev_end", ALL, "raised in ev_end for a"),
    ],
)
async def test_a_hook_that_raises_mutes_its_target_but_for_the_end(
    name: str, heard: list[str], where: str, is_async: bool
) -> None:
    """ev_start belongs to the worker, so a target goes on after it."""
    handler = _raising(name, is_async=is_async)
    bench = Bench(handler)
    bench.start()
    bench.pump.data("stdout", b"one\n")
    bench.pump.data("stdout", b"two\n")
    bench.end()
    await bench.turn()
    assert handler.events == heard
    assert bench.errors == [(f"ValueError('in {name}')", [where])]
    assert (bench.read, bench.gave_up) == (1, [])


async def test_the_rest_of_a_chunk_is_not_read_after_an_error() -> None:
    """The line that it raised for is the last."""
    handler = _raising("ev_read")
    bench = Bench(handler)
    bench.start()
    bench.pump.data("stdout", b"one\ntwo\n")
    bench.end()
    await bench.turn()
    assert handler.events == ["start", "pickup a", "read a stdout one", "end a ok"]


async def test_a_muted_target_is_never_paused() -> None:
    """Its output is not delivered any more, and one that was paused goes on."""
    release = asyncio.Event()

    async def ev_read(*args: object) -> None:
        await release.wait()
        raise ValueError

    bench = Bench(SimpleNamespace(ev_read=ev_read))
    turning = asyncio.create_task(bench.turn())
    bench.start()
    bench.pump.data("stdout", b"x\n")
    bench.pump.data("stdout", bytes(HIGH_WATER))
    assert bench.source.is_paused()
    release.set()
    await turns(3)
    assert bench.source.calls == ["pause", "resume"]
    bench.pump.data("stdout", bytes(2 * HIGH_WATER))
    assert (bench.source.calls, len(bench.pump._queue)) == (["pause", "resume"], 0)
    bench.end()
    await turning


class Quit(BaseException):
    """Ends the program."""


@pytest.mark.parametrize("error", [Quit("x"), KeyboardInterrupt(), SystemExit(3)], ids=repr)
async def test_what_ends_the_program_is_given_to_the_run(error: BaseException) -> None:
    """It does not end the loop in the middle of things."""
    handler = _raising("ev_read", error)
    bench = Bench(handler)
    bench.start()
    bench.pump.data("stdout", b"one\ntwo\n")
    bench.end()
    await bench.turn()
    assert handler.events == ["start", "pickup a", "read a stdout one", "end a ok"]
    assert (bench.gave_up, bench.errors) == ([error], [])


async def test_a_cancellation_that_a_hook_lets_escape_is_an_error_of_the_hook() -> None:
    """It waited for something that somebody else cancelled."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()

    async def ev_pickup(*args: object) -> None:
        await future

    bench = Bench(SimpleNamespace(ev_pickup=ev_pickup))
    bench.start()
    bench.end()
    await bench.turn()
    assert bench.errors == [
        ("RuntimeError('ev_pickup raised CancelledError by itself')", ["raised in ev_pickup for a"])
    ]


async def test_of_the_progress_of_a_copy_only_the_latest_waits() -> None:
    """However slow the handler is, and whatever else waits; each that is heard comes in its place."""
    heard: list[tuple[str, Progress]] = []
    pump: list[Pump] = []

    async def ev_progress(worker: Worker, node: str, progress: Progress) -> None:
        heard.append((node, progress))
        if len(heard) == 1:
            for done in range(10, 1000):
                pump[0].progress(_progress(done))
            await asyncio.sleep(0)

    bench = Bench(SimpleNamespace(ev_progress=ev_progress))
    pump.append(bench.pump)
    bench.start()
    bench.pump.progress(_progress(1))
    bench.pump.progress(_progress(2))
    assert len(bench.pump._queue) == 2
    bench.end()
    await bench.turn()
    bench.pump.progress(_progress(3))  # too late
    assert heard == [("a", _progress(2)), ("a", _progress(999))]
    assert not bench.pump._queue


async def test_a_handler_that_hears_no_progress() -> None:
    """Nothing waits for it."""
    bench = Bench(Recorder())
    bench.pump.progress(_progress(1))
    assert not bench.pump._queue


async def test_a_handler_that_raises_hears_no_more_progress() -> None:
    """Of that target."""

    def ev_progress(worker: Worker, node: str, progress: Progress) -> None:
        raise ZeroDivisionError

    bench = Bench(SimpleNamespace(ev_progress=ev_progress))
    bench.start()
    bench.pump.progress(_progress(1))
    turn = asyncio.create_task(bench.turn())
    await turns(3)
    bench.pump.progress(_progress(2))
    bench.end()
    await turn
    assert bench.errors == [("ZeroDivisionError()", ["raised in ev_progress for a"])]


def _progress(done: int) -> Progress:
    return Progress("file", done, None, 0)


async def test_a_pump_that_is_over_holds_nobody() -> None:
    """Thousands of targets that hold themselves are work for the garbage collector, half of a run's."""
    bench = Bench(Recorder())
    bench.start()
    bench.end()
    await bench.turn()
    assert (bench.read, bench.pump._output_done, bench.pump._source) == (1, None, None)


async def test_a_cancelled_pump_can_still_wait_for_the_end() -> None:
    """What is left is dropped; the end is told once, and not again."""
    handler = Recorder()
    started = asyncio.Event()
    record = handler.ev_read

    async def ev_read(*args: Any) -> None:
        record(*args)
        started.set()
        await asyncio.Event().wait()

    handler.ev_read = ev_read  # type: ignore[assignment]
    bench = Bench(handler)
    bench.start()
    bench.pump.data("stdout", b"one\ntwo\n")
    running = asyncio.create_task(bench.pump.run())
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    over = asyncio.create_task(bench.pump.over())
    await turns(2)
    assert (over.done(), bench.read) == (False, 1)
    over.cancel()  # does not help
    await turns(2)
    assert not over.done()
    bench.end(Outcome.ABORTED, None)
    await over
    await bench.pump.finish()
    await bench.pump.finish()
    assert handler.events == ["start", "pickup a", "read a stdout one", "end a aborted"]


async def test_each_node_hears_its_end_though_the_first_was_cut_short() -> None:
    """One process for three nodes, and a handler that waits for ever."""
    begun: list[str] = []

    async def ev_end(worker: Worker, node: str, result: object) -> None:
        begun.append(node)
        await asyncio.Event().wait()

    bench = Bench(SimpleNamespace(ev_end=ev_end), ("a", "b", "c"))
    bench.end()
    finishing = asyncio.create_task(bench.pump.finish())
    for _ in range(3):
        await turns(2)
        finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    await bench.pump.finish()
    assert begun == ["a", "b", "c"]
