"""Tests of asynctask.workers.exec."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from asynctask.errors import NoCapacityError, NodeError, PlaceholderError, SpawnError
from asynctask.events import Progress
from asynctask.outcome import Ended, Outcome
from asynctask.processes import LocalProcess, Spawner, kill_group
from asynctask.task import Task
from asynctask.waiting import Grace
from asynctask.workers.base import Source
from asynctask.workers.exec import ExecWorker
from asynctask.workers.resources import Resources
from tests.support import children

PATIENCE = 20.0


class Record:
    """What a worker reports for one target."""

    def __init__(self) -> None:
        self.output: dict[str, bytes] = {}
        self.sources: list[Source | None] = []
        self.heard = asyncio.Event()
        self.written_bytes = self.unwritten_bytes = 0

    def connected(self) -> None:
        pytest.fail("there is no connection")

    def started(self, source: Source | None = None) -> None:
        self.sources.append(source)

    def data(self, stream: str, chunk: bytes) -> None:
        self.output[stream] = self.output.get(stream, b"") + chunk
        self.heard.set()

    def written(self, stream: str, size: int) -> None:
        self.written_bytes += size

    def unwritten(self, stream: str, size: int) -> None:
        self.unwritten_bytes += size

    def progress(self, progress: Progress) -> None:
        pytest.fail("nothing is copied")

    @property
    def stdout(self) -> bytes:
        """Standard output, of a command that has no other."""
        assert self.output.keys() <= {"stdout"}
        return self.output.get("stdout", b"")


@pytest_asyncio.fixture
async def resources() -> AsyncIterator[Resources]:
    """What the workers of a run share."""
    resources = Resources()
    yield resources
    await resources.aclose()


Play = Callable[..., "asyncio.Task[Ended]"]


@pytest.fixture
def record() -> Record:
    """Where the one target of a test reports to."""
    return Record()


@pytest.fixture
def play(resources: Resources, record: Record) -> Play:
    """Runs one target of a new worker."""

    def play(
        command: str, nodes: tuple[str, ...] = ("web1",), *, place: int = 0, **settings: Any
    ) -> asyncio.Task[Ended]:
        worker = ExecWorker(command, nodes, **settings)
        unit = worker.units[place]
        return asyncio.create_task(worker.run_target(unit, place, record, resources))

    return play


OK = Ended(Outcome.OK, rc=0)


async def test_a_command_runs_in_a_shell(play: Play, record: Record) -> None:
    """On this machine, and is reported with what pauses it."""
    assert await play("echo hi | tr h H; echo $0") == OK
    assert record.stdout == b"Hi\n/bin/sh\n"
    assert [type(source) for source in record.sources] == [LocalProcess]


@pytest.mark.parametrize(
    ("script", "ended"),
    [
        ("exit 3", Ended(Outcome.FAILED, rc=3)),
        ("nonexistent-command 2>&-", Ended(Outcome.FAILED, rc=127)),
        ("kill -9 $$", Ended(Outcome.SIGNALLED, rc=137, signal=9)),
    ],
)
async def test_how_it_ends(play: Play, script: str, ended: Ended) -> None:
    """A command that starts is no error, however it ends."""
    assert await play(script) == ended


async def test_standard_error_kept_apart(play: Play, record: Record) -> None:
    """If asked for."""
    await play("echo out; echo err >&2", stderr=True)
    assert record.output == {"stdout": b"out\n", "stderr": b"err\n"}


async def test_an_environment_is_added_to_that_of_this_process(play: Play, record: Record) -> None:
    """Its home directory is still there."""
    assert await play('echo "$ASYNCTASK_X" "$HOME"', env={"ASYNCTASK_X": "a  b"}) == OK
    assert record.stdout == f"a  b {os.environ['HOME']}\n".encode()


async def test_what_differs_from_node_to_node(play: Play, record: Record) -> None:
    """Its placeholders are filled beside those that there are anyway."""
    assert await play("echo %h %{x}", ("web1", "web2"), place=1, args=lambda node: {"x": "a  b"}) == OK
    assert record.stdout == b"web2 a  b\n"


# -- placeholders ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "output"),
    [
        ("echo %h %host %n %rank", b"web2 web2 1 1\n"),
        ("echo %{h}x %{host}y %{n}z", b"web2x web2y 1z\n"),
        ("echo 100%% %%h", b"100% %h\n"),
        ("echo none", b"none\n"),
    ],
)
async def test_placeholders(play: Play, record: Record, command: str, output: bytes) -> None:
    """The node and its place among the targets, from 0."""
    assert await play(command, ("web1", "web2", "web3"), place=1) == OK
    assert record.stdout == output


async def test_placeholders_can_be_off(play: Play, record: Record) -> None:
    """The command is then taken as it is."""
    await play("echo %h %x %", placeholders=False)
    assert record.stdout == b"%h %x %\n"


def test_an_unknown_placeholder_is_refused_at_the_call() -> None:
    """Not in the middle of the run."""
    with pytest.raises(PlaceholderError, match=r"^unknown placeholder %x at character 6 of the command"):
        ExecWorker("echo %x", ["web1"])


async def test_all_hosts_in_one_process(play: Play, record: Record) -> None:
    """One unit; the set is folded, and the node is the set."""
    assert ExecWorker("echo %hosts", ["web1", "web2"]).units == [("web1", "web2")]
    assert ExecWorker("echo %%hosts", ["web1", "web2"]).units == [("web1",), ("web2",)]
    assert await play("echo %hosts %h %n", ("web1", "web2", "web3", "db1")) == OK
    assert sorted(record.stdout.split()[0].split(b",")) == [b"db1", b"web[1-3]"]
    assert record.stdout.split()[1:] == [record.stdout.split()[0], b"0"]


def test_all_hosts_are_several_processes_where_placeholders_are_off() -> None:
    """Then it is text."""
    worker = ExecWorker("echo %hosts", ["web1", "web2"], placeholders=False)
    assert worker.units == [("web1",), ("web2",)]


# -- input ----------------------------------------------------------------------------------------


async def _chunks(node: str) -> AsyncIterator[bytes]:
    for word in (b"for ", node.encode(), b"\n"):
        await asyncio.sleep(0)
        yield word


@pytest.mark.parametrize(
    ("stdin", "output"),
    [
        (None, b""),
        (b"", b""),
        (b"a\0\xff\n", b"a\0\xff\n"),
        (bytes(300_000), bytes(300_000)),
        (_chunks, b"for web1\n"),
        (_chunks("me"), b"for me\n"),
        (lambda node: b"bytes for " + node.encode(), b"bytes for web1"),
        (lambda node: None, b""),
    ],
    ids=[
        "nothing",
        "no bytes",
        "bytes",
        "many bytes",
        "function",
        "stream",
        "function of bytes",
        "of nothing",
    ],
)
async def test_what_the_command_reads(play: Play, record: Record, stdin: Any, output: bytes) -> None:
    """Bytes, a stream, or a function that makes one; then comes the end."""
    assert await play("cat", stdin=stdin) == OK
    assert record.stdout == output


async def test_a_command_that_does_not_read_is_no_error(play: Play) -> None:
    """What is left of the input is dropped."""
    assert await play("exit 4", stdin=bytes(1 << 20)) == Ended(Outcome.FAILED, rc=4)


async def test_a_stream_that_raises_stops_the_command(play: Play, record: Record) -> None:
    """It is not left to work on half of its input."""

    async def broken(node: str) -> AsyncIterator[bytes]:
        yield b"half\n"
        await record.heard.wait()
        raise OSError("disk on fire")

    with pytest.raises(
        NodeError, match=r"^web1: its input raised OSError\('disk on fire'\); the command was"
    ):
        await play("cat; echo the end", stdin=broken)
    assert record.stdout == b"half\n"


async def test_a_function_that_raises_starts_nothing(play: Play, record: Record) -> None:
    """What it raised is in the node's error."""

    def broken(node: str) -> bytes:
        raise KeyError(node)

    with pytest.raises(NodeError) as caught:
        await play("cat", stdin=broken)
    assert isinstance(caught.value.__cause__, KeyError)
    assert record.sources == []


