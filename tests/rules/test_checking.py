"""Tests of asynctask.rules.checking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import UsageError
from asynctask.rules.checking import check_files, poller_of
from asynctask.rules.model import Rules, Watched
from tests.rules.support import rule

pytestmark = pytest.mark.one_loop("nothing here waits")


def _refused(watched: Path, letters: Path | None = None, **settings: Any) -> str:
    pollers = (Watched(name="p", url=str(watched), **settings),)
    with pytest.raises(UsageError) as caught:
        check_files(Rules(pollers=pollers, rules=(rule(),), dead_letters=letters))
    return str(caught.value)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """What is watched."""
    (tmp_path / "inbox" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to("inbox")
    return tmp_path / "inbox"


def test_files_that_can_be_written(inbox: Path) -> None:
    """Beside what is watched; below it, if that is not watched."""
    watched = Watched(name="p", url=f"file://{inbox}", state=inbox / "below" / "state")
    letters = inbox.parent / "inbox.dead"
    check_files(Rules(pollers=(watched,), rules=(rule(),), dead_letters=letters))
    letters.touch()
    check_files(Rules(pollers=(watched,), rules=(rule(),), dead_letters=letters))
    bucket = Watched(name="p", url="s3://b/", state=inbox / "state")
    check_files(Rules(pollers=(bucket,), rules=(rule(),)))


def test_what_would_feed_itself(inbox: Path) -> None:
    """To write it is a change, also by another name of the directory."""
    why = "this is watched itself, and each writing would be a change"
    for state in (inbox / "s", inbox.parent / "link" / "s"):
        assert _refused(inbox, state=state) == f"state {state}: {why}"
        assert _refused(inbox, state) == f"dead letters {state}: {why}"
    below = inbox / "below" / "s"
    assert _refused(inbox, below, recurse=True) == f"dead letters {below}: {why}"
    file = inbox / "file"
    assert _refused(file, file) == f"dead letters {file}: {why}"


def test_files_that_cannot_be_written(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told; who may write everything cannot be told from others here."""
    nowhere, below = inbox / "no" / "s", inbox / "below"
    assert _refused(inbox, nowhere) == f"dead letters {nowhere}: there is no directory {nowhere.parent}"
    assert _refused(inbox, state=below) == f"state {below}: this is a directory, and a file is needed"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    file = below / "s"
    assert _refused(inbox, state=file) == f"state {file}: {below} may not be written"
    file.touch()
    assert _refused(inbox, file) == f"dead letters {file}: {file} may not be written"


def test_subdirectories_of_what_has_none() -> None:
    """What to do is told; whatever else is wrong is told first."""
    with pytest.raises(UsageError) as caught:
        poller_of(Watched(name="p", url="http://user:secret@host/x", recurse=True))
    assert str(caught.value) == "recurse (-r) is for directories: leave it out for http://host/x"
    with pytest.raises(UsageError, match="no poller for gopher"):
        poller_of(Watched(name="p", url="gopher://x", recurse=True))
