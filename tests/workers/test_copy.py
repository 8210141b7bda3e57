"""Tests of asynctask.workers.copy: files to and from a real sshd."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import asynctask
from asynctask import Outcome, Result, SSHOptions
from asynctask.errors import UsageError
from asynctask.events import EventHandler, Progress
from asynctask.workers.base import Worker
from asynctask.workers.copy import CopyWorker
from tests.support import Recorder, write_file
from tests.workers.sites import PATIENCE, Site

BIG = 3_000_000  # several requests, and more than is read in one go


async def run(*workers: Worker, timeout: float | None = None) -> Result:
    """Run workers made by hand."""
    async with asyncio.timeout(PATIENCE), asynctask.Task() as task:
        for worker in workers:
            task.schedule(worker)
        return await task.run(timeout)


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """A directory on all nodes, which are this machine."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory that is no node's."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def umask() -> Iterator[None]:
    """One that is known."""
    mask = os.umask(0o022)
    yield
    os.umask(mask)


class Copies:
    """Copies to and from the first nodes of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.node = site.node

    async def to(self, source: object, dest: object, **settings: Any) -> asynctask.NodeResult:
        """To one node."""
        return (await self._run(source, dest, **settings))[self.node]

    async def back(self, source: object, dest: object, **settings: Any) -> asynctask.NodeResult:
        """From one node."""
        return (await self._run(source, dest, reverse=True, **settings))[self.node]

    async def _run(self, source: Any, dest: Any, nodes: Sequence[str] = (), **settings: Any) -> Result:
        worker = CopyWorker(source, dest, nodes or [self.node], ssh=self.site.options, **settings)
        return await run(worker)


@pytest.fixture
def copies(real: Site) -> Copies:
    """To and from the real server."""
    return Copies(real)


def names(path: Path) -> list[str]:
    """What is in a directory."""
    return sorted(entry.name for entry in path.iterdir())


def mode(path: Path) -> int:
    """Its permissions."""
    return path.lstat().st_mode & 0o7777


class Hears(EventHandler):
    """Writes down the progress."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Progress]] = []

    def ev_progress(self, worker: Worker, node: str, progress: Progress) -> None:
        self.told.append((node, progress))


# -- files to a node --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 261_120, 1 << 20, BIG])
async def test_a_file(copies: Copies, here: Path, there: Path, size: int) -> None:
    """Every byte arrives, and nothing else is left there."""
    data = os.urandom(size)
    await write_file(here / "f", data)
    result = await copies.to(here / "f", there / "g")
    assert (result.outcome, result.rc, result.error, result.stdout) == (Outcome.OK, 0, None, b"")
    assert (there / "g").read_bytes() == data
    assert names(there) == ["g"]


@pytest.mark.parametrize("slash", ["", "/"])
async def test_into_a_directory(copies: Copies, here: Path, there: Path, slash: str) -> None:
    """It keeps its name there."""
    (here / "f").write_bytes(b"abc")
    await copies.to(here / "f", f"{there}{slash}")
    assert (there / "f").read_bytes() == b"abc"


async def test_to_several_nodes(real: Site, here: Path, there: Path) -> None:
    """One worker, each node its own end, in the order given; the events are those of commands."""
    (here / "f").write_bytes(b"abc")
    heard = Recorder()
    nodes = real.nodes[:3]
    result = await run(CopyWorker(here / "f", there / "g", nodes, ssh=real.options, handler=heard))
    assert [each.outcome for each in result.values()] == [Outcome.OK] * 3
    assert heard.of("n2") == ["pickup n2", "hup n2 0", "end n2 ok"]
    assert (heard.events[0], heard.events[-1], len(heard.events)) == ("start", "close False", 11)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize(("settings", "kept"), [({}, False), ({"preserve": True}, True)])
async def test_mode_and_times(
    copies: Copies, here: Path, there: Path, settings: dict[str, Any], kept: bool
) -> None:
    """A new file has its source's mode as far as the umask lets it; times only where they are preserved."""
    (here / "f").write_bytes(b"abc")
    (here / "f").chmod(0o777)
    os.utime(here / "f", (1000, 2000))
    await copies.to(here / "f", there / "g", **settings)
    assert mode(there / "g") == (0o777 if kept else 0o755)
    assert ((there / "g").stat().st_mtime == 2000) is kept


