"""Tests of asynctask.pollers.walk: what cannot be had on demand comes from a system that a test imitates."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import UsageError
from asynctask.pollers import walk as module
from asynctask.pollers.changes import Listing
from asynctask.pollers.walk import Choice, Found, RootGoneError, Stopped, names_below, stamp_of, walk
from tests.pollers.trees import listing_of
from tests.support import refused


def walked(root: Path, known: Listing | None = None, **settings: Any) -> Found:
    """A walk that goes down, and chooses everything."""
    return walk(str(root), known or {}, **{"recurse": True, "choice": Choice(), **settings})


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two directories, and a file in each of three places."""
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/a", "d/e/a"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_everything(tree: Path) -> None:
    """The plainest way finds the same."""
    (tree / ".hidden").write_text("")
    (tree / "link").symlink_to("d")
    (tree / "loop").symlink_to(".")
    (tree / "dangling").symlink_to("nowhere")
    found = walked(tree)
    assert found == Found(listing_of(tree))
    assert found.changed["loop"][0] == "link"
    assert "loop/a" not in found.changed


def test_the_top_alone(tree: Path) -> None:
    """Directories are entries."""
    assert walked(tree, recurse=False).changed == listing_of(tree, recurse=False)
    assert walked(tree, recurse=False).changed["d"] == ("dir",)


def test_what_has_become_of_what_was_known(tree: Path) -> None:
    """Only the differences."""
    known = walked(tree).changed
    assert walked(tree, known) == Found()
    (tree / "d" / "e" / "a").unlink()
    (tree / "d" / "a").write_text("longer")
    (tree / "n").mkdir()
    found = walked(tree, known)
    assert (sorted(found.changed), found.gone) == (["d/a", "n"], ["d/e/a"])


def test_a_file(tree: Path) -> None:
    """It is the whole listing; when a directory comes in its place, that is another one."""
    root = tree / "a"
    known = walked(root).changed
    assert known == {"": stamp_of(root.stat())}
    assert walked(root, known) == Found()
    root.unlink()
    root.mkdir()
    (root / "x").touch()
    found = walked(root, known)
    assert (list(found.changed), found.gone) == (["x"], [""])
    found = walked(tree / "d" / "a", {"x": ("file",)})
    assert (list(found.changed), found.gone) == ([""], ["x"])


def test_the_root_may_be_a_link(tree: Path) -> None:
    """Who watches names it; and a link to a file is the file."""
    (tree / "to").symlink_to("d")
    assert sorted(walked(tree / "to").changed) == ["a", "e", "e/a"]
    (tree / "file").symlink_to("a")
    assert walked(tree / "file").changed[""][0] == "file"


def test_fifos_and_sockets_are_entries(tmp_path: Path) -> None:
    """That somebody writes into one is no modification."""
    os.mkfifo(tmp_path / "fifo")
    known = walked(tmp_path).changed
    assert known["fifo"][0] == "other"
    os.utime(tmp_path / "fifo", (1, 1))
    assert walked(tmp_path, known) == Found()


@pytest.mark.parametrize("name", ["missing", "missing/below", "a/below"])
def test_no_root(tree: Path, name: str) -> None:
    """It is not there, or something in its way is no directory."""
    with pytest.raises(RootGoneError):
        walked(tree / name)


def test_a_root_that_leads_to_itself(tree: Path) -> None:
    """That is not the same as gone."""
    (tree / "self").symlink_to("self")
    with pytest.raises(OSError, match="Too many levels"):
        walked(tree / "self")


def test_nobody_wants_it_any_more(tree: Path) -> None:
    """It is asked for each directory."""
    answers = iter([False, False, True])
    with pytest.raises(Stopped):
        walked(tree, stopped=lambda: next(answers))


# -- what is chosen -------------------------------------------------------------------------------


def test_ignored_names(tree: Path) -> None:
    """As if they were not there, with what is below."""
    (tree / "x.tmp").touch()
    found = walked(tree, choice=Choice(ignore=["*.tmp", "e"]))
    assert sorted(found.changed) == ["a", "d", "d/a"]


def test_only_some_names(tree: Path) -> None:
    """Directories are gone into, and not reported."""
    (tree / "d" / "x.csv").touch()
    (tree / "d" / "x.CSV").touch()
    assert list(walked(tree, choice=Choice(only="*.csv")).changed) == ["d/x.csv"]


@pytest.mark.parametrize("pattern", ["", "a/*.tmp", 5])
def test_what_is_no_pattern_for_a_name(pattern: Any) -> None:
    """It would never match."""
    message = f"ignore: a pattern for the last part of a path, as *.tmp, not {pattern!r}"
    refused(UsageError, message, lambda: Choice(ignore=[pattern]))


