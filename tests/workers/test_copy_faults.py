"""Tests of asynctask.workers.copy with nodes that lie, stall or go, and of stopping it."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import pytest

import asynctask
from asynctask import NodeResult, Outcome
from asynctask.transfer import remote as remote_module
from asynctask.transfer.names import TEMPORARY
from asynctask.workers.copy import CopyWorker
from tests.ssh.servers import NODE, ScriptedFactory, ScriptedServer, reset
from tests.support import write_file
from tests.transfer.servers import Served, serving
from tests.workers.sites import PATIENCE

pytestmark = pytest.mark.usefixtures("home")


async def run(server: ScriptedServer, source: Any, dest: Any, **settings: Any) -> NodeResult:
    """Copy to or from a server in this process."""
    worker = CopyWorker(source, dest, [NODE], ssh=server.options, **settings)
    async with asyncio.timeout(PATIENCE), asynctask.Task() as task:
        task.schedule(worker)
        return (await task.run())[NODE]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Where copies go."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


def names(path: Path) -> list[str]:
    """What is below a directory."""
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))


# -- nodes that lie ---------------------------------------------------------------------------------


class Liar(Served):
    """Shows a tree that is not there: names with what they are, by directory."""

    tree: ClassVar[dict[bytes, list[tuple[bytes, int]]]] = {}

    def stat(self, path: bytes) -> Any:
        return asyncssh.SFTPAttrs(permissions=stat.S_IFDIR | 0o755, size=0)

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        for name, mode in self.tree.get(path, ()):
            yield asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(permissions=mode | 0o755, size=3))

    def lstat(self, path: bytes) -> Any:
        return asyncssh.SFTPAttrs(permissions=stat.S_IFREG | 0o644, size=3)

    def readlink(self, path: bytes) -> Any:
        return b"/outside"

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        return object()

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        return b"bad"[offset : offset + size]

    def close(self, file_obj: object) -> Any:
        return None


def liar(tree: dict[bytes, list[tuple[bytes, int]]]) -> type[Served]:
    """A server that shows a tree."""
    return type("Kind", (Liar,), {"tree": tree})


HOSTILE = {
    b"/etc/passwd": "has a slash in it: '/etc/passwd'",
    b"../up": "has a slash in it: '../up'",
    b"": "is no name of a file: ''",
    b"nul\0": r"has a control character in it: 'nul\x00'",
    b"a\x1b[2Jb": r"has a control character in it: 'a\x1b[2Jb'",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", [stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK])
async def test_a_hostile_name(tmp_path: Path, here: Path, name: bytes, kind: int) -> None:
    """The transfer fails, the name is shown escaped, nothing is written outside."""
    async with serving(tmp_path, liar({b"/t": [(name, kind)]})) as server:
        result = await run(server, "/t", here, reverse=True)
    assert (result.outcome, result.rc) == (Outcome.FAILED, 1)
    assert str(result.error) == f"{NODE}: /t: refused: the node lists a name that {HOSTILE[name]}"
    assert names(here) == [f"t.{NODE}"]


async def test_the_same_name_as_a_link_and_as_a_directory(tmp_path: Path, here: Path) -> None:
    """What the node wants to have written through the link is not."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "outside").mkdir()
    tree = {b"/t": [(b"x", stat.S_IFLNK), (b"x", stat.S_IFDIR)], b"/t/x": [(b"evil", stat.S_IFREG)]}
    real = type("Kind", (liar(tree),), {"readlink": lambda self, path: bytes(tmp_path / "root" / "outside")})
    async with serving(tmp_path, real) as server:
        result = await run(server, "/t", here, reverse=True)
    assert result.outcome is Outcome.FAILED
    assert names(tmp_path / "root" / "outside") == []


async def test_the_same_name_as_a_directory_and_as_a_link(tmp_path: Path, here: Path) -> None:
    """The other way round."""
    tree = {b"/t": [(b"x", stat.S_IFDIR), (b"x", stat.S_IFLNK)], b"/t/x": []}
    async with serving(tmp_path, liar(tree)) as server:
        result = await run(server, "/t", here, reverse=True)
    assert str(result.error) == f"{NODE}: {here}/t.{NODE}/x: is a directory"
    assert (here / f"t.{NODE}" / "x").is_dir()


async def test_a_tree_without_a_bottom(tmp_path: Path, here: Path) -> None:
    """It is left where it is too deep."""

    class Deep(Liar):
        async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
            yield asyncssh.SFTPName(b"d", attrs=asyncssh.SFTPAttrs(permissions=stat.S_IFDIR | 0o755))

    async with serving(tmp_path, Deep) as server:
        result = await run(server, "/t", here, reverse=True)
    assert result.outcome is Outcome.FAILED
    assert str(result.error).endswith(": is more than 128 directories deep")


async def test_a_file_that_becomes_shorter(tmp_path: Path, here: Path) -> None:
    """It is not taken for complete."""

    class Shrinks(Liar):
        def stat(self, path: bytes) -> Any:
            return asyncssh.SFTPAttrs(permissions=stat.S_IFREG | 0o644, size=5_000_000)

    async with serving(tmp_path, Shrinks) as server:
        result = await run(server, "/f", here, reverse=True)
    assert str(result.error) == f"{NODE}: /f: became shorter while it was copied"
    assert names(here) == []


# -- nodes without SFTP, and such that go -----------------------------------------------------------


