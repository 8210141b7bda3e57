"""A process that an earlier manager has started: it is no child of ours."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit, Usage
from asynctask.manager.local.identity import ProcessIdentity
from asynctask.process_groups import ProcessGroups

__all__ = ("AdoptedRunning", "Ask", "group_left", "how_it_ended", "signal_group")

#: How often it is asked how a process has ended, and how long is waited in between, seconds: its parent
#: has to take notice of it first. What is not known after 30 ms never will be.
_WAITS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.012)
_POLL = 0.05

# PIDFD_GET_INFO of Linux 6.13; since 6.15 it tells how a process has ended, to whoever had it open then.
_INFO = struct.Struct("=Q52xi")
_INFO_EXIT = 1 << 3
_GET_INFO = 0xC0000000 | _INFO.size << 16 | 0xFF << 8 | 11
_ZOMBIE_STATUS = 49  # in /proc/PID/stat after the name

Check = Callable[[list[str], float], Awaitable[bool]]
Ask = Callable[[int], Awaitable[Usage | None]]


class AdoptedRunning:
    """A process that was found running.

    Args:
        identity: which it is.
        groups: looks at process groups.
        usage: tells what a session takes.
        check: runs a command beside it.

    Raises:
        ProcessLookupError: it has ended meanwhile.
    """

    found = True

    def __init__(self, identity: ProcessIdentity, groups: ProcessGroups, usage: Ask, check: Check) -> None:
        self.identity = identity
        self._groups = groups
        self._usage = usage
        self._check = check
        self._exit: Exit | None = None
        self._over = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pidfd = _open(identity.pid)
        if not identity.is_alive():  # looked at after opening: now the descriptor is of no other process
            self._stop_watching()
            raise ProcessLookupError(identity.pid)
        if self._pidfd >= 0:
            asyncio.get_running_loop().add_reader(self._pidfd, self._ended)
        else:
            self._poll()

    @property
    def os_pid(self) -> int:
        """Its number, and its group's."""
        return self.identity.pid

    @property
    def exit(self) -> Exit | None:
        """How it ended, once that is known."""
        return self._exit

    # -- exit ---------------------------------------------------------------------------------

    def _poll(self) -> None:
        if self.identity.is_alive():
            self._timer = asyncio.get_running_loop().call_later(_POLL, self._poll)
        else:
            self._ended()

    def _ended(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
        if self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._ask(), name=f"exit of {self.os_pid}")

    async def _ask(self) -> None:
        how = None
        try:
            for pause in _WAITS:
                await asyncio.sleep(pause)
                if (how := how_it_ended(self.identity, self._pidfd)) is not None:
                    break
        finally:
            self._exit = how or Exit(None)
            self._stop_watching()
            self._over.set()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._pidfd >= 0:
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    async def wait(self) -> Exit:
        await self._over.wait()
        assert self._exit is not None
        return self._exit

    # -- its group ----------------------------------------------------------------------------

    async def signal(self, number: int) -> bool:
        return signal_group(self.identity, number)

    def has_group(self) -> bool:
        return self._over.is_set() and group_left(self.identity)

    async def group_gone(self) -> None:
        await self.wait()
        if self.has_group():
            await self._groups.wait_gone(self.os_pid)

    # -- what it cannot do --------------------------------------------------------------------

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        raise ManagerError(f"process {self.os_pid} is detached: it has no {stream} to write to")

    async def close_input(self, stream: str = "stdin") -> None:
        raise ManagerError(f"process {self.os_pid} is detached: it has no {stream} to end")

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    # -- beside it ----------------------------------------------------------------------------

    async def usage(self) -> Usage | None:
        return None if self._over.is_set() else await self._usage(self.os_pid)

    async def check(self, command: list[str], timeout: float) -> bool:
        return await self._check(command, timeout)

    async def aclose(self) -> None:
        if self._work is not None:
            await asyncio.wait([self._work])  # 30 ms at most
        self._stop_watching()


def signal_group(identity: ProcessIdentity, number: int) -> bool:
    """Signal the group of a process, and tell whether anybody was there to get it."""
    if not identity.has_number():
        return False
    try:
        os.killpg(identity.pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # members that changed their user; those that we may signal were
        return True
    return True


def group_left(identity: ProcessIdentity) -> bool:
    """Whether the group of a process may have a member."""
    return signal_group(identity, 0)


def how_it_ended(identity: ProcessIdentity, pidfd: int = -1) -> Exit | None:
    """How a process has ended that is none of our children; ``None``: nobody tells, or not yet.

    The system tells who had it open, from Linux 6.15 on, once its parent knows. Before that its entry in
    ``/proc`` does, for a moment.
    """
    status = _status_by_pidfd(pidfd) if pidfd >= 0 else None
    if status is None:
        status = _status_by_proc(identity)
    if status is None:
        return None
    code = os.waitstatus_to_exitcode(status)
    return Exit(code) if code >= 0 else Exit(None, -code)


def _status_by_pidfd(pidfd: int) -> int | None:
    info = bytearray(_INFO.pack(_INFO_EXIT, 0))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None
    mask, status = _INFO.unpack(info)
    return status if mask & _INFO_EXIT else None


def _status_by_proc(identity: ProcessIdentity) -> int | None:
    path = f"/proc/{identity.pid}"
    try:
        fd = os.open(f"{path}/stat", os.O_RDONLY)
        try:
            stat = os.read(fd, 1024)
            ours = Path(path).stat().st_uid == os.geteuid()
        finally:
            os.close(fd)
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] != b"Z" or int(fields[19]) != identity.start or len(fields) <= _ZOMBIE_STATUS:
        return None
    status = int(fields[_ZOMBIE_STATUS])
    return status if status or ours else None  # of others' processes 0 is shown instead


def _open(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # an old kernel, no descriptor left, or no process
        return -1
