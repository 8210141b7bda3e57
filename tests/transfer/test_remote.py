"""Tests of asynctask.transfer.remote: what an SFTP server says, in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask.transfer.attributes import Kind
from asynctask.transfer.problems import LinkLost, Problem
from asynctask.transfer.remote import Remote
from tests.transfer.servers import Served, connected


async def reason_of(work: Any) -> str:
    """Why something could not be done."""
    with pytest.raises(Problem) as caught:
        await work
    return caught.value.reason


async def names_in(remote: Remote, path: bytes) -> list[bytes]:
    """What is listed."""
    async with remote.listing(path) as entries:
        return sorted([name async for name, _ in entries])


async def test_an_honest_server(tmp_path: Path) -> None:
    """What there is to be asked of it."""
    async with connected(tmp_path) as remote:
        root = tmp_path / "root"
        file = await remote.create(b"/t", b"/f", 0o600)
        await file.write(b"def", 3)
        await file.write(b"abc", 0)
        await file.change(asyncssh.SFTPAttrs(permissions=0o640))
        await file.close()
        await remote.rename(b"/t", b"/f")
        assert ((root / "f").read_bytes(), (root / "f").stat().st_mode & 0o777) == (b"abcdef", 0o640)

        file = await remote.open(b"/f")
        assert [await file.read(4, 0), await file.read(4, 4), await file.read(4, 6)] == [b"abcd", b"ef", b""]
        await file.close()

        found, refused = await remote.make_directory(b"/d", 0o700)
        assert found is not None
        assert (found.kind, found.mode, refused) == (Kind.DIRECTORY, 0o700, None)
        found, refused = await remote.make_directory(b"/d", 0o700)
        assert found is not None
        assert found.kind is Kind.DIRECTORY
        assert isinstance(refused, Problem)

        await remote.make_link(b"/t", b"/l", b"/f")
        await remote.rename(b"/t", b"/l")
        assert await remote.read_link(b"/l") == b"/f"
        link, target = await remote.look(b"/l"), await remote.look(b"/l", follow=True)
        assert link is not None
        assert target is not None
        assert (link.kind, target.kind) == (Kind.LINK, Kind.FILE)
        assert await names_in(remote, b"/") == [b"d", b"f", b"l"]

        await remote.remove(b"/f")
        await remote.remove(b"/f")
        assert await remote.look(b"/f") is None
        assert await remote.aclose()


async def test_what_is_not_there(tmp_path: Path) -> None:
    """It is said with the path that the user knows."""
    async with connected(tmp_path) as remote:
        with pytest.raises(Problem) as caught:
            await remote.create(b"/no/t", b"/no/f", 0o600)
        assert (caught.value.path, caught.value.reason) == (b"/no/f", "no such file or directory")
        assert await reason_of(names_in(remote, b"/no")) == "no such file or directory"


async def test_a_server_that_is_gone(tmp_path: Path) -> None:
    """It is no problem of a file."""
    async with connected(tmp_path) as remote:
        assert await remote.aclose()
        with pytest.raises(LinkLost):
            await remote.look(b"/f")


class Raises(Served):
    """Answers with an error."""

    error: Exception

    def lstat(self, path: bytes) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (asyncssh.SFTPPermissionDenied("x"), "permission denied"),
        (asyncssh.SFTPFailure("odd\x1b[2J"), r"the server refused: odd\x1b[2J"),
        (asyncssh.SFTPFailure(""), "the server refused: without a reason"),
    ],
)
async def test_an_error(tmp_path: Path, error: Exception, reason: str) -> None:
    """It is told in our words, or escaped."""
    kind = type("Kind", (Raises,), {"error": error})
    async with connected(tmp_path, kind) as remote:
        assert await reason_of(remote.look(b"/f")) == reason


class SaysNothing(Served):
    """Does not know what it has."""

    def lstat(self, path: bytes) -> Any:
        return asyncssh.SFTPAttrs(size=1)


async def test_attributes_that_say_nothing(tmp_path: Path) -> None:
    """What it is, has to be known."""
    async with connected(tmp_path, SaysNothing) as remote:
        assert await reason_of(remote.look(b"/f")) == "the server does not say what it is"


class Lists(Served):
    """Lists what it wants."""

    names: list[bytes]

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name in self.names:
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(permissions=0o100644, size=0))


async def test_names_that_every_listing_has(tmp_path: Path) -> None:
    """They are left out."""
    kind = type("Kind", (Lists,), {"names": [b".", b"..", b"a"]})
    async with connected(tmp_path, kind) as remote:
        assert await names_in(remote, b"/") == [b"a"]


async def test_a_hostile_listing(tmp_path: Path) -> None:
    """It is refused."""
    kind = type("Kind", (Lists,), {"names": [b"a", b"../a"]})
    async with connected(tmp_path, kind) as remote:
        reason = await reason_of(names_in(remote, b"/"))
    assert reason == "refused: the node lists a name that has a slash in it: '../a'"


class TooMuch(Served):
    """Sends more than it is asked for."""

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        return b"x" * (size + 1)


async def test_more_than_was_asked_for(tmp_path: Path) -> None:
    """It is not taken."""
    async with connected(tmp_path, TooMuch) as remote:
        (tmp_path / "root" / "f").write_bytes(b"abc")
        file = await remote.open(b"/f")
        assert await reason_of(file.read(3, 0)) == "the server sent more than it was asked for"
        await file.close()


class OldRename(Served):
    """Replaces nothing by renaming."""

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        raise asyncssh.SFTPOpUnsupported("no")


class NoRename(OldRename):
    """Gives no file the name ``f`` that had another; back it may have it."""

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if oldpath == b"/t":
            raise asyncssh.SFTPPermissionDenied("no")
        return super().rename(oldpath, newpath)


async def test_a_server_that_renames_nothing(tmp_path: Path) -> None:
    """What was there is there again."""
    async with connected(tmp_path, NoRename) as remote:
        (tmp_path / "root" / "t").write_bytes(b"new")
        (tmp_path / "root" / "f").write_bytes(b"old")
        assert await reason_of(remote.rename(b"/t", b"/f")) == "permission denied"
    assert {path.name: path.read_bytes() for path in (tmp_path / "root").iterdir()} == {
        "t": b"new",
        "f": b"old",
    }


async def test_a_server_that_cannot_replace(tmp_path: Path) -> None:
    """What is in the way goes first."""
    async with connected(tmp_path, OldRename) as remote:
        (tmp_path / "root" / "t").write_bytes(b"new")
        (tmp_path / "root" / "f").write_bytes(b"old")
        await remote.rename(b"/t", b"/f")
        assert (tmp_path / "root" / "f").read_bytes() == b"new"
        (tmp_path / "root" / "t").write_bytes(b"first")
        await remote.rename(b"/t", b"/g")
        assert (tmp_path / "root" / "g").read_bytes() == b"first"
