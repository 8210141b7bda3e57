"""Tests of asynctask.transfer.upload: how it goes about it. What comes of it: workers/test_copy.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask.events import Progress
from asynctask.transfer import upload as upload_module
from asynctask.transfer.meter import Meter
from asynctask.transfer.plan import Plan
from asynctask.transfer.problems import Problem
from asynctask.transfer.remote import Remote
from asynctask.transfer.sources import SmallFiles
from asynctask.transfer.upload import Upload
from tests.support import write_file
from tests.transfer.servers import Served, connected
from tests.transfer.trips import Trips

MIB = 1024 * 1024


def upload(remote: Remote, told: list[Progress] | None = None, **plan: bool) -> Upload:
    """One that may skip nothing."""
    return Upload(Plan(**plan), remote, SmallFiles(), Meter(None if told is None else told.append), refuse)


def refuse(path: bytes, text: str) -> None:
    """Nothing is left out."""
    raise AssertionError(path, text)


@pytest.mark.parametrize(("dest", "trips"), [(b"/f", 4), (b"/", 3)])
@pytest.mark.parametrize("preserve", [False, True])
async def test_round_trips_of_a_small_file(tmp_path: Path, dest: bytes, trips: int, preserve: bool) -> None:
    """Look, create, write, rename; a path that ends in a slash needs no look."""
    (tmp_path / "f").write_bytes(b"abc")
    async with connected(tmp_path) as remote:
        counted = Trips(remote)
        await upload(remote, preserve=preserve).run(os.fsencode(tmp_path / "f"), b"f", dest)
    assert (tmp_path / "root" / "f").read_bytes() == b"abc"
    assert counted.count == trips


async def test_round_trips_of_many_files(tmp_path: Path) -> None:
    """They are copied beside each other."""
    (tmp_path / "d").mkdir()
    for number in range(40):
        (tmp_path / "d" / f"{number}").write_bytes(b"abc")
    async with connected(tmp_path) as remote:
        counted = Trips(remote)
        await upload(remote).run(os.fsencode(tmp_path / "d"), b"d", b"/d")
    assert len(list((tmp_path / "root" / "d").iterdir())) == 40
    assert counted.count < 40
    assert counted.most <= 32


async def test_a_bound_on_what_is_under_way(tmp_path: Path) -> None:
    """A large file fills the window, and no more."""
    data = os.urandom(8 * MIB + 5)
    await write_file(tmp_path / "f", data)
    told: list[Progress] = []
    async with connected(tmp_path) as remote:
        counted = Trips(remote)
        await upload(remote, told).run(os.fsencode(tmp_path / "f"), b"f", b"/f")
        window = 2 * MIB // remote.write_piece
    assert (tmp_path / "root" / "f").read_bytes() == data
    assert window // 2 <= counted.most <= window


async def test_a_server_with_small_limits(tmp_path: Path) -> None:
    """It gets the pieces that it can take."""
    data = os.urandom(MIB + 5)
    await write_file(tmp_path / "f", data)
    async with connected(tmp_path) as remote:
        remote.write_piece = 32 * 1024
        await upload(remote).run(os.fsencode(tmp_path / "f"), b"f", b"/f")
    assert (tmp_path / "root" / "f").read_bytes() == data


class NoSpace(Served):
    """Takes no data."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        raise asyncssh.SFTPFailure("no")


async def test_nothing_is_renamed_after_a_failed_write(tmp_path: Path) -> None:
    """Though the requests were under way together."""
    (tmp_path / "f").write_bytes(b"abc")
    async with connected(tmp_path, NoSpace) as remote:
        (tmp_path / "root" / "f").write_bytes(b"old")
        with pytest.raises(Problem, match="the server refused: no"):
            await upload(remote).run(os.fsencode(tmp_path / "f"), b"f", b"/f")
        assert [path.name for path in (tmp_path / "root").iterdir()] == ["f"]
    assert (tmp_path / "root" / "f").read_bytes() == b"old"


async def test_a_file_that_becomes_shorter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for complete."""
    monkeypatch.setattr(upload_module, "read_at", lambda fd, size, offset: b"")
    await write_file(tmp_path / "f", b"x" * (MIB + 1))
    async with connected(tmp_path) as remote:
        with pytest.raises(Problem, match="became shorter while it was copied"):
            await upload(remote).run(os.fsencode(tmp_path / "f"), b"f", b"/f")
        assert list((tmp_path / "root").iterdir()) == []


async def test_a_source_that_is_gone(tmp_path: Path) -> None:
    """It was there when the worker was made."""
    async with connected(tmp_path) as remote:
        with pytest.raises(Problem, match="no such file or directory"):
            await upload(remote).run(os.fsencode(tmp_path / "f"), b"f", b"/f")


async def test_paths_begin_at_the_home_directory(tmp_path: Path) -> None:
    """As the server has it."""
    (tmp_path / "f").write_bytes(b"abc")
    async with connected(tmp_path) as remote:
        await upload(remote).run(os.fsencode(tmp_path / "f"), b"f", b"g")
        await upload(remote).run(os.fsencode(tmp_path / "f"), b"f", b".")
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["f", "g"]
