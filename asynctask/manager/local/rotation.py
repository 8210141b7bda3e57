"""Keeps log files within their bounds that processes write by themselves.

Such a file cannot be rotated by renaming it: the process would go on writing to the old one. It is copied,
and then cut to nothing. What is written between the last look and the cut is lost: some microseconds of a
process that writes without a pause.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asynctask.manager.local.direct_logs import DirectLog
from asynctask.pollers.aside import Aside

__all__ = ("Rotation", "rotate", "rotate_if_due")

#: How often logs are looked at, and how long one that could not be rotated is left alone, seconds.
_EVERY, _AGAIN = 5.0, 60.0
_CHUNK = 1 << 20
#: A process that writes faster than it is copied is cut off after so many times what there was, and this.
_MOST_TIMES, _MOST_MORE = 2, 64 << 20


@dataclass(eq=False, slots=True)
class _Kept:
    """A log of a process."""

    owner: str
    log: DirectLog
    began: float
    warn: Callable[[str], None]
    pause_until: float = 0.0


class Rotation:
    """Looks at logs from time to time, as long as there are some.

    Args:
        files: the thread for it.
        every: seconds between two looks.
    """

    def __init__(self, files: Aside, *, every: float = _EVERY) -> None:
        self._files = files
        self._every = every
        self._kept: list[_Kept] = []
        self._work: asyncio.Task[None] | None = None

    def add(self, owner: str, logs: Sequence[DirectLog], began: float, warn: Callable[[str], None]) -> None:
        """Look after the logs of a process.

        Args:
            owner: which process.
            logs: where it writes.
            began: when it was started, as ``time.time()`` had it.
            warn: told when one cannot be rotated.
        """
        self._kept += [_Kept(owner, log, began, warn) for log in logs]
        if self._kept and self._work is None:
            self._work = asyncio.get_running_loop().create_task(self._look(), name="rotation of logs")

    def remove(self, owner: str) -> None:
        """A process has ended, or is left behind."""
        self._kept = [kept for kept in self._kept if kept.owner != owner]

    async def aclose(self) -> None:
        """Look no more. What was begun in the thread ends by itself."""
        self._kept.clear()
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
            self._work = None

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            one_of_each = {kept.log.path: kept for kept in self._kept}
            for kept in one_of_each.values():
                if time.monotonic() >= kept.pause_until:
                    await self._rotate(kept)

    async def _rotate(self, kept: _Kept) -> None:
        try:
            await self._files.do(partial(rotate_if_due, kept.log, kept.began))
        except OSError as exc:
            kept.pause_until = time.monotonic() + _AGAIN
            kept.warn(f"log {kept.log.path} cannot be rotated, and grows: {exc.strerror}")


def rotate_if_due(log: DirectLog, began: float) -> bool:
    """Rotate a log if it is too large or too old, and tell whether it was.

    Args:
        log: which.
        began: when its process was started, as ``time.time()`` had it.

    Raises:
        OSError: it has to be, and cannot.
    """
    try:
        status = log.path.stat()
    except OSError:  # it was moved away, and nobody can follow it
        return False
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return False
    large = 0 < log.log.max_bytes <= status.st_size
    if not large and not _is_old(log, began):
        return False
    rotate(log.path, log.log.backups)
    return True


def _is_old(log: DirectLog, began: float) -> bool:
    if log.log.max_age is None:
        return False
    with suppress(OSError):
        began = max(began, _backup(log.path, 1).stat().st_mtime)
    return time.time() - began >= log.log.max_age


def rotate(path: Path, backups: int) -> None:
    """Begin a log anew, without its writer taking notice.

    Raises:
        OSError: nothing has changed.
    """
    new = path.with_name(f"{path.name}.new")
    with path.open("r+b", buffering=0) as file:
        if not backups:
            file.truncate(0)
            return
        try:
            with new.open("wb", buffering=0) as copy:
                _copy(file.fileno(), copy.fileno())
                _shift(path, backups)  # what takes time or fails comes before the last look
                _copy(file.fileno(), copy.fileno())
                file.truncate(0)
            new.replace(_backup(path, 1))
        except BaseException:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise


def _copy(source: int, target: int) -> None:
    """Copy from where it was read up to, to the end."""
    status = os.fstat(source)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    left = status.st_size * _MOST_TIMES + _MOST_MORE
    while left > 0 and (chunk := os.read(source, _CHUNK)):
        left -= len(chunk)
        _write(target, chunk)


def _write(fd: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(fd, view) :]


def _shift(path: Path, backups: int) -> None:
    for number in range(backups, 1, -1):
        with suppress(FileNotFoundError):
            _backup(path, number - 1).replace(_backup(path, number))


def _backup(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
