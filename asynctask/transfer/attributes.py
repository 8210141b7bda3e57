"""What is known about a file, wherever it is, and what follows from that. No I/O."""

from __future__ import annotations

import enum
import os
import stat
from dataclasses import dataclass, field

import asyncssh

__all__ = ("PERMISSIONS", "Attributes", "Kind", "identical")

#: What of a file's mode is copied. Its owner is not, so neither are setuid, setgid and sticky.
PERMISSIONS = 0o777
_SPECIAL = 0o7000


class Kind(enum.Enum):
    """What a name stands for."""

    FILE = "a file"
    DIRECTORY = "a directory"
    LINK = "a link"
    FIFO = "a FIFO"
    SOCKET = "a socket"
    DEVICE = "a device"
    UNKNOWN = "something unknown"

    def __str__(self) -> str:
        return self.value


_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.LINK,
    stat.S_IFIFO: Kind.FIFO,
    stat.S_IFSOCK: Kind.SOCKET,
    stat.S_IFCHR: Kind.DEVICE,
    stat.S_IFBLK: Kind.DEVICE,
}


@dataclass(frozen=True, slots=True)
class Attributes:
    """A file's attributes, as far as a copy cares. Times are whole seconds: SFTP knows no finer ones."""

    kind: Kind
    size: int
    mode: int
    atime: int
    mtime: int
    owner: tuple[int, int] | None = None
    """User and group, by number; not known of everything."""
    special: int = field(default=0, compare=False)
    """Setuid, setgid and sticky, which a directory that is there keeps."""

    @classmethod
    def local(cls, found: os.stat_result) -> Attributes:
        """Of a file here."""
        return cls(
            kind=_KINDS.get(stat.S_IFMT(found.st_mode), Kind.UNKNOWN),
            size=found.st_size,
            mode=found.st_mode & PERMISSIONS,
            atime=_seconds(found.st_atime_ns),
            mtime=_seconds(found.st_mtime_ns),
            owner=(found.st_uid, found.st_gid),
            special=found.st_mode & _SPECIAL,
        )

    @classmethod
    def remote(cls, found: asyncssh.SFTPAttrs) -> Attributes | None:
        """Of a file on a node; ``None`` if the node does not say enough."""
        if found.permissions is None:
            return None
        mtime = found.mtime or 0
        owner = None if found.uid is None or found.gid is None else (found.uid, found.gid)
        return cls(
            kind=_KINDS.get(stat.S_IFMT(found.permissions), Kind.UNKNOWN),
            size=found.size or 0,
            mode=found.permissions & PERMISSIONS,
            atime=mtime if found.atime is None else found.atime,
            mtime=mtime,
            owner=owner,
            special=found.permissions & _SPECIAL,
        )


def identical(source: Attributes, copy: Attributes, *, preserve: bool) -> bool:
    """Whether a file need not be copied again: size and time are equal, with ``preserve`` the mode, too."""
    return (
        source.kind is Kind.FILE
        and copy.kind is Kind.FILE
        and (source.size, source.mtime) == (copy.size, copy.mtime)
        and (source.mode == copy.mode or not preserve)
    )


def _seconds(nanoseconds: int) -> int:
    """What fits into SFTP's 32 bits: the years 1970 to 2106."""
    return min(max(nanoseconds // 1_000_000_000, 0), 0xFFFFFFFF)
