"""Looks at the processes of this machine, on which all nodes of the tests are."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ("alive", "with_argument", "with_text")

_PROC = Path("/proc")


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def with_argument(argument: str) -> list[int]:
    """The processes that have this among their arguments."""
    wanted = argument.encode()
    found = []
    for entry in _PROC.glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return found


def with_text(text: str) -> list[int]:
    """The processes that have this anywhere in their arguments."""
    wanted = text.encode()
    found = []
    for entry in _PROC.glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found
