"""Tests of asynctask.manager.log_thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from asynctask.manager import log_thread
from asynctask.manager.log_thread import LogThreads, LogWriter
from tests.manager.output_support import Gate, HeldUp, until
from tests.support import turns

MIB = 1 << 20


class _Stage:
    """Threads, and writers for gates."""

    def __init__(self) -> None:
        self.threads = LogThreads()
        self.feeder = HeldUp()
        self.warnings: list[str] = []
        self.closed: list[LogWriter] = []
        self.gates: list[Gate] = []

    def writer(self, gate: Gate) -> LogWriter:
        self.gates.append(gate)
        return LogWriter(gate, self.threads, warn=self.warnings.append, closed=self.closed.append)


@pytest_asyncio.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Stage]:
    """Another try comes soon, and threads are stuck soon."""
    monkeypatch.setattr(log_thread, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(log_thread, "_STUCK", 0.02)
    stage = _Stage()
    yield stage
    for gate in stage.gates:
        gate.open.set()
    await stage.threads.aclose(20)


async def test_what_is_put_is_written_in_order(stage: _Stage) -> None:
    """In a thread, also when it takes only a part at a time."""
    gate = Gate()
    gate.most = 7
    writer = stage.writer(gate)
    for number in range(100):
        writer.put(b"%d\n" % number, stage.feeder)
    await writer.idle()
    assert gate.written == b"".join(b"%d\n" % number for number in range(100))
    assert stage.feeder.calls == []
    assert stage.threads.waiting == 0


async def test_who_is_idle_does_not_wait(stage: _Stage) -> None:
    """There is nothing to write, or all is written; several may wait."""
    writer = stage.writer(Gate())
    await writer.idle()
    writer.put(b"a", stage.feeder)
    await asyncio.gather(writer.idle(), writer.idle())
    await writer.idle()


async def test_who_writes_too_much_is_held_up(stage: _Stage) -> None:
    """Once, until the file has caught up; nothing is dropped."""
    gate = Gate()
    gate.open.clear()
    writer = stage.writer(gate)
    for _ in range(3):
        writer.put(b"x" * MIB, stage.feeder)
    assert stage.feeder.calls == ["hold"]
    gate.open.set()
    await stage.feeder.released.wait()
    assert stage.feeder.calls == ["hold", "release"]
    await writer.idle()
    assert (len(gate.written), writer.dropped) == (3 * MIB, 0)


async def test_a_feeder_that_has_ended_is_not_told(stage: _Stage) -> None:
    """Others are."""
    gate, other = Gate(), HeldUp()
    gate.open.clear()
    writer = stage.writer(gate)
    writer.put(b"x" * 2 * MIB, stage.feeder)
    writer.put(b"x", other)
    writer.let_go(stage.feeder)
    gate.open.set()
    await other.released.wait()
    assert (stage.feeder.calls, other.calls) == (["hold"], ["hold", "release"])


async def test_all_files_together_have_a_bound(stage: _Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then everybody is held up."""
    monkeypatch.setattr(log_thread, "MOST_BYTES", 1000)
    gates = [Gate(), Gate()]
    for gate in gates:
        gate.open.clear()
    one, two = map(stage.writer, gates)
    one.put(b"x" * 900, HeldUp())
    two.put(b"x" * 200, stage.feeder)
    assert stage.feeder.calls == ["hold"]
    for gate in gates:
        gate.open.set()
    await stage.feeder.released.wait()
    await one.idle()
    await two.idle()
    assert stage.threads.waiting == 0


async def test_a_full_disk_is_told_once_and_tried_again(stage: _Stage) -> None:
    """What waits is written when it can be; nobody is held up."""
    gate = Gate("web.log")
    gate.error = OSError(28, "No space left on device")
    writer = stage.writer(gate)
    writer.put(b"a\n", stage.feeder)
    await until(lambda: gate.tries >= 3)
    writer.put(b"b\n", stage.feeder)
    assert stage.warnings == [
        "log web.log cannot be written: No space left on device; its last MiB is kept, and tried again"
    ]
    gate.error = None
    await writer.idle()
    assert gate.written == b"a\nb\n"
    assert stage.warnings[1:] == ["log web.log is written again; 0 bytes are lost"]
    assert stage.feeder.calls == []


