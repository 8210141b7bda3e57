"""Writing files, links and directories of a node to this machine, below one open directory.

A name is looked up in the open directory that it belongs to and nowhere else, and no link is followed: what
a node sent before cannot lead what it sends next out of the tree. All functions block: they are for threads.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from asynctask.transfer.attributes import PERMISSIONS, Attributes, Kind
from asynctask.transfer.descriptors import Descriptor
from asynctask.transfer.names import temporary_name

__all__ = (
    "create",
    "drop",
    "enter",
    "finish_directory",
    "land",
    "look",
    "make_link",
    "write_at",
    "write_small",
)

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def look(folder: int, name: bytes) -> Attributes | None:
    """What is there; ``None`` if nothing is."""
    try:
        return Attributes.local(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


def create(folder: int, temporary: bytes, mode: int) -> Descriptor:
    """Make an empty file, of that mode as far as the umask lets it."""
    return Descriptor(os.open(temporary, _NEW, mode & PERMISSIONS, dir_fd=folder))


def write_at(fd: int, data: bytes, offset: int) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        count = os.pwrite(fd, view, offset)
        view = view[count:]
        offset += count


def land(
    fd: int, folder: int, temporary: bytes, name: bytes, source: Attributes, *, preserve: bool, times: bool
) -> None:
    """Give a file that is complete its attributes and its name, in the place of what had it."""
    existing = look(folder, name)
    if preserve:
        os.fchmod(fd, source.mode)
    elif existing is not None and existing.kind is Kind.FILE:
        if existing.owner is not None:
            with suppress(PermissionError):
                os.fchown(fd, *existing.owner)
        os.fchmod(fd, existing.mode)
    if times or preserve:
        os.utime(fd, (source.atime, source.mtime))
    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


def write_small(
    folder: int, name: bytes, data: bytes, source: Attributes, *, preserve: bool, times: bool
) -> None:
    """All of it in one go, for a file that is in memory."""
    temporary = temporary_name()
    file = os.open(temporary, _NEW, source.mode, dir_fd=folder)
    try:
        write_at(file, data, 0)
        land(file, folder, temporary, name, source, preserve=preserve, times=times)
    except BaseException:
        drop(folder, temporary)
        raise
    finally:
        os.close(file)


def drop(folder: int, temporary: bytes) -> None:
    """Remove a temporary file, if it is there."""
    with suppress(OSError):
        os.unlink(temporary, dir_fd=folder)


def make_link(folder: int, name: bytes, target: bytes) -> None:
    """Make a link, in the place of a file or link that has its name."""
    with suppress(OSError):
        if os.readlink(name, dir_fd=folder) == target:
            return
    temporary = temporary_name()
    os.symlink(target, temporary, dir_fd=folder)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        drop(folder, temporary)
        raise


def enter(folder: int, name: bytes, mode: int) -> tuple[Descriptor, bool]:
    """Open a directory, made if there is none; whether it was made.

    Raises:
        OSError: there is something else, a link perhaps.
    """
    made = True
    try:
        os.mkdir(name, (mode & PERMISSIONS) | stat.S_IRWXU, dir_fd=folder)
    except FileExistsError:
        made = False
    return Descriptor(os.open(name, _DIRECTORY, dir_fd=folder)), made


def finish_directory(fd: int, source: Attributes, *, preserve: bool, made: bool) -> None:
    """Give a directory its attributes, once nothing is written in it any more."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if preserve:
        os.fchmod(fd, (mode & ~PERMISSIONS) | source.mode)
        os.utime(fd, (source.atime, source.mtime))
    elif made and source.mode & stat.S_IRWXU != stat.S_IRWXU:
        os.fchmod(fd, mode & (source.mode | ~PERMISSIONS))
