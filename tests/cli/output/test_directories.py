"""Output into files."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.output import directories
from asynctask.cli.output.directories import DirectoriesView, file_name, make_directories
from asynctask.errors import UsageError
from asynctask.task import Task
from tests.cli.output.displaying import NO_WORKER, fake_screen
from tests.support import node_result, refused

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


class Bench:
    """A view, the screen it complains on, and its files."""

    def __init__(self, path: Path, outdir: str | None = "out", errdir: str | None = None) -> None:
        self.screen = fake_screen()
        self.path = path
        paths = [None if name is None else str(path / name) for name in (outdir, errdir)]
        make_directories(*paths)
        self.view = DirectoriesView(self.screen, *paths)

    async def prints(self, node: str, *chunks: bytes, stream: str = "stdout") -> None:
        for chunk in chunks:
            await self.view._ev_chunk(NO_WORKER, node, stream, chunk)

    def ends(self, *nodes: str) -> None:
        for node in nodes:
            self.view.ev_end(NO_WORKER, node, node_result(node))

    async def over(self) -> dict[str, bytes]:
        await self.view.over([])
        return await asyncio.to_thread(self.files)

    def files(self) -> dict[str, bytes]:
        """What is in the directories, by path."""
        found = (path for path in self.path.rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)): path.read_bytes() for path in found}


async def test_byte_for_byte(tmp_path: Path) -> None:
    """Chunks may end anywhere; a last line without its end stays without."""
    bench = Bench(tmp_path)

    await bench.prints("a", b"1\r\n\xff", b"\0\n2")
    await bench.prints("b", b"x")
    bench.ends("a", "b")

    assert await bench.over() == {"out/a": b"1\r\n\xff\0\n2", "out/b": b"x"}
    assert (bench.screen.said, bench.view.error) == ([], None)


async def test_a_node_without_output(tmp_path: Path) -> None:
    """Has an empty file; one of an earlier run is written over."""
    bench = Bench(tmp_path, "out", "err")
    await asyncio.to_thread((tmp_path / "out" / "a").write_bytes, b"old")

    await bench.prints("a", b"e", stream="stderr")
    bench.ends("a")

    assert await bench.over() == {"out/a": b"", "err/a": b"e"}


async def test_only_one_stream(tmp_path: Path) -> None:
    """The other goes nowhere."""
    bench = Bench(tmp_path, None, "err")

    await bench.prints("a", b"1")
    await bench.prints("a", b"e", stream="stderr")
    bench.ends("a")

    assert await bench.over() == {"err/a": b"e"}


async def test_both_streams_in_one_directory(tmp_path: Path) -> None:
    """One file has both, as they come."""
    bench = Bench(tmp_path, "same", "same")

    await bench.prints("a", b"1\n")
    await bench.prints("a", b"2\n", stream="stderr")
    await bench.prints("a", b"3\n")
    bench.ends("a")

    assert await bench.over() == {"same/a": b"1\n2\n3\n"}


@pytest.mark.parametrize(("second", "left"), [([b"new"], b"new"), ([], b"")])
async def test_the_last_attempt_counts(tmp_path: Path, second: list[bytes], left: bytes) -> None:
    """What an earlier one printed is gone, whether it had been written or not."""
    bench = Bench(tmp_path)
    await bench.prints("a", b"old one")
    bench.ends("a")
    await bench.prints("b", b"old one")
    bench.ends("b")
    await bench.view.over([])

    await bench.prints("b", *second)
    bench.ends("b")

    assert await bench.over() == {"out/a": b"old one", "out/b": left}


async def test_an_attempt_that_follows_at_once(tmp_path: Path) -> None:
    """Takes the place of what still waits to be written."""
    bench = Bench(tmp_path)
    for number in range(50):
        await bench.prints("a", b"%d" % number)
        bench.ends("a")

    assert await bench.over() == {"out/a": b"49"}
    assert bench.view._waiting == 0


async def test_few_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many nodes print, one file is open at a time; what has come is written together."""
    most = 0
    opened = 0
    path_open = Path.open

    def counting(self: Path, *args: Any, **settings: Any) -> Any:
        nonlocal most, opened
        opened += 1
        most = max(most, sum(1 for fd in Path("/proc/self/fd").iterdir() if _leads_to(fd, tmp_path)))
        return path_open(self, *args, **settings)

    monkeypatch.setattr(Path, "open", counting)
    bench = Bench(tmp_path)
    for number in range(200):
        await bench.prints(f"n{number}", b"1", b"2", b"3")
        bench.ends(f"n{number}")

    await bench.view.over([])

    assert (most, opened) == (0, 201)
    files = await bench.over()
    assert (len(files), set(files.values())) == (200, {b"123"})