async def test_no_sftp(scripted: ScriptedFactory, here: Path) -> None:
    """It is said what is missing."""
    result = await run(await scripted(), "/etc/passwd", here)
    assert result.outcome is Outcome.SPAWN_FAILED
    assert "the server has no SFTP" in str(result.error)


class Breaks(Served):
    """Breaks the connection at the first write."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        reset(self.connection)
        return len(data)


async def test_a_connection_that_breaks(tmp_path: Path, here: Path) -> None:
    """The node is unreachable, in the middle of it."""
    (here / "f").write_bytes(b"x" * 100)
    async with serving(tmp_path, Breaks) as server:
        result = await run(server, here / "f", "/f")
    assert (result.outcome, result.rc) == (Outcome.UNREACHABLE, None)
    assert "connection lost during the transfer" in str(result.error)


class Full(Served):
    """Has no room left for the second piece."""

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        if offset:
            raise asyncssh.SFTPFailure("Failure")
        return super().write(file_obj, offset, data)

    def statvfs(self, path: bytes) -> Any:
        return asyncssh.SFTPVFSAttrs(blocks=100, bavail=0)


async def test_a_full_disk(tmp_path: Path, here: Path) -> None:
    """It is told apart from other failures; what was there is kept, the temporary file is not."""
    await write_file(here / "f", b"x" * 3_000_000)
    async with serving(tmp_path, Full) as server:
        (tmp_path / "root" / "f").write_bytes(b"old")
        result = await run(server, here / "f", "/f")
    assert (result.outcome, str(result.error)) == (Outcome.FAILED, f"{NODE}: /f: no space left on device")
    assert (names(tmp_path / "root"), (tmp_path / "root" / "f").read_bytes()) == (["f"], b"old")


# -- stopping ---------------------------------------------------------------------------------------


class Holds(Served):
    """Holds what it is asked to read or write until it is let go."""

    held: ClassVar[asyncio.Event]
    go: ClassVar[asyncio.Event]

    async def _hold(self) -> None:
        self.held.set()
        await self.go.wait()

    async def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        await self._hold()
        return super().write(file_obj, offset, data)

    async def read(self, file_obj: object, offset: int, size: int) -> Any:
        await self._hold()
        return super().read(file_obj, offset, size)


def holds() -> Any:
    """A server of its own."""
    return type("Kind", (Holds,), {"held": asyncio.Event(), "go": asyncio.Event()})


@pytest.mark.parametrize("way", ["timeout", "abort"])
@pytest.mark.parametrize("tree", [False, True])
async def test_stopping_an_upload(tmp_path: Path, here: Path, way: str, tree: bool) -> None:
    """It ends as any command does, and its temporary files are removed."""
    kind = holds()
    for name in ("f", "g"):
        await write_file(here / name, b"x" * 3_000_000)
    async with serving(tmp_path, kind) as server, asyncio.timeout(PATIENCE), asynctask.Task() as task:
        source = here if tree else here / "f"
        settings: dict[str, Any] = {"timeout": 0.2} if way == "timeout" else {}
        worker = task.schedule(CopyWorker(source, "/t", [NODE], ssh=server.options, **settings))
        running = asyncio.create_task(task.run())
        await kind.held.wait()
        assert any(TEMPORARY.decode() in name for name in names(tmp_path / "root"))
        if way == "abort":
            worker.abort()
        asyncio.get_running_loop().call_later(0.3, kind.go.set)
        result = (await running)[NODE]
    assert result.outcome is (Outcome.TIMED_OUT if way == "timeout" else Outcome.ABORTED)
    assert names(tmp_path / "root") == (["t"] if tree else [])


@pytest.mark.parametrize("tree", [False, True])
async def test_stopping_a_download(tmp_path: Path, here: Path, tree: bool) -> None:
    """Nothing temporary stays here."""
    kind = holds()
    async with serving(tmp_path, kind) as server:
        for name in ("f", "g"):
            await write_file(tmp_path / "root" / name, b"x" * 3_000_000)
        (tmp_path / "root" / "t").mkdir()
        (tmp_path / "root" / "f").rename(tmp_path / "root" / "t" / "f")
        asyncio.get_running_loop().call_later(0.4, kind.go.set)
        result = await run(server, "/t" if tree else "/g", here, reverse=True, timeout=0.2)
    assert result.outcome is Outcome.TIMED_OUT
    assert names(here) == ([f"t.{NODE}"] if tree else [])


async def test_a_node_that_never_answers_again(
    tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleaning up is tried, and given up."""
    monkeypatch.setattr(remote_module, "_CLEANUP_WAIT", 0.2)
    (here / "f").write_bytes(b"x" * 100)
    begun = time.monotonic()
    kind = holds()
    async with serving(tmp_path, kind) as server:
        result = await run(server, here / "f", "/f", timeout=0.1)
        assert time.monotonic() - begun < 5
        kind.go.set()
    assert result.outcome is Outcome.TIMED_OUT


async def test_cancelling(tmp_path: Path, here: Path) -> None:
    """Cancelling the run does the same, and is raised again."""
    kind = holds()
    await write_file(here / "f", b"x" * 3_000_000)
    async with serving(tmp_path, kind) as server:
        running = asyncio.create_task(run(server, here / "f", "/f"))
        await kind.held.wait()
        running.cancel()
        asyncio.get_running_loop().call_later(0.05, kind.go.set)
        with pytest.raises(asyncio.CancelledError):
            await running
        assert names(tmp_path / "root") == []
