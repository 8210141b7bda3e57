"""Tests of asynctask.transfer.download: how it goes about it. What comes of it: workers/test_copy.py."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_IFREG
from typing import Any

import asyncssh
import pytest

from asynctask.transfer import download as download_module
from asynctask.transfer.download import Download
from asynctask.transfer.meter import Meter
from asynctask.transfer.plan import Plan
from asynctask.transfer.problems import Problem
from asynctask.transfer.remote import Remote
from asynctask.transfer.sources import open_directory
from tests.support import write_file
from tests.transfer.servers import Served, connected
from tests.transfer.trips import Trips

MIB = 1024 * 1024


async def fetch(remote: Remote, source: bytes, here: Path, notes: list[str] | None = None) -> None:
    """Copy to ``here / "copy"``."""

    def note(path: bytes, text: str) -> None:
        assert notes is not None, text
        notes.append(f"{path.decode()} {text}")

    folder = open_directory(None, os.fsencode(here))
    try:
        await Download(Plan(), remote, Meter(None), note).run(source, folder, os.fsencode(here / "copy"))
    finally:
        folder.close()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Where copies go."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


async def test_round_trips_of_a_small_file(tmp_path: Path, here: Path) -> None:
    """Look, open, read."""
    async with connected(tmp_path) as remote:
        (tmp_path / "root" / "f").write_bytes(b"abc")
        counted = Trips(remote)
        await fetch(remote, b"/f", here)
    assert (here / "copy").read_bytes() == b"abc"
    assert counted.count == 3


async def test_a_bound_on_what_is_under_way(tmp_path: Path, here: Path) -> None:
    """A large file fills the window, and no more."""
    data = os.urandom(8 * MIB + 5)
    async with connected(tmp_path) as remote:
        await write_file(tmp_path / "root" / "f", data)
        counted = Trips(remote)
        await fetch(remote, b"/f", here)
        window = 2 * MIB // remote.read_span
    assert (here / "copy").read_bytes() == data
    assert window // 2 <= counted.most <= window


@pytest.mark.parametrize("size", [1, 32 * 1024, 32 * 1024 + 1, 256 * 1024, 256 * 1024 + 1, MIB])
async def test_a_server_with_small_limits(tmp_path: Path, here: Path, size: int) -> None:
    """It is asked for pieces that it can give, several at a time."""
    data = os.urandom(size)
    async with connected(tmp_path) as remote:
        remote.read_piece = 32 * 1024
        await write_file(tmp_path / "root" / "f", data)
        await fetch(remote, b"/f", here)
    assert (here / "copy").read_bytes() == data


class Stingy(Served):
    """Gives half of what it is asked for."""

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        return super().read(file_obj, offset, max(1, size // 2))


@pytest.mark.parametrize("size", [1, 1000, MIB])
async def test_a_server_that_gives_little_at_a_time(tmp_path: Path, here: Path, size: int) -> None:
    """It is asked again."""
    data = os.urandom(size)
    async with connected(tmp_path, Stingy) as remote:
        await write_file(tmp_path / "root" / "f", data)
        await fetch(remote, b"/f", here)
    assert (here / "copy").read_bytes() == data


class Shrunk(Served):
    """Says that files are larger than they are."""

    def stat(self, path: bytes) -> Any:
        return asyncssh.SFTPAttrs(permissions=S_IFREG | 0o644, size=20)


async def test_a_small_file_that_becomes_shorter(tmp_path: Path, here: Path) -> None:
    """That is said, not what came of it."""
    async with connected(tmp_path, Shrunk) as remote:
        (tmp_path / "root" / "f").write_bytes(b"short")
        with pytest.raises(Problem, match="became shorter while it was copied"):
            await fetch(remote, b"/f", here)
    assert list(here.iterdir()) == []


class Endless(Served):
    """Has a file that is said to be empty and has no end."""

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        return b"x" * size


async def test_an_empty_file_without_an_end(
    tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not kept in memory for ever."""
    monkeypatch.setattr(download_module, "_MOST_UNSIZED", MIB)
    async with connected(tmp_path, Endless) as remote:
        (tmp_path / "root" / "f").touch()
        with pytest.raises(Problem, match="is said to be empty and has no end"):
            await fetch(remote, b"/f", here)


class Vague(Served):
    """Lists names alone."""

    async def scandir(self, path: bytes) -> Any:
        yield asyncssh.SFTPName(b"f", attrs=asyncssh.SFTPAttrs())


async def test_a_listing_without_attributes(tmp_path: Path, here: Path) -> None:
    """They are asked for; what is gone meanwhile is said."""
    async with connected(tmp_path, Vague) as remote:
        (tmp_path / "root" / "f").write_bytes(b"abc")
        await fetch(remote, b"/", here)
        assert (here / "copy" / "f").read_bytes() == b"abc"
        (tmp_path / "root" / "f").unlink()
        with pytest.raises(Problem, match="was removed while it was copied"):
            await fetch(remote, b"/", here)


async def test_what_is_special(tmp_path: Path, here: Path) -> None:
    """It is left out of trees, and fails alone."""
    notes: list[str] = []
    async with connected(tmp_path) as remote:
        os.mkfifo(tmp_path / "root" / "p")
        await fetch(remote, b"/", here, notes)
        assert notes == ["/p skipped: it is a FIFO"]
        with pytest.raises(Problem, match="is a FIFO, neither a file nor a directory"):
            await fetch(remote, b"/p", here)
    assert list((here / "copy").iterdir()) == []