async def test_a_disk_that_stays_full_drops_the_oldest(stage: _Stage) -> None:
    """They are counted, the newest MiB is kept, and what is written next begins a line."""
    gate = Gate("web.log")
    gate.error = OSError(28, "No space left on device")
    writer = stage.writer(gate)
    writer.put(b"a", stage.feeder)
    await until(lambda: stage.warnings)
    for _ in range(4):
        await until(lambda: writer._retry is not None)  # it is not being tried
        writer.put(b"x" * (MIB // 2), stage.feeder)
    assert writer.dropped == MIB + 1
    gate.error = None
    await writer.idle()
    assert stage.warnings[1:] == [f"log web.log is written again; {MIB + 1} bytes are lost"]
    assert (len(gate.written), gate.new_lines) == (MIB, [0])
    assert stage.threads.waiting == 0


async def test_who_was_held_up_goes_on_when_the_disk_is_full(stage: _Stage) -> None:
    """A process does not stop for its log."""
    gate = Gate()
    gate.open.clear()
    writer = stage.writer(gate)
    writer.put(b"x" * 2 * MIB, stage.feeder)
    gate.error = OSError(28, "No space left on device")
    gate.open.set()
    await stage.feeder.released.wait()
    await until(lambda: writer._retry is not None)
    writer.put(b"y", stage.feeder)
    assert stage.feeder.calls == ["hold", "release"]
    assert writer.dropped == 2 * MIB
    gate.error = None
    await writer.idle()
    assert gate.written == b"y"


async def test_what_no_disk_raises_stops_no_thread(stage: _Stage) -> None:
    """It counts as a disk that fails."""
    gate = Gate("web.log")
    gate.error = ValueError("embedded null byte")
    writer = stage.writer(gate)
    writer.put(b"a\n", stage.feeder)
    await until(lambda: stage.warnings)
    assert "ValueError('embedded null byte')" in stage.warnings[0]
    gate.error = None
    await writer.idle()
    assert gate.written == b"a\n"


async def test_it_is_closed_when_all_is_written(stage: _Stage) -> None:
    """Not before; its owner hears of it."""
    gate = Gate()
    gate.open.clear()
    writer = stage.writer(gate)
    writer.put(b"a", stage.feeder)
    writer.close()
    await turns(3)
    assert gate.closed == 0
    gate.open.set()
    await until(lambda: stage.closed)
    assert (stage.closed, bytes(gate.written), gate.closed) == ([writer], b"a", 1)
    assert not writer.reopen()
    await writer.idle()


async def test_it_can_be_opened_again_before_it_is_closed(stage: _Stage) -> None:
    """The next process of a template comes soon."""
    gate = Gate()
    gate.open.clear()
    writer = stage.writer(gate)
    writer.put(b"a", stage.feeder)
    writer.close()
    assert writer.reopen()
    gate.open.set()
    await writer.idle()
    writer.put(b"b", stage.feeder)
    await writer.idle()
    assert (bytes(gate.written), gate.closed) == (b"ab", 0)


async def test_the_last_try_is_made_when_it_is_closed(stage: _Stage) -> None:
    """Then what is left is lost, which is told."""
    gate = Gate("web.log")
    gate.error = OSError(28, "No space left on device")
    writer = stage.writer(gate)
    writer.put(b"abc", stage.feeder)
    await until(lambda: writer._retry is not None)
    writer.close()
    writer.hurry()
    await until(lambda: stage.closed)
    assert stage.warnings[1:] == ["log web.log cannot be written: No space left on device; 3 bytes are lost"]
    assert (writer.dropped, gate.closed, stage.threads.waiting) == (3, 1, 0)


async def test_a_disk_that_hangs_does_not_hold_up_other_files(stage: _Stage) -> None:
    """Another thread is started; and not more than are needed."""
    hanging, others = [Gate(), Gate()], [Gate() for _ in range(5)]
    for gate in hanging:
        gate.open.clear()
        stage.writer(gate).put(b"a", stage.feeder)
    for gate in others:
        stage.writer(gate).put(b"b", stage.feeder)
    await until(lambda: all(gate.written for gate in others))
    assert len(stage.threads._threads) == 3


async def test_a_thread_that_hangs_is_left_alone_at_the_end(
    stage: _Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """After the time that there is, also when that is cancelled."""
    gate = Gate()
    gate.open.clear()
    writer = stage.writer(gate)
    writer.put(b"abc", stage.feeder)
    closing = asyncio.create_task(stage.threads.aclose(0.05))
    await turns(3)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    writer.abandon()
    assert "1 threads are stuck" in caplog.text
    assert stage.warnings == ["log gate cannot be written: its disk hangs; 3 bytes are lost"]
    gate.open.set()
    await until(lambda: not stage.threads._threads)


async def test_there_are_no_threads_without_work(stage: _Stage) -> None:
    """Neither before nor after."""
    before = threading.active_count()
    await stage.threads.aclose(1)
    stage.writer(Gate()).put(b"a", stage.feeder)
    assert threading.active_count() == before + 1
    await stage.threads.aclose(20)
    assert threading.active_count() == before
