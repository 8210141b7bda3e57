"""Reading files and trees of this machine. All functions block: they are for threads."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock

from asynctask.transfer.attributes import Attributes, Kind
from asynctask.transfer.descriptors import Descriptor

__all__ = ("BATCH", "Listing", "SmallFiles", "Source", "open_directory", "open_source", "read_at")

#: A file of at most so many bytes is read in one go, and kept for the other nodes.
SMALL = 1024 * 1024
#: Bytes of small files that are kept at most.
_KEPT = 16 * SMALL
#: Entries of a directory that are looked at in one go.
BATCH = 256

_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK  # a FIFO must not block
_NO_LINK = os.O_NOFOLLOW


class SmallFiles:
    """The contents of small files, read once for all nodes that get them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._contents: OrderedDict[tuple[int, ...], bytes] = OrderedDict()
        self._size = 0

    def read(self, fd: int, found: os.stat_result) -> bytes:
        """What an open file holds; read only if nobody did since it was changed last."""
        key = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        with self._lock:
            data = self._contents.get(key)
            if data is None:
                data = self._contents[key] = _read_all(fd, found.st_size)
                self._size += len(data)
                while self._size > _KEPT:
                    self._size -= len(self._contents.popitem(last=False)[1])
            else:
                self._contents.move_to_end(key)
            return data


def _read_all(fd: int, size: int) -> bytes:
    """All of it. A file without a size may hold something nevertheless, as those in ``/proc`` do."""
    size = size or SMALL + 1
    pieces = []
    offset = 0
    while offset < size and (data := os.pread(fd, size - offset, offset)):
        pieces.append(data)
        offset += len(data)
    if offset > SMALL:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return b"".join(pieces)


@dataclass(slots=True)
class Source:
    """A file to be copied from here."""

    attributes: Attributes
    data: bytes = b""
    """All of it, if it is small."""
    file: Descriptor | None = None
    """To read it from, if it is not."""


def open_source(folder: int | None, name: bytes, small: SmallFiles) -> Source:
    """Open a file and read it if it is small. What is no file is told of by the attributes alone.

    Args:
        folder: the open directory that it is in, where a link is not followed; ``None``: the user named it.
        name: its name in there, or its path.
        small: where small files are kept.

    Raises:
        OSError: it cannot be opened or read.
    """
    fd = os.open(name, _READ_FLAGS | (0 if folder is None else _NO_LINK), dir_fd=folder)
    file = Descriptor(fd)
    found = os.fstat(fd)
    attributes = Attributes.local(found)
    if attributes.kind is not Kind.FILE:
        file.close()
        return Source(attributes)
    if found.st_size > SMALL:
        return Source(attributes, file=file)
    try:
        data = small.read(fd, found)
        return Source(replace(attributes, size=len(data)), data=data)
    finally:
        file.close()


def open_directory(folder: int | None, name: bytes) -> Descriptor:
    """Open a directory; the arguments are those of :func:`open_source`."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if folder is None else _NO_LINK)
    return Descriptor(os.open(name, flags, dir_fd=folder))


def read_at(fd: int, size: int, offset: int) -> bytes:
    """Read so many bytes of a file, fewer only at its end."""
    data = os.pread(fd, size, offset)
    while data and len(data) < size:
        more = os.pread(fd, size - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


class Listing:
    """The entries of a directory, a batch at a time."""

    def __init__(self) -> None:
        self._entries: Iterator[os.DirEntry[str]] | None = None

    def batch(self, fd: int) -> list[tuple[bytes, Attributes, bytes]]:
        """The next entries: name, attributes, and where a link leads; none at the end."""
        if self._entries is None:
            self._entries = os.scandir(fd)
        return [_entry(fd, os.fsencode(entry.name)) for entry in islice(self._entries, BATCH)]

    def close(self) -> None:
        """Let go of the directory."""
        close = getattr(self._entries, "close", None)
        if close is not None:
            close()


def _entry(fd: int, name: bytes) -> tuple[bytes, Attributes, bytes]:
    attributes = Attributes.local(os.stat(name, dir_fd=fd, follow_symlinks=False))
    target = os.readlink(name, dir_fd=fd) if attributes.kind is Kind.LINK else b""
    return name, attributes, target
