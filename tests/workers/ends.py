"""Descriptors for the tests of the stream worker, and what it is run with."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from contextlib import suppress

from asynctask.results import Result
from asynctask.task import Task
from asynctask.workers.base import Worker
from asynctask.workers.streams import StreamWorker
from tests.support import Recorder

__all__ = ("Ends", "Log", "begin", "is_open", "run", "until_read")


class Log(Recorder):
    """Hears of input, too."""

    def ev_written(self, worker: Worker, node: str, sname: str, size: int) -> None:
        self.events.append(f"written {node} {sname} {size}")

    def ev_unwritten(self, worker: Worker, node: str, sname: str, size: int) -> None:
        self.events.append(f"unwritten {node} {sname} {size}")


class Ends:
    """Descriptors of a test; what is still open at its end is closed."""

    def __init__(self) -> None:
        self._fds: list[int] = []

    def pipe(self) -> tuple[int, int]:
        """The ends to read and to write."""
        self._fds += (ends := os.pipe())
        return ends

    def terminal(self) -> tuple[int, int]:
        """Both sides of a raw pseudo-terminal."""
        self._fds += (ends := pty.openpty())
        tty.setraw(ends[1])
        return ends

    def close(self) -> None:
        """Close what is open."""
        for fd in self._fds:
            with suppress(OSError):
                os.close(fd)


def is_open(fd: int) -> bool:
    """Whether there is such a descriptor."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


async def run(worker: StreamWorker) -> Result:
    """Run a worker alone."""
    task = Task()
    task.schedule(worker)
    async with asyncio.timeout(20):
        return await task.run()


def begin(worker: StreamWorker) -> asyncio.Task[Result]:
    """The same beside the test."""
    return asyncio.create_task(run(worker))


async def until_read(fd: int, size: int) -> bytes:
    """So many bytes of a descriptor, without blocking the loop."""
    os.set_blocking(fd, False)
    data = bytearray()
    while len(data) < size:
        try:
            data += os.read(fd, 65536)
        except BlockingIOError:
            await asyncio.sleep(0.001)
    return bytes(data)
