"""The file of the history: where it is, how it is opened, and brought up to date in its place.

Everything here blocks: it belongs into a thread, or a command that has no loop.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asynctask.errors import AsyncTaskError

__all__ = ("HistoryError", "connect", "default_path", "told", "transaction")

#: How long another run may keep the file to itself, in seconds.
_BUSY = 5.0
_NAME = Path("asynctask") / "history.db"
_MOUNTS = Path("/proc/self/mountinfo")
#: File systems that several machines may share: there a log beside the file, which they would map into
#: memory, is not safe.
_SHARED = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "gfs2", "ocfs2", "fuse.")

#: What brings a database from one version to the next.
STEPS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        retry_of INTEGER,
        command TEXT NOT NULL,
        request TEXT NOT NULL,
        variables TEXT NOT NULL,
        input INTEGER NOT NULL,
        cwd TEXT NOT NULL,
        count INTEGER NOT NULL,
        targets TEXT,
        controller TEXT NOT NULL,
        began REAL NOT NULL,
        ended REAL,
        status INTEGER
    );
    CREATE TABLE nodes (
        run INTEGER NOT NULL,
        place INTEGER NOT NULL,
        node TEXT NOT NULL,
        began REAL,
        started REAL,
        ended REAL,
        attempts INTEGER NOT NULL DEFAULT 0,
        outcome TEXT,
        rc INTEGER,
        signal INTEGER,
        reason TEXT,
        hint TEXT,
        out INTEGER,
        out_size INTEGER NOT NULL DEFAULT 0,
        err INTEGER,
        err_size INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (run, place)
    ) WITHOUT ROWID;
    CREATE TABLE texts (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL,
        cut INTEGER,
        data BLOB NOT NULL
    );
    CREATE INDEX texts_of_runs ON texts (run);
    """,
)


class HistoryError(AsyncTaskError):
    """The history cannot be read or written."""


def default_path() -> Path:
    """Where the history is kept.

    Raises:
        HistoryError: there is no home directory.
    """
    state = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # noqa: PTH117  others do not count, says who defined the variable
        return Path(state) / _NAME
    try:
        return Path.home() / ".local" / "state" / _NAME
    except RuntimeError as exc:
        raise HistoryError("history: there is no home directory to keep it in; set XDG_STATE_HOME") from exc


def connect(path: Path, *, create: bool = True) -> sqlite3.Connection:
    """Open the history; the first time, make it.

    Raises:
        HistoryError: it cannot be, or, without ``create``, there is none.
    """
    with told(path):
        if create:
            _make_file(path)
        elif not path.exists():
            raise HistoryError("history: no runs are recorded yet")
        connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
        try:
            connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what is written inside, or nothing. Nobody else writes meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # it may be rolled back already
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say what is wrong with the file in one line."""
    try:
        yield
    except OSError as exc:
        raise HistoryError(f"history: {exc.filename or path}: {exc.strerror or exc}") from exc
    except sqlite3.Error as exc:
        raise HistoryError(_explained(path, exc)) from exc


def _explained(path: Path, exc: Exception) -> str:
    """What an error of the database means for its user."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return f"history: {path} is damaged ({exc}); move it out of the way"
    if code == sqlite3.SQLITE_BUSY:
        return f"history: {path}: others have kept it to themselves for {_BUSY:g} s"
    return f"history: {path}: {exc}"


def _make_file(path: Path) -> None:
    """An empty file is an empty database; nobody else may read it, nor what SQLite puts beside it."""
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(fd).st_mode & 0o077:
            os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute(f"PRAGMA busy_timeout = {int(_BUSY * 1000)}")
    version = _version(connection)
    if version > len(STEPS):
        raise HistoryError(
            f"history: {path} is from a newer asynctask (format {version}, this one knows {len(STEPS)})"
        )
    # Who kills us does not stop the kernel from writing: only after a power cut the last moments are missing.
    connection.execute("PRAGMA synchronous = NORMAL")
    if version == len(STEPS):
        return
    if version == 0:
        _patiently(connection, "PRAGMA auto_vacuum = INCREMENTAL")
        _patiently(connection, f"PRAGMA journal_mode = {'DELETE' if _is_shared(path) else 'WAL'}")
    with transaction(connection):
        for step in STEPS[_version(connection) :]:  # another run may have come before us
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _patiently(connection: sqlite3.Connection, pragma: str) -> None:
    """SQLite does not wait by itself for others when it changes how a file is kept."""
    give_up = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute(pragma).fetchall()
            return
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _is_shared(path: Path) -> bool:
    """Whether other machines may have the file, too."""
    try:
        device = path.stat().st_dev
        mounts = _MOUNTS.read_text(errors="replace").splitlines()
    except OSError:
        return False
    name = f"{os.major(device)}:{os.minor(device)}"
    for mount in mounts:
        before, _, after = mount.partition(" - ")
        if before.split(" ")[2] == name:
            return after.startswith(_SHARED)
    return False
