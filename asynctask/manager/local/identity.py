"""Which process it is: a number alone does not tell, since numbers come again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ("ProcessIdentity", "boot_id", "start_time")

_STATE, _START = 0, 19  # in /proc/PID/stat, after the name


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, told from all others that there ever were on this machine."""

    pid: int
    start: int
    """When it was started, in ticks since the machine was."""
    boot: str
    """Which start of the machine that was."""

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self.boot == boot_id() and start_time(self.pid, living=True) == self.start

    def has_number(self) -> bool:
        """Whether no other process has its number now: then its group, if there is one, is still its own."""
        return self.boot == boot_id() and start_time(self.pid) in (None, self.start)


def start_time(pid: int, *, living: bool = False) -> int | None:
    """When a process was started, in ticks since the machine was; ``None``: there is none, or nobody tells.

    Args:
        pid: of the process.
        living: one that has ended, and was not waited for, does not count.
    """
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return None
    try:
        stat = os.read(fd, 1024)
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name in parentheses may hold anything, so from its end on.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if living and fields[_STATE] in (b"Z", b"X") else int(fields[_START])


@cache
def boot_id() -> str:
    """Which start of this machine it is; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
