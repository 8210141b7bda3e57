"""Real processes for tests: started through a fixture, and none of them outlives its test."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from asynctask.processes import LocalProcess, Spawner, StdinPipe

__all__ = ("PATIENCE", "Running", "Start", "start")

Start = Callable[..., "Running"]
PATIENCE = 20.0  # seconds; a test that needs them has failed


class Running:
    """A process and what it has written so far."""

    def __init__(self, spawner: Spawner, argv: tuple[str, ...], **options: Any) -> None:
        self.output = {"stdout": bytearray(), "stderr": bytearray()}
        self.chunks = 0
        self.heard = asyncio.Event()
        self.on_chunk: Callable[[], None] | None = None
        self.process: LocalProcess = spawner.spawn(argv, self._receive, **options)

    def _receive(self, stream: str, chunk: bytes) -> None:
        assert chunk
        self.output[stream] += chunk
        self.chunks += 1
        self.heard.set()
        if self.on_chunk is not None:
            self.on_chunk()

    @property
    def stdout(self) -> bytes:
        """Standard output so far."""
        return bytes(self.output["stdout"])

    @property
    def stdin(self) -> StdinPipe:
        """Standard input, for which there is a pipe."""
        assert self.process.stdin is not None
        return self.process.stdin

    def state(self) -> str:
        """The letter that the system has for what the process does."""
        return (Path("/proc") / str(self.process.pid) / "stat").read_text().rpartition(")")[2].split()[0]

    async def reached(self, state: str) -> None:
        """Wait until the process is in this state."""
        while self.state() != state:
            await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def start() -> AsyncIterator[Start]:
    """Starts processes; at the end their groups are killed."""
    spawner = Spawner()
    started: list[Running] = []

    def starter(script: str, **options: bool) -> Running:
        started.append(Running(spawner, ("/bin/sh", "-c", script), **options))
        return started[-1]

    yield starter
    for running in started:
        running.process.signal_group(signal.SIGKILL)
        running.process.close()
        running.process._popen.wait()
    await spawner.aclose()
