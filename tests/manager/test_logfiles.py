"""Tests of asynctask.manager.logfiles."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynctask.manager.logfiles import RotatingFile, StandardStream, log_path
from asynctask.manager.template import LogFile

pytestmark = pytest.mark.one_loop("files, and no loop")


class _Log:
    """A log file in a directory of its own, with a clock that stands still."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.path = place / "logs" / "web.log"
        self.now = 1000.0
        self.warnings: list[str] = []
        self._files: list[RotatingFile] = []

    def open(self, **options: float) -> RotatingFile:
        log = LogFile(path=str(self.path), **options)  # type: ignore[arg-type]
        file = RotatingFile(self.path, log, warn=self.warnings.append, clock=lambda: self.now)
        self._files.append(file)
        return file

    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.path.parent.iterdir())}

    def close(self) -> None:
        for file in self._files:
            file.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[_Log]:
    """A log file."""
    log = _Log(tmp_path)
    yield log
    log.close()


def _write(file: RotatingFile | StandardStream, *chunks: bytes, new_line: bool = False) -> None:
    """Write all of it, as the thread does."""
    left = deque(chunks)
    for _ in range(1000):
        if not left:
            return
        written = file.write(left, new_line=new_line)
        new_line = new_line and not written
        joined = b"".join(left)[written:]
        left = deque([joined] if joined else [])
    raise AssertionError("it is never written")


def test_bytes_are_appended_as_they_are(log: _Log) -> None:
    """Directories are made; what was there stays."""
    _write(log.open(), b"a\n\xff", b"\x00\r\nb")
    _write(log.open(), b"c\n")
    assert log.contents() == {"web.log": b"a\n\xff\x00\r\nbc\n"}


def test_it_is_rotated_before_it_becomes_larger(log: _Log) -> None:
    """Between lines; the oldest go."""
    file = log.open(max_bytes=10, backups=2)
    for number in range(7):
        _write(file, b"line %d\n" % number)
    assert log.contents() == {"web.log": b"line 6\n", "web.log.1": b"line 5\n", "web.log.2": b"line 4\n"}


def test_many_lines_at_once_are_cut_between_lines(log: _Log) -> None:
    """As many as fit go into each file."""
    _write(log.open(max_bytes=10, backups=9), b"1\n22\n", b"333\n4444\n55555\n")
    assert log.contents() == {"web.log": b"55555\n", "web.log.1": b"4444\n", "web.log.2": b"1\n22\n333\n"}


def test_a_line_that_fits_into_no_file_is_cut(log: _Log) -> None:
    """The bound holds."""
    _write(log.open(max_bytes=4, backups=9), b"ab\n", b"1234567890\ncd\n")
    assert log.contents() == {
        "web.log": b"cd\n",
        "web.log.1": b"90\n",
        "web.log.2": b"5678",
        "web.log.3": b"1234",
        "web.log.4": b"ab\n",
    }


@settings(max_examples=20)
@given(
    st.lists(st.binary(min_size=1, max_size=30).map(lambda data: data.replace(b"a", b"\n"))),
    st.integers(1, 25),
)
def test_no_byte_is_lost_and_no_file_too_large(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], max_bytes: int
) -> None:
    """However the output is cut."""
    log = _Log(tmp_path_factory.mktemp("log"))
    file = log.open(max_bytes=max_bytes, backups=10_000)
    for first in range(0, len(chunks), 2):
        _write(file, *chunks[first : first + 2])
    log.close()
    if not chunks:
        return
    contents = log.contents()
    order = sorted(contents, key=lambda name: -int(name.removeprefix("web.log").lstrip(".") or 0))
    assert b"".join(contents[name] for name in order) == b"".join(chunks)
    assert max(map(len, contents.values())) <= max_bytes


def test_without_backups_it_begins_anew(log: _Log) -> None:
    """Nothing else is kept."""
    _write(log.open(max_bytes=4, backups=0), b"aaa\n", b"bbb\n")
    assert log.contents() == {"web.log": b"bbb\n"}


def test_without_a_bound_it_grows(log: _Log) -> None:
    """``max_bytes=0``."""
    _write(log.open(max_bytes=0), b"x" * 1000)
    assert len(log.contents()["web.log"]) == 1000


def test_it_is_rotated_when_it_is_old(log: _Log) -> None:
    """At the next output; an empty one never."""
    file = log.open(max_age=60)
    _write(file, b"a\n")
    log.now += 59
    _write(file, b"b\n")
    log.now += 1
    _write(file, b"c\n")
    log.now += 59
    _write(file, b"d\n")
    assert log.contents() == {"web.log": b"c\nd\n", "web.log.1": b"a\nb\n"}


def test_its_age_goes_on_when_it_is_opened_again(log: _Log) -> None:
    """It was begun when the one before was ended, as far as anybody can tell."""
    log.path.parent.mkdir()
    log.path.write_bytes(b"old\n")
    before = log.path.with_name("web.log.1")
    before.write_bytes(b"older\n")
    os.utime(before, (log.now - 60, log.now - 60))
    _write(log.open(max_age=60), b"new\n")
    assert log.contents() == {"web.log": b"new\n", "web.log.1": b"old\n", "web.log.2": b"older\n"}