def test_choosing_by_name() -> None:
    """What others ask who do not walk."""
    choice = Choice(ignore="*~", only=["*.py", "*.py~"])
    assert [choice.sees(name) for name in ("a.py", "a.py~")] == [True, False]
    assert [choice.tells(name) for name in ("a.py", "a.txt")] == [True, False]
    assert (Choice().sees("x"), Choice().tells("x")) == (True, True)


# -- what cannot be seen --------------------------------------------------------------------------


class System:
    """Stands before ``os`` in the module: what it has no answer for goes there."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failing: dict[tuple[str, str], list[OSError | Callable[[], object]]] = {}

    def fail(self, call: str, path: Path, *errors: int | Callable[[], object]) -> None:
        """What the next calls for this path end with; or something that happens just before one."""
        self.failing[call, str(path)] = [
            OSError(error, os.strerror(error)) if isinstance(error, int) else error for error in errors
        ]

    def _ask(self, call: str, path: str) -> None:
        self.asked.append((call, path))
        waiting = self.failing.get((call, path))
        if waiting:
            problem = waiting.pop(0)
            if isinstance(problem, OSError):
                raise problem
            problem()

    def stat(self, path: str) -> os.stat_result:
        self._ask("stat", path)
        return os.stat(path)  # noqa: PTH116

    def lstat(self, path: str) -> os.stat_result:
        self._ask("lstat", path)
        return os.lstat(path)

    def open(self, path: str, flags: int) -> int:
        self._ask("open", path)
        return os.open(path, flags)

    def scandir(self, number: int) -> Any:
        return Entries(self, os.readlink(f"/proc/self/fd/{number}"), os.scandir(number))  # noqa: PTH115

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


class Entries:
    """The entries of a directory, asked through the system."""

    def __init__(self, system: System, path: str, entries: Any) -> None:
        self._system, self._path, self._entries = system, path, entries

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *raised: object) -> None:
        self._entries.close()

    def __iter__(self) -> Iterator[Entry]:
        for entry in self._entries:
            yield Entry(self._system, self._path, entry)
        self._system._ask("scandir", self._path)


class Entry:
    """One of them."""

    def __init__(self, system: System, path: str, entry: os.DirEntry[str]) -> None:
        self._system, self._path, self._entry = system, path, entry
        self.name = entry.name

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        self._system._ask("entry", f"{self._path}/{self.name}")
        return self._entry.stat(follow_symlinks=follow_symlinks)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> System:
    """What the walk asks."""
    system = System()
    monkeypatch.setattr(module, "os", system)
    monkeypatch.setattr(system, "stat_result", os.stat_result, raising=False)
    return system


def test_the_system_of_these_tests(tree: Path, system: System) -> None:
    """It is as good as the real one."""
    assert walked(tree).changed == listing_of(tree)
    assert ("open", f"{tree}/d/e") in system.asked


def test_an_entry_that_vanishes(tree: Path, system: System) -> None:
    """It is not there; all others are."""
    system.fail("entry", tree / "d" / "a", errno.ENOENT)
    found = walked(tree, {"d/a": ("file", 1)})
    assert sorted(found.changed) == ["a", "d", "d/e", "d/e/a"]
    assert (found.gone, found.unreadable) == (["d/a"], {})


@pytest.mark.parametrize("known", [True, False])
def test_a_directory_that_vanishes(tree: Path, system: System, known: bool) -> None:
    """Between being seen and being opened: neither it nor what was in it is there."""
    before = walked(tree).changed if known else {}
    system.fail("open", tree / "d" / "e", errno.ENOENT)
    found = walked(tree, before)
    assert found.gone == (["d/e", "d/e/a"] if known else [])
    assert sorted(found.changed) == ([] if known else ["a", "d", "d/a"])


def test_a_link_that_comes_in_place_of_a_directory(tree: Path, system: System) -> None:
    """It is not followed."""
    elsewhere = tree / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").touch()

    def replace() -> None:
        (tree / "d" / "e" / "a").unlink()
        (tree / "d" / "e").rmdir()
        (tree / "d" / "e").symlink_to(elsewhere)

    system.fail("open", tree / "d" / "e", replace)
    found = walked(tree)
    assert sorted(found.changed) == ["a", "d", "d/a", "elsewhere", "elsewhere/secret"]


@pytest.mark.parametrize("call", ["open", "scandir"])
@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO])
def test_a_directory_that_cannot_be_read(tree: Path, system: System, call: str, error: int) -> None:
    """What was known below it stays; the rest of the tree is seen."""
    before = walked(tree).changed
    (tree / "a").unlink()
    (tree / "n").touch()
    (tree / "d" / "e" / "a").unlink()
    system.fail(call, tree / "d", error)
    found = walked(tree, before)
    assert (list(found.changed), found.gone) == (["n"], ["a"])
    assert found.unreadable == {"d": os.strerror(error)}


@pytest.mark.parametrize("call", ["open", "scandir"])
@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_nothing_to_look_with(tree: Path, system: System, call: str, error: int) -> None:
    """It says nothing of the directory: the look has failed."""
    system.fail(call, tree / "d", error)
    with pytest.raises(OSError, match=os.strerror(error)):
        walked(tree)


def test_many_directories_that_vanish(tmp_path: Path, system: System) -> None:
    """Each is gone, and it is not looked for among all the others."""
    names = [f"{number:03}" for number in range(100)]
    for name in names:
        (tmp_path / name).mkdir()
    known = walked(tmp_path).changed
    for name in names[10:]:
        system.fail("open", tmp_path / name, (tmp_path / name).rmdir)
    assert sorted(walked(tmp_path, known).gone) == names[10:]


def test_an_entry_whose_status_cannot_be_had(tree: Path, system: System) -> None:
    """What was known of it, and below it, stays."""
    before = walked(tree).changed
    system.fail("entry", tree / "d" / "e", errno.EIO)
    (tree / "d" / "a").unlink()
    found = walked(tree, before)
    assert (found.changed, found.gone) == ({}, ["d/a"])
    assert found.unreadable == {"d/e": os.strerror(errno.EIO)}


def test_a_directory_whose_entries_cannot_be_looked_at(tree: Path, system: System) -> None:
    """One may list it and not search it: it is as unreadable as a whole."""
    before = walked(tree).changed
    system.fail("entry", tree / "d" / "a", errno.EACCES)
    found = walked(tree, before)
    assert (found.changed, found.gone, list(found.unreadable)) == ({}, [], ["d"])


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.ESTALE])
@pytest.mark.parametrize("call", ["stat", "open", "scandir"])
def test_a_root_that_cannot_be_read(tree: Path, system: System, call: str, error: int) -> None:
    """It is an error: nobody knows what is there."""
    system.fail(call, tree, error, error)
    with pytest.raises(OSError, match=os.strerror(error)):
        walked(tree)


@pytest.mark.parametrize(
    ("call", "name"), [("stat", ""), ("open", ""), ("open", "d"), ("scandir", "d"), ("entry", "d/a")]
)
def test_a_stale_handle_is_asked_for_again(tree: Path, system: System, call: str, name: str) -> None:
    """The server has another directory there by now, and a second question finds it; nothing counts twice."""
    system.fail(call, tree / name if name else tree, errno.ESTALE)
    assert walked(tree) == Found(listing_of(tree))


def test_an_entry_with_a_handle_that_stays_stale(tree: Path, system: System) -> None:
    """It is there, and cannot be seen; or it is gone after all."""
    system.fail("entry", tree / "d" / "a", errno.ESTALE)
    system.fail("lstat", tree / "d" / "a", errno.ESTALE)
    assert walked(tree).unreadable == {"d/a": os.strerror(errno.ESTALE)}
    system.fail("entry", tree / "d" / "a", errno.ESTALE)
    system.fail("lstat", tree / "d" / "a", errno.ENOENT)
    assert walked(tree).unreadable == {}


def as_somebody_else(work: Callable[[], Found]) -> Found | OSError:
    """Do it in a thread with no more rights in the file system than ``nobody`` has; root has all."""
    outcomes: list[Found | OSError] = []

    def in_thread() -> None:
        ctypes.CDLL(None).setfsuid(65534)  # of this thread alone
        try:
            outcomes.append(work())
        except OSError as exc:
            outcomes.append(exc)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    return outcomes[0]


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_real_rights(mode: int) -> None:
    """With a directory that the kernel itself forbids to read, or to search."""
    with tempfile.TemporaryDirectory() as base:
        Path(base).chmod(0o755)
        tree = Path(base) / "tree"
        (tree / "d").mkdir(parents=True)
        (tree / "d" / "a").touch()
        before = walked(tree).changed
        (tree / "d").chmod(mode)
        found = as_somebody_else(lambda: walked(tree, before))
        tree.chmod(mode)
        refusal = as_somebody_else(lambda: walked(tree, before))
        for path in (tree, tree / "d"):
            path.chmod(0o755)
    assert found == Found(unreadable={"d": os.strerror(errno.EACCES)})
    assert isinstance(refusal, PermissionError)


def test_names_below() -> None:
    """Whole parts of a path count."""
    names = ["d", "d/a", "d/a/b", "d-/a", "e"]
    assert list(names_below(names, {"d/a", "e"})) == ["d/a", "d/a/b", "e"]
