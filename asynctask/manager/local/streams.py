"""Descriptors between us and a process: what it prints, and what it is sent."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from asynctask.processes import StdinPipe
from asynctask.ssh.turns import Turns

__all__ = ("Input", "Outputs")

_READ_SIZE = 65536
#: The most that is taken of one stream in one go at the end: what a pipe holds at the very most.
_CAPACITY = 1 << 20


class Outputs:
    """Reads what a process prints.

    Args:
        receive: called on the loop with the name of a stream and some bytes.
        turns: those of all who have something to do on the loop at the same moment; ``None``: alone.
    """

    def __init__(self, receive: Callable[[str, bytes], None], turns: Turns | None = None) -> None:
        self._receive = receive
        self._turns = turns or Turns()
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, str] = {}
        self._paused = False
        self._ended = asyncio.Event()
        self._ended.set()

    def add(self, fd: int, stream: str) -> None:
        """Read a stream from now on; the descriptor is ours to close."""
        os.set_blocking(fd, False)
        self._open[fd] = stream
        self._ended.clear()
        if not self._paused:
            self._loop.add_reader(fd, self._readable, fd)

    @property
    def paused(self) -> bool:
        """Whether nobody wants to hear it now."""
        return self._paused

    def pause(self) -> None:
        """Read no more."""
        if not self._paused:
            self._paused = True
            for fd in self._open:
                self._loop.remove_reader(fd)

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            for fd in self._open:
                self._loop.add_reader(fd, self._readable, fd)

    async def ended(self) -> None:
        """Wait until all streams have ended."""
        await self._ended.wait()

    def drain(self) -> None:
        """Take what is there now, without waiting, though reading is paused."""
        for fd in list(self._open):
            left = _CAPACITY
            while left > 0 and (size := self._take(fd)):
                left -= size

    def close(self) -> None:
        """Read no more, ever. May be repeated."""
        for fd in list(self._open):
            self._close(fd)

    def _readable(self, fd: int) -> None:
        if self._turns.take(partial(self._take_in_turn, fd)):
            self._take(fd)
        else:
            self._loop.remove_reader(fd)

    def _take_in_turn(self, fd: int) -> None:
        if fd not in self._open or self._paused:
            return
        self._take(fd)
        if fd in self._open and not self._paused:
            self._loop.add_reader(fd, self._readable, fd)

    def _take(self, fd: int) -> int:
        """Take a piece; how large it was."""
        try:
            chunk = os.read(fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:  # a socket whose other end was closed before all was read there
            chunk = b""
        if chunk:
            self._receive(self._open[fd], chunk)
        elif fd in self._open:
            self._close(fd)
        return len(chunk)

    def _close(self, fd: int) -> None:
        del self._open[fd]
        self._loop.remove_reader(fd)
        os.close(fd)
        if not self._open:
            self._ended.set()


class Input:
    """Where a process is written to; several may do so at a time, and their data is not mixed.

    Args:
        fd: it is ours to close, and does not block.
        socket: it is a socket: ending the input leaves the other direction open.
    """

    def __init__(self, fd: int, *, is_socket: bool = False) -> None:
        self._pipe = StdinPipe(fd)
        self._fd = fd
        self._is_socket = is_socket
        self._open = True
        self._turn = asyncio.Lock()

    async def write(self, data: bytes) -> None:
        """Write all of it, waiting for room. Cancelling may leave it half written.

        Raises:
            BrokenPipeError: nobody reads any more, or the input was ended here.
        """
        async with self._turn:
            try:
                await self._pipe.write(data)
            except ConnectionResetError as exc:
                raise BrokenPipeError(*exc.args) from exc

    def close(self) -> None:
        """End the input; who waits for room is told. May be repeated."""
        if self._open:
            self._open = False
            if self._is_socket:
                with suppress(OSError), socket.socket(fileno=os.dup(self._fd)) as other:
                    other.shutdown(socket.SHUT_WR)
            self._pipe.close()
