"""Tests of asynctask.transfer.attributes."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from asynctask.transfer.attributes import Attributes, Kind, identical

FILE = Attributes(Kind.FILE, size=3, mode=0o644, atime=1, mtime=2)


def test_of_a_file_here(tmp_path: Path) -> None:
    """Whole seconds, and permissions without setuid."""
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    path.chmod(0o4750)
    os.utime(path, ns=(1_999_999_999, 2_500_000_000))
    owner = (os.getuid(), os.getgid())
    assert Attributes.local(path.stat()) == Attributes(Kind.FILE, 3, 0o750, 1, 2, owner)


@pytest.mark.parametrize(("seconds", "sent"), [(-5, 0), (1 << 33, 0xFFFFFFFF)])
def test_times_that_sftp_does_not_know(tmp_path: Path, seconds: int, sent: int) -> None:
    """The nearest that it knows."""
    (tmp_path / "f").touch()
    os.utime(tmp_path / "f", (seconds, seconds))
    found = Attributes.local((tmp_path / "f").stat())
    assert (found.atime, found.mtime) == (sent, sent)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        (stat.S_IFREG, Kind.FILE),
        (stat.S_IFDIR, Kind.DIRECTORY),
        (stat.S_IFLNK, Kind.LINK),
        (stat.S_IFIFO, Kind.FIFO),
        (stat.S_IFSOCK, Kind.SOCKET),
        (stat.S_IFBLK, Kind.DEVICE),
        (stat.S_IFCHR, Kind.DEVICE),
        (0, Kind.UNKNOWN),
    ],
)
def test_of_a_file_there(mode: int, kind: Kind) -> None:
    """What the node says."""
    found = asyncssh.SFTPAttrs(permissions=mode | 0o4640, size=7, atime=1, mtime=2, uid=3, gid=4)
    assert Attributes.remote(found) == Attributes(kind, 7, 0o640, 1, 2, (3, 4))


def test_a_node_that_says_little() -> None:
    """Without permissions nothing is known, the rest may be missing."""
    assert Attributes.remote(asyncssh.SFTPAttrs(size=3)) is None
    assert Attributes.remote(asyncssh.SFTPAttrs(permissions=stat.S_IFREG)) == Attributes(
        Kind.FILE, 0, 0, 0, 0
    )


@pytest.mark.parametrize(
    ("copy", "plain", "preserving"),
    [
        (replace(FILE, atime=9, owner=(1, 1)), True, True),
        (replace(FILE, mode=0o600), True, False),
        (replace(FILE, size=4), False, False),
        (replace(FILE, mtime=3), False, False),
        (replace(FILE, kind=Kind.LINK), False, False),
    ],
)
def test_identical(copy: Attributes, plain: bool, preserving: bool) -> None:
    """Size and time decide, and with ``preserve`` the mode."""
    assert identical(FILE, copy, preserve=False) is plain
    assert identical(FILE, copy, preserve=True) is preserving
