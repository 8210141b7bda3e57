"""A real ssh-agent, and a stand-in before it that counts, delays and refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType

__all__ = ("AgentProxy", "RealAgent")

_START = 10.0  # seconds
_SIGN_REQUEST, _FAILURE = 13, b"\x00\x00\x00\x01\x05"


class RealAgent:
    """An ssh-agent of OpenSSH on a socket, from ``with`` until it is left."""

    def __init__(self, socket: Path) -> None:
        self.socket = str(socket)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RealAgent:
        program = shutil.which("ssh-agent")
        assert program is not None, "no ssh-agent here, get it with: apt-get install openssh-client"
        self._process = subprocess.Popen([program, "-D", "-a", self.socket], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START
        while not Path(self.socket).exists():
            assert time.monotonic() < deadline, "ssh-agent does not start"
            time.sleep(0.002)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    async def add(self, *keys: Path) -> None:
        """Let it hold keys."""
        await self._ssh_add(*map(str, keys))

    async def forget_all(self) -> None:
        """Let it hold none."""
        await self._ssh_add("-D")

    def kill(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(_START)

    async def _ssh_add(self, *arguments: str) -> None:
        environment = {**os.environ, "SSH_AUTH_SOCK": self.socket}
        process = await asyncio.create_subprocess_exec(
            "ssh-add", *arguments, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        _, errors = await process.communicate()
        assert process.returncode == 0, errors


class AgentProxy:
    """Stands before an agent, from ``async with`` until it is left.

    Attributes:
        connections: how often it was connected to.
        requests: the number of each request's kind, in order.
        silent: answer nothing.
        refuse: refuse to sign.
        let_sign: signatures are given only while it is set.
        signing: set when a signature was asked for.
    """

    def __init__(self, socket: Path, agent: RealAgent) -> None:
        self.socket = str(socket)
        self.connections = 0
        self.requests: list[int] = []
        self.silent = False
        self.refuse = False
        self.let_sign = asyncio.Event()
        self.let_sign.set()
        self.signing = asyncio.Event()
        self._agent = agent
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> AgentProxy:
        self._server = await asyncio.start_unix_server(self._connected, self.socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(EOFError, OSError):
            while True:
                request = await _packet(reader)
                self.requests.append(request[4])
                if not self.silent:
                    writer.write(await self._answer(request))

    async def _answer(self, request: bytes) -> bytes:
        if request[4] == _SIGN_REQUEST:
            self.signing.set()
            await self.let_sign.wait()
            if self.refuse:
                return _FAILURE
        reader, writer = await asyncio.open_unix_connection(self._agent.socket)
        with closing(writer):
            writer.write(request)
            return await _packet(reader)


async def _packet(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(int.from_bytes(length, "big"))
