"""Who starts processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.manager.launchers import Launchers
from asynctask.manager.local.launcher import LocalLauncher
from asynctask.manager.remote.launcher import RemoteLauncher
from tests.manager.fakes import FakeLauncher

pytestmark = pytest.mark.one_loop("nothing is launched")


async def test_each_is_made_once_and_when_it_is_needed(tmp_path: Path) -> None:
    """One for this machine, one for all nodes."""
    launchers = Launchers("test", tmp_path, None, None, None)
    here, there = launchers.on(None), launchers.on("n1")
    assert (type(here), type(there)) == (LocalLauncher, RemoteLauncher)
    assert launchers.on(None) is here
    assert launchers.on("n2") is there
    await launchers.aclose()


async def test_one_that_was_given_does_everything_and_is_closed_once() -> None:
    """Here and there."""
    given = FakeLauncher()
    launchers = Launchers("test", None, None, None, given)
    assert launchers.on(None) is launchers.on("n1") is given
    await launchers.aclose()
    assert given.closed


async def test_nothing_that_was_not_needed_is_closed(tmp_path: Path) -> None:
    """There is nothing."""
    await Launchers("test", tmp_path, None, None, None).aclose()


async def test_who_is_asked_for_what_was_left_running(tmp_path: Path) -> None:
    """The one for this machine; one that was given has left nothing. Nothing is made for it."""
    launchers = Launchers("test", tmp_path / "state", None, None, None)
    assert await launchers.end_strays({}, ()) == []
    assert not (tmp_path / "state").exists()
    await launchers.aclose()
    assert await Launchers("test", None, None, None, FakeLauncher()).end_strays({}, ()) == []
