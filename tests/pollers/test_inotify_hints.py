"""Folding what the kernel tells, without a kernel."""

from __future__ import annotations

import pytest
from inotify_simple import Event, flags

from asynctask.pollers.inotify_hints import Hint, Hints
from asynctask.pollers.walk import Choice

pytestmark = pytest.mark.one_loop

ROOT, SUB = 1, 2


class FakeWatches:
    """Two directories."""

    def __init__(self) -> None:
        self.names = {ROOT: "", SUB: "sub"}
        self.forgotten: list[str] = []

    def name_of(self, number: int) -> str | None:
        return self.names.get(number)

    def forget(self, name: str) -> None:
        self.forgotten.append(name)

    def ended(self, number: int) -> None:
        del self.names[number]


def folded(*events: tuple[int, str], partial: bool = False, seen: bool = False) -> dict[str, Hint]:
    """The hints that come of events at the root, given as masks and names."""
    hints = Hints(FakeWatches(), Choice(), recurse=True, partial=partial)
    hints.fold([Event(ROOT, mask, 7, name) for mask, name in events], seen=seen)
    return {name: Hint(mark) for name, mark in hints.marks.items()}


@pytest.mark.parametrize(
    ("masks", "hint"),
    [
        ([flags.CREATE], Hint.MAKING),
        ([flags.CREATE, flags.CLOSE_WRITE], Hint.DONE | Hint.WRITTEN),
        ([flags.MOVED_TO], Hint.DONE),
        ([flags.CLOSE_WRITE], Hint.DONE | Hint.WRITTEN),
        ([flags.CREATE, flags.DELETE], Hint.GONE),
        ([flags.DELETE, flags.CREATE], Hint.MAKING | Hint.WAS_GONE),
        ([flags.DELETE, flags.CREATE, flags.CLOSE_WRITE], Hint.DONE | Hint.WRITTEN | Hint.WAS_GONE),
        ([flags.MOVED_FROM], Hint.GONE),
        ([flags.ATTRIB], Hint.STATUS),
        ([flags.CREATE, flags.ATTRIB], Hint.MAKING | Hint.STATUS),
    ],
)
def test_a_file(masks: list[int], hint: Hint) -> None:
    """What has happened to one name, in order, is one hint."""
    assert folded(*((mask, "a") for mask in masks)) == {"a": hint}


def test_unfinished_files_when_asked_for() -> None:
    """There is no difference between made and whole then."""
    assert folded((flags.CREATE, "a"), partial=True) == {"a": Hint.DONE}


def test_what_a_look_may_have_seen() -> None:
    """It counts as written only if that shows."""
    assert folded((flags.CLOSE_WRITE, "a"), seen=True) == {"a": Hint.DONE}


def test_an_unfinished_file_is_moved() -> None:
    """It is unfinished under its new name; one that was whole is whole."""
    moves = [(flags.MOVED_FROM, "a"), (flags.MOVED_TO, "b")]
    assert folded((flags.CREATE, "a"), *moves)["b"] == Hint.MAKING | Hint.WAS_GONE
    assert folded(*moves)["b"] == Hint.DONE


def test_directories() -> None:
    """They are to be looked into, or to be given up."""
    watches = FakeWatches()
    hints = Hints(watches, Choice(ignore="*.tmp"), recurse=True, partial=False)
    made, gone = flags.CREATE | flags.ISDIR, flags.MOVED_FROM | flags.ISDIR
    hints.fold([Event(SUB, made, 0, "a"), Event(ROOT, made, 0, "b.tmp"), Event(ROOT, made, 0, "c")])
    hints.fold([Event(ROOT, gone, 0, "c")])
    assert list(hints.fresh) == ["sub/a"]
    assert hints.moved == {"c"}
    assert watches.forgotten == ["c"]


def test_a_place_that_could_not_be_looked_into() -> None:
    """When its rights change, everything is looked at."""
    hints = Hints(FakeWatches(), Choice(), recurse=True, partial=False)
    hints.closed_places = {"a"}
    hints.fold([Event(ROOT, flags.ATTRIB | flags.ISDIR, 0, "b")])
    assert not hints
    hints.fold([Event(ROOT, flags.ATTRIB | flags.ISDIR, 0, "a")])
    assert hints.lost


def test_the_end_of_a_watch() -> None:
    """That of a directory is forgotten, that of the root is a loss."""
    watches = FakeWatches()
    hints = Hints(watches, Choice(), recurse=True, partial=False)
    hints.fold([Event(SUB, flags.IGNORED, 0, ""), Event(SUB, flags.CREATE, 0, "a")])
    assert not hints
    hints.fold([Event(ROOT, flags.IGNORED, 0, "")])
    assert hints.lost


def test_a_loss_makes_hints_needless() -> None:
    """Everything will be looked at: memory is given back."""
    hints = Hints(FakeWatches(), Choice(), recurse=True, partial=False)
    hints.fold([Event(ROOT, flags.CREATE, 0, "a"), Event(-1, flags.Q_OVERFLOW, 0, "")])
    assert hints
    assert hints.marks == {}


def test_one_file_of_a_directory() -> None:
    """Others do not count, and it is called as the root is."""
    hints = Hints(FakeWatches(), Choice(), recurse=False, partial=False, only_entry="a")
    hints.fold([Event(ROOT, flags.CREATE, 0, "a"), Event(ROOT, flags.CREATE, 0, "b")])
    assert hints.marks == {"": Hint.MAKING}
