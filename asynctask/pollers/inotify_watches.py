"""The watches of one inotify queue: which directory each of them stands for. Watches are set by a thread."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import termios
import threading
from collections.abc import Iterable

from inotify_simple import Event, INotify, flags, parse_events

from asynctask.errors import PollerError
from asynctask.pollers.walk import Stopped

__all__ = ("RefusedError", "Watches", "is_remote", "mask_for")

_CHANGES = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.CLOSE_WRITE | flags.ATTRIB
_ROOT = flags.DELETE_SELF | flags.MOVE_SELF
#: File systems that other machines write to, of which the kernel here hears nothing.
_REMOTE = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse", "gfs", "gfs2", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb3", "smbfs"),
        *("vboxsf", "virtiofs"),
    )
)
_LIMITS = {
    errno.ENOSPC: ("no more directories can be watched", "max_user_watches"),
    errno.EMFILE: ("no more inotify queues can be had", "max_user_instances"),
}


_ESCAPED = re.compile(rb"\\([0-7]{3})")


class RefusedError(PollerError):
    """There is no inotify here, or no more of it; looking at files would work."""


def mask_for(*, partial: bool, root: bool) -> int:
    """What is to be told of a directory."""
    mask = _CHANGES | flags.ONLYDIR | flags.EXCL_UNLINK
    if partial:
        mask |= flags.MODIFY
    return int(mask | (_ROOT if root else flags.DONT_FOLLOW))


class Watches:
    """A queue of the kernel, and the names of the directories that are watched with it.

    One thread at a time sets watches; the loop may close it under the thread's hand.

    Args:
        url: what is watched, for errors.
        partial: hear of each write, too.
    """

    def __init__(self, url: str, *, partial: bool) -> None:
        self._url = url
        self._partial = partial
        self._queue: INotify | None = None
        self._closed = False
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._below: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    @property
    def fd(self) -> int:
        """The descriptor to read from."""
        assert self._queue is not None
        return int(self._queue.fileno())

    def open(self) -> None:
        """Ask the kernel for a queue. Blocks a little, for the C library is looked up the first time.

        Raises:
            RefusedError: there are too many.
            OSError: this process can have no more descriptors.
        """
        with self._lock:
            if self._closed:
                raise Stopped
            try:
                self._queue = INotify(nonblocking=True)
            except OSError as exc:
                if exc.errno == errno.EMFILE:  # which limit is it? If it is that of descriptors, this raises
                    os.close(os.open("/", os.O_PATH | os.O_CLOEXEC))
                raise self._refused(exc) from exc

    def close(self) -> None:
        """Give the queue back, with all watches. Any thread may, and again."""
        with self._lock:
            self._closed = True
            if self._queue is not None:
                self._queue.close()

    def add(self, name: str, path: str, *, root: bool = False) -> None:
        """Watch a directory.

        Raises:
            RefusedError: there are too many watches.
            OSError: it is not there, is none, or may not be read.
            Stopped: the queue was closed meanwhile.
        """
        with self._lock:
            if self._closed or self._queue is None:
                raise Stopped
            try:
                number = self._queue.add_watch(path, mask_for(partial=self._partial, root=root))
            except OSError as exc:
                if exc.errno in _LIMITS:
                    raise self._refused(exc) from exc
                raise
        former = self._names.get(number)
        if former is not None and former != name:  # it was moved, which is about to be heard
            self._numbers.pop(former, None)
        self._names[number] = name
        self._numbers[name] = number
        if name:
            self._below.setdefault(name.rpartition("/")[0], set()).add(name)

    def name_of(self, number: int) -> str | None:
        """The directory of a watch; ``None`` for one that was given up."""
        return self._names.get(number)

    def forget(self, name: str) -> None:
        """Watch a directory no more, nor what is below it: it has another place now, or none."""
        self._below.get(name.rpartition("/")[0], set()).discard(name)
        waiting = [name]
        while waiting:
            each = waiting.pop()
            waiting += self._below.pop(each, ())
            number = self._numbers.pop(each, None)
            if number is not None and self._names.get(number) == each:
                del self._names[number]
                self._remove(number)

    def ended(self, number: int) -> None:
        """The kernel has given up a watch."""
        name = self._names.pop(number, None)
        if name is not None and self._numbers.get(name) == number:
            del self._numbers[name]

    def waiting(self) -> int:
        """How many bytes the kernel has for us."""
        count = bytearray(4)
        fcntl.ioctl(self.fd, termios.FIONREAD, count)
        return int(struct.unpack("i", count)[0])

    def read(self, size: int) -> tuple[int, Iterable[Event]]:
        """What the kernel has to tell, so many bytes at most; and how many it was. Does not wait."""
        try:
            data = os.read(self.fd, size)
        except BlockingIOError:
            return 0, ()
        return len(data), parse_events(data)

    def _remove(self, number: int) -> None:
        with self._lock:
            if self._closed or self._queue is None:
                return
            try:
                self._queue.rm_watch(number)
            except OSError:  # the directory is gone, and its watch with it
                return

    def _refused(self, error: OSError) -> RefusedError:
        reason, sysctl = _LIMITS.get(error.errno or 0, (f"inotify: {error.strerror or error}", ""))
        hint = (
            f"raise fs.inotify.{sysctl} with sysctl, or look at files instead: FilePoller" if sysctl else ""
        )
        return RefusedError(self._url, reason, hint)


def is_remote(path: str, mounts: str) -> str:
    """The type of the file system that ``path`` is on, if other machines can write to it; else empty.

    Args:
        path: a real path.
        mounts: what ``/proc/self/mountinfo`` says.
    """
    longest, found = -1, ""
    for line in mounts.split("\n"):  # other ends of lines may stand in names
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        place = _unescaped(fields[4])
        if len(place) >= longest and (path == place or path.startswith(place.rstrip("/") + "/")):
            longest, found = len(place), after.split(" ")[0]
    return found if found.partition(".")[0] in _REMOTE else ""


def _unescaped(place: str) -> str:
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 8)]), os.fsencode(place)))
