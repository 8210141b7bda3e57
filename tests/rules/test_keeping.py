"""Tests of asynctask.rules.keeping."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from asynctask.errors import UsageError
from asynctask.rules.keeping import append_line, read_state, write_state

pytestmark = pytest.mark.one_loop("nothing here waits")


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def test_a_state_is_kept(tmp_path: Path) -> None:
    """Nobody else may read it, and nothing else is left."""
    path = tmp_path / "state"
    assert read_state(path) is None
    write_state(path, b"1")
    write_state(path, b"2")
    assert read_state(path) == b"2"
    assert _names(tmp_path) == ["state"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_state_that_cannot_be_replaced_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had been tried."""
    path = tmp_path / "state"
    write_state(path, b"1")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_state(path, b"2")
    assert (read_state(path), _names(tmp_path)) == (b"1", ["state"])


def test_a_state_without_a_place(tmp_path: Path) -> None:
    """It is told at the start, not when there is something to keep."""
    with pytest.raises(UsageError, match="there is no directory"):
        read_state(tmp_path / "none" / "state")
    with pytest.raises(UsageError, match="Is a directory"):
        read_state(tmp_path)


def test_lines_are_added(tmp_path: Path) -> None:
    """To a file that only the owner may read; one that was cut short does not spoil the next."""
    path = tmp_path / "letters"
    append_line(path, b"1\n")
    append_line(path, b"2\n")
    with path.open("ab") as file:
        file.write(b"cut sho")
    append_line(path, b"3\n")
    assert path.read_bytes() == b"1\n2\ncut sho\n3\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_is_not_written_is_an_error(tmp_path: Path) -> None:
    """Also if a part of it was."""
    with pytest.raises(OSError, match="directory"):
        append_line(tmp_path, b"1\n")
    with pytest.raises(OSError, match="No space"):
        append_line(Path("/dev/full"), b"1\n")