def _leads_to(fd: Path, directory: Path) -> bool:
    try:
        return fd.readlink().is_relative_to(directory)
    except OSError:
        return False


async def test_a_slow_disk_holds_the_nodes_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is bounded, and all is written in the end."""
    monkeypatch.setattr(directories, "_HIGH_WATER", 10)
    bench = Bench(tmp_path)
    most = 0

    async def node(name: str) -> None:
        nonlocal most
        for _ in range(20):
            await bench.prints(name, b"0123456789")
            most = max(most, bench.view._waiting)
        bench.ends(name)

    await asyncio.gather(*(node(name) for name in "abc"))

    assert await bench.over() == {f"out/{name}": b"0123456789" * 20 for name in "abc"}
    assert most <= 20


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, whose files are not complete at the end; the others are written."""
    _full_for(monkeypatch, {"b", "c"})
    bench = Bench(tmp_path)

    for node in "abcd":
        await bench.prints(node, b"1")
        await bench.prints(node, b"2")
        bench.ends(node)
    files = await bench.over()

    assert (files["out/a"], files["out/d"]) == (b"12", b"12")
    assert bench.screen.said == [
        f"asynctask: cannot write {tmp_path}/out/b: No space left on device",
        "asynctask: these files are not complete: b,c",
    ]
    assert bench.view.error is not None
    assert bench.view._waiting == 0


async def test_room_again_for_another_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is complete."""
    full = {"a"}
    _full_for(monkeypatch, full)
    bench = Bench(tmp_path)
    await bench.prints("a", b"1")
    bench.ends("a")
    await bench.view.over([])
    bench.screen.said.clear()

    full.clear()
    await bench.prints("a", b"2")
    bench.ends("a")

    assert await bench.over() == {"out/a": b"2"}
    assert bench.screen.said == []


def _full_for(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    path_open = Path.open

    def failing(self: Path, *args: Any, **settings: Any) -> Any:
        if self.name in names:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return path_open(self, *args, **settings)

    monkeypatch.setattr(Path, "open", failing)


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ("web1.a.org", "web1.a.org"),
        ("root@web1", "root@web1"),
        ("[fe80::1%eth0]", "[fe80::1%eth0]"),
        ("..", "%2E."),
        (".", "%2E"),
        ("...", "..."),
        ("../../etc/passwd", "..%2F..%2Fetc%2Fpasswd"),
        ("/etc", "%2Fetc"),
        ("a\0b", "a%00b"),
        ("..%2F", "..%252F"),
        ("ssh://web1", "ssh:%2F%2Fweb1"),
        ("a\udcff", "a\udcff"),
    ],
)
def test_a_name_does_not_lead_out_of_the_directory(node: str, name: str) -> None:
    """What would is written out, and what looks like it, too."""
    assert file_name(node) == name


def test_a_long_name() -> None:
    """Is cut off, and still not that of another node."""
    names = [file_name("n" * 300 + end) for end in ("a", "b")]

    assert [len(name) for name in names] == [255, 255]
    assert names[0] != names[1]


def test_directories_are_made(tmp_path: Path) -> None:
    """With those above them; one that is there already is used."""
    make_directories(str(tmp_path / "a" / "b"), str(tmp_path))

    assert (tmp_path / "a" / "b").is_dir()


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    """Is told with the option, before anything runs."""
    (tmp_path / "file").touch()
    at = tmp_path / "file"

    refused(UsageError, f"--outdir {at}: it is no directory", lambda: make_directories(str(at), None))
    refused(
        UsageError,
        f"--errdir {at}/below: Not a directory",
        lambda: make_directories(None, str(at / "below")),
    )


def test_a_directory_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Likewise."""
    monkeypatch.setattr(os, "access", lambda *_: False)

    refused(
        UsageError, f"--outdir {tmp_path}: Permission denied", lambda: make_directories(str(tmp_path), None)
    )


async def test_with_a_real_run(tmp_path: Path) -> None:
    """Nodes that print on both streams, nothing, and without a last newline."""
    bench = Bench(tmp_path, "out", "err")

    async with Task() as task:
        task.shell(
            r"case %n in 0) ;; *) printf '%h\n\nlast'; echo e >&2;; esac",
            nodes="n[0-2]",
            worker="exec",
            stderr=True,
            handler=bench.view,
            gather=False,
        )
        await task.run()

    assert await bench.over() == {
        "out/n0": b"",
        "err/n0": b"",
        **{f"out/n{number}": b"n%d\n\nlast" % number for number in (1, 2)},
        **{f"err/n{number}": b"e\n" for number in (1, 2)},
    }
