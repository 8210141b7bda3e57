"""Tests of asynctask.pollers.inotify_tree; what a poller makes of it is in test_inotify.py."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.pollers import inotify_tree
from asynctask.pollers.inotify_tree import Tree, UntoldError
from asynctask.pollers.walk import Choice, RootGoneError, Stopped

PATIENCE = 10.0


def _never() -> bool:
    return False


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    """A tree with two directories."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").touch()
    made = _tree(tmp_path)
    yield made
    made.close()


def _tree(root: Path) -> Tree:
    return Tree(f"file://{root}", str(root), Choice(), recurse=True, partial=False)


def test_open_watches_and_lists(tree: Tree) -> None:
    """Every directory; what is known is not told again."""
    first = tree.open({}, _never, must_be_local=False)
    assert sorted(first.changed) == ["a", "a/b", "a/file"]
    assert (first.gone, first.unreadable) == ([], {})


async def test_what_changes_is_told(tree: Tree, tmp_path: Path) -> None:
    """On the loop, once somebody listens; not while it is paused, but after it."""
    tree.open({}, _never, must_be_local=False)
    tree.listen(asyncio.get_running_loop())
    (tmp_path / "a" / "b" / "new").touch()
    await asyncio.wait_for(tree.changed.wait(), PATIENCE)
    tree.pause()
    tree.changed.clear()
    (tmp_path / "a" / "newer").touch()
    await asyncio.sleep(0)
    assert not tree.changed.is_set()
    tree.listen(asyncio.get_running_loop())
    await asyncio.wait_for(tree.changed.wait(), PATIENCE)


async def test_drain_takes_what_there_is(tree: Tree, tmp_path: Path) -> None:
    """Without waiting for the loop to tell."""
    tree.open({}, _never, must_be_local=False)
    (tmp_path / "a" / "b" / "new").touch()
    assert tree.watches.waiting() > 0
    await tree.drain()
    assert tree.watches.waiting() == 0


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    """It is said, and nothing is open."""
    tree = _tree(tmp_path / "missing")
    with pytest.raises(RootGoneError):
        tree.open({}, _never, must_be_local=False)


def test_opening_can_be_stopped(tree: Tree) -> None:
    """Between two directories."""
    with pytest.raises(Stopped):
        tree.open({}, lambda: True, must_be_local=False)


def test_another_root_in_its_place(tree: Tree, tmp_path: Path) -> None:
    """Nobody tells of what is above a root, so it is compared."""
    tree.open({}, _never, must_be_local=False)
    assert not tree.moved_away()
    elsewhere = tmp_path.with_name("elsewhere")
    tmp_path.rename(elsewhere)
    assert tree.moved_away()
    tmp_path.mkdir()
    assert tree.moved_away()
    tmp_path.rmdir()
    elsewhere.rename(tmp_path)
    assert not tree.moved_away()


def test_on_a_file_system_of_others(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A warning, or an error where everything must be told."""
    monkeypatch.setattr(inotify_tree, "is_remote", lambda path, mounts: "nfs4")
    caplog.set_level(logging.WARNING)
    tree.open({}, _never, must_be_local=False)
    assert caplog.messages == [f"{tmp_path} is on nfs4: what other machines write there is not told"]
    with pytest.raises(UntoldError, match="on nfs4 others may write"):
        tree.open({}, _never, must_be_local=True)


def test_closing_gives_the_descriptor_back(tree: Tree) -> None:
    """At once, and once."""
    tree.open({}, _never, must_be_local=False)
    number = tree.watches.fd
    assert os.fstat(number)
    tree.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    tree.close()
