"""The process that carries out a run: whether it still does, or died in the middle."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

__all__ = ("Controller",)

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_BIRTH = 22 - 3  # the field of /proc/PID/stat that tells when it began, counted from the one after its name


@dataclass(frozen=True, slots=True)
class Controller:
    """A process, told from all that had its number before it or will have it."""

    pid: int
    host: str
    boot: str = ""
    """The kernel's name for the time since the machine was started; empty where there is none."""
    space: str = ""
    """Within which the number means something: containers have their own."""
    birth: int = 0
    """When it began, in the kernel's ticks; 0 where that is not told."""

    @classmethod
    def me(cls) -> Self:
        """This process."""
        return cls(os.getpid(), socket.gethostname(), _boot(), _space(), _birth(os.getpid()) or 0)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The controller that :meth:`text` was asked of."""
        return cls(**json.loads(text))

    def text(self) -> str:
        """The same for the same process."""
        return json.dumps(asdict(self), sort_keys=True)

    def lives(self) -> bool | None:
        """Whether the process still runs; ``None`` if that cannot be told from here."""
        if self.host != socket.gethostname():
            return None
        if self.boot != _boot():
            return False
        if self.space != _space():
            return None
        if not self.birth:
            return _exists(self.pid)
        return _birth(self.pid) == self.birth


def _boot() -> str:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _space() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _birth(pid: int) -> int | None:
    """When a process began; ``None`` if there is none, or only what its parent has not waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    state, *fields = stat.rpartition(b") ")[2].split()
    return None if state in b"ZX" else int(fields[_BIRTH - 1])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