async def test_a_file_that_replaces_another(copies: Copies, here: Path, there: Path) -> None:
    """The other's mode stays; a link is replaced, and what it leads to is not touched."""
    (here / "f").write_bytes(b"new")
    (there / "f").write_bytes(b"old")
    (there / "f").chmod(0o600)
    (there / "l").symlink_to("f")
    await copies.to(here / "f", there / "l")
    assert ((there / "f").read_bytes(), (there / "l").is_symlink()) == (b"old", False)
    await copies.to(here / "f", there / "f")
    assert ((there / "f").read_bytes(), mode(there / "f")) == (b"new", 0o600)


async def test_identical_files_are_skipped(copies: Copies, here: Path, there: Path) -> None:
    """The second time only what differs in size or time is written, links are left as they are."""
    for name in ("same", "size", "time"):
        (here / name).write_bytes(b"abc")
    (here / "link").symlink_to("same")
    await copies.to(here, there, skip_identical=True)
    before = {path.name: path.lstat().st_ino for path in (there / "here").iterdir()}
    os.utime(here / "time", (1000, 2000))
    (here / "size").write_bytes(b"abcd")
    heard = Hears()
    await copies.to(here, there, skip_identical=True, handler=heard)
    after = {path.name: path.lstat().st_ino for path in (there / "here").iterdir()}
    assert sorted(name for name in after if after[name] != before[name]) == ["size", "time"]
    assert (there / "here" / "size").read_bytes() == b"abcd"
    assert heard.told[-1][1] == Progress(heard.told[-1][1].path, 10, None, 4)


async def test_identical_files_are_skipped_on_the_way_back(copies: Copies, here: Path, there: Path) -> None:
    """Likewise; with ``preserve`` the mode counts, too."""
    (there / "f").write_bytes(b"abc")
    (there / "f").chmod(0o600)
    inodes = []
    for settings in ({}, {}, {"preserve": True}):
        await copies.back(there / "f", here, skip_identical=True, **settings)
        inodes.append((here / "f.n1").stat().st_ino)
        (here / "f.n1").chmod(0o640)
    assert (inodes[0] == inodes[1], inodes[1] == inodes[2]) == (True, False)


# -- trees to a node --------------------------------------------------------------------------------


def plant(root: Path) -> None:
    """A tree with some of everything."""
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "sub" / "big").write_bytes(b"x" * BIG)
    (root / "sub" / "deep" / "ä b").write_bytes(b"y")
    (root / "link").symlink_to("sub/big")
    (root / "outside").symlink_to("/etc/passwd")
    (root / "loop").symlink_to("..")
    os.mkfifo(root / "fifo")
    (root / "locked").mkdir()
    (root / "locked" / "f").write_bytes(b"z")
    (root / "locked").chmod(0o555)


