"""Records are read from files and pipes, and shown; what is told of damaged ones; the exit status."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from asynctask.cli import replaying
from asynctask.cli.output.records_read import RecordError
from asynctask.cli.output.replayed import ReplayedRun
from asynctask.cli.output.schema import RunStart
from asynctask.cli.replaying import Pace, Replay, replay
from asynctask.cli.request import Request
from asynctask.errors import UsageError
from tests.cli.output.recorded import failed, ok, unreachable, written

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

RUN = RunStart(nodes=("a", "b"), command="id", worker="exec")
EVENTS: list[Any] = [
    ("start", "a"),
    ("start", "b"),
    ("chunk", "a", "stdout", b"1\n"),
    ("chunk", "b", "stdout", b"1\n"),
    ("chunk", "b", "stderr", b"\x1b\xff\r\n"),
    ("exit", "a", 0),
    ("end", ok("a")),
    ("over", ok("a"), 1),
    ("exit", "b", 3),
    ("end", failed("b")),
    ("over", failed("b"), 1),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A record of events."""
    path = tmp_path / "run.events"
    path.write_bytes(anyio.run(written, "events", RUN, EVENTS))
    return path


@pytest.fixture
def show(capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, bytes, bytes]]:
    """Shows a file; the exit status and what was shown."""

    def show(path: Path | str, speed: float | None = None, **how: Any) -> tuple[int, bytes, bytes]:
        request = Request(targets=(), **how)
        return replay(Replay(path=str(path), request=request, speed=speed)), *capfdbinary.readouterr()

    return show


Show = Callable[..., tuple[int, bytes, bytes]]
SAID = b"asynctask: b: failed with exit code 3\n"


@pytest.mark.parametrize(
    ("how", "out", "err"),
    [
        ({}, b"a: 1\nb: 1\n", b"b: \x1b\xff\n" + SAID),
        ({"no_label": True}, b"1\n1\n", b"\x1b\xff\n" + SAID),
        (
            {"gather": True, "no_label": True},
            b"1\n1\n",
            b"\x1b\xff\n" + SAID,
        ),
        ({"gather_both": True, "by_node": True}, b"a,b: 1\nb: \x1b\xff\n", SAID),
        ({"by_node": True}, b"a: 1\nb: 1\n", b"b: \x1b\xff\n" + SAID),
        (
            {"no_label": True, "verbosity": 2},
            b"1\n1\n",
            b"\x1b\xff\n" + SAID + b"asynctask: 1 ok, 1 failed (rc 3): b\n",
        ),
        ({"verbosity": 0, "maxrc": True}, b"a: 1\nb: 1\n", b"b: \x1b\xff\n"),
    ],
)
def test_in_any_display(file: Path, show: Show, how: dict[str, Any], out: bytes, err: bytes) -> None:
    """As a run would show it, with what is said of failures."""
    status, shown, said = show(file, **how)
    assert (status, shown, said) == (3 if "maxrc" in how else 0, out, err)


def test_into_files(file: Path, show: Show, tmp_path: Path) -> None:
    """One for each node, byte for byte."""
    show(file, outdir=str(tmp_path / "out"), errdir=str(tmp_path / "err"))
    assert (tmp_path / "out" / "a").read_bytes() == b"1\n"
    assert (tmp_path / "err" / "b").read_bytes() == b"\x1b\xff\r\n"


def test_a_directory_that_cannot_be_made(file: Path, show: Show) -> None:
    """It is told before anything is shown."""
    with pytest.raises(UsageError, match="--outdir"):
        show(file, outdir=str(file / "out"))


@pytest.mark.parametrize("kind", ["events", "json"])
def test_as_a_record_again(file: Path, show: Show, kind: str) -> None:
    """The same bytes come out of the same kind."""
    record = anyio.run(written, kind, RUN, EVENTS)
    file.write_bytes(record)
    assert show(file, **{kind: True}) == (0, record, SAID)


@pytest.mark.parametrize(
    ("recorded", "nodes", "status"),
    [
        (0, [ok("a"), ok("b")], 0),
        (0, [ok("a"), failed("b", 7)], 7),
        (0, [unreachable("a"), failed("b", 7)], 255),
        (3, [ok("a"), unreachable("b")], 3),
        (130, [ok("a"), failed("b", 200)], 130),
    ],
)
def test_the_exit_status(file: Path, show: Show, recorded: int, nodes: list[Any], status: int) -> None:
    """With -S that of the run; of one that was without -S, what it would have been."""
    events = [("over", result, 1) for result in nodes]
    file.write_bytes(anyio.run(written, "json", RUN, events, recorded))
    assert show(file, maxrc=True)[0] == status
    assert show(file)[0] == 0


