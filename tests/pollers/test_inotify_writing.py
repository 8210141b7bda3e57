"""Asking the kernel whether somebody writes a file."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from pathlib import Path

import pytest

from asynctask.pollers.inotify_writing import hold_back, is_written
from asynctask.pollers.walk import stamp_of

pytestmark = pytest.mark.one_loop


def test_open_for_writing(tmp_path: Path) -> None:
    """It is, as long as one has it open so; reading does not count."""
    path = tmp_path / "a"
    with path.open("w"):
        assert is_written(str(path)) is True
    with path.open():
        assert is_written(str(path)) is False


def test_it_leaves_the_file_alone(tmp_path: Path) -> None:
    """Who opens it afterwards does not wait for us, and nobody is sent a signal."""
    path = tmp_path / "a"
    path.touch()
    heard: list[int] = []
    before = signal.signal(signal.SIGURG, lambda number, frame: heard.append(number))
    try:
        assert is_written(str(path)) is False
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    finally:
        signal.signal(signal.SIGURG, before)
    assert heard == []


def test_a_lease_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is for the file of another user, and on some file systems: nobody knows."""
    path = tmp_path / "a"
    path.touch()

    def refuse(fd: int, what: int, value: int) -> int:
        ctypes.set_errno(errno.EACCES)
        return -1

    monkeypatch.setattr("asynctask.pollers.inotify_writing._fcntl", refuse)
    assert is_written(str(path)) is None


def test_what_cannot_be_known(tmp_path: Path) -> None:
    """What is no regular file, or is not there, is not asked; a pipe holds nobody up."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert [is_written(str(tmp_path / name)) for name in ("pipe", "link", "nothing")] == [None] * 3


def test_no_python_runs_while_it_asks(tmp_path: Path) -> None:
    """Another thread that had its turn then would keep those waiting who open the file."""
    path = tmp_path / "a"
    path.touch()
    steps: list[str] = []
    sys.setprofile(lambda frame, event, what: steps.append(f"{event} {getattr(what, '__name__', '')}"))
    try:
        written = is_written(str(path))
    finally:
        sys.setprofile(None)
    assert written is False
    assert steps.count("c_call fcntl") == 1  # it says which signal; the lease is no call of Python's


def test_what_a_look_has_found(tmp_path: Path) -> None:
    """What is written is held back, unless it is wanted so."""
    with (tmp_path / "a").open("w"):
        (tmp_path / "b").touch()
        os.link(tmp_path / "b", tmp_path / "c")
        found = {name: stamp_of((tmp_path / name).lstat()) for name in "abc"}
        linked = {(tmp_path / "b").stat().st_ino}
        everything = dict(found)
        held = hold_back(str(tmp_path), found, partial=False)
        assert (list(held.names), held.linked, sorted(found)) == (["a"], linked, ["b", "c"])
        held = hold_back(str(tmp_path), everything, partial=True)
        assert (list(held.names), held.linked, sorted(everything)) == ([], linked, ["a", "b", "c"])
