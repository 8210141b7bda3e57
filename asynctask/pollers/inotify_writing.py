"""Whether somebody is writing a file: asks the kernel, which tells only its owner, and root."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import operator
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from asynctask.pollers.changes import Listing

__all__ = ("COARSE_TICK", "Held", "Unfinished", "hold_back", "is_written", "is_young")

#: A change this young, in seconds, may have the same time as the one before it.
_TICK, COARSE_TICK = 0.02, 2.0
#: Seconds until it is asked whether a file of which nothing is heard is still being written, and at most.
_ASK, _ASK_AT_MOST = 1.0, 60.0

# Not a link, nor a pipe that has come in the place of a file, nor a terminal that would become ours.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC


# One that keeps the interpreter's lock.
_fcntl = ctypes.PyDLL(None, use_errno=True).fcntl
_fcntl.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int)


def is_written(path: str) -> bool | None:
    """Whether a regular file is open for writing; ``None`` if that cannot be known.

    A read lease is granted only if nobody has the file open for writing. It is given back at once, without
    any Python between, which another thread might hold up: who opens the file for writing in that
    microsecond waits for its end, or is refused with EWOULDBLOCK if it does not want to wait. This process is
    sent a signal about it: one that is ignored unless asked for, since the usual one would end the process.
    """
    try:
        fd = os.open(path, _FLAGS)
    except OSError:
        return None
    steps: tuple[Callable[[], int], ...] = (
        partial(_fcntl, fd, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        ctypes.get_errno,
        partial(_fcntl, fd, fcntl.F_SETLEASE, fcntl.F_UNLCK),
    )
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        refused, reason, _ = map(operator.call, steps)
    except OSError:
        return None
    finally:
        os.close(fd)
    if not refused:
        return False
    return True if reason == errno.EAGAIN else None


class Unfinished:
    """A file that is being written, as far as is known."""

    __slots__ = ("ask_at", "by_look", "pause")

    def __init__(self, *, by_look: bool = False) -> None:
        self.by_look = by_look
        self.pause = _ASK
        self.ask_at = time.monotonic() + _ASK

    def ask_later(self) -> None:
        self.pause = min(2 * self.pause, _ASK_AT_MOST)
        self.ask_at = time.monotonic() + self.pause


@dataclass(slots=True)
class Held:
    """What a look has found out about files that are new."""

    names: dict[str, Unfinished] = field(default_factory=dict)
    """Those that are being written."""
    linked: set[int] = field(default_factory=set)
    """The inodes of those that have several names."""


def hold_back(root: str, changed: Listing, *, partial: bool) -> Held:
    """Take what is being written out of what a look has found. In a thread."""
    held = Held()
    for name, stamp in changed.items():
        if stamp[0] != "file":
            continue
        path = f"{root}/{name}" if name else os.path.realpath(root)
        try:
            status = os.lstat(path)
        except OSError:
            continue
        if status.st_nlink > 1:
            held.linked.add(stamp[-1])
        if partial:
            continue
        written = is_written(path)
        if written is None:
            written = is_young(status, COARSE_TICK)
        if written:
            held.names[name] = Unfinished(by_look=True)
    for name in held.names:
        del changed[name]
    return held


def is_young(status: os.stat_result, tick: float = _TICK) -> bool:
    """Whether a file was changed so lately that a further change may have got the same time."""
    if status.st_ctime_ns % 1_000_000_000 == 0:
        tick = COARSE_TICK  # a file system with whole seconds
    return abs(time.time() - status.st_ctime) < tick  # a clock that was set back makes nothing young for long
