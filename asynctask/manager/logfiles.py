"""Log files as such: appended to, rotated, opened again when they were moved away.

Everything here may block, and belongs into a thread (``log_thread``).
"""

from __future__ import annotations

import os
import re
import select
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from time import time
from typing import Final

from asynctask.manager.template import LogFile

__all__ = ("RotatingFile", "StandardStream", "log_path")

_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_MOST_CHUNKS = 512  # the system takes 1024 at once
_PLACEHOLDER = re.compile(r"%\((name|index|node|stream)\)s")
#: Seconds until a rotation that failed is tried again; until then the file grows.
_ROTATE_AGAIN = 10.0


def log_path(
    path: str, *, name: str, index: int | None, node: str | None, stream: str, cwd: str | None
) -> Path:
    """Where a log file is, with nothing left to replace, and absolute.

    Without an index it is ``once``, without a node ``local``.

    Args:
        path: of the template's ``LogFile``.
        name: of the template.
        index: of the process.
        node: of the process; its directories are not ours: then ``cwd`` does not count.
        stream: its name.
        cwd: of the template.
    """
    values = {
        "name": name,
        "index": "once" if index is None else str(index),
        "node": "local" if node is None else _as_file_name(node),
        "stream": stream,
    }
    filled = _PLACEHOLDER.sub(lambda found: values[found[1]], path)
    base = cwd if cwd is not None and node is None else ""
    return Path(os.path.abspath(os.path.join(base, filled)))  # noqa: PTH100,PTH118 - resolve() asks the disk


def _as_file_name(text: str) -> str:
    """A name that does not lead anywhere else."""
    return "_" * len(text) if text in {".", ".."} else text.replace("/", "_")


class RotatingFile:
    """A log file.

    It is cut between lines where that is possible. What is no regular file, as a device, is not rotated.

    Args:
        path: absolute.
        max_bytes: it is rotated before it becomes larger; 0: never.
        backups: how many earlier files are kept.
        max_age: it is rotated when it is so many seconds old, at its next output.
        warn: told once when it cannot be rotated.
        clock: ``time.time``, or what stands for it.
    """

    def __init__(
        self,
        path: Path,
        log: LogFile,
        *,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time,
    ) -> None:
        self.name = str(path)
        self._path = path
        self._log = log
        self._warn = warn
        self._clock = clock
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._born = 0.0
        self._within_line = False
        self._complained = False
        self._no_rotation_until = 0.0

    def write(self, chunks: Sequence[bytes], *, new_line: bool = False) -> int:
        """Write some of it, and tell how many bytes that was; none may be, then it is to be tried again.

        Args:
            chunks: what to write; not empty.
            new_line: something is missing before it, so it has to begin a line.

        Raises:
            OSError: nothing of it was written.
        """
        self._open_if_needed()
        status = os.fstat(self._fd)
        if new_line and self._within_line and status.st_size:
            os.write(self._fd, b"\n")
            self._within_line = False
        if not stat.S_ISREG(status.st_mode):
            return self._append(chunks)
        if status.st_size and self._is_old() and self._rotate():
            return 0
        if self._log.max_bytes:
            room = self._log.max_bytes - status.st_size
            if sum(map(len, chunks)) > room and self._may_rotate():
                return self._fill(chunks, room, status.st_size)
        return self._append(chunks)

    def _append(self, chunks: Sequence[bytes]) -> int:
        written = os.writev(self._fd, list(islice(chunks, _MOST_CHUNKS)))
        self._within_line = _byte_at(chunks, written - 1) != 10
        return written

    def _fill(self, chunks: Sequence[bytes], room: int, size: int) -> int:
        """There is more than there is room for: write the lines that fit, then go on in a new file."""
        first = _beginning(chunks, max(0, room))
        end = first.rfind(b"\n") + 1
        if end:
            return self._append([first[:end]])
        if size and (not first or not self._within_line):
            self._rotate()
            return 0
        return self._append([first])  # a line that does not fit into one file, or is in two already

    # -- opening --------------------------------------------------------------------------------

    def _open_if_needed(self) -> None:
        if self._fd >= 0:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                self.close()
            except OSError:  # it is there, and out of sight
                return
            else:
                if (status.st_dev, status.st_ino) == self._identity:
                    return
                self.close()
        self._open()

    def _open(self) -> None:
        try:
            fd = os.open(self._path, _FLAGS, 0o666)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self._path, _FLAGS, 0o666)
        self._fd = fd
        status = os.fstat(fd)
        self._identity = status.st_dev, status.st_ino
        self._within_line = False
        self._born = self._birth() if status.st_size else self._clock()

    def _birth(self) -> float:
        """When a file was begun that was there before us: after the last one was ended. Else nobody knows."""
        with suppress(OSError):
            return self._backup(1).stat().st_mtime
        return self._clock()

    def close(self) -> None:
        """Let go of it; the next output opens it again."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):  # a disk's last word; what is written is written
                os.close(fd)

    # -- rotating -------------------------------------------------------------------------------

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _first_free(self) -> int:
        """The youngest number without a backup, or the last one that there may be."""
        number = 1
        while number < self._log.backups and os.path.lexists(self._backup(number)):
            number += 1
        return number

    def _is_old(self) -> bool:
        max_age = self._log.max_age
        if max_age is None:
            return False
        now = self._clock()
        self._born = min(self._born, now)  # the clock may be set back
        return now - self._born >= max_age and self._may_rotate()

    def _may_rotate(self) -> bool:
        return self._clock() >= self._no_rotation_until

    def _rotate(self) -> bool:
        """Begin a new file; whether that was possible."""
        try:
            for number in range(self._first_free(), 1, -1):
                self._backup(number - 1).replace(self._backup(number))
            if self._log.backups:
                self._path.replace(self._backup(1))
            else:
                self._path.unlink()
        except FileNotFoundError:  # somebody else was faster
            pass
        except OSError as exc:
            self._no_rotation_until = self._clock() + _ROTATE_AGAIN
            if not self._complained:
                self._complained = True
                self._warn(f"log {self.name} cannot be rotated, and grows: {exc.strerror}")
            return False
        self._complained = False
        self.close()
        return True


class StandardStream:
    """Standard output or standard error of this process.

    Args:
        fd: 1 or 2.
    """

    def __init__(self, fd: int) -> None:
        self.name = {1: "standard output", 2: "standard error"}[fd]
        self._fd = fd

    def write(self, chunks: Sequence[bytes], *, new_line: bool = False) -> int:
        """Write some of it; see :meth:`RotatingFile.write`."""
        with suppress(BlockingIOError):
            return os.writev(self._fd, list(islice(chunks, _MOST_CHUNKS)))
        waiting = select.poll()  # somebody who shares it does not want to wait
        waiting.register(self._fd, select.POLLOUT)
        waiting.poll(100)
        return 0

    def close(self) -> None:
        """It is not ours to close."""


def _beginning(chunks: Sequence[bytes], size: int) -> bytes:
    """The first bytes."""
    taken = []
    for chunk in chunks:
        if size <= 0:
            break
        taken.append(chunk[:size])
        size -= len(chunk)
    return b"".join(taken)


def _byte_at(chunks: Sequence[bytes], place: int) -> int:
    for chunk in chunks:
        if place < len(chunk):
            return chunk[place]
        place -= len(chunk)
    return 10
