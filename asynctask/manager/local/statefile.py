"""What a manager remembers of its detached processes, for the next one: a small file for each.

Everything here blocks, and belongs into a thread. A record is written before its process is started, and
again when its number is known, each time as a whole or not at all. Its token is in the name of the file and
in the environment of the process: by it the process is found again though the record was not finished, was
damaged, or was written by another version.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from asynctask.errors import ManagerError
from asynctask.manager.local.guard import GUARD_NAME
from asynctask.manager.local.identity import ProcessIdentity, boot_id, start_time

__all__ = ("TOKEN", "Record", "StateDirectory", "default_directory", "leaders_with")

#: The variable by which a detached process is found.
TOKEN = "ASYNCTASK_DETACHED"  # noqa: S105 - no secret

_VERSION = 1
_GUARDED = GUARD_NAME.encode() + b"="
_KEY = "asynctask detached process"
_NAME = re.compile(r"(?P<name>[\w-]+)\.(?P<index>\d+)\.(?P<token>[0-9a-f]{16})\.json", re.ASCII)
#: No record is so long.
_MOST = 1 << 20
#: No grace is longer, in seconds.
_LONGEST = 1e9
#: How long the lock of a manager that is dead may take to go, and between two looks, seconds.
_LOCK_WAIT, _LOCK_PAUSE = 5.0, 0.01


def default_directory(name: str) -> Path:
    """Where a manager of this name remembers its processes."""
    state = os.environ.get("XDG_STATE_HOME") or ""
    base = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"  # noqa: PTH117 - no Path yet
    return base / "asynctask" / "manager" / quote(name, safe="").replace(".", "%2E")


@dataclass(frozen=True, slots=True)
class Record:
    """A detached process that is being started, or was."""

    name: str
    """Of its template."""
    index: int
    token: str
    boot: str = field(default_factory=boot_id)
    """During which start of the machine it was started; empty: not known."""
    pid: int | None = None
    """``None``: it was not known yet, or the record cannot be read."""
    start: int = 0
    started: float = 0.0
    """As ``time.time()`` had it; 0: not known."""
    template: str = ""
    """What it was started with, in short; empty: not known."""
    stop_signal: int = signal.SIGTERM
    """What ends it when nobody keeps it any more,"""
    grace: float = 10.0
    """and seconds until KILL."""
    logs: Mapping[str, str] = field(default_factory=dict)
    """Where each of its streams goes."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.{self.index}.{self.token}.json"

    @property
    def identity(self) -> ProcessIdentity | None:
        """The process; ``None``: it has to be looked for."""
        return None if self.pid is None else ProcessIdentity(self.pid, self.start, self.boot)

    def dump(self) -> bytes:
        """As it is written."""
        plain = {
            _KEY: _VERSION,
            "boot": self.boot,
            "pid": self.pid,
            "start": self.start,
            "started": self.started,
            "template": self.template,
            "stop_signal": int(self.stop_signal),
            "grace": self.grace,
            "logs": dict(self.logs),
        }
        return json.dumps(plain).encode() + b"\n"

    @classmethod
    def named(cls, file: str) -> Record | None:
        """What the name of a file says; ``None``: it is no record."""
        found = _NAME.fullmatch(file)
        if found is None:
            return None
        return cls(name=found["name"], index=int(found["index"]), token=found["token"], boot="")

    def load(self, text: bytes) -> Record:
        """What the file says; if that cannot be understood, what its name says."""
        try:
            plain = json.loads(text)
            if plain[_KEY] != _VERSION:
                return self
            pid = plain["pid"]
            number, grace = int(plain["stop_signal"]), float(plain["grace"])
            if not 0 < number < signal.NSIG or not 0 <= grace <= _LONGEST:
                return self
            return replace(
                self,
                boot=str(plain["boot"]),
                pid=None if pid is None else int(pid),
                start=int(plain["start"]),
                started=float(plain["started"]),
                template=str(plain["template"]),
                stop_signal=number,
                grace=grace,
                logs={str(stream): str(path) for stream, path in plain["logs"].items()},
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
            return self


class StateDirectory:
    """The records of one manager.

    Args:
        path: is made if it is not there, for its user alone.
        name: of the manager.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name
        self._fd = -1
        # A forked copy of this program would keep the lock when we are gone.
        os.register_at_fork(after_in_child=partial(_let_go, weakref.ref(self)))

    def open(self) -> None:
        """Make it ours. May be repeated.

        Raises:
            ManagerError: another manager has it, or it cannot be used.
        """
        if self._fd >= 0:
            return
        try:
            self.path.mkdir(0o700, parents=True, exist_ok=True)
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise self._unusable(exc) from exc
        try:
            self._lock(fd)
            os.truncate(fd, 0)
            os.write(fd, f"{os.getpid()}\n".encode())
        except OSError as exc:
            os.close(fd)
            raise self._unusable(exc) from exc
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _lock(self, fd: int) -> None:
        """Lock it. What a dead manager was just starting has it until it executes its program: wait."""
        deadline = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
                alive = holder.isdecimal() and start_time(int(holder), living=True) is not None
                if alive or time.monotonic() > deadline:
                    break
            time.sleep(_LOCK_PAUSE)
        who = "in this program" if holder == str(os.getpid()) else f"as process {holder or '?'}"
        raise ManagerError(
            f"manager {self._name!r}: another one of this name runs already, {who};"
            f" give one of them another name ({self.path} is locked)"
        )

    def _unusable(self, exc: OSError) -> ManagerError:
        return ManagerError(
            f"manager {self._name!r}: detached processes cannot be remembered in {self.path}: {exc.strerror}"
        )

    def close(self) -> None:
        """Let others have it. May be repeated."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def is_empty(self) -> bool:
        """Whether there is no record, as far as that can be told without locking anything."""
        try:
            return not any(Record.named(path.name) for path in self.path.iterdir())
        except OSError:
            return True

    def records(self, fits: Callable[[Record], bool] = lambda record: True) -> Iterator[Record]:
        """Those that fit, as far as name, index and token go. What was left of a broken write is removed."""
        for path in sorted(self.path.iterdir()):
            if path.suffix == ".new":
                path.unlink(missing_ok=True)
                continue
            record = Record.named(path.name)
            if record is None or not fits(record):
                continue
            with suppress(OSError):
                with path.open("rb") as file:
                    text = file.read(_MOST)
                yield record.load(text)

    def write(self, record: Record) -> None:
        """Write a record. It survives the end of this program, not that of the machine: nor does the process.

        Raises:
            ManagerError: it cannot be written.
        """
        path = self.path / record.file
        new = path.with_suffix(".new")
        try:
            fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(fd, "wb") as file:  # noqa: PTH123 - it is open
                file.write(record.dump())
            new.replace(path)
        except OSError as exc:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise self._unusable(exc) from exc

    def remove(self, record: Record) -> None:
        """Its process is over, or there never was one. What cannot be removed does no harm."""
        with suppress(OSError):
            (self.path / record.file).unlink(missing_ok=True)


def leaders_with(tokens: Iterable[str]) -> dict[str, ProcessIdentity]:
    """Who has these tokens in its environment: the oldest process of each that leads a session.

    What has the mark of a guard besides is no detached process, but was started by one, or beside it.
    """
    wanted = {f"{TOKEN}={token}".encode(): token for token in tokens}
    found: dict[str, ProcessIdentity] = {}
    for name in os.listdir("/proc") if wanted else ():  # noqa: PTH208 - many, and names are enough
        if not name.isdigit() or not _leads(int(name)):
            continue
        environment = _environment(name)
        if any(variable.startswith(_GUARDED) for variable in environment):
            continue
        for variable in environment & wanted.keys():
            start = start_time(int(name), living=True)
            token = wanted[variable]
            if start is not None and (token not in found or start < found[token].start):
                found[token] = ProcessIdentity(int(name), start, boot_id())
    return found


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _environment(pid: str) -> set[bytes]:
    try:
        return set(Path("/proc", pid, "environ").read_bytes().split(b"\0"))
    except OSError:
        return set()


def _let_go(directory: weakref.ref[StateDirectory]) -> None:
    """In a forked copy of this program: hold nothing open."""
    if (found := directory()) is not None:
        with suppress(OSError):
            found.close()
