"""Tests of asynctask.manager.output."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask.emitter import EventEmitter
from asynctask.errors import TaskStateError, UsageError
from asynctask.manager import log_thread
from asynctask.manager.information import OutputLine
from asynctask.manager.output import Outlet, OutputHub, OutputStream
from asynctask.manager.template import LogFile, ProcessTemplate, Readiness
from tests.manager.output_support import Gate, Tap, raw, until
from tests.support import turns


@pytest_asyncio.fixture
async def emitter() -> AsyncIterator[EventEmitter]:
    """An emitter."""
    async with EventEmitter() as emitter:
        yield emitter


@pytest_asyncio.fixture
async def hub(emitter: EventEmitter) -> AsyncIterator[OutputHub]:
    """A hub whose clock stands still."""
    hub = OutputHub(emitter, clock=lambda: 1.5)
    yield hub
    await hub.aclose()


def _outlet(hub: OutputHub, name: str = "web", pid: int = 7, **options: Any) -> Outlet:
    return hub.outlet(name, pid, 0, None, ProcessTemplate(name, "true", **options))


async def _all(stream: OutputStream) -> list[bytes]:
    return raw([line async for line in stream])


async def test_lines_come_to_readers(hub: OutputHub) -> None:
    """Of this template, and of all; with what is known of them."""
    outlet, other = _outlet(hub), _outlet(hub, "db", 8)
    with hub.open("web") as web, hub.open() as everything:
        outlet.output("stdout", b"a\nb")
        other.output("stderr", b"c\r\n")
        outlet.output("stdout", b"\n")
    assert await anext(web) == OutputLine("web", 7, 0, None, "stdout", b"a", 1.5)
    assert await _all(web) == [b"b"]
    assert [(line.name, line.stream, line.line) async for line in everything] == [
        ("web", "stdout", b"a"),
        ("db", "stderr", b"c"),
        ("web", "stdout", b"b"),
    ]


async def test_an_unfinished_line_comes_at_the_end(hub: OutputHub) -> None:
    """Of each stream; what comes later goes nowhere."""
    outlet = _outlet(hub)
    outlet.output("stdout", b"a")
    outlet.output("stderr", b"b")
    outlet.output("stdout", b"")
    assert hub.tail("web", 9) == []
    outlet.close()
    outlet.close()
    outlet.output("stdout", b"late\n")
    assert raw(hub.tail("web", 9)) == [b"a", b"b"]


async def test_a_line_without_end_comes_in_pieces(hub: OutputHub) -> None:
    """Memory has a bound."""
    outlet = _outlet(hub)
    for _ in range(9):
        outlet.output("stdout", b"x" * 65536)
    assert len(b"".join(raw(hub.tail("web", 9)))) >= 1 << 18
    outlet.output("stdout", b"\n")


async def test_the_last_lines_are_kept(hub: OutputHub) -> None:
    """Of a template, whatever became of its processes; of all, in order."""
    for number in range(3):
        outlet = _outlet(hub, "web", number)
        outlet.output("stdout", b"%d\n" % number)
        outlet.close()
    _outlet(hub, "db").output("stdout", b"db\n")
    assert raw(hub.tail("web", 2)) == [b"1", b"2"]
    assert raw(hub.tail(None, 2)) == [b"2", b"db"]
    assert hub.tail("none", 2) == []


async def test_a_reader_may_begin_with_the_last_lines(hub: OutputHub) -> None:
    """None is missing in between, and none comes twice."""
    outlet = _outlet(hub)
    outlet.output("stdout", b"1\n2\n3")
    with hub.open("web", history=1) as stream:
        outlet.output("stdout", b"\n4\n")
    assert await _all(stream) == [b"2", b"3", b"4"]


async def test_a_reader_that_falls_behind_misses_the_oldest(hub: OutputHub) -> None:
    """And nobody else does."""
    outlet = _outlet(hub)
    with hub.open("web", maxsize=2) as slow, hub.open("web") as other:
        outlet.output("stdout", b"1\n2\n3\n4\n")
    assert (slow.missed, await _all(slow)) == (2, [b"3", b"4"])
    assert (other.missed, len(await _all(other))) == (0, 4)


@pytest.mark.parametrize(("history", "maxsize"), [(-1, 9), (True, 9), (0, 0)])
async def test_senseless_numbers_are_refused(hub: OutputHub, history: int, maxsize: int) -> None:
    """At the call."""
    with pytest.raises(UsageError):
        hub.open("web", history, maxsize)


async def test_a_template_that_is_gone_ends_its_readers(hub: OutputHub) -> None:
    """They get what came; its name may come again."""
    _outlet(hub).output("stdout", b"a\n")
    stream, everything = hub.open("web", history=9), hub.open()
    hub.forget("web")
    hub.forget("web")
    assert await _all(stream) == [b"a"]
    assert hub.tail("web", 9) == []
    _outlet(hub).output("stdout", b"b\n")
    assert raw(hub.tail("web", 9)) == [b"b"]
    assert (await anext(everything)).line == b"b"


async def test_the_end_of_the_hub_is_the_end_of_all(hub: OutputHub) -> None:
    """Readers end, unfinished lines come, nothing begins."""
    outlet = _outlet(hub)
    streams = [hub.open("web"), hub.open()]
    outlet.output("stdout", b"a")
    await hub.aclose()
    await hub.aclose()
    assert [await _all(stream) for stream in streams] == [[b"a"], [b"a"]]
    assert await _all(hub.open("web", history=1)) == [b"a"]
    with pytest.raises(TaskStateError):
        _outlet(hub)


async def test_lines_are_events_while_somebody_hears_them(hub: OutputHub, emitter: EventEmitter) -> None:
    """Else they cost nothing; those of a process come before what follows its end."""
    heard: list[Any] = []
    outlet = _outlet(hub)
    outlet.output("stdout", b"unheard\n")
    emitter.subscribe("output.web", lambda topic, message: heard.append(message["line"]))
    emitter.subscribe("reap", heard.append)
    outlet.output("stdout", b"a\nb")
    outlet.close()
    emitter.publish("reap")
    await until(lambda: len(heard) == 3)
    assert heard == [b"a", b"b", "reap"]
    assert hub.missed_events == 0


# -- readiness -----------------------------------------------------------------------------------


async def test_the_line_of_readiness_counts_from_the_beginning(hub: OutputHub) -> None:
    """It may come before anybody waits for it."""
    outlet = _outlet(hub, readiness=Readiness(line="^ready"))
    outlet.output("stderr", b"ready\n")
    for number in range(3000):
        outlet.output("stdout", b"%d\n" % number)
    assert await outlet.wait_line("^ready") is True


async def test_another_line_is_waited_for_from_now_on(hub: OutputHub) -> None:
    """Any stream counts."""
    outlet = _outlet(hub)
    outlet.output("stdout", b"ready\n")
    waiter = asyncio.create_task(outlet.wait_line("ready"))
    await turns(3)
    assert not waiter.done()
    outlet.output("stderr", b"ready\n")
    assert await waiter is True
    assert outlet._watches == []


async def test_the_end_of_the_output_ends_the_wait(hub: OutputHub) -> None:
    """Nobody waits for ever; a last line without an end counts."""
    outlet, other = (_outlet(hub, readiness=Readiness(line="ready")) for _ in range(2))
    waiters = [asyncio.create_task(each.wait_line("ready")) for each in (outlet, other)]
    await turns(3)
    other.output("stdout", b"ready")
    outlet.close()
    other.close()
    assert [await waiter for waiter in waiters] == [False, True]
    assert await outlet.wait_line("more") is False


# -- log files -----------------------------------------------------------------------------------


async def test_a_log_file_has_the_bytes_as_they_came(hub: OutputHub, tmp_path: Path) -> None:
    """Readers have the lines besides."""
    outlet = _outlet(hub, stdout=LogFile(path=str(tmp_path / "%(name)s.%(index)s")))
    outlet.output("stdout", b"a\r\n\xffb")
    assert await hub.flush()
    assert (tmp_path / "web.0").read_bytes() == b"a\r\n\xffb"
    assert raw(hub.tail("web", 9)) == [b"a"]


async def test_a_process_waits_for_its_log_file(
    hub: OutputHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is paused, once, and goes on; no byte is lost. It may be known later than its output."""
    gate = Gate()
    gate.open.clear()
    monkeypatch.setattr("asynctask.manager.output_logs.RotatingFile", lambda *args, **options: gate)
    outlet = _outlet(hub, stdout=LogFile(path="x"), stderr=LogFile(path="y"))
    tap = Tap()
    outlet.output("stdout", b"x" * (2 << 20))
    outlet.source = tap
    outlet.output("stderr", b"y" * (2 << 20))
    outlet.output("stderr", b"y")
    assert tap.calls == ["pause"]
    assert not await hub.flush(timeout=0.01)
    gate.open.set()
    assert await hub.flush(20)
    await until(lambda: len(tap.calls) > 1)
    assert tap.calls == ["pause", "resume"]
    assert len(gate.written) == (4 << 20) + 1
    assert outlet.source is tap