def test_several_runs_in_a_file(file: Path, show: Show) -> None:
    """They are shown one after the other; one that is cut off ends where the next begins."""
    record = file.read_bytes()
    file.write_bytes(record + record)
    status, out, err = show(file, by_node=True, maxrc=True)
    assert (status, out, err.count(SAID)) == (3, b"a: 1\nb: 1\n" * 2, 2)
    lines = record.splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:4]) + record)
    status, out, err = show(file, by_node=True)
    assert (status, out) == (1, b"a: 1\na: 1\nb: 1\n")
    assert b"the record is cut off: what is there is shown\n" in err


# -- what is damaged --------------------------------------------------------------------------------


def test_a_record_that_is_cut_off(file: Path, show: Show) -> None:
    """What is there is shown, also without -S the exit status is 1."""
    record = file.read_bytes()
    file.write_bytes(record[: record.index(b"node_exited") + 3])
    assert show(file, by_node=True) == (
        1,
        b"a: 1\nb: 1\n",
        b"b: \x1b\xff\n"
        b"asynctask: a,b (2): aborted, or it ended later: the record does not tell\n"
        b"asynctask: %s: the record is cut off in the middle of a line: what is there is shown\n"
        % os.fsencode(file),
    )


def test_damaged_lines(file: Path, show: Show) -> None:
    """They are left out and counted; the first is named."""
    lines = file.read_bytes().splitlines(keepends=True)
    for inserted, more in ((b"\0\n", b""), (b"\0\n{}\nx\n", b", and 2 more after it")):
        file.write_bytes(b"".join([*lines[:3], inserted, *lines[3:]]))
        status, out, err = show(file)
        assert (status, out) == (1, b"a: 1\nb: 1\n")
        assert err.endswith(b"%s: line 4 is damaged%s: left out\n" % (os.fsencode(file), more))


def test_a_record_without_its_beginning(file: Path, show: Show) -> None:
    """As ``tail`` makes them."""
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[2:]))
    status, out, err = show(file)
    assert (status, out) == (1, b"a: 1\nb: 1\n")
    assert err.endswith(b"the record has no beginning: what is there is shown\n")


def test_what_is_no_record(file: Path, show: Show, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Nothing is shown of it; of a record before it, what there is."""
    file.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(RecordError, match="line 1 is no record of a run"):
        show(file)
    assert capfdbinary.readouterr() == (b"", b"")


def test_what_cannot_be_read(file: Path, show: Show) -> None:
    """The error names it."""
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '/no/such'"):
        show("/no/such")
    with pytest.raises(IsADirectoryError) as caught:
        show(file.parent)
    assert caught.value.filename == str(file.parent)


# -- pipes and pace ---------------------------------------------------------------------------------


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input is a pipe, of which this is the end to write to."""
    kept = os.dup(0)
    reader, writer = os.pipe()
    os.dup2(reader, 0)
    os.close(reader)
    yield writer
    os.dup2(kept, 0)
    os.close(kept)


def _when_shown(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Do something when the first node has been shown."""
    taking: Any = ReplayedRun.take
    todo = [then]

    async def take(self: Any, item: Any) -> None:
        await taking(self, item)
        if item.__class__.__name__ == "Output" and todo:
            todo.pop()()

    monkeypatch.setattr(ReplayedRun, "take", take)


def test_a_pipe_is_shown_as_it_grows(
    file: Path, show: Show, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come is shown before the rest is there."""
    lines = file.read_bytes().splitlines(keepends=True)
    os.write(pipe, b"".join(lines[:4]))

    def go_on() -> None:
        os.write(pipe, b"".join(lines[4:]))
        os.close(pipe)

    _when_shown(monkeypatch, go_on)
    assert show("-") == (0, b"a: 1\nb: 1\n", b"b: \x1b\xff\n" + SAID)
    assert os.get_blocking(0)


def test_ctrl_c_while_it_waits(file: Path, show: Show, pipe: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has come is shown to its end, and nobody complains that the rest is missing."""
    lines = file.read_bytes().splitlines(keepends=True)
    os.write(pipe, b"".join(lines[:4]))
    _when_shown(monkeypatch, lambda: signal.raise_signal(signal.SIGINT))
    kept = signal.getsignal(signal.SIGINT)
    try:
        status, out, err = show("-", by_node=True)
    finally:
        signal.signal(signal.SIGINT, kept)
    os.close(pipe)
    assert (status, out) == (130, b"a: 1\n")
    assert b"cut off" not in err


def test_when_to_show_what() -> None:
    """As far from the first as it was, or so many times nearer; who is late does not wait."""
    pace = Pace(2.0)
    assert pace.delay(5_000_000, 100.0) == 0
    assert pace.delay(9_000_000, 100.5) == 1.5
    assert pace.delay(9_000_000, 102.5) == 0


def test_in_time(file: Path, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits before each, from the second on."""
    slept: list[float] = []

    async def note(delay: float) -> None:
        slept.append(delay)

    monkeypatch.setattr(replaying, "_sleep", note)
    assert show(file, 0.001)[0] == 0
    assert slept[0] == 0
    assert all(delay > 0 for delay in slept[1:])
    assert len(slept) == len(EVENTS) + 2
