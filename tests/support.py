"""What many tests need: handlers that write down what they hear, and workers that do what a test says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
from hypothesis import settings

from asynctask.errors import NodeError
from asynctask.events import EventHandler, Progress
from asynctask.outcome import Ended, NodeResult, Outcome, Times
from asynctask.results import Result
from asynctask.workers.base import Sink, Worker
from asynctask.workers.resources import Resources

__all__ = (
    "FLOOD",
    "OK",
    "AsyncRecorder",
    "FakeSink",
    "FakeSource",
    "Recorder",
    "Scripted",
    "children",
    "for_ever",
    "greet",
    "made_result",
    "node_result",
    "outcome_in_ci",
    "refused",
    "turns",
    "unable",
    "write_file",
)

# No deadline: a busy machine is no failure. The same examples each time: a failure is seen by everybody.
settings.register_profile("asynctask", deadline=None, derandomize=True, database=None)
settings.load_profile("asynctask")

OK = Ended(Outcome.OK, rc=0)
#: A command that prints more than a megabyte, in lines that are not too many to be heard one by one.
FLOOD = f"yes {'0123456789' * 6} | head -n 20000"


class Recorder(EventHandler):
    """Writes down each event as one line of text."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.results: dict[str, NodeResult] = {}

    def of(self, node: str) -> list[str]:
        """The events of one node, in order."""
        return [event for event in self.events if event.split(" ")[1:2] == [node]]

    def ev_start(self, worker: Worker) -> None:
        self.events.append("start")

    def ev_pickup(self, worker: Worker, node: str) -> None:
        self.events.append(f"pickup {node}")

    def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        self.events.append(f"read {node} {sname} {msg.decode()}")

    def ev_hup(self, worker: Worker, node: str, rc: int) -> None:
        self.events.append(f"hup {node} {rc}")

    def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        self.events.append(f"end {node} {result.outcome}")
        self.results[node] = result

    def ev_close(self, worker: Worker, timedout: bool) -> None:
        self.events.append(f"close {timedout}")


class AsyncRecorder(EventHandler):
    """The same with async methods, each of which gives way to others before it writes."""

    def __init__(self) -> None:
        self._recorder = Recorder()
        self.events = self._recorder.events
        self.of = self._recorder.of

    async def ev_start(self, worker: Worker) -> None:
        await asyncio.sleep(0)
        self._recorder.ev_start(worker)

    async def ev_pickup(self, worker: Worker, node: str) -> None:
        await asyncio.sleep(0)
        self._recorder.ev_pickup(worker, node)

    async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:
        await asyncio.sleep(0)
        self._recorder.ev_read(worker, node, sname, msg)

    async def ev_hup(self, worker: Worker, node: str, rc: int) -> None:
        await asyncio.sleep(0)
        self._recorder.ev_hup(worker, node, rc)

    async def ev_end(self, worker: Worker, node: str, result: NodeResult) -> None:
        await asyncio.sleep(0)
        self._recorder.ev_end(worker, node, result)

    async def ev_close(self, worker: Worker, timedout: bool) -> None:
        await asyncio.sleep(0)
        self._recorder.ev_close(worker, timedout)


Play = Callable[[str, Sink], Awaitable[Ended]]


class Scripted(Worker):
    """A worker without processes: each target is one call of ``play(node, sink)``."""

    name: ClassVar[str] = "scripted"

    def __init__(self, play: Play, nodes: Sequence[str], **settings: Any) -> None:
        super().__init__("scripted", nodes, **settings)
        self._play = play

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        return await self._play(nodes[0], sink)


async def greet(node: str, sink: Sink) -> Ended:
    """A target that prints its name and ends well."""
    sink.started()
    sink.data("stdout", f"I am {node}\n".encode())
    await asyncio.sleep(0)
    return OK


async def for_ever(node: str, sink: Sink) -> Ended:
    """A target that does not end by itself."""
    sink.started()
    await asyncio.Event().wait()
    raise AssertionError


def refused(error: type[Exception], message: str, call: Callable[[], object]) -> None:
    """Check type and whole text of what a call raises."""
    with pytest.raises(error) as caught:
        call()
    assert (type(caught.value), str(caught.value)) == (error, message)


def unable(reason: str) -> NoReturn:
    """What a test needs is not here: it is skipped; in CI, where everything is there, it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def outcome_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str | None, test: str
) -> pytest.RunResult:
    """Run a test that needs something, where the variable ``CI`` is this; ``None``: where it is not set."""
    monkeypatch.delenv("CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test)
    return pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider")


class FakeSink:
    """A sink that writes down what it is told, but for output."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.output: dict[str, bytes] = {}

    def connected(self) -> None:
        self.told.append("connected")

    def started(self, source: object = None) -> None:
        self.told.append("started")

    def data(self, stream: str, chunk: bytes) -> None:
        self.output[stream] = self.output.get(stream, b"") + chunk

    def written(self, stream: str, size: int) -> None:
        self.told.append(f"{stream} took {size}")

    def unwritten(self, stream: str, size: int) -> None:
        self.told.append(f"{stream} left {size}")

    def progress(self, progress: Progress) -> None:
        self.told.append(f"{progress.path} {progress.done} of {progress.total}")


class FakeSource:
    """The reading side of a process that is not there; counts what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def is_paused(self) -> bool:
        """Whether the last word was to pause."""
        return self.calls[-1:] == ["pause"]

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


def children() -> set[str]:
    """The process ids of this process's children that it did not have when the test began.

    Dead ones that nobody has reaped count as well.
    """
    return _children() - _before_the_test


def forget_children() -> None:
    """From now on only new children count: before each test, for there may be a server of the session."""
    _before_the_test.clear()
    _before_the_test.update(_children())


def _children() -> set[str]:
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found.update((task / "children").read_text().split())
    return found


_before_the_test: set[str] = set()


async def turns(count: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


def node_result(node: str, outcome: Outcome = Outcome.OK, rc: int | None = 0, **fields: Any) -> NodeResult:
    """A result of one node, made by hand."""
    values: dict[str, Any] = {"signal": None, "error": None, "times": Times(queued=0.0), **fields}
    return NodeResult(node=node, outcome=outcome, rc=rc, **values)


def made_result(
    parts: Sequence[tuple[str, Outcome, int | None, bytes]], *, error: Mapping[str, NodeError] | None = None
) -> Result:
    """A result of a run, made by hand from (node, outcome, exit status, output)."""
    result = Result()
    for node, outcome, rc, output in parts:
        (record,) = result._add_target((node,), gather=True, stderr=True)
        assert record.out is not None
        result._out.add(record.out, output)
        record.result = node_result(
            node, outcome, rc, out=result._out_message(record), error=(error or {}).get(node)
        )
    return result


async def write_file(path: Path, data: bytes) -> None:
    """Write a file of some size: a busy disk would hold the loop for as long as it likes."""
    await asyncio.to_thread(path.write_bytes, data)