async def test_an_exit_in_the_input_ends_the_program_when_the_command_is_gone() -> None:
    """As one in a handler does."""

    async def leave() -> AsyncIterator[bytes]:
        yield b"x"
        raise SystemExit(3)

    task = Task(worker="exec", grace=0.1)
    task.shell("trap '' TERM; cat; sleep 60", nodes="a", stdin=leave())
    with pytest.raises(SystemExit) as caught:
        await task.run()
    assert (caught.value.code, children()) == (3, set())
    assert task.result["a"].outcome is Outcome.ABORTED


# -- what cannot be started -------------------------------------------------------------------------


async def test_a_nul_byte(play: Play, record: Record) -> None:
    """No program can be given one; the message does not repeat the command."""
    with pytest.raises(SpawnError) as caught:
        await play("echo secret\0")
    assert str(caught.value) == "web1: could not start a process: embedded null byte"
    assert record.sources == []


async def test_a_command_that_is_too_long(play: Play) -> None:
    """The system's own words."""
    with pytest.raises(SpawnError) as caught:
        await play("echo " + "x" * (1 << 20))
    assert str(caught.value) == "web1: could not start a process: Argument list too long"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EMFILE, NoCapacityError),
        (errno.ENFILE, NoCapacityError),
        (errno.EAGAIN, NoCapacityError),
        (errno.ENOMEM, SpawnError),
        (errno.EPERM, SpawnError),
    ],
)
async def test_no_room_is_told_apart_from_other_reasons(
    play: Play, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[NodeError]
) -> None:
    """It passes, the others do not."""

    def refuse(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Spawner, "spawn", refuse)
    with pytest.raises(NodeError) as caught:
        await play("true")
    assert type(caught.value) is kind
    assert str(caught.value) == f"web1: could not start a process: {os.strerror(number)}"


