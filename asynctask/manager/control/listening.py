"""Unix sockets that listen for our own user: how they come to be, and how they go."""

from __future__ import annotations

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from asynctask.errors import ManagerError

__all__ = ("UnixListener",)


class UnixListener:
    """A socket for us alone, in place of one that nobody serves any more.

    Args:
        path: where.

    Raises:
        ManagerError: somebody serves it, it is something else, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Whoever listens closes it.
        self.sock, self._identity = _bound(path)

    def remove(self) -> None:
        """Remove the file, unless somebody has put another in its place."""
        with suppress(OSError):
            if _identity(self.path) == self._identity:
                self.path.unlink()


def _identity(path: Path) -> tuple[int, int, int]:
    """With its time: the number of an inode is used again soon."""
    found = path.lstat()
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _bound(path: Path) -> tuple[socket.socket, tuple[int, int, int]]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        os.fchmod(listener.fileno(), 0o600)  # on Linux bind() makes the file with this mode
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.setblocking(False)
        return listener, _identity(path)
    except OSError as exc:
        listener.close()
        raise ManagerError(f"{path}: {exc.strerror or exc}") from exc
    except BaseException:
        listener.close()
        raise


def _clear(path: Path) -> None:
    """Remove a socket that nobody serves.

    Raises:
        ManagerError: somebody does, or it is something else.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ManagerError(f"{path}: there is a file that is no socket: it is left alone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        tried = probe.connect_ex(os.fspath(path))
    if tried not in {errno.ECONNREFUSED, errno.ENOENT}:
        raise ManagerError(f"{path}: another program listens there")
    with suppress(FileNotFoundError):
        path.unlink()
