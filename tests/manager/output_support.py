"""Blocks, printers and sources for the tests of output."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from asynctask.manager.information import OutputLine
from asynctask.manager.log_thread import LogWriter
from asynctask.manager.output_blocks import Block, Printer

__all__ = ("PRINTER", "Gate", "HeldUp", "Tap", "block", "raw", "until")

PRINTER = Printer("web", 7, 0, None)


def block(data: bytes, number: int = 0, *, is_piece: bool = False) -> Block:
    """A block of standard output."""
    return Block(PRINTER, "stdout", data, 1.5, number, is_piece)


def raw(lines: Sequence[OutputLine]) -> list[bytes]:
    """The bytes alone."""
    return [line.line for line in lines]


class Tap:
    """A source of output, which can be turned off."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


class HeldUp:
    """A feeder of a log file."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.released = asyncio.Event()

    def hold(self, writer: LogWriter) -> None:
        self.calls.append("hold")

    def release(self, writer: LogWriter) -> None:
        self.calls.append("release")
        self.released.set()


class Gate:
    """A file in memory, which is written only while it is open, and can be out of order."""

    def __init__(self, name: str = "gate") -> None:
        self.name = name
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None
        self.written = bytearray()
        self.new_lines: list[int] = []
        self.most = 1 << 30
        self.closed = 0
        self.tries = 0

    def write(self, chunks: Sequence[bytes], *, new_line: bool = False) -> int:
        self.tries += 1
        self.open.wait(20)
        if self.error is not None:
            raise self.error
        if new_line:
            self.new_lines.append(len(self.written))
        data = b"".join(chunks)[: self.most]
        self.written += data
        return len(data)

    def close(self) -> None:
        self.closed += 1


async def until(condition: Callable[[], object]) -> None:
    """Wait until a function is true; for what threads do."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)