# -- being stopped ----------------------------------------------------------------------------------


async def _cancelled(target: asyncio.Task[Ended]) -> None:
    target.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(target, PATIENCE)


def _process(record: Record) -> LocalProcess:
    (source,) = record.sources
    assert isinstance(source, LocalProcess)
    return source


async def test_cancelling_ends_the_process_and_keeps_its_last_words(play: Play, record: Record) -> None:
    """TERM first; what it prints then is delivered, and its descriptors are closed."""
    target = play("trap 'echo bye; exit 0' TERM; echo hi; while :; do sleep 0.01; done", stderr=True)
    await record.heard.wait()
    await _cancelled(target)
    assert record.output["stdout"] == b"hi\nbye\n"
    assert _process(record).returncode == 0


async def test_cancelling_ends_the_whole_group(play: Play, record: Record) -> None:
    """Also what ignores TERM, after the grace."""
    target = play("(trap '' TERM; echo hi; while :; do sleep 60; done) & wait", grace=0.1)
    await record.heard.wait()
    await _cancelled(target)
    assert _process(record).returncode == -signal.SIGTERM
    await asyncio.wait_for(_process(record).wait_group_gone(), PATIENCE)


async def test_cancelling_while_input_is_written(play: Play, record: Record) -> None:
    """The writer ends, too."""
    target = play("echo hi; exec sleep 60", stdin=bytes(1 << 20))
    await record.heard.wait()
    await _cancelled(target)
    assert _process(record).returncode == -signal.SIGTERM


async def test_cancelling_twice_leaves_no_process(play: Play, record: Record) -> None:
    """The second cancellation ends the patience, not the cleanup."""
    target = play("trap '' TERM; echo hi; while :; do sleep 60; done", grace=PATIENCE)
    await record.heard.wait()
    target.cancel()
    await asyncio.wait([target], timeout=0.05)
    assert not target.done()
    await _cancelled(target)
    assert _process(record).returncode == -signal.SIGKILL


async def test_the_ladder_can_be_replaced(play: Play, record: Record) -> None:
    """Some commands end better with another signal."""
    used: list[tuple[LocalProcess, float]] = []

    async def ladder(process: LocalProcess, grace: Grace) -> None:
        used.append((process, grace.seconds))
        process.signal_group(signal.SIGINT)
        await process.wait_exit()

    script = "trap 'exit 9' INT; echo hi; while :; do sleep 0.01; done"
    target = play(script, kill=ladder, grace=7, stderr=True)
    await record.heard.wait()
    await _cancelled(target)
    assert used == [(_process(record), 7)]
    assert _process(record).returncode == 9


async def test_a_ladder_that_does_nothing_leaves_no_process(play: Play, record: Record) -> None:
    """What it left running is killed, and reaped."""

    async def ladder(process: LocalProcess, grace: Grace) -> None:
        """Believe that it goes by itself."""

    target = play("echo hi; exec sleep 60", kill=ladder)
    await record.heard.wait()
    await _cancelled(target)
    assert _process(record).returncode == -signal.SIGKILL


async def test_a_ladder_that_raises_leaves_no_process(play: Play, record: Record) -> None:
    """Its error comes out."""

    async def ladder(process: LocalProcess, grace: Grace) -> None:
        raise RuntimeError("a broken ladder")

    target = play("echo hi; exec sleep 60", kill=ladder)
    await record.heard.wait()
    target.cancel()
    with pytest.raises(RuntimeError, match=r"^a broken ladder$"):
        await target
    assert _process(record).returncode == -signal.SIGKILL


async def test_a_sink_that_raises_leaves_no_process(play: Play, record: Record) -> None:
    """The process is there already."""

    def broken(source: Source | None = None) -> None:
        record.sources.append(source)
        raise RuntimeError("a broken sink")

    record.started = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match=r"^a broken sink$"):
        await play("exec sleep 60", kill=kill_group)
    assert _process(record).returncode == -signal.SIGTERM