def picture(root: Path) -> dict[str, object]:
    """All that a copy keeps of a tree."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_dir():
            found[name] = mode(path)
        elif path.is_file():
            found[name] = (mode(path), path.read_bytes())
    return found


@pytest.mark.usefixtures("umask")
async def test_a_tree(copies: Copies, here: Path, there: Path) -> None:
    """Links stay links, what is special is skipped with a word, no link is followed."""
    await asyncio.to_thread(plant, here)
    result = await copies.to(here, there / "copy")
    assert (result.outcome, result.stdout) == (
        Outcome.OK,
        f"{here}/fifo: skipped: it is a FIFO\n".encode(),
    )
    assert picture(there / "copy") == picture(here)
    assert names(there) == ["copy"]


async def test_what_is_skipped_is_said_on_stderr(copies: Copies, here: Path, there: Path) -> None:
    """Where it is kept apart."""
    os.mkfifo(here / "fifo")
    result = await copies.to(here, there, stderr=True)
    assert (result.stdout, result.stderr) == (b"", f"{here}/fifo: skipped: it is a FIFO\n".encode())


async def test_a_tree_into_a_directory(copies: Copies, here: Path, there: Path) -> None:
    """It keeps its name, and is merged with what is there."""
    (here / "f").write_bytes(b"new")
    (there / "here").mkdir()
    (there / "here" / "g").write_bytes(b"other")
    await copies.to(here, there)
    assert names(there / "here") == ["f", "g"]


async def test_preserving_a_tree(copies: Copies, here: Path, there: Path) -> None:
    """Directories, too, have the mode and the time that they had."""
    await asyncio.to_thread(plant, here)
    os.utime(here / "sub", (1000, 2000))
    await copies.to(here, there / "copy", preserve=True)
    assert (there / "copy" / "sub").stat().st_mtime == 2000
    assert picture(there / "copy") == picture(here)


@pytest.mark.parametrize("reverse", [False, True])
async def test_preserving_into_a_directory_that_all_may_write_to(
    copies: Copies, here: Path, there: Path, reverse: bool
) -> None:
    """It stays sticky: what makes it safe is its own."""
    source, folder, name = (there, here, "t.n1") if reverse else (here, there, "t")
    (source / "t").mkdir()
    (source / "t").chmod(0o777)
    (folder / name).mkdir()
    (folder / name).chmod(0o1755)
    if reverse:
        result = await copies.back(source / "t", folder, preserve=True)
    else:
        result = await copies.to(source / "t", folder, preserve=True)
    assert result.outcome is Outcome.OK
    assert (folder / name).stat().st_mode & 0o7777 == 0o1777


async def test_a_link_where_a_directory_should_be(copies: Copies, here: Path, there: Path) -> None:
    """It is not followed: nothing is written elsewhere."""
    (here / "sub").mkdir()
    (here / "sub" / "f").write_bytes(b"abc")
    (there / "elsewhere").mkdir()
    (there / "here").mkdir()
    (there / "here" / "sub").symlink_to(there / "elsewhere")
    result = await copies.to(here, there)
    assert (result.outcome, str(result.error)) == (
        Outcome.FAILED,
        f"n1: {there}/here/sub: is a link and should be a directory",
    )
    assert names(there / "elsewhere") == []


# -- what fails -------------------------------------------------------------------------------------


async def test_no_such_directory(copies: Copies, here: Path, there: Path) -> None:
    """It fails as a command does, and says which file and why."""
    (here / "f").write_bytes(b"abc")
    heard = Recorder()
    result = await copies.to(here / "f", there / "no" / "f", handler=heard)
    assert (result.outcome, result.rc) == (Outcome.FAILED, 1)
    assert str(result.error) == f"n1: {there}/no/f: no such file or directory"
    assert heard.events == ["start", "pickup n1", "hup n1 1", "end n1 failed", "close False"]


async def test_a_directory_in_the_way(copies: Copies, here: Path, there: Path) -> None:
    """It is not removed, nor is a file left beside it."""
    (here / "f").write_bytes(b"abc")
    (there / "here" / "f").mkdir(parents=True)
    result = await copies.to(here, there)
    assert str(result.error) == f"n1: {there}/here/f: is a directory"
    assert names(there / "here") == ["f"]


async def test_one_node_that_fails(real: Site, here: Path, there: Path) -> None:
    """Others are not disturbed."""
    (there / "n2").write_bytes(b"abc")
    worker = CopyWorker(there / "n2", there / "copy", ["n1", "no-such-host.invalid"], ssh=real.options)
    result = await run(worker)
    assert [each.outcome for each in result.values()] == [Outcome.OK, Outcome.UNREACHABLE]


# -- back from the nodes ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 5, 261_120, 261_121, BIG])
async def test_a_file_back(copies: Copies, here: Path, there: Path, size: int) -> None:
    """It is called after its node."""
    data = os.urandom(size)
    await write_file(there / "f", data)
    result = await copies.back(there / "f", here)
    assert (result.outcome, result.error) == (Outcome.OK, None)
    assert names(here) == ["f.n1"]
    assert (here / "f.n1").read_bytes() == data


@pytest.mark.usefixtures("umask")
async def test_trees_back(copies: Copies, real: Site, here: Path, there: Path) -> None:
    """Each node has its own."""
    await asyncio.to_thread(plant, there)
    worker = CopyWorker(f"{there}/", here, ["n1", "n2"], ssh=real.options, reverse=True, preserve=True)
    result = await run(worker)
    assert [each.outcome for each in result.values()] == [Outcome.OK] * 2
    assert names(here) == ["there.n1", "there.n2"]
    assert picture(here / "there.n1") == picture(here / "there.n2") == picture(there)


async def test_a_file_without_a_size(copies: Copies, here: Path) -> None:
    """Those of the kernel hold more than they say."""
    await copies.back("/proc/version", here)
    assert (here / "version.n1").read_bytes() == Path("/proc/version").read_bytes()


async def test_nothing_there(copies: Copies, here: Path, there: Path) -> None:
    """It fails, and nothing is made here."""
    result = await copies.back(there / "f", here)
    assert (result.outcome, result.rc) == (Outcome.FAILED, 1)
    assert str(result.error) == f"n1: {there}/f: no such file or directory"
    assert names(here) == []


async def test_a_link_that_is_in_the_way_here(copies: Copies, here: Path, there: Path) -> None:
    """A tree does not go where it leads."""
    (there / "sub").mkdir()
    (there / "sub" / "f").write_bytes(b"abc")
    (here / "there.n1").symlink_to(".")
    result = await copies.back(there, here)
    assert str(result.error) == f"n1: {here}/there.n1: refused: it is a link here and a directory on the node"
    assert names(here) == ["there.n1"]


async def test_a_directory_that_is_gone_meanwhile(copies: Copies, here: Path, there: Path) -> None:
    """It is the node's failure, as it is known only then."""
    (there / "f").write_bytes(b"abc")
    worker = CopyWorker(there / "f", here, ["n1"], ssh=copies.site.options, reverse=True)
    here.rmdir()
    result = (await run(worker))["n1"]
    assert (result.outcome, str(result.error)) == (
        Outcome.FAILED,
        f"n1: {here}: no such file or directory",
    )


