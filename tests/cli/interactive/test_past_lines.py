"""The file of past lines."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from asynctask.cli.interactive.past_lines import PastLines, history_path

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is; its directory does not exist yet."""
    return tmp_path / "state" / "shell_history"


def test_lines_are_kept(path: Path) -> None:
    """The next session has them; only the user can read them, and bytes come through."""
    first = PastLines(path)
    for line in ("uptime", "echo caf\udce9", "uptime"):
        first.add(line)

    assert PastLines(path).lines == first.lines == ["uptime", "echo caf\udce9", "uptime"]
    assert path.read_bytes() == b"uptime\necho caf\xe9\nuptime\n"
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)]
    assert modes == [0o600, 0o700]


def test_what_is_not_kept(path: Path) -> None:
    """Nothing, the same again, and what begins with a blank: so something can be left out."""
    past = PastLines(path)
    for line in ("a", "a", "", "  ", " secret", "b"):
        past.add(line)
    assert PastLines(path).lines == ["a", "b"]


def test_so_many(path: Path) -> None:
    """The last ones are kept; the file grows to twice as many at most between two sessions."""
    past = PastLines(path, size=3)
    for number in range(6):
        past.add(str(number))
    again = PastLines(path, size=3)
    assert again.lines == ["3", "4", "5"]
    assert path.read_text() == "3\n4\n5\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


def test_sessions_at_the_same_time(path: Path) -> None:
    """Each adds its lines."""
    one, other = PastLines(path), PastLines(path)
    one.add("a")
    other.add("b")
    one.add("c")
    assert PastLines(path).lines == ["a", "b", "c"]


def test_none_wanted(path: Path) -> None:
    """Nothing is written, nor read."""
    path.parent.mkdir()
    path.write_text("old\n")
    past = PastLines(path, size=0)
    past.add("new")
    assert (past.lines, path.read_text()) == ([], "old\n")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The session has its lines all the same."""
    (tmp_path / "file").write_text("")
    past = PastLines(tmp_path / "file" / "shell_history")
    past.add("a")
    past.add("b")
    assert past.lines == ["a", "b"]
    assert isinstance(past.error, NotADirectoryError)


def test_a_file_that_cannot_be_shortened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays as it is, and nothing lies beside it."""
    path.parent.mkdir()
    path.write_text("1\n2\n3\n")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    past = PastLines(path, size=1)
    assert past.lines == ["3"]
    assert past.error is not None
    assert path.read_text() == "1\n2\n3\n"
    assert os.listdir(path.parent) == [path.name]  # noqa: PTH208


@pytest.mark.parametrize("state", ["", "relative"])
def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """By the XDG rules, of which a relative path is none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert history_path({"XDG_STATE_HOME": "/state"}) == Path("/state/asynctask/shell_history")
    found = history_path({"XDG_STATE_HOME": state})
    assert found == tmp_path / ".local" / "state" / "asynctask" / "shell_history"
