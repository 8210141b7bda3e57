"""A process on this machine, while it runs and after it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio

from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit, Usage
from asynctask.manager.local.streams import Outputs
from asynctask.process_groups import ProcessGroups
from asynctask.ssh.turns import Turns

if TYPE_CHECKING:
    from asynctask.manager.launching import Ears
    from asynctask.manager.local.spawning import Child
    from asynctask.manager.local.streams import Input
    from asynctask.manager.local.usage import Meter

__all__ = ("Check", "ExitWatch", "LocalRunning")

#: How long streams may stay open after the exit because something else holds them, seconds.
_PIPE_GRACE: Final = 0.5
_POLL_FIRST, _POLL_LAST = 0.001, 0.05

Check = Callable[[list[str], float], Awaitable[bool]]


class ExitWatch:
    """Tells of the exit of a child at once: by a pidfd, and where there is none by looking.

    Args:
        popen: nobody else is to wait for it.
        exited: called once, when it has exited and was reaped.
        turns: those of all whose children exit at the same moment; ``None``: alone.
    """

    def __init__(
        self,
        popen: subprocess.Popen[bytes],
        exited: Callable[[Exit], None],
        turns: Turns | None = None,
    ) -> None:
        self._popen = popen
        self._exited = exited
        self._turns = turns or Turns()
        self._loop = asyncio.get_running_loop()
        self._pidfd = -1
        self._timer: asyncio.TimerHandle | None = None
        try:
            self._pidfd = os.pidfd_open(popen.pid)
        except (AttributeError, OSError):  # not Linux, an old kernel, or no descriptor left
            self._timer = self._loop.call_later(_POLL_FIRST, self._poll, _POLL_FIRST)
        else:
            self._loop.add_reader(self._pidfd, self._has_exited)

    def close(self) -> None:
        """Watch no more. A child that has not exited stays ours, and nobody waits for it."""
        if self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._popen.returncode is None:
            self._popen.returncode = 0  # else it complains that nobody waits

    def _has_exited(self) -> None:
        if self._turns.take(self._reap_in_turn):
            self._reap()
        else:
            self._loop.remove_reader(self._pidfd)

    def _reap_in_turn(self) -> None:
        if self._pidfd >= 0:  # else nobody wants to know any more
            self._reap()
        if self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, self._has_exited)

    def _poll(self, delay: float) -> None:
        delay = min(delay * 2, _POLL_LAST)
        self._timer = self._loop.call_later(delay, self._poll, delay)
        self._reap()

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(self._popen.pid, os.WNOHANG)
        except ChildProcessError:  # somebody else in this program reaped it: nobody can tell how it ended
            self._popen.returncode = 0
            self.close()
            self._exited(Exit(None))
            return
        if pid:
            code = self._popen.returncode = os.waitstatus_to_exitcode(status)
            self.close()
            self._exited(Exit(code) if code >= 0 else Exit(None, -code))


class LocalRunning:
    """A process that was started here. See :class:`~asynctask.manager.launching.Running`.

    Args:
        child: the process, as it was just started.
        ears: hear its output, and nothing else: it cannot be lost.
        groups: tells when its group has no member any more.
        meter: tells what it takes.
        check: runs a command beside it.
        gone: called once, when it and its group are gone.
        turns: those of all that have something to do on the loop; ``None``: alone.
    """

    found = False

    def __init__(
        self,
        child: Child,
        ears: Ears,
        *,
        groups: ProcessGroups,
        meter: Meter,
        check: Check,
        gone: Callable[[LocalRunning], None],
        turns: Turns | None = None,
    ) -> None:
        self._pid = child.popen.pid
        self._inputs = child.inputs
        self._groups = groups
        self._meter = meter
        self._check = check
        self._gone: Callable[[LocalRunning], None] | None = gone
        self._exit: Exit | None = None
        self._exited = asyncio.Event()
        self._has_group = True
        self._outputs = Outputs(ears.output, turns)
        for fd, stream in child.outputs:
            self._outputs.add(fd, stream)
        self._watch = ExitWatch(child.popen, self._has_exited, turns)

    @property
    def os_pid(self) -> int:
        """The system's number, which is that of its group and session, too."""
        return self._pid

    # -- its exit, and that of its group ------------------------------------------------------------------

    async def wait(self) -> Exit:
        """Wait for its exit."""
        await self._exited.wait()
        assert self._exit is not None
        return self._exit

    def _has_exited(self, how: Exit) -> None:
        self._exit = how
        self._exited.set()
        self._meter.forget(self._pid)
        self.has_group()

    def has_group(self) -> bool:
        """After its exit: whether its group may still have members."""
        if self._exit is None:
            return False
        if self._has_group and not _is_left(self._pid):
            self._group_is_gone()
        return self._has_group

    def _group_is_gone(self) -> None:
        self._has_group = False
        if self._gone is not None:
            gone, self._gone = self._gone, None
            gone(self)

    async def group_gone(self) -> None:
        """Wait until it has exited, and its group has no member."""
        await self._exited.wait()
        if self.has_group():
            await self._groups.wait_gone(self._pid)
            self._group_is_gone()

    async def signal(self, number: int) -> bool:
        """Send a signal to its group."""
        if self._exit is not None and not self.has_group():
            return False  # its number may be another's by now
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            return False
        except PermissionError:  # who has another user than we may signal; those that we may were signalled
            return True
        return True

    # -- its streams --------------------------------------------------------------------------------------

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        """Write to an input, waiting for room; several may write, one after the other."""
        try:
            await self._input(stream).write(data)
        except BrokenPipeError:
            raise ManagerError(f"process {self._pid} reads no more from {stream!r}") from None

    async def close_input(self, stream: str = "stdin") -> None:
        """End an input. Of a custom stream the other direction stays open."""
        self._input(stream).close()

    def _input(self, stream: str) -> Input:
        try:
            return self._inputs[stream]
        except KeyError:
            raise ManagerError(f"process {self._pid} has no input {stream!r}") from None

    def pause_reading(self) -> None:
        """Read no more output."""
        self._outputs.pause()

    def resume_reading(self) -> None:
        """Read again."""
        self._outputs.resume()

    # -- the rest -----------------------------------------------------------------------------------------

    async def usage(self) -> Usage | None:
        """What its session takes."""
        return None if self._exit is not None else await self._meter.usage(self._pid)

    async def check(self, command: list[str], timeout: float) -> bool:
        """Run a command beside it, as its user and in its directory, and tell whether it exited with 0."""
        return await self._check(command, timeout)

    async def aclose(self) -> None:
        """Deliver what output is left, and let go; before its exit: leave it alone. May be repeated.

        Who is left alone is still waited for, as long as there is a loop.
        """
        try:
            if self._exit is not None:
                await self._rest_of_output()
        finally:
            if self._exit is not None:
                self._outputs.drain()
            self._outputs.close()
            for each in self._inputs.values():
                each.close()
            self._meter.forget(self._pid)

    def close(self) -> None:
        """Watch for its exit no more: the loop will be gone."""
        self._watch.close()

    async def _rest_of_output(self) -> None:
        if not self._outputs.paused:
            self._outputs.drain()
        with anyio.move_on_after(_PIPE_GRACE, shield=True):
            await self._outputs.ended()


def _is_left(group: int) -> bool:
    """Whether the group of a process that was reaped still has a member, dead or alive.

    While it has one, no process can have its number. So if there is one of that number, the group is gone.
    """
    try:
        os.getpgid(group)
    except ProcessLookupError:
        pass
    else:
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
