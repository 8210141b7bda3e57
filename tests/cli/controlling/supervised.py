"""A manager that runs while a test runs commands, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from asynctask import cli
from asynctask.errors import ManagerError
from asynctask.manager import Manager, ProcessTemplate
from asynctask.manager.control.place import ENVIRONMENT_VARIABLE
from asynctask.manager.control.server import ControlServer
from tests.manager.fakes import FakeLauncher

__all__ = ("COMMANDS", "Supervised", "a_manager_runs", "no_manager_runs")

T = TypeVar("T")

COMMANDS = ("ps", "start", "stop", "restart", "scale", "reload", "logs", "send", "status")


class Supervised:
    """A manager of fake processes, for tests that have no loop."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.reread: Mapping[str, Any] | None = None
        """What comes of reading the file again; ``None``: it cannot be read."""
        self.manager: Manager
        self.launcher: FakeLauncher
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.ended: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="manager")

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the manager's loop do it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def load(self, name: str, **fields: Any) -> None:
        """A template."""
        self.do(self.manager.load(ProcessTemplate(name, "serve", **fields)))

    def prints(self, place: int, data: bytes, stream: str = "stdout") -> None:
        """A process prints."""

        async def say() -> None:
            self.launcher.processes[place].ears.output(stream, data)

        self.do(say())

    def states(self) -> dict[str, list[str]]:
        """Of all processes."""

        async def look() -> dict[str, list[str]]:
            infos = [self.manager.info(name) for name in self.manager.list()]
            return {info.name: [each.state.value for each in info.processes] for info in infos}

        return self.do(look())

    def begin(self) -> None:
        """Run it, until :meth:`end`."""
        self._thread.start()
        assert self._ready.wait(10)

    def end(self) -> None:
        """Stop all."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.ended.set)
            self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.ended = asyncio.Event()
        self.launcher = FakeLauncher()
        async with (
            Manager(name="m", launcher=self.launcher) as self.manager,
            ControlServer(self.manager, self.socket, reread=self._reread),
        ):
            self._ready.set()
            await self.ended.wait()

    async def _reread(self) -> Mapping[str, Any]:
        if self.reread is None:
            raise ManagerError("Procfile: line 3: no command")
        return self.reread


@pytest.fixture(name="nowhere")
def no_manager_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a manager would be."""
    directory = Path(tempfile.mkdtemp(prefix="at", dir="/tmp"))
    for name in COMMANDS:
        monkeypatch.setitem(cli._COMMANDS, name, name)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(directory / "a.sock"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield directory / "a.sock"
    shutil.rmtree(directory)


@pytest.fixture(name="supervised")
def a_manager_runs(nowhere: Path) -> Iterator[Supervised]:
    """A manager, which the commands find."""
    supervised = Supervised(nowhere)
    supervised.begin()
    try:
        yield supervised
    finally:
        supervised.end()
