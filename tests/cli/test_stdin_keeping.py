"""Input that is kept."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from asynctask.cli.stdin_keeping import Kept, read_at
from asynctask.errors import UsageError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


async def test_pieces_in_memory_and_on_disk() -> None:
    """They come back as they were, whichever fitted."""
    kept = Kept(most=5)
    pieces = [b"123", b"long piece", b"45", b"6"]
    for piece in pieces:
        await kept.add(piece)

    assert len(kept) == 4
    assert [await kept.get(number) for number in range(4)] == pieces
    assert [isinstance(piece, bytes) for piece in kept._pieces] == [True, False, True, False]
    kept.close()


async def test_forgetting_makes_room() -> None:
    """Numbers stay, and memory is used again."""
    kept = Kept(most=3)
    await kept.add(b"abc")
    kept.forget(1)
    await kept.add(b"def")

    assert (len(kept), await kept.get(1)) == (2, b"def")
    assert kept._file == -1
    kept.forget(9)
    assert len(kept) == 2


async def test_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays behind, however the program ends."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Kept(most=0)
    await kept.add(b"data")

    assert list(tmp_path.iterdir()) == []
    fd = kept._file
    kept.close()
    kept.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


async def test_no_directory_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names it and says what else can be done."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    with pytest.raises(UsageError) as raised:
        await Kept(most=0).add(b"data")
    assert str(raised.value) == (
        "standard input is long, and cannot be kept in /nowhere: No such file or directory;"
        " give it from a file (< FILE), or set TMPDIR"
    )


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EOPNOTSUPP, None])
async def test_what_is_not_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    """It is read in a thread: a disk may take its time."""
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    def nowait(*_: object) -> int:
        if number is None:
            return 0
        raise OSError(number, "")

    monkeypatch.setattr(os, "preadv", nowait)
    fd = os.open(path, os.O_RDONLY)
    assert await read_at(fd, 4, 3) == b"3456"
    os.close(fd)


async def test_what_cannot_be_read(tmp_path: Path) -> None:
    """It is an error as any other."""
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(IsADirectoryError):
        await read_at(fd, 4, 0)
    os.close(fd)
