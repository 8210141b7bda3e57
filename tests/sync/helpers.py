"""Handlers in both styles that write down what they hear, and threads that hand back what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Generic, TypeVar

from asynctask.sync import StreamWorker, Task

__all__ = (
    "PATIENCE",
    "ROOT",
    "Aside",
    "New",
    "Old",
    "Says",
    "all_of",
    "run_program",
    "waited",
    "written_down",
)

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 20.0  # seconds; a test that needs them has failed

T = TypeVar("T")


class New:
    """Has the arguments of ClusterShell 1.8 and later."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def ev_start(self, worker: Any) -> None:
        self.events.append("start")

    def ev_pickup(self, worker: Any, node: str) -> None:
        self.events.append(f"pickup {node}")

    def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
        self.events.append(f"read {node} {sname} {msg.decode()}")

    def ev_hup(self, worker: Any, node: str, rc: int) -> None:
        self.events.append(f"hup {node} {rc}")

    def ev_close(self, worker: Any, timedout: bool) -> None:
        self.events.append(f"close {timedout}")


class Old:
    """Has the worker as its only argument, as before ClusterShell 1.8."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def ev_start(self, worker: Any) -> None:
        self.events.append("start")

    def ev_pickup(self, worker: Any) -> None:
        self.events.append(f"pickup {worker.current_node}")

    def ev_read(self, worker: Any) -> None:
        self.events.append(f"read {worker.current_node} {worker.current_sname} {worker.current_msg!r}")

    def ev_error(self, worker: Any) -> None:
        self.events.append(f"error {worker.current_node} {worker.current_sname} {worker.current_errmsg!r}")

    def ev_hup(self, worker: Any) -> None:
        self.events.append(f"hup {worker.current_node} {worker.current_rc}")

    def ev_timeout(self, worker: Any) -> None:
        self.events.append("timeout")

    def ev_close(self, worker: Any) -> None:
        self.events.append("close")


class Says:
    """A handler with one method, which is given: ``Says("ev_read", function)``."""

    def __init__(self, event: str, does: Callable[..., Any]) -> None:
        setattr(self, event, does)


class Line:
    """Text that a task reads, as it comes."""

    def __init__(self, task: Task, handler: object = None) -> None:
        reader, self._writer = os.pipe()
        self.worker = StreamWorker(handler, key="line")
        self.worker.set_reader("stdout", reader)
        task.schedule(self.worker)

    def write(self, text: bytes) -> None:
        os.write(self._writer, text)

    def end(self) -> None:
        os.close(self._writer)


class Heard(New):
    """Tells other threads what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.started = threading.Event()
        self.read = threading.Event()

    def ev_start(self, worker: Any) -> None:
        super().ev_start(worker)
        self.started.set()

    def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
        super().ev_read(worker, node, sname, msg)
        self.read.set()


def running(task: Task) -> Line:
    """Have a task of another thread run; it goes on until the line is ended."""
    heard = Heard()
    line = Line(task, heard)
    task.resume()
    waited(heard.started)
    return line


def fires(does: Callable[[], object]) -> Says:
    """The handler of a timer, that does something in the task's thread."""

    def ev_timer(timer: Any) -> None:
        does()

    return Says("ev_timer", ev_timer)


class Aside(Generic[T]):
    """A function in a thread of its own, at once."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._answer: Future[T] = Future()
        self.thread = threading.Thread(target=self._run, args=(function,))
        self.thread.start()

    def _run(self, function: Callable[[], T]) -> None:
        try:
            self._answer.set_result(function())
        except BaseException as exc:
            self._answer.set_exception(exc)

    def result(self) -> T:
        """What it returned, or raised."""
        answer = self._answer.result(PATIENCE)
        self.thread.join(PATIENCE)
        return answer

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._answer.done()


def all_of(asides: Iterable[Aside[T]]) -> list[T]:
    """What several threads have returned."""
    return [aside.result() for aside in asides]


def waited(event: threading.Event) -> None:
    """Wait for an event that comes."""
    assert event.wait(PATIENCE), "it did not happen"


def written_down(groups: Iterable[tuple[Any, Any]]) -> list[tuple[Any, str]]:
    """What ``iter_buffers()``, ``iter_errors()`` or ``iter_retcodes()`` yields, ready to compare."""
    return [
        (what if isinstance(what, int) else bytes(what), ",".join(map(str, keys))) for what, keys in groups
    ]


def run_program(text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the text of a program to its end."""
    return subprocess.run(
        [sys.executable, *options, "-c", text],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
