"""Tests of asynctask.manager.output_logs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask.emitter import EventEmitter
from asynctask.manager import output_logs
from asynctask.manager.output_blocks import Printer
from asynctask.manager.output_logs import Logs
from asynctask.manager.template import LogFile, ProcessTemplate
from tests.manager.output_support import PRINTER, Gate, HeldUp, until


@pytest_asyncio.fixture
async def emitter() -> AsyncIterator[EventEmitter]:
    """An emitter."""
    async with EventEmitter() as emitter:
        yield emitter


@pytest_asyncio.fixture
async def logs(emitter: EventEmitter) -> AsyncIterator[Logs]:
    """Log files; at the end they are closed."""
    logs = Logs(emitter)
    yield logs
    await logs.aclose(20)


def _template(**streams: Any) -> ProcessTemplate:
    return ProcessTemplate("web", "true", **streams)


async def test_only_streams_with_a_file_have_one(logs: Logs, tmp_path: Path) -> None:
    """Others need none; nor do custom streams."""
    template = _template(stderr=LogFile(path=str(tmp_path / "%(stream)s")), custom_streams=("more",))
    assert logs.inlet(HeldUp(), PRINTER, "stdout", template) is None
    assert logs.inlet(HeldUp(), PRINTER, "more", template) is None
    inlet = logs.inlet(HeldUp(), PRINTER, "stderr", template)
    assert inlet is not None
    inlet.put(b"a")
    await logs.idle()
    assert (tmp_path / "stderr").read_bytes() == b"a"
    inlet.close()


async def test_standard_error_may_be_part_of_standard_output(logs: Logs, tmp_path: Path) -> None:
    """Also when it comes by itself."""
    template = _template(stdout=LogFile(path=str(tmp_path / "%(stream)s")), stderr="stdout")
    for stream in ("stdout", "stderr"):
        inlet = logs.inlet(HeldUp(), PRINTER, stream, template)
        assert inlet is not None
        inlet.put(stream.encode())
        inlet.close()
    await logs.idle()
    assert (tmp_path / "stdout").read_bytes() == b"stdoutstderr"


async def test_one_file_for_several_gets_whole_lines(logs: Logs, tmp_path: Path) -> None:
    """None is torn; an unfinished one is ended when its process has."""
    template = _template(stdout=LogFile(path=str(tmp_path / "log")))
    one, two = (logs.inlet(HeldUp(), PRINTER, "stdout", template) for _ in range(2))
    assert one is not None
    assert two is not None
    one.put(b"one ")
    two.put(b"two ")
    one.put(b"1\none")
    two.put(b"2\n")
    one.close()
    two.put(b"two")
    two.close()
    await until(lambda: not logs._files)
    assert (tmp_path / "log").read_bytes() == b"one 1\ntwo 2\none\ntwo\n"


async def test_a_file_is_closed_with_the_last_who_feeds_it(logs: Logs, tmp_path: Path) -> None:
    """The next opens it again, before or after that."""
    template = _template(stdout=LogFile(path=str(tmp_path / "log")))
    for number in range(3):
        inlet = logs.inlet(HeldUp(), PRINTER, "stdout", template)
        assert inlet is not None
        inlet.put(b"%d" % number)
        inlet.close()
        if number == 1:
            await until(lambda: not logs._files)
    await until(lambda: not logs._files)
    assert (tmp_path / "log").read_bytes() == b"012"


async def test_a_warning_is_an_event_of_the_process(
    logs: Logs, emitter: EventEmitter, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in the log only when nobody hears it."""
    heard: list[Any] = []
    emitter.subscribe("proc.web.warning", lambda topic, message: heard.append(message))
    inlet = logs.inlet(HeldUp(), PRINTER, "stdout", _template(stdout=LogFile(path="/dev/full")))
    assert inlet is not None
    inlet.put(b"a\n")
    await until(lambda: heard)
    text = "log /dev/full cannot be written: No space left on device; its last MiB is kept, and tried again"
    assert heard == [{"event": "proc.web.warning", "name": "web", "pid": 7, "text": text}]
    inlet.close()
    await logs.aclose(20)
    await until(lambda: len(heard) == 2)
    assert heard[1]["text"].endswith("No space left on device; 2 bytes are lost")
    assert caplog.records == []


async def test_a_rotation_that_fails_is_told(logs: Logs, emitter: EventEmitter, tmp_path: Path) -> None:
    """From the thread, through the loop."""
    heard: list[Any] = []
    emitter.subscribe("proc.web.warning", lambda topic, message: heard.append(message["text"]))
    (tmp_path / "log.1").mkdir()
    log = LogFile(path=str(tmp_path / "log"), max_bytes=2, backups=1)
    inlet = logs.inlet(HeldUp(), Printer("web", 8, None, "n1"), "stdout", _template(stdout=log))
    assert inlet is not None
    inlet.put(b"a\nb\n")
    await until(lambda: heard)
    assert heard == [f"log {tmp_path / 'log'} cannot be rotated, and grows: Is a directory"]
    inlet.close()


async def test_what_is_inherited_goes_to_standard_output(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it comes here at all: from a node."""
    reader, writer = os.pipe()
    standard: list[int] = []

    class Standard(Gate):
        def __init__(self, fd: int) -> None:
            super().__init__()
            standard.append(fd)

        def write(self, chunks: Any, *, new_line: bool = False) -> int:
            return os.writev(writer, chunks)

    monkeypatch.setattr(output_logs, "StandardStream", Standard)
    inlet = logs.inlet(HeldUp(), PRINTER, "stderr", _template(stderr="inherit"))
    assert inlet is not None
    inlet.put(b"a\n")
    await logs.idle()
    inlet.close()
    assert (os.read(reader, 9), standard) == (b"a\n", [2])
    os.close(reader)
    os.close(writer)


async def test_a_disk_that_hangs_does_not_hold_up_the_end(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left alone after a while, also when that is cancelled."""
    gate = Gate()
    gate.open.clear()
    monkeypatch.setattr(output_logs, "RotatingFile", lambda *args, **options: gate)
    inlet = logs.inlet(HeldUp(), PRINTER, "stdout", _template(stdout=LogFile(path="x")))
    assert inlet is not None
    inlet.put(b"abc")
    inlet.close()
    closing = asyncio.create_task(logs.aclose(0.05))
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert "its disk hangs; 3 bytes are lost" in caplog.text
    gate.open.set()
    await until(lambda: not logs._files)
