"""Standard input that we share with the program that called us is looked at, not taken.

In ``while read node; do asynctask run -w $node ...; done`` and in ``curl ... | sh`` the shell reads the same
input, and whatever we take is missing there. No command says whether it will read. But the system can show
what is in a pipe, or in a socket, without taking it out; so nodes get it, and it is still there afterwards.

A pipe has room for so much. When it is full and a node's command still wants more, it does read: what was
looked at is then taken out, and from then on input is read as usual.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import select
import socket
import stat
import struct
import sys
import termios
from contextlib import suppress
from time import monotonic

__all__ = ("Looked", "is_shared")

#: Bytes that a pipe is given room for: so much can be looked at.
_ROOM = 1 << 20
#: Bytes in a socket that count as much: nobody tells how many it can hold.
_MUCH = 32768
#: Seconds between two looks, while nothing else is to be done.
_EVERY = 0.02
#: Seconds for which a full pipe is left as it is: a command that does not read may be over by then.
_HOLD = 1.0
#: Seconds without anything new after which a socket counts as full.
_SILENCE = 10.0
_NONBLOCK = 2  # SPLICE_F_NONBLOCK


def is_shared(fd: int = 0) -> bool:
    """Whether the program that called us has the same pipe or socket as its own standard input.

    Where that cannot be told it counts as shared: then the worst is a pause of a second in a long input.
    """
    if sys.platform != "linux":
        return False  # and cannot be looked at
    try:
        theirs = os.stat(f"/proc/{os.getppid()}/fd/0")  # noqa: PTH116
    except OSError:
        return True
    ours = os.fstat(fd)
    return (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino)


class Looked:
    """A pipe or a socket that is looked at.

    Args:
        fd: it; never changed.
        hold: seconds for which a full one is left as it is.
    """

    def __init__(self, fd: int, hold: float = _HOLD) -> None:
        self._fd = fd
        self._hold = hold
        self._seen = 0
        self._is_socket = stat.S_ISSOCK(os.fstat(fd).st_mode)
        self._copy = (-1, -1)
        if not self._is_socket:
            self._copy = os.pipe()
            for pipe in (fd, self._copy[0]):
                with suppress(OSError):  # the user has too many pipes
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _ROOM)

    def close(self) -> None:
        """Let go of what is ours."""
        for fd in self._copy:
            if fd >= 0:
                os.close(fd)
        self._copy = (-1, -1)

    async def more(self) -> bytes | None:
        """What came since the last time; empty at the end.

        ``None``: it was full, and what was looked at is taken out: read on as usual.
        """
        news = full_since = monotonic()
        while not (new := self._look()):
            if self._is_over():
                return self._look()  # it may have come between the two
            now = monotonic()
            if not self._is_full(now - news):
                full_since = now
            elif now - full_since >= self._hold:
                self._take()
                return None
            await asyncio.sleep(_EVERY)
        return new

    def _look(self) -> bytes:
        there = _waiting(self._fd)
        if there <= self._seen:
            return b""
        if self._is_socket:
            with socket.socket(fileno=os.dup(self._fd)) as shown:
                data = shown.recv(there, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        else:
            copied = _tee(self._fd, self._copy[1], there)
            data = b""
            while len(data) < copied:
                data += os.read(self._copy[0], copied - len(data))
        new = data[self._seen :]
        self._seen = max(self._seen, len(data))
        return new

    def _is_over(self) -> bool:
        hung_up = select.POLLHUP | select.POLLRDHUP if self._is_socket else select.POLLHUP
        poll = select.poll()
        poll.register(self._fd, hung_up)
        return any(events & hung_up for _, events in poll.poll(0)) and _waiting(self._fd) <= self._seen

    def _is_full(self, silence: float) -> bool:
        """Whether whoever writes may be waiting for room."""
        if not self._seen:
            return False
        if _waiting(self._fd) > self._seen:  # more than we can look at
            return True
        if self._is_socket:
            return self._seen >= _MUCH or silence >= _SILENCE
        try:
            ours = os.open(f"/proc/self/fd/{self._fd}", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # another user's
            return self._seen >= _room(self._fd) // 2 or silence >= _SILENCE
        try:
            poll = select.poll()
            poll.register(ours, select.POLLOUT)
            return not poll.poll(0)
        finally:
            os.close(ours)

    def _take(self) -> None:
        while self._seen:
            taken = len(os.read(self._fd, self._seen))
            if not taken:
                break
            self._seen -= taken


def _waiting(fd: int) -> int:
    """How many bytes can be read."""
    (waiting,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))
    return int(waiting)


def _room(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ)


def _tee(source: int, copy: int, size: int) -> int:
    """Copy what is in one pipe into another, without taking it out; how much."""
    import ctypes

    tee = ctypes.CDLL(None, use_errno=True).tee
    tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
    tee.restype = ctypes.c_ssize_t
    copied = tee(source, copy, size, _NONBLOCK)
    if copied < 0:
        number = ctypes.get_errno()
        if number == errno.EAGAIN:  # somebody else has taken it
            return 0
        raise OSError(number, os.strerror(number), "standard input")
    return int(copied)
