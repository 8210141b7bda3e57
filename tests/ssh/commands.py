"""Starts commands on connections of tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from asynctask.ssh.session import RemoteCommand, start

__all__ = ("PATIENCE", "Heard")

PATIENCE = 20.0


class Heard:
    """What a command printed, and what a test does when it prints something.

    Attributes:
        chunks: stream and bytes, as they came.
        on_data: called with each piece.
    """

    def __init__(self) -> None:
        self.chunks: list[tuple[str, bytes]] = []
        self.on_data: Callable[[bytes], object] = lambda data: None
        self._more = asyncio.Event()

    def receive(self, stream: str, data: bytes) -> None:
        """Take a piece of output."""
        self.chunks.append((stream, data))
        self._more.set()
        self.on_data(data)

    def stream(self, name: str) -> bytes:
        """All output of one stream."""
        return b"".join(data for stream, data in self.chunks if stream == name)

    @property
    def stdout(self) -> bytes:
        """All of standard output."""
        return self.stream("stdout")

    async def until(self, enough: Callable[[bytes], bool]) -> bytes:
        """Wait until standard output is enough, and give it."""
        async with asyncio.timeout(PATIENCE):
            while not enough(self.stdout):
                self._more.clear()
                await self._more.wait()
        return self.stdout

    async def line(self) -> str:
        """The first line, once it is there."""
        return (await self.until(lambda output: b"\n" in output)).decode().split("\n")[0]

    async def number(self) -> int:
        """The first line as a number, a process id mostly."""
        return int(await self.line())

    async def start(
        self, connection: asyncssh.SSHClientConnection, command: str, *, stderr: bool = False
    ) -> RemoteCommand:
        """Start a command whose output is heard here."""
        async with asyncio.timeout(PATIENCE):
            return await start(connection, command, self.receive, separate_stderr=stderr)