# -- progress ---------------------------------------------------------------------------------------


async def test_progress(copies: Copies, here: Path, there: Path) -> None:
    """The last of it always comes."""
    await write_file(here / "f", b"x" * BIG)
    heard = Hears()
    await copies.to(here / "f", there / "g", handler=heard)
    assert heard.told[-1] == ("n1", Progress(f"{here}/f", BIG, BIG, 1))
    assert [progress.done for _, progress in heard.told] == sorted(
        progress.done for _, progress in heard.told
    )


# -- calls that can never work ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "settings", "reason"),
    [
        ("/no/such", {}, r"^source /no/such: no such file or directory$"),
        ("/dev/null", {}, r"^source /dev/null: neither a file nor a directory$"),
        ("", {}, r"^source='': a path, not empty and without a NUL character$"),
        ("a\0b", {}, r"^source='a\\x00b': a path"),
        ("a\ud800", {}, r"^source='a\\ud800': no path can have '\\ud800' in it$"),
        ("/etc/passwd", {"dest": ""}, r"^dest='': a path"),
        ("/etc/passwd", {"dest": "~root/x"}, r"^~root/x: only ~/"),
        ("/etc/passwd", {"stdin": b"x"}, r"^stdin: a copy reads no input$"),
        ("/etc/passwd", {"ssh": "web"}, r"^ssh: how to connect is an asynctask.SSHOptions, not str$"),
        ("/", {"reverse": True}, r"^/: has no name that its copies could have$"),
        ("x", {"reverse": True, "dest": "/no/such"}, r"^dest /no/such: must be a directory that exists"),
        ("x", {"reverse": True, "dest": "/etc/passwd"}, r"^dest /etc/passwd: must be a directory"),
    ],
)
def test_calls_that_can_never_work(source: str, settings: dict[str, Any], reason: str) -> None:
    """They are refused at the call."""
    values: dict[str, Any] = {"dest": "/tmp", **settings}
    with pytest.raises(UsageError, match=reason):
        CopyWorker(source, values.pop("dest"), ["a"], **values)


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    """Its command is a description."""
    there = CopyWorker("/etc/passwd", "/tmp/x", ["a"])
    back = CopyWorker("/etc/x\n", tmp_path, ["a"], reverse=True)
    assert there.command == "copy /etc/passwd to /tmp/x"
    assert back.command == rf"copy /etc/x\n from the nodes to {tmp_path}"
    assert (there.name, there.remote, there.ssh) == ("copy", True, SSHOptions())
