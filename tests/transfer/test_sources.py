"""Tests of asynctask.transfer.sources."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asynctask.transfer import sources
from asynctask.transfer.attributes import Kind
from asynctask.transfer.descriptors import Descriptor
from asynctask.transfer.sources import (
    BATCH,
    SMALL,
    Listing,
    SmallFiles,
    open_directory,
    open_source,
    read_at,
)


def number(descriptor: Descriptor) -> int:
    """Its descriptor."""
    return descriptor._fd


def test_a_small_file(tmp_path: Path) -> None:
    """It is read at once, and nothing stays open."""
    (tmp_path / "f").write_bytes(b"abc")
    source = open_source(None, os.fsencode(tmp_path / "f"), SmallFiles())
    assert (source.data, source.file, source.attributes.size) == (b"abc", None, 3)


def test_a_file_without_a_size() -> None:
    """What it holds is found nevertheless."""
    source = open_source(None, b"/proc/version", SmallFiles())
    assert source.data == Path("/proc/version").read_bytes()
    assert source.attributes.size == len(source.data)


def test_a_file_without_a_size_and_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is too large."""
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: b"x" * size)
    (tmp_path / "f").touch()
    with pytest.raises(OSError, match="File too large"):
        open_source(None, os.fsencode(tmp_path / "f"), SmallFiles())


def test_it_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For all nodes, until it changes."""
    reads: list[int] = []
    real = sources._read_all

    def read(fd: int, size: int) -> bytes:
        reads.append(size)
        return real(fd, size)

    monkeypatch.setattr(sources, "_read_all", read)
    path, small = tmp_path / "f", SmallFiles()
    path.write_bytes(b"abc")
    found = [open_source(None, os.fsencode(path), small).data for _ in range(3)]
    path.write_bytes(b"other")
    found.append(open_source(None, os.fsencode(path), small).data)
    assert (found, reads) == ([b"abc", b"abc", b"abc", b"other"], [3, 5])


def test_not_all_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were not used for longest go first."""
    monkeypatch.setattr(sources, "_KEPT", 10)
    small = SmallFiles()
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode() * 4)
        open_source(None, os.fsencode(tmp_path / name), small)
    assert list(small._contents.values()) == [b"bbbb", b"cccc"]
    assert small._size == 8


def test_a_large_file(tmp_path: Path) -> None:
    """It is left open, to be read a piece at a time."""
    (tmp_path / "f").write_bytes(b"x" * (SMALL + 1))
    source = open_source(None, os.fsencode(tmp_path / "f"), SmallFiles())
    assert source.data == b""
    assert source.file is not None
    assert read_at(number(source.file), 10, SMALL - 4) == b"xxxxx"
    assert read_at(number(source.file), 10, SMALL + 1) == b""
    source.file.close()


def test_a_fifo_does_not_block(tmp_path: Path) -> None:
    """It is told of, and not read."""
    os.mkfifo(tmp_path / "f")
    source = open_source(None, os.fsencode(tmp_path / "f"), SmallFiles())
    assert (source.attributes.kind, source.file) == (Kind.FIFO, None)


def test_a_link_is_followed_where_the_user_named_it_alone(tmp_path: Path) -> None:
    """In a tree somebody may have put it there meanwhile."""
    (tmp_path / "f").write_bytes(b"abc")
    (tmp_path / "l").symlink_to("f")
    (tmp_path / "d").symlink_to(tmp_path)
    assert open_source(None, os.fsencode(tmp_path / "l"), SmallFiles()).data == b"abc"
    folder = open_directory(None, os.fsencode(tmp_path / "d"))
    with pytest.raises(OSError, match="symbolic links"):
        open_source(number(folder), b"l", SmallFiles())
    with pytest.raises(NotADirectoryError):
        open_directory(number(folder), b"d")
    folder.close()


def test_a_listing(tmp_path: Path) -> None:
    """It comes in batches, with where links lead, and ends."""
    (tmp_path / "l").symlink_to("nowhere")
    (tmp_path / "d").mkdir()
    for count in range(BATCH):
        (tmp_path / f"{count}").touch()
    (tmp_path / os.fsdecode(b"\xff")).touch()
    folder = open_directory(None, os.fsencode(tmp_path))
    listing = Listing()
    batches = [listing.batch(number(folder)) for _ in range(3)]
    listing.close()
    folder.close()
    assert [len(batch) for batch in batches] == [BATCH, 3, 0]
    found = {name: (attributes.kind, target) for batch in batches for name, attributes, target in batch}
    assert found[b"l"] == (Kind.LINK, b"nowhere")
    assert found[b"d"] == (Kind.DIRECTORY, b"")
    assert found[b"\xff"] == (Kind.FILE, b"")


def test_a_listing_that_was_not_begun() -> None:
    """It can be closed."""
    Listing().close()
