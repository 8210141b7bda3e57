"""Tests of asynctask.transfer.landing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.transfer import landing
from asynctask.transfer.attributes import Attributes, Kind

FILE = Attributes(Kind.FILE, size=3, mode=0o640, atime=100, mtime=200)
DIRECTORY = Attributes(Kind.DIRECTORY, size=0, mode=0o555, atime=100, mtime=200)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where things land."""
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.fixture
def folder(place: Path) -> Iterator[int]:
    """Its descriptor."""
    fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    mask = os.umask(0o022)
    yield fd
    os.umask(mask)
    os.close(fd)


def names(path: Path) -> list[str]:
    """What is in a directory."""
    return sorted(entry.name for entry in path.iterdir())


def mode(path: Path) -> int:
    """Its permissions."""
    return path.lstat().st_mode & 0o7777


def test_a_new_file(place: Path, folder: int) -> None:
    """It has the mode of its source, as far as the umask lets it, and its own time."""
    landing.write_small(
        folder, b"f", b"abc", Attributes(Kind.FILE, 3, 0o666, 1, 2), preserve=False, times=False
    )
    assert ((place / "f").read_bytes(), mode(place / "f")) == (b"abc", 0o644)
    assert (place / "f").stat().st_mtime > 1000
    assert names(place) == ["f"]


def test_preserving(place: Path, folder: int) -> None:
    """Mode and times, whatever the umask."""
    source = Attributes(Kind.FILE, 3, 0o466, 100, 200)
    landing.write_small(folder, b"f", b"abc", source, preserve=True, times=True)
    found = (place / "f").stat()
    assert (mode(place / "f"), found.st_atime, found.st_mtime) == (0o466, 100, 200)


def test_times_alone(place: Path, folder: int) -> None:
    """For those who compare them later."""
    landing.write_small(folder, b"f", b"abc", FILE, preserve=False, times=True)
    assert (mode(place / "f"), (place / "f").stat().st_mtime) == (0o640, 200)


def test_in_the_place_of_a_file(place: Path, folder: int) -> None:
    """Its mode is kept."""
    (place / "f").write_bytes(b"old")
    (place / "f").chmod(0o600)
    landing.write_small(folder, b"f", b"abc", FILE, preserve=False, times=False)
    assert ((place / "f").read_bytes(), mode(place / "f")) == (b"abc", 0o600)


def test_in_the_place_of_a_link(tmp_path: Path, place: Path, folder: int) -> None:
    """The link goes, and what it leads to stays as it is."""
    (tmp_path / "outside").write_bytes(b"mine")
    (place / "f").symlink_to(tmp_path / "outside")
    landing.write_small(folder, b"f", b"abc", FILE, preserve=False, times=False)
    assert not (place / "f").is_symlink()
    assert ((place / "f").read_bytes(), (tmp_path / "outside").read_bytes()) == (b"abc", b"mine")


def test_in_the_place_of_a_directory(place: Path, folder: int) -> None:
    """It is not removed; the temporary file is."""
    (place / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        landing.write_small(folder, b"f", b"abc", FILE, preserve=False, times=False)
    assert names(place) == ["f"]


def test_a_large_file(place: Path, folder: int) -> None:
    """Made, written in any order, then landed."""
    file = landing.create(folder, b"t", 0o600)
    landing.write_at(file._fd, b"def", 3)
    landing.write_at(file._fd, b"abc", 0)
    landing.land(file._fd, folder, b"t", b"f", FILE, preserve=True, times=True)
    file.close()
    assert ((place / "f").read_bytes(), mode(place / "f")) == (b"abcdef", 0o640)
    assert names(place) == ["f"]


def test_dropping(place: Path, folder: int) -> None:
    """Whether it is there or not."""
    (place / "t").touch()
    landing.drop(folder, b"t")
    landing.drop(folder, b"t")
    assert names(place) == []


def test_a_link(place: Path, folder: int) -> None:
    """New, the same again, another one."""
    landing.make_link(folder, b"l", b"../x")
    first = (place / "l").lstat().st_ino
    landing.make_link(folder, b"l", b"../x")
    assert ((place / "l").lstat().st_ino, str((place / "l").readlink())) == (first, "../x")
    landing.make_link(folder, b"l", b"y")
    assert str((place / "l").readlink()) == "y"
    assert names(place) == ["l"]


def test_a_link_in_the_place_of_a_directory(place: Path, folder: int) -> None:
    """It is not removed."""
    (place / "l").mkdir()
    with pytest.raises(IsADirectoryError):
        landing.make_link(folder, b"l", b"x")
    assert names(place) == ["l"]


def test_a_directory(place: Path, folder: int) -> None:
    """One that can be written in, until it is finished."""
    made, new = landing.enter(folder, b"d", 0o555)
    assert (new, mode(place / "d")) == (True, 0o755)
    landing.finish_directory(made._fd, DIRECTORY, preserve=False, made=True)
    assert mode(place / "d") == 0o555
    made.close()


def test_a_directory_that_is_there(place: Path, folder: int) -> None:
    """It is used as it is, and changed only where that is asked for."""
    (place / "d").mkdir(mode=0o700)
    there, new = landing.enter(folder, b"d", 0o555)
    landing.finish_directory(there._fd, DIRECTORY, preserve=False, made=new)
    assert (new, mode(place / "d")) == (False, 0o700)
    landing.finish_directory(there._fd, DIRECTORY, preserve=True, made=new)
    assert (mode(place / "d"), (place / "d").stat().st_mtime) == (0o555, 200)
    there.close()


@pytest.mark.parametrize("target", ["..", "/etc", "nowhere"])
def test_a_directory_that_is_a_link(place: Path, folder: int, target: str) -> None:
    """It is not entered, wherever it leads."""
    (place / "d").symlink_to(target)
    with pytest.raises(NotADirectoryError):
        landing.enter(folder, b"d", 0o755)


def test_looking(place: Path, folder: int) -> None:
    """A link is what it is, and nothing is nothing."""
    (place / "l").symlink_to("/etc")
    found = landing.look(folder, b"l")
    assert found is not None
    assert found.kind is Kind.LINK
    assert landing.look(folder, b"x") is None
