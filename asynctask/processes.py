"""Local processes on the running loop, cheaply and on every loop alike.

``subprocess.Popen`` starts them (vfork, so the cost does not grow with our memory), a pidfd
tells of the exit, the loop's readers take the output. No thread, no ``SIGCHLD`` handler, no
``fork`` hooks; asyncio on Python 3.11 needs a thread a child and uvloop forks.

Each process leads a session of its own: it has no terminal, Ctrl-C does not reach it, and
what it starts can be ended with it, as a group.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

import anyio

from asynctask.process_groups import ProcessGroups
from asynctask.waiting import Grace

__all__ = ("KillLadder", "LocalProcess", "Spawner", "StdinPipe", "kill_group")

#: How long the pipes may stay open after the exit because something else holds them, seconds.
PIPE_GRACE = 0.5
#: How long a process may take to vanish after KILL before it is given up as stuck, seconds.
KILL_WAIT = 2.0

_READ_SIZE = 65536
_PIPE_CAPACITY = 1 << 20  # the most that an unprivileged pipe holds: fs.pipe-max-size
_POLL_FIRST, _POLL_LAST = 0.001, 0.05
_LOST_STATUS = 255 << 8
#: Between one and two of these, in seconds, a process may live before its exit is watched for. Most
#: are over by then: their output ends, and asking for their status then costs one system call.
_YOUTH = 0.05

Receive = Callable[[str, bytes], None]


class Spawner:
    """Starts processes and holds what they share. Its processes are closed before it is."""

    def __init__(self) -> None:
        self.groups = ProcessGroups()
        self._devnull = -1
        self._young: dict[LocalProcess, None] = {}
        self._newborn: dict[LocalProcess, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def spawn(
        self,
        argv: Sequence[str],
        receive: Receive,
        *,
        separate_stderr: bool = False,
        stdin: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> LocalProcess:
        """Start a process; its output goes to ``receive(stream, chunk)`` as it comes.

        Args:
            argv: the program and its arguments; no shell.
            receive: called on the loop with ``"stdout"`` or ``"stderr"`` and some bytes.
            separate_stderr: else standard error is part of standard output.
            stdin: give it a pipe, to be written through ``process.stdin``; else it reads nothing
                and finds the end at once.
            env: its whole environment; ``None``: that of this process.

        Raises:
            OSError: it could not be started; nothing is left open.
        """
        ours: list[int] = []
        theirs: list[int] = []
        try:
            _pipe(ours, theirs)
            if separate_stderr:
                _pipe(ours, theirs)
            if stdin:
                _pipe(theirs, ours)
                os.set_blocking(ours[-1], False)
            elif self._devnull < 0:
                self._devnull = os.open(os.devnull, os.O_RDONLY)
            popen = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                argv,
                stdin=theirs[-1] if stdin else self._devnull,
                stdout=theirs[0],
                stderr=theirs[1] if separate_stderr else theirs[0],
                start_new_session=True,
                env=env,
            )
        except BaseException:
            for fd in ours:
                os.close(fd)
            raise
        finally:
            for fd in theirs:
                os.close(fd)
        process = LocalProcess(popen, receive, self)
        process._read_from(ours[0], "stdout")
        if separate_stderr:
            process._read_from(ours[1], "stderr")
        if stdin:
            process.stdin = StdinPipe(ours[-1])
        self._newborn[process] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_YOUTH, self._grow_up)
        return process

    def _grow_up(self) -> None:
        """Watch those that have outlived their youth."""
        grown, self._young, self._newborn = self._young, self._newborn, {}
        for process in grown:
            process._watch_exit()
        busy = self._young or self._newborn
        self._timer = asyncio.get_running_loop().call_later(_YOUTH, self._grow_up) if busy else None

    def _forget(self, process: LocalProcess) -> None:
        self._young.pop(process, None)
        self._newborn.pop(process, None)

    async def aclose(self) -> None:
        """Let go of what was shared."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._devnull >= 0:
            os.close(self._devnull)
            self._devnull = -1


