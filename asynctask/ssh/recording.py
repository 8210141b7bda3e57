"""Host keys that are accepted because their hosts are new, and the lines that they get in ``known_hosts``."""

from __future__ import annotations

import asyncio
import base64
import errno
import fcntl
import hmac
import logging
import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import asyncssh

from asynctask.errors import HostKeyError
from asynctask.ssh.hostkeys import KnownHosts, known_as

__all__ = ("Recorder",)

_log = logging.getLogger(__name__)

#: Seconds that others may hold the lock, that a look at it takes, and that closing waits.
_LOCK_TIMEOUT = 5.0
_LOCK_PAUSE = 0.01
_CLOSE_TIMEOUT = 1.0
#: What would make a name another line, several names or a pattern.
_UNFIT = re.compile(r"[\s,*?!|\x00-\x1f]|^[#@]")
#: How often the file may be replaced while it is written.
_REPLACED = 10
_SALT_SIZE = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    key: asyncssh.SSHKey
    done: asyncio.Future[str] = field(repr=False)
    """Gets where another key is on record, or nothing."""


class Recorder:
    """The memory of a run for new host keys, written to a file.

    Args:
        file: the user's ``known_hosts``; it and its directory are created when the first key is recorded.
            ``None``: keys are remembered for the run only.
        hashed: whether names are hashed (``HashKnownHosts``).
    """

    def __init__(self, file: Path | None, *, hashed: bool = False) -> None:
        self.file = file
        self._hashed = hashed
        self._seen: dict[str, bytes] = {}
        self._entries: dict[str, _Entry] = {}
        self._waiting: list[_Entry] = []
        self._writing: asyncio.Task[None] | None = None
        self._gave_up = False
        self._ledger = _Ledger()

    def offer(self, known: KnownHosts, name: str, port: int, alias: str | None, key: asyncssh.SSHKey) -> bool:
        """Whether a key may be accepted: the host is new, and has shown no other in this run."""
        if known.knows(name, port, alias):
            return False
        return self._seen.setdefault(known_as(name, port, alias), key.public_data) == key.public_data

    async def record(self, node: str, name: str, port: int, alias: str | None, key: asyncssh.SSHKey) -> None:
        """Write a key that was accepted, once, however many connections there are to the host.

        A file that cannot be written is said by a warning, once; the run goes on.

        Raises:
            HostKeyError: in the meantime somebody else recorded another key for the host: the connection is
                not to be used.

        When this is cancelled the key is still recorded.
        """
        if self.file is None or self._gave_up:
            return
        known = known_as(name, port, alias)
        if _UNFIT.search(known):
            return
        entry = self._entries.get(known)
        if entry is None:
            done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            entry = self._entries[known] = _Entry(known, key, done)
            self._waiting.append(entry)
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write_all(self.file))
        place = await asyncio.shield(entry.done)
        if place:
            raise HostKeyError(
                node,
                f"host key changed: another one for {known} was recorded while we connected, in {place}",
                "find out which is right, and who else answers as this host",
            )

    async def aclose(self) -> None:
        """Wait a moment for what is being written."""
        if self._writing is not None:
            with anyio.move_on_after(_CLOSE_TIMEOUT, shield=True):
                await asyncio.wait([self._writing])

    async def _write_all(self, file: Path) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                places = await asyncio.to_thread(self._ledger.append, file, batch, self._hashed)
            except Exception as exc:  # whatever it is, nobody must wait for ever
                self._give_up(file, exc)
                places = [""] * len(batch)
            for entry, place in zip(batch, places, strict=True):
                entry.done.set_result(place)

    def _give_up(self, file: Path, exc: Exception) -> None:
        if not self._gave_up:
            self._gave_up = True
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
            _log.warning("new host keys cannot be recorded in %s: %s", file, reason)


class _Ledger:
    """A ``known_hosts`` file as it was when we last saw it. Used by one thread at a time."""

    def __init__(self) -> None:
        self._known: KnownHosts | None = None
        self._stamp: tuple[int, ...] = ()

    def append(self, file: Path, entries: Sequence[_Entry], hashed: bool) -> list[str]:
        """Write what is not there yet.

        Returns:
            Where another key is on record for an entry's name, or nothing, for each.

        Raises:
            OSError: it could not be written.
        """
        for _ in range(_REPLACED):
            with _locked(file) as descriptor:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # as /dev/null
                    return [""] * len(entries)
                known = self._look(file, descriptor)
                missing = [entry for entry in entries if not known.knows(entry.name, 22, entry.name)]
                if missing:
                    _append(descriptor, b"".join(_line(entry, hashed) for entry in missing))
                    self._stamp = _stamp(descriptor)
                if _is_still(file, descriptor):
                    fresh = {id(entry) for entry in missing}
                    return ["" if id(entry) in fresh else _conflict(known, entry) for entry in entries]
        raise OSError(errno.EAGAIN, "it is replaced all the time")

    def _look(self, file: Path, descriptor: int) -> KnownHosts:
        """What is in the file: read again if somebody else has changed it."""
        stamp = _stamp(descriptor)
        if self._known is None or stamp != self._stamp:
            self._known, self._stamp = KnownHosts([file]), stamp
        return self._known


def _line(entry: _Entry, hashed: bool) -> bytes:
    name = entry.name.encode(errors="surrogateescape")
    if hashed:
        salt = os.urandom(_SALT_SIZE)
        digest = hmac.digest(salt, name, "sha1")
        name = b"|1|%b|%b" % (base64.b64encode(salt), base64.b64encode(digest))
    return b"%b %b %b\n" % (name, entry.key.algorithm, base64.b64encode(entry.key.public_data))


def _conflict(known: KnownHosts, entry: _Entry) -> str:
    """Where another key is on record for the name."""
    own, _, revoked, *_ = known.trusted(entry.name, 22, entry.name)
    if entry.key in own and entry.key not in revoked:
        return ""
    return ", ".join(known.places(entry.name, 22, entry.name))


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    """The file, open to be appended to, created if need be, with our lock on it; a link stays a link."""
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                raise OSError(exc.errno, f"it is locked by another program for {_LOCK_TIMEOUT:g} s") from exc
            time.sleep(_LOCK_PAUSE)
        else:
            return


def _append(descriptor: int, data: bytes) -> None:
    """Add lines in one go, or nothing."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data
    written = os.write(descriptor, data)
    if written < len(data):
        if os.fstat(descriptor).st_size == size + written:
            os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _stamp(descriptor: int) -> tuple[int, ...]:
    about = os.fstat(descriptor)
    return (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)


def _is_still(file: Path, descriptor: int) -> bool:
    """Whether the name still means the file: ``ssh-keygen -R`` puts a new one in its place."""
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