def test_a_clock_that_is_set_back_rotates_nothing(log: _Log) -> None:
    """Its age counts from then."""
    file = log.open(max_age=60)
    _write(file, b"a\n")
    log.now -= 500
    _write(file, b"b\n")
    log.now += 59
    _write(file, b"c\n")
    assert log.contents() == {"web.log": b"a\nb\nc\n"}


def test_a_gap_between_the_backups_is_filled(log: _Log) -> None:
    """Those behind it stay where they are."""
    log.path.parent.mkdir()
    log.path.with_name("web.log.1").write_bytes(b"1")
    log.path.with_name("web.log.3").write_bytes(b"3")
    _write(log.open(max_bytes=2, backups=9), b"a\n", b"b\n")
    assert log.contents() == {"web.log": b"b\n", "web.log.1": b"a\n", "web.log.2": b"1", "web.log.3": b"3"}


def test_a_file_that_was_moved_away_is_opened_again(log: _Log) -> None:
    """As ``logrotate`` does it; with its directory, too."""
    file = log.open()
    _write(file, b"a\n")
    log.path.rename(log.path.with_name("moved"))
    _write(file, b"b\n")
    assert log.contents() == {"moved": b"a\n", "web.log": b"b\n"}
    log.path.parent.rename(log.place / "away")
    _write(file, b"c\n")
    assert log.contents() == {"web.log": b"c\n"}


def test_a_file_that_was_emptied_is_not_rotated(log: _Log) -> None:
    """Its size is looked at each time."""
    file = log.open(max_bytes=4)
    _write(file, b"aaa\n")
    os.truncate(log.path, 0)
    _write(file, b"bbb\n")
    assert log.contents() == {"web.log": b"bbb\n"}


def test_a_file_that_cannot_be_rotated_grows(log: _Log) -> None:
    """That is told once; it is tried again after a while."""
    file = log.open(max_bytes=4, backups=1)
    blocked = log.path.with_name("web.log.1")
    blocked.mkdir(parents=True)
    _write(file, b"aaa\n", b"bbb\n")
    log.now += 10
    _write(file, b"ccc\n")
    assert log.warnings == [f"log {log.path} cannot be rotated, and grows: Is a directory"]
    blocked.rmdir()
    log.now += 10
    _write(file, b"ddd\n")
    assert log.contents() == {"web.log": b"ddd\n", "web.log.1": b"aaa\nbbb\nccc\n"}


def test_what_is_no_file_is_not_rotated() -> None:
    """A device stays where it is."""
    warnings: list[str] = []
    log = LogFile(path="/dev/null", max_bytes=1)
    file = RotatingFile(Path("/dev/null"), log, warn=warnings.append)
    _write(file, b"aaa\n", b"bbb\n")
    file.close()
    assert not Path("/dev/null").is_file()
    assert warnings == []


def test_a_full_disk_is_an_error() -> None:
    """The thread knows what to do."""
    warnings: list[str] = []
    file = RotatingFile(Path("/dev/full"), LogFile(path="/dev/full"), warn=warnings.append)
    with pytest.raises(OSError, match="No space left"):
        file.write([b"a\n"])
    file.close()


def test_after_a_gap_a_line_begins(log: _Log) -> None:
    """What is before the gap may be cut anywhere."""
    file = log.open()
    _write(file, b"a")
    _write(file, b"b\n", new_line=True)
    _write(file, b"c\n", new_line=True)
    assert log.contents() == {"web.log": b"a\nb\nc\n"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/log/%(name)s-%(index)s.%(stream)s", "/log/web-3.stderr"),
        ("logs/%(node)s/x%%.log", "/srv/logs/local/x%%.log"),
        ("../x", "/x"),
    ],
)
def test_placeholders_are_replaced(path: str, expected: str) -> None:
    """It is relative to the directory of the process."""
    found = log_path(path, name="web", index=3, node=None, stream="stderr", cwd="/srv")
    assert found == Path(expected)


@pytest.mark.parametrize(("node", "expected"), [("n1", "n1"), ("..", "__"), ("a/../b", "a_.._b")])
def test_a_node_is_one_name_and_its_directories_are_not_ours(
    node: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it comes from."""
    monkeypatch.chdir(tmp_path)
    found = log_path("%(node)s/%(index)s", name="web", index=None, node=node, stream="stdout", cwd="/srv")
    assert found == tmp_path / expected / "once"


def _pipe(make_full: bool) -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while make_full:
        try:
            os.write(writer, b"x" * 4096)
        except BlockingIOError:
            break
    return reader, writer


def test_standard_output_is_written_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that fits."""
    reader, writer = _pipe(make_full=False)
    written = _into(writer, monkeypatch)(StandardStream(1), [b"a", b"b"])
    assert (written, os.read(reader, 9)) == (2, b"ab")
    os.close(reader)
    os.close(writer)


def test_standard_output_that_is_full_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever shares it may have made it so that it does not wait."""
    reader, writer = _pipe(make_full=True)
    assert _into(writer, monkeypatch)(StandardStream(2), [b"a"]) == 0
    os.close(reader)
    os.close(writer)


def _into(fd: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[StandardStream, Sequence[bytes]], int]:
    """Writes to another descriptor than pytest's."""

    def write(stream: StandardStream, chunks: Sequence[bytes]) -> int:
        monkeypatch.setattr(stream, "_fd", fd)
        return stream.write(chunks)

    return write
