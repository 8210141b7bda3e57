"""The file of the history."""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from asynctask.cli.past import database
from asynctask.cli.past.database import HistoryError, connect, default_path, transaction

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def test_it_is_where_the_state_of_programs_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_STATE_HOME, if it is absolute; else below the home directory."""
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_path() == Path("/state/asynctask/history.db")

    for value in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        assert default_path() == Path("/home/me/.local/state/asynctask/history.db")


def test_without_a_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nowhere to keep it, and this is said."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))

    with pytest.raises(HistoryError, match="there is no home directory to keep it in; set XDG_STATE_HOME"):
        default_path()


def test_nobody_else_may_read_it(history: Path) -> None:
    """Neither the file, nor its directory, nor what stands beside it, whatever the umask."""
    before = os.umask(0)
    try:
        with closing(connect(history)) as connection, transaction(connection):
            connection.execute("PRAGMA user_version")
            modes = {path.name: oct(path.stat().st_mode & 0o777) for path in history.parent.iterdir()}
    finally:
        os.umask(before)

    assert modes.pop("history.db") == "0o600"
    assert set(modes.values()) <= {"0o600"}
    assert oct(history.parent.stat().st_mode & 0o777) == "0o700"


def test_a_file_that_others_could_read_is_closed_to_them(history: Path) -> None:
    """Whoever made it so."""
    connect(history).close()
    history.chmod(0o644)

    connect(history).close()

    assert oct(history.stat().st_mode & 0o777) == "0o600"


def test_readers_do_not_wait_for_a_writer(history: Path) -> None:
    """It has a write-ahead log."""
    with closing(connect(history)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_no_log_beside_the_file_where_machines_share_it(
    history: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They cannot map the same memory."""
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "20 1 0:1 / /proc rw - proc proc rw\n"
        f"21 1 {os.major(device)}:{os.minor(device)} / {tmp_path} rw shared:1 - nfs4 server:/home rw\n"
    )
    monkeypatch.setattr(database, "_MOUNTS", mounts)

    with closing(connect(history)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_many_may_come_first(history: Path) -> None:
    """One of them makes it, the others find it made."""
    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(lambda: connect(history).close()) for _ in range(16)]:
            future.result()

    with closing(connect(history)) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_an_older_one_is_brought_up_to_date(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its place, with what is in it."""
    with closing(connect(history)) as connection:
        connection.execute("INSERT INTO texts (run, data) VALUES (1, x'00')")
    steps = (*database.STEPS, "ALTER TABLE texts ADD COLUMN more TEXT; UPDATE texts SET more = 'new'")
    monkeypatch.setattr(database, "STEPS", steps)

    with closing(connect(history)) as connection:
        assert connection.execute("SELECT run, more FROM texts").fetchall() == [(1, "new")]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)


def test_a_step_that_fails_changes_nothing(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old version is still there."""
    connect(history).close()
    monkeypatch.setattr(database, "STEPS", (*database.STEPS, "DROP TABLE texts; DROP TABLE missing"))
    with pytest.raises(HistoryError, match="no such table: missing"):
        connect(history)
    monkeypatch.undo()

    with closing(sqlite3.connect(history)) as connection:
        assert connection.execute("SELECT count(*) FROM texts").fetchone() == (0,)


def test_one_of_a_newer_version_is_left_alone(history: Path) -> None:
    """It is said, for what is in it is not known."""
    with closing(connect(history)) as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(
        HistoryError, match=r"history\.db is from a newer asynctask \(format 99, this one knows 1\)"
    ):
        connect(history)


def test_a_damaged_one_is_left_alone(history: Path) -> None:
    """It is said what to do."""
    history.parent.mkdir(parents=True)
    history.write_bytes(b"no database at all" * 100)

    with pytest.raises(HistoryError, match=r"history\.db is damaged \(.*\); move it out of the way"):
        connect(history)


def test_where_no_file_can_be_made(history: Path) -> None:
    """The reason and the file are named."""
    history.parent.parent.write_bytes(b"")

    with pytest.raises(HistoryError, match=r"^history: .*state.*: (Not a directory|File exists)$"):
        connect(history)


def test_reading_makes_none(history: Path) -> None:
    """There is nothing to read."""
    with pytest.raises(HistoryError, match="no runs are recorded yet"):
        connect(history, create=False)

    assert not history.exists()


def test_others_keep_it_for_too_long(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting has a bound."""
    monkeypatch.setattr(database, "_BUSY", 0.01)
    with (
        closing(connect(history)) as one,
        closing(connect(history)) as other,
        transaction(one),
        pytest.raises(HistoryError, match=r"others have kept it to themselves for 0\.01 s"),
        database.told(history),
        transaction(other),
    ):
        pass