class LocalProcess:
    """A process with a group of its own. Made by :meth:`Spawner.spawn`.

    It is over when it has exited *and* its output has ended. When something that it left
    behind holds the output open, it is over ``PIPE_GRACE`` after the exit; what the process
    itself wrote is delivered also then.
    """

    def __init__(self, popen: subprocess.Popen[bytes], receive: Receive, spawner: Spawner) -> None:
        self._popen = popen
        self._spawner = spawner
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        self._exit: asyncio.Event | None = None  # made when somebody waits for the exit alone
        self._readers: dict[int, str] = {}
        self._paused = False
        self._pidfd = -1
        self._watching = False
        self._timer: asyncio.TimerHandle | None = None  # polls before the exit, hangs up after it
        self.pid = popen.pid
        self.returncode: int | None = None
        self.stdin: StdinPipe | None = None

    # -- output ---------------------------------------------------------------------------

    def _read_from(self, fd: int, stream: str) -> None:
        self._readers[fd] = stream
        self._loop.add_reader(fd, self._readable, fd, stream)

    def _readable(self, fd: int, stream: str) -> None:
        try:
            chunk = os.read(fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        if chunk:
            self._receive(stream, chunk)
        else:
            self._close_output(fd)
            self._ask_exit()

    def _ask_exit(self) -> None:
        """Its output has ended: nearly always it has exited as well."""
        if not self._readers and self.returncode is None:
            self._reap()
            self._watch_exit()
        else:
            self._settle()

    def _close_output(self, fd: int) -> None:
        self._loop.remove_reader(fd)
        del self._readers[fd]
        os.close(fd)

    def pause_reading(self) -> None:
        """Read no more output until :meth:`resume_reading`; a full pipe makes the process wait."""
        if not self._paused:
            self._paused = True
            for fd in self._readers:
                self._loop.remove_reader(fd)

    def resume_reading(self) -> None:
        """Read output again."""
        if self._paused:
            self._paused = False
            for fd, stream in self._readers.items():
                self._loop.add_reader(fd, self._readable, fd, stream)
            self._settle()

    # -- exit -----------------------------------------------------------------------------

    def _watch_exit(self) -> None:
        """Be told of the exit, from now on."""
        if self.returncode is not None or self._watching:
            return
        self._watching = True
        self._spawner._forget(self)
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, an old kernel, or no descriptor left
            self._poll(_POLL_FIRST)
        else:
            self._loop.add_reader(self._pidfd, self._reap)

    def _poll(self, delay: float) -> None:
        self._timer = None
        self._reap()
        if self.returncode is None:
            self._timer = self._loop.call_later(delay, self._poll, min(delay * 2, _POLL_LAST))

    def _reap(self) -> None:
        """Take the exit status, if there is one."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else in this program reaped it: the status is lost
            pid, status = self.pid, _LOST_STATUS
        if pid:
            self._stop_watching()
            self.returncode = self._popen.returncode = os.waitstatus_to_exitcode(status)
            if self._exit is not None:
                self._exit.set()
            self._settle()

    def _stop_watching(self) -> None:
        self._watching = True
        self._spawner._forget(self)
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- end ------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Decide whether it is over, or how long the output may still stay open."""
        if self.returncode is None or self._over.is_set():
            return
        if not self._readers:
            self._stop_watching()
            self._over.set()
        elif self._timer is None and not self._paused:
            self._timer = self._loop.call_later(PIPE_GRACE, self._hang_up)

    def _hang_up(self) -> None:
        self._timer = None
        if not self._paused:  # else a slow consumer: resuming starts the grace again
            self.drain()

    def drain(self) -> None:
        """Take what is in the pipes now and close them."""
        for fd, stream in list(self._readers.items()):
            left = _PIPE_CAPACITY
            os.set_blocking(fd, False)
            with suppress(BlockingIOError):
                while left > 0 and (chunk := os.read(fd, _READ_SIZE)):
                    self._receive(stream, chunk)
                    left -= len(chunk)
            self._close_output(fd)
        self._settle()

    async def wait(self) -> int:
        """Wait until it is over; the exit status, or minus the number of a signal.

        Cancelling leaves the process as it is; waiting again is fine.
        """
        await self._over.wait()
        assert self.returncode is not None
        return self.returncode

    async def wait_exit(self) -> None:
        """Wait until it has exited, whatever becomes of its output."""
        if self.returncode is None:
            if self._exit is None:
                self._exit = asyncio.Event()
            self._watch_exit()
            await self._exit.wait()

    async def wait_group_gone(self) -> None:
        """Wait until it has exited and its group has no other living member."""
        await self.wait_exit()
        await self._spawner.groups.wait_gone(self.pid)

    def signal_group(self, number: int) -> bool:
        """Send a signal to the whole group; whether anybody was there to get it.

        The group keeps its number while it has a member, also after the leader's exit.
        """
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # members that changed their user; those that we may signal were
            return True
        return True

    def close(self) -> None:
        """Let go of descriptors and timers. Waits for nothing, signals nobody; may be repeated."""
        self._stop_watching()
        for fd in list(self._readers):
            self._close_output(fd)
        if self.stdin is not None:
            self.stdin.close()


class StdinPipe:
    """The writing end of a process's standard input."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waiting = asyncio.Event()  # for room in the pipe

    async def write(self, data: bytes | memoryview) -> None:
        """Write all of ``data``, waiting for room. Cancelling may leave it half written.

        Raises:
            BrokenPipeError: nobody reads any more, or the pipe was closed here.
        """
        view = memoryview(data)
        while view:
            if self._fd < 0:
                raise BrokenPipeError("standard input is closed")
            try:
                view = view[os.write(self._fd, view) :]
            except BlockingIOError:
                await self._room()

    async def _room(self) -> None:
        self._waiting = asyncio.Event()
        fd = self._fd
        loop = asyncio.get_running_loop()
        loop.add_writer(fd, self._waiting.set)
        try:
            await self._waiting.wait()
        finally:
            if self._fd == fd:
                loop.remove_writer(fd)

    def close(self) -> None:
        """End the input; a write that waits for room is broken off. Calling it again does nothing."""
        if self._fd >= 0:
            asyncio.get_running_loop().remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._waiting.set()


KillLadder = Callable[[LocalProcess, Grace], Awaitable[None]]
"""How a process is ended: ``await ladder(process, grace)``. See :func:`kill_group`."""


async def kill_group(process: LocalProcess, grace: Grace) -> None:
    """End a process and all of its group: TERM, the grace, KILL.

    CONT goes with TERM, since a stopped process cannot react. Returns when the group is gone, at
    most ``KILL_WAIT`` seconds after KILL, for a process can be stuck in the kernel.
    """
    if process.signal_group(signal.SIGTERM):
        process.signal_group(signal.SIGCONT)
        gone = False
        with grace.period():
            await process.wait_group_gone()
            gone = True
        if gone:
            return
        process.signal_group(signal.SIGKILL)
    with anyio.move_on_after(KILL_WAIT):
        await process.wait_exit()


def _pipe(readers: list[int], writers: list[int]) -> None:
    reader, writer = os.pipe()
    readers.append(reader)
    writers.append(writer)
