"""Processes of a launcher, none of which outlives its test."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import pytest_asyncio

from asynctask.manager.launching import Exit, Order
from asynctask.manager.local.launcher import LocalLauncher
from asynctask.manager.local.running import LocalRunning
from asynctask.manager.template import ProcessTemplate

__all__ = ("Heard", "Launch", "Launched", "launch")


class Heard:
    """Ears that write down what they hear."""

    def __init__(self) -> None:
        self.output_of: dict[str, bytes] = {}
        self.told: list[str] = []
        self.news = asyncio.Event()

    def output(self, stream: str, chunk: bytes) -> None:
        self.output_of[stream] = self.output_of.get(stream, b"") + chunk
        self.news.set()

    def lost(self, reason: str) -> None:
        self.told.append(f"lost {reason}")

    def found(self) -> None:
        self.told.append("found")

    def warn(self, text: str) -> None:
        self.told.append(f"warn {text}")

    async def until(self, text: bytes, stream: str = "stdout") -> None:
        """Wait until this was printed."""
        while text not in self.output_of.get(stream, b""):
            self.news.clear()
            await self.news.wait()


class Launched:
    """A process, and what was heard of it."""

    def __init__(self, running: LocalRunning, heard: Heard) -> None:
        self.running = running
        self.heard = heard

    async def end(self) -> Exit:
        """Wait until it has ended, and all of its output was heard."""
        how = await self.running.wait()
        await self.running.aclose()
        return how

    @property
    def output(self) -> dict[str, bytes]:
        """What it has printed so far."""
        return self.heard.output_of

    @property
    def stdout(self) -> bytes:
        """The same of standard output."""
        return self.output.get("stdout", b"")


Launch = Callable[..., Coroutine[Any, Any, Launched]]


@pytest_asyncio.fixture
async def launch() -> AsyncIterator[Launch]:
    """Starts a shell's script, or a program, with more fields of a template."""
    launcher = LocalLauncher(guard=False)
    launched: list[Launched] = []

    async def start(what: str | Sequence[str], **fields: Any) -> Launched:
        command = ("/bin/sh", "-c", what.replace("$", "$$")) if isinstance(what, str) else what
        heard = Heard()
        order = Order(ProcessTemplate("test", command, **fields), len(launched) + 1, len(launched))
        running = await launcher.launch(order, heard)
        assert isinstance(running, LocalRunning)
        launched.append(Launched(running, heard))
        return launched[-1]

    yield start
    for each in launched:
        await each.running.signal(signal.SIGKILL)
        await each.end()
    await launcher.aclose()
