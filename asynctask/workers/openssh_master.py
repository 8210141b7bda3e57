"""A running system's ``ssh`` that has logged in to a node and serves sessions."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

import anyio

from asynctask.processes import LocalProcess, Spawner, kill_group
from asynctask.waiting import Grace
from asynctask.workers.openssh_log import SSHLog

__all__ = ("Master", "output_of")

#: Seconds that ``ssh`` has to say good-bye.
_GRACE = 1.0
#: Seconds after which it is told again.
_REMIND = 0.1
#: Seconds after which it is given up.
_END_WAIT = 5.0
#: Bytes that are kept of what it says beside its log.
_NOISE = 4096
_READ_SIZE = 65536


class Master:
    """Starts ``ssh`` and follows its log.

    The log has a pipe of its own, by a name, since ``ssh`` closes what it inherits. It has no end, for we
    hold both sides: the process tells.

    Args:
        argv: the command; it logs to ``log``.
        log: the path of the pipe, which is made here.
        spawner: starts the process.

    Raises:
        OSError: it could not be started; nothing is left.
    """

    def __init__(self, argv: Sequence[str], log: str, spawner: Spawner) -> None:
        self.log = SSHLog()
        self._noise = bytearray()
        self._news = asyncio.Event()
        self._path = log
        os.mkfifo(log, 0o600)
        self._fd = -1
        try:
            self._fd = os.open(log, os.O_RDWR | os.O_NONBLOCK)
            self._process: LocalProcess = spawner.spawn(argv, self._heard)
        except BaseException:
            self._close_log()
            raise
        asyncio.get_running_loop().add_reader(self._fd, self.read_log)

    def _heard(self, stream: str, chunk: bytes) -> None:
        self._noise += chunk
        del self._noise[:-_NOISE]

    @property
    def noise(self) -> str:
        """What a jump host, a proxy command or the server's banner said last."""
        return self._noise.decode(errors="replace")

    def read_log(self) -> None:
        """Take what is in the log now."""
        with suppress(BlockingIOError):
            while self._fd >= 0 and (data := os.read(self._fd, _READ_SIZE)):
                self.log.feed(data)
        self._news.set()

    def why_lost(self) -> str:
        """Why a connection that was up has broken."""
        self.read_log()
        return self.log.why_lost()

    async def wait_ready(self) -> bool:
        """Wait until sessions can be opened, or until it has ended: then false, and all it said is there."""
        async with anyio.create_task_group() as group:

            async def follow() -> None:
                while not self.log.ready:
                    self._news.clear()
                    await self._news.wait()
                group.cancel_scope.cancel()

            group.start_soon(follow)
            await self._process.wait_exit()
            group.cancel_scope.cancel()
        if self._process.returncode is not None:
            self._process.drain()
            self.read_log()
        return self._process.returncode is None

    async def end(self) -> None:
        """End it with all that it has started. Bounded; goes on when cancelled."""
        try:
            with anyio.move_on_after(_END_WAIT, shield=True):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._remind)
                    await kill_group(self._process, Grace(_GRACE))
                    group.cancel_scope.cancel()
        finally:
            self._process.close()
            self._close_log()

    async def _remind(self) -> None:
        """A TERM that comes just before ``ssh`` goes to sleep is heeded when the next one wakes it."""
        while self._process.returncode is None:
            await anyio.sleep(_REMIND)
            self._process.signal_group(signal.SIGTERM)

    def _close_log(self) -> None:
        if self._fd >= 0:
            with suppress(ValueError):
                asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
        with suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108


async def output_of(argv: Sequence[str], spawner: Spawner) -> tuple[int, str, str]:
    """Run a program to its end: exit status, standard output, standard error.

    Raises:
        OSError: it could not be started.
    """
    heard = {"stdout": bytearray(), "stderr": bytearray()}
    process = spawner.spawn(argv, lambda stream, chunk: heard[stream].extend(chunk), separate_stderr=True)
    try:
        rc = await process.wait()
    except BaseException:
        with anyio.move_on_after(_END_WAIT, shield=True):
            await kill_group(process, Grace(0))
        raise
    finally:
        process.close()
    return rc, heard["stdout"].decode(errors="replace"), heard["stderr"].decode(errors="replace")