async def test_a_process_that_has_ended_is_left_alone(
    hub: OutputHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is still written; nobody resumes what is gone."""
    gate = Gate()
    gate.open.clear()
    monkeypatch.setattr("asynctask.manager.output_logs.RotatingFile", lambda *args, **options: gate)
    outlet = _outlet(hub, stdout=LogFile(path="x"))
    outlet.source = tap = Tap()
    outlet.output("stdout", b"x" * (2 << 20))
    outlet.close()
    gate.open.set()
    await hub.aclose()
    assert (tap.calls, len(gate.written), gate.closed) == (["pause"], 2 << 20, 1)


async def test_a_full_disk_slows_nobody(
    hub: OutputHub, emitter: EventEmitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning, at most a MiB is kept, and lines come as ever."""
    monkeypatch.setattr(log_thread, "RETRY_SECONDS", 0.01)
    warnings: list[str] = []
    emitter.subscribe("proc.web.warning", lambda topic, message: warnings.append(message["text"]))
    outlet = _outlet(hub, stdout=LogFile(path="/dev/full"))
    outlet.source = tap = Tap()
    line = b"x" * 65535 + b"\n"
    with hub.open("web") as stream:
        for _ in range(100):
            outlet.output("stdout", line)
            await turns(1)
    assert (len(await _all(stream)), stream.missed) == (100, 0)
    await until(lambda: warnings)
    outlet.close()
    await hub.aclose()
    await until(lambda: len(warnings) == 2)
    assert warnings[1].endswith(f"{100 * len(line)} bytes are lost")
    assert tap.calls.count("pause") == tap.calls.count("resume")


async def test_no_byte_is_lost_with_a_real_process(hub: OutputHub, tmp_path: Path) -> None:
    """It prints as fast as it can, its log rotates, and a slow reader misses lines, which are counted."""
    from asynctask.processes import Spawner

    path, count = tmp_path / "log", 50_000
    log = LogFile(path=str(path), max_bytes=60_000, backups=1000)
    outlet = _outlet(hub, stdout=log)
    stream = hub.open("web", maxsize=10)
    spawner = Spawner()
    process = spawner.spawn(["seq", str(count)], outlet.output)
    outlet.source = process
    assert await process.wait() == 0
    process.close()
    outlet.close()
    await spawner.aclose()
    await hub.aclose()
    files = sorted(tmp_path.iterdir(), key=lambda each: -int(each.suffix[1:] or 0))
    assert b"".join(each.read_bytes() for each in files) == b"".join(b"%d\n" % n for n in range(1, count + 1))
    assert max(each.stat().st_size for each in files) <= 60_000
    assert len(files) == 5
    assert all(each.read_bytes().endswith(b"\n") for each in files)
    assert stream.missed + len(await _all(stream)) == count
