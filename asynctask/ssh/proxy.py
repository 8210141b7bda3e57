"""A connection whose way is a command's input and output: ``ProxyCommand``."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

import anyio

from asynctask.processes import KILL_WAIT, Spawner, kill_group
from asynctask.waiting import Grace

__all__ = ("ProxyTransport",)

#: Seconds that the command may take to end once the connection is closed, before it is ended.
_LAST_WORDS = 0.5
#: Bytes of its standard error that are kept for a message.
_MOST_SAID = 200


class ProxyTransport(asyncio.Transport):
    """Carries a protocol over a command, which it ends when it is closed.

    Args:
        command: for the user's shell.
        protocol: what is carried.
        spawner: starts it.

    Raises:
        OSError: the shell cannot be started.
    """

    def __init__(self, command: str, protocol: asyncio.Protocol, spawner: Spawner) -> None:
        super().__init__()
        self._protocol = protocol
        self._waiting: list[bytes] = []
        self._begun = 0  # bytes that are being written
        self._work = asyncio.Event()
        self._closing = False
        self._said = b""
        self._scope = anyio.CancelScope()
        shell = os.environ.get("SHELL") or "/bin/sh"
        self._process = spawner.spawn(
            [shell, "-c", f"exec {command}"], self._received, separate_stderr=True, stdin=True
        )
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    @property
    def said(self) -> str:
        """What the command printed on its standard error last, in one line."""
        return " ".join(self._said.decode(errors="replace").split())

    @property
    def is_over(self) -> bool:
        """Whether the command is gone."""
        return self._serving.done()

    async def wait_closed(self) -> None:
        """Wait until the command is gone: bounded once it is closed."""
        await asyncio.wait([self._serving])

    def _received(self, stream: str, chunk: bytes) -> None:
        if stream == "stderr":
            self._said = (self._said + chunk)[-_MOST_SAID:]
        elif not self._closing:
            self._protocol.data_received(chunk)

    async def _serve(self) -> None:
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._feed)
                    await self._process.wait()
                    group.cancel_scope.cancel()
        finally:
            self._closing = True
            try:
                with anyio.move_on_after(KILL_WAIT + 1, shield=True):
                    await kill_group(self._process, Grace(_LAST_WORDS))
            finally:
                self._process.close()
                self._protocol.connection_lost(None)

    async def _feed(self) -> None:
        """Write what there is to write, and when it is closed the end."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            while not self._closing or self._waiting:
                if not self._waiting:
                    self._work.clear()
                    await self._work.wait()
                data = b"".join(self._waiting)
                self._waiting, self._begun = [], len(data)
                await pipe.write(data)
                self._begun = 0
        except BrokenPipeError:
            return  # the command has closed its input, and is about to end
        pipe.close()

    # -- what a transport does ----------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._waiting.append(bytes(data))
            self._work.set()

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._work.set()
            self._scope.deadline = asyncio.get_running_loop().time() + _LAST_WORDS

    def abort(self) -> None:
        self._waiting.clear()
        self.close()
        self._scope.cancel()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._process.pause_reading()

    def resume_reading(self) -> None:
        self._process.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._begun + sum(map(len, self._waiting))

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default
