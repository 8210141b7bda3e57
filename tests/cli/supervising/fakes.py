"""A screen and a manager that do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from asynctask.cli.screen import Screen
from asynctask.errors import ProcessNotFoundError
from asynctask.manager.information import OutputLine, ProcessInfo, TemplateInfo
from asynctask.manager.launching import Exit
from asynctask.manager.states import ProcessState
from asynctask.manager.template import ProcessTemplate


class FakeScreen(Screen):
    """Keeps what is written, and takes nothing while it is held."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []
        self.free = asyncio.Event()
        self.free.set()

    async def write(self, fd: int, data: bytes) -> None:
        await self.free.wait()
        self.pieces.append((fd, data))


def process(
    name: str = "web",
    index: int | None = 0,
    state: ProcessState = ProcessState.RUNNING,
    *,
    pid: int | None = 1,
    exit_: Exit | None = None,
    **more: Any,
) -> ProcessInfo:
    """A process of which little is known."""
    values: dict[str, Any] = {
        "node": None,
        "os_pid": None if pid is None else 1000 + pid,
        "started": None,
        "uptime": None,
        "restarts": 0,
        "connected": True,
        "reason": None,
        "retry_in": None,
        **more,
    }
    return ProcessInfo(name=name, index=index, state=state, pid=pid, last_exit=exit_, **values)


def info(*processes: ProcessInfo, wanted: bool = True, **fields: Any) -> TemplateInfo:
    """A template and its processes."""
    template = ProcessTemplate(fields.pop("name", "web"), "true", **fields)
    return TemplateInfo(template, template.numprocesses, wanted, processes)


def line(text: bytes, *, name: str = "web", pid: int = 1, stream: str = "stdout", **more: Any) -> OutputLine:
    """A line of output."""
    values: dict[str, Any] = {"index": 0, "node": None, "time": 0.0, **more}
    return OutputLine(name=name, pid=pid, stream=stream, line=text, **values)


class FakeLines(AsyncIterator[OutputLine]):
    """Lines that are there already; then, when it is said so, the end."""

    def __init__(self, lines: Iterable[OutputLine] = ()) -> None:
        self.queue: asyncio.Queue[OutputLine | None] = asyncio.Queue()
        self.missed = 0
        for each in lines:
            self.queue.put_nowait(each)

    def end(self) -> None:
        """No more come."""
        self.queue.put_nowait(None)

    async def __anext__(self) -> OutputLine:
        found = await self.queue.get()
        if found is None:
            raise StopAsyncIteration
        return found


class FakeManager:
    """Tells what it was told."""

    def __init__(self, *templates: TemplateInfo) -> None:
        self.templates = {each.name: each for each in templates}
        self.closing = asyncio.Event()
        self.closed = asyncio.Event()

    def list(self) -> list[str]:
        return list(self.templates)

    def info(self, name: str) -> TemplateInfo:
        return self.templates[name]

    def process(self, pid: int) -> ProcessInfo:
        for template in self.templates.values():
            for each in template.processes:
                if each.pid == pid:
                    return each
        raise ProcessNotFoundError(f"no process {pid}")

    async def aclose(self) -> None:
        self.closing.set()
        await self.closed.wait()
