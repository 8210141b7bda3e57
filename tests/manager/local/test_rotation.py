"""Tests of asynctask.manager.local.rotation."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from time import time
from typing import Any

import pytest

from asynctask.manager.local import rotation as module
from asynctask.manager.local.direct_logs import DirectLog
from asynctask.manager.local.rotation import Rotation, rotate, rotate_if_due
from asynctask.manager.template import LogFile
from asynctask.pollers.aside import Aside


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with ten bytes."""
    found = tmp_path / "log"
    found.write_text("123456789\n")
    return found


def _log(path: Path, **fields: Any) -> DirectLog:
    return DirectLog(path, LogFile(path=str(path), **fields))


def _all(path: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in path.parent.iterdir()}


@pytest.mark.one_loop("it has none")
def test_its_writer_goes_on_at_the_beginning(path: Path) -> None:
    """It takes no notice; mode and earlier files are kept."""
    path.chmod(0o640)
    with path.open("a") as writer:
        for number in range(3):
            writer.write(f"{number}\n")
            writer.flush()
            rotate(path, 2)
        writer.write("last\n")
    assert _all(path) == {"log": "last\n", "log.1": "2\n", "log.2": "1\n"}
    assert path.with_name("log.1").stat().st_mode & 0o777 == 0o640


@pytest.mark.one_loop("it has none")
def test_without_backups_it_is_cut(path: Path) -> None:
    """Nothing else comes of it."""
    rotate(path, 0)
    assert _all(path) == {"log": ""}


@pytest.mark.one_loop("it has none")
def test_what_comes_while_it_is_copied_is_copied(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the very end."""
    shift = module._shift

    def slow(path: Path, backups: int) -> None:
        with path.open("a") as writer:
            writer.write("late\n")
        shift(path, backups)

    monkeypatch.setattr(module, "_shift", slow)
    rotate(path, 1)
    assert _all(path) == {"log": "", "log.1": "123456789\nlate\n"}


@pytest.mark.one_loop("it has none")
def test_what_cannot_be_copied_is_not_cut(path: Path) -> None:
    """A full disk costs no output that was written; nothing half is left."""
    path.with_name("log.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        rotate(path, 1)
    assert _all(path) == {"log": "123456789\n"}


@pytest.mark.one_loop("it has none")
@pytest.mark.parametrize(
    ("fields", "age", "due"),
    [
        ({"max_bytes": 10}, 0, True),
        ({"max_bytes": 11}, 0, False),
        ({"max_bytes": 0}, 0, False),
        ({"max_age": 60.0}, 61, True),
        ({"max_age": 60.0}, 59, False),
    ],
)
def test_when_it_is_due(path: Path, fields: dict[str, Any], age: float, due: bool) -> None:
    """By its size, or its age."""
    assert rotate_if_due(_log(path, **fields), time() - age) == due


@pytest.mark.one_loop("it has none")
def test_its_age_counts_from_the_last_rotation(path: Path) -> None:
    """Not from the start of the process."""
    path.with_name("log.1").write_text("")
    assert not rotate_if_due(_log(path, max_age=60.0), time() - 600)
    os.utime(path.with_name("log.1"), (0, time() - 61))
    assert rotate_if_due(_log(path, max_age=60.0), time() - 600)


@pytest.mark.one_loop("it has none")
def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A device, an empty one, one that was moved away."""
    (tmp_path / "empty").touch()
    for path in (Path("/dev/null"), tmp_path / "empty", tmp_path / "away"):
        assert not rotate_if_due(_log(path, max_bytes=1, max_age=1.0), 0)


async def test_logs_are_looked_at_from_time_to_time(path: Path) -> None:
    """Those of a process that has ended are not, any more."""
    rotation = Rotation(Aside("test"), every=0.001)
    rotation.add("one", [_log(path, max_bytes=1)], time(), pytest.fail)
    rotation.add("other", [_log(path, max_bytes=1)], time(), pytest.fail)
    async with asyncio.timeout(5):
        while path.stat().st_size:
            await asyncio.sleep(0.001)
    rotation.remove("one")
    rotation.remove("other")
    path.write_text("again\n")
    await asyncio.sleep(0.02)
    assert path.read_text() == "again\n"
    await rotation.aclose()
    await rotation.aclose()


async def test_one_that_cannot_be_rotated_is_told_of_once(path: Path) -> None:
    """It is left alone for a while."""
    path.with_name("log.new").mkdir()
    warnings: list[str] = []
    rotation = Rotation(Aside("test"), every=0.001)
    rotation.add("one", [_log(path, max_bytes=1)], time(), warnings.append)
    async with asyncio.timeout(5):
        while not warnings:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert warnings == [f"log {path} cannot be rotated, and grows: Is a directory"]
    await rotation.aclose()
