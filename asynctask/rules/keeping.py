"""Files that outlive the program: states of pollers, and dead letters. They block: call them in a thread."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from asynctask.errors import UsageError

__all__ = ("append_line", "read_state", "write_state")


def read_state(path: Path) -> bytes | None:
    """What was kept; ``None`` if nothing was.

    Raises:
        UsageError: it cannot be read, or nothing could be kept there.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise UsageError(f"state {path}: there is no directory {path.parent}") from None
        return None
    except OSError as exc:
        raise UsageError(f"state {path}: {exc.strerror or exc}") from exc


def write_state(path: Path, state: bytes) -> None:
    """Replace what was kept, in one step: whoever reads finds the old or the new, also after a power cut.

    Raises:
        OSError: it could not be; what was kept is as it was.
    """
    fd, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(state)
            file.flush()
            os.fsync(fd)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _sync_directory(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to a file that only its owner may read, in one write, and have it on the disk.

    Raises:
        OSError: it could not be.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    fd = os.open(path, flags, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":  # a disk that was full has cut one short
            line = b"\n" + line
        written = os.write(fd, line)
        if written < len(line):
            raise OSError(28, "not all of it could be written", str(path))
        with suppress(OSError):  # what is no file on a disk cannot be
            os.fsync(fd)
        if not size:
            _sync_directory(path.parent)
    finally:
        os.close(fd)


def _sync_directory(directory: Path) -> None:
    """Not every file system can, and then there is nothing to do about it."""
    with suppress(OSError):
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
