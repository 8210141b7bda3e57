"""Tests of asynctask.manager.local.statefile."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.errors import ManagerError
from asynctask.manager.local import statefile as module
from asynctask.manager.local.identity import boot_id
from asynctask.manager.local.statefile import (
    TOKEN,
    Record,
    StateDirectory,
    default_directory,
    leaders_with,
)

pytestmark = pytest.mark.one_loop("it has none")

TOKENS = "0123456789abcdef", "fedcba9876543210"
RECORD = Record(
    name="web",
    index=3,
    token=TOKENS[0],
    pid=7,
    start=99,
    started=1.5,
    template="abc",
    stop_signal=2,
    grace=3.5,
    logs={"stdout": "/l"},
)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[StateDirectory]:
    """An open one."""
    found = StateDirectory(tmp_path / "state" / "here", "mine")
    found.open()
    yield found
    found.close()


def test_what_was_written_is_read(directory: StateDirectory) -> None:
    """A later write takes the place of an earlier one."""
    directory.write(Record(name="web", index=3, token=TOKENS[0]))
    directory.write(RECORD)
    assert list(directory.records()) == [RECORD]
    directory.remove(RECORD)
    directory.remove(RECORD)
    assert list(directory.records()) == []


def test_only_its_user_may_look(directory: StateDirectory) -> None:
    """Directory and files are private."""
    directory.write(RECORD)
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert (directory.path / RECORD.file).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        b"",
        RECORD.dump()[:40],
        RECORD.dump().replace(b'process": 1', b'process": 2'),
        RECORD.dump().replace(b"99", b'"x"'),
        RECORD.dump().replace(b'"stop_signal": 2', b'"stop_signal": 999'),
        RECORD.dump().replace(b"3.5", b"NaN"),
        b"[]",
        b"\xff\0",
        b"[" * 100_000,
    ],
    ids=[
        "empty",
        "half",
        "another version",
        "not a number",
        "no signal",
        "no time",
        "a list",
        "no text",
        "deep",
    ],
)
def test_of_what_cannot_be_read_the_name_is_known(directory: StateDirectory, text: bytes) -> None:
    """With its token the process is looked for."""
    (directory.path / RECORD.file).write_bytes(text)
    assert list(directory.records()) == [Record(name="web", index=3, token=TOKENS[0], boot="")]


def test_other_files_are_no_records(directory: StateDirectory) -> None:
    """What was left of a write goes; the rest stays."""
    (directory.path / f"web.3.{TOKENS[0]}.new").write_bytes(b"{")
    (directory.path / "notes.txt").write_text("mine")
    assert list(directory.records()) == []
    assert sorted(path.name for path in directory.path.iterdir()) == ["lock", "notes.txt"]


def test_two_managers_of_one_name(directory: StateDirectory) -> None:
    """The second is told who has it; when the first is done it may."""
    other = StateDirectory(directory.path, "mine")
    with pytest.raises(
        ManagerError, match=r"^manager 'mine': another one .*, in this program; give one of them"
    ):
        other.open()
    directory.close()
    other.open()
    other.close()


def test_the_other_manager_may_be_another_program(tmp_path: Path) -> None:
    """It is named by its number; a forked copy of it does not keep the lock."""
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from asynctask.manager.local.statefile import StateDirectory\n"
        "d = StateDirectory(Path(sys.argv[1]), 'mine'); d.open()\n"
        "if os.fork() == 0: print('there', flush=True); sys.stdin.read(); os._exit(0)\n"
        "time.sleep(60)\n"
    )
    mine = StateDirectory(tmp_path, "mine")
    argv = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        with pytest.raises(ManagerError, match=f"as process {other.pid}"):
            mine.open()
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        mine.open()
        mine.close()


def test_the_lock_of_a_dead_manager_goes_soon(tmp_path: Path) -> None:
    """What it was just starting has it for a moment."""
    with subprocess.Popen(["true"]) as dead:
        pass
    (tmp_path / "lock").write_text(f"{dead.pid}\n")
    with (tmp_path / "lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with subprocess.Popen(["sleep", "0.05"], stdin=file):
            pass_on = time.monotonic()
            file.close()
            mine = StateDirectory(tmp_path, "mine")
            mine.open()
            assert time.monotonic() - pass_on < 5
            mine.close()


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has it is not known."""
    monkeypatch.setattr(module, "_LOCK_WAIT", 0.01)
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(ManagerError, match=r"runs already, as process \?; give"):
            StateDirectory(tmp_path, "mine").open()


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    """The reason is named."""
    (tmp_path / "file").touch()
    with pytest.raises(ManagerError, match=r"cannot be remembered in .*file/here: Not a directory"):
        StateDirectory(tmp_path / "file" / "here", "mine").open()


def test_a_record_that_cannot_be_written(directory: StateDirectory) -> None:
    """The one that was there stays as it was."""
    directory.write(RECORD)
    (directory.path / f"web.3.{TOKENS[0]}.new").mkdir()
    with pytest.raises(ManagerError, match="Is a directory"):
        directory.write(RECORD)
    (directory.path / f"web.3.{TOKENS[0]}.new").rmdir()
    assert list(directory.records()) == [RECORD]


@pytest.mark.parametrize(
    ("name", "last"), [("default", "default"), ("../x", "%2E%2E%2Fx"), ("..", "%2E%2E"), ("a b", "a%20b")]
)
def test_a_name_leads_nowhere_else(name: str, last: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each manager has a directory of its own, below one."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert default_directory(name) == Path("/state/asynctask/manager", last)


def test_without_a_state_home_it_is_in_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative one is none."""
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/me")
    assert default_directory("x") == Path("/me/.local/state/asynctask/manager/x")


def test_a_process_is_found_by_its_token() -> None:
    """The one that leads a session, not what it has started."""
    env = {**os.environ, TOKEN: TOKENS[0]}
    argv = ["sh", "-c", "sleep 60 & echo; wait"]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout is not None
        popen.stdout.readline()
        found = leaders_with(TOKENS)
        os.killpg(popen.pid, 9)
    assert {token: (each.pid, each.boot) for token, each in found.items()} == {
        TOKENS[0]: (popen.pid, boot_id())
    }
    assert leaders_with(TOKENS) == {}
