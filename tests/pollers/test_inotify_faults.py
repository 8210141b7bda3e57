"""An INotifyPoller under what goes wrong: rights, descriptors, names that change places, files of others."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from inotify_simple import flags

from asynctask.errors import PollerError
from asynctask.pollers import inotify_watches
from asynctask.pollers.inotify import INotifyPoller
from tests.pollers.watched import fill, inject, told, tree_of

EXCHANGE = 2


def exchange(first: Path, second: Path) -> None:
    """Let two names change places, as ``mv --exchange`` does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(first), -100, os.fsencode(second), EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2")


def failing(monkeypatch: pytest.MonkeyPatch, call: str, number: int, where: Callable[[str], bool]) -> None:
    """Let calls of ``os`` fail for some paths."""
    real = getattr(os, call)

    def fail(path: object, *args: object, **how: object) -> object:
        if isinstance(path, str) and where(path):
            raise OSError(number, os.strerror(number), path)
        return real(path, *args, **how)

    monkeypatch.setattr(os, call, fail)


class TestChangingPlaces:
    """Each name goes after it came, and is there all the same."""

    async def test_files(self, tmp_path: Path) -> None:
        """Both are others than before."""
        fill(tmp_path, "a", "b")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            exchange(tmp_path / "a", tmp_path / "b")
            assert await told(poller, tmp_path) == [("a", "modified"), ("b", "modified")]

    async def test_directories(self, tmp_path: Path) -> None:
        """What is in both is told, and both are watched."""
        fill(tmp_path, "a/1", "b/2")
        async with INotifyPoller(tmp_path, recurse=True, only=["1", "2", "3"]) as poller:
            await poller.start()
            exchange(tmp_path / "a", tmp_path / "b")
            assert await told(poller, tmp_path) == [
                *(("b/2", "deleted"), ("a/1", "deleted")),
                *(("a/2", "created"), ("b/1", "created")),
            ]
            fill(tmp_path, "a/3", "b/3")
            assert await told(poller, tmp_path) == [("a/3", "created"), ("b/3", "created")]

    async def test_a_file_and_a_directory(self, tmp_path: Path) -> None:
        """Each is another kind of entry then."""
        fill(tmp_path, "a", "b/1")
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            exchange(tmp_path / "a", tmp_path / "b")
            assert await told(poller, tmp_path) == [
                *(("b/1", "deleted"), ("b", "deleted"), ("a", "deleted")),
                *(("a", "created"), ("a/1", "created"), ("b", "created")),
            ]

    async def test_one_that_is_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is told when it is closed."""
        fill(tmp_path, "a", "b")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w"):
                exchange(tmp_path / "a", tmp_path / "b")
                assert ("b", "modified") not in await told(poller, tmp_path)
            assert await told(poller, tmp_path) == [("b", "created")]


class TestRights:
    """Those of a directory change while it is watched; root reads all, so that the calls have to fail."""

    async def test_what_happens_in_a_place_that_was_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The watch still tells of it; it is known when the place is open again, and logged once."""
        fill(tmp_path, "a/old")
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            with monkeypatch.context() as patch:
                for call in ("lstat", "open"):
                    failing(patch, call, errno.EACCES, lambda path: path.startswith(f"{tmp_path}/a"))
                for name in ("a/new", "a/newer"):
                    fill(tmp_path, name)
                    assert await told(poller, tmp_path) == []
                (tmp_path / "a" / "old").unlink()
                assert await told(poller, tmp_path) == []
                assert poller.statistics().unreadable == 1
                assert [record.levelname for record in caplog.records] == ["WARNING"]
            (tmp_path / "a").chmod(0o755)
            assert await told(poller, tmp_path) == [
                ("a/old", "deleted"),
                ("a/new", "created"),
                ("a/newer", "created"),
            ]

    async def test_a_new_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is there; what is in it comes when it may be read."""
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            with monkeypatch.context() as patch:
                failing(patch, "open", errno.EACCES, lambda path: path == f"{tmp_path}/a")
                fill(tmp_path, "a/b")
                assert await told(poller, tmp_path) == [("a", "created")]
            (tmp_path / "a").chmod(0o755)
            assert await told(poller, tmp_path) == [("a/b", "created")]

    async def test_a_place_that_gets_well_without_a_word(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Everything is looked at now and then as long as a place cannot be seen."""
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            with monkeypatch.context() as patch:
                failing(patch, "open", errno.EIO, lambda path: path == f"{tmp_path}/a")
                fill(tmp_path, "a/b")
                assert await told(poller, tmp_path) == [("a", "created")]
            assert await told(poller, tmp_path) == []
            poller._try_again_at = 0.0
            assert await told(poller, tmp_path) == [("a/b", "created")]
            assert poller.statistics().unreadable == 0


class TestDescriptors:
    """That there are none says nothing of files."""

    @pytest.mark.parametrize("fall_back", [False, True])
    async def test_none_for_a_new_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fall_back: bool
    ) -> None:
        """It is an error that passes; then all is told."""
        async with INotifyPoller(tmp_path, recurse=True, fall_back=fall_back) as poller:
            await poller.start()
            with monkeypatch.context() as patch:
                failing(patch, "open", errno.EMFILE, lambda path: path == f"{tmp_path}/a")
                fill(tmp_path, "a/b")
                with pytest.raises(PollerError, match="Too many open files") as caught:
                    await poller.get_new_events()
                assert caught.value.temporary
            assert await told(poller, tmp_path) == [("a", "created"), ("a/b", "created")]
            assert poller.is_told

    async def test_none_for_the_queue(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is no limit of inotify, and no reason to fall back."""

        def refuse(**how: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        async with INotifyPoller(tmp_path, fall_back=True) as poller:
            with monkeypatch.context() as patch:
                patch.setattr(inotify_watches, "INotify", refuse)
                failing(patch, "open", errno.EMFILE, lambda path: path == "/")
                with pytest.raises(PollerError, match="Too many open files"):
                    await poller.start()
            await poller.start()
            assert poller.is_told

    async def test_no_thread(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is an error that passes, for a watch as well."""

        async def refuse(work: object) -> None:
            raise OSError("can't start new thread")

        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            with monkeypatch.context() as patch:
                patch.setattr(poller._aside, "do", refuse)
                fill(tmp_path, "a/b")
                with pytest.raises(PollerError, match="can't start new thread"):
                    await poller.get_new_events()
            assert await told(poller, tmp_path) == [("a", "created"), ("a/b", "created")]


class TestFilesOfOthers:
    """Who is neither their owner nor root is not told whether somebody writes them."""

    @pytest.fixture(autouse=True)
    def _somebody_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("inotify", "inotify_writing"):
            monkeypatch.setattr(f"asynctask.pollers.{module}.is_written", lambda path: None)

    @pytest.mark.parametrize("seconds", [0, -3600])
    async def test_a_link(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
        """It counts as whole when it was not changed for two seconds, also if the clock was set back."""
        fill(tmp_path, "a", "root/b")
        root = tmp_path / "root"
        async with INotifyPoller(root) as poller:
            await poller.start()
            os.link(tmp_path / "a", root / "link")
            assert await told(poller, root) == []
            ask_all(poller)
            assert await told(poller, root) == []
            if seconds:
                now = (root / "link").stat().st_ctime + seconds
                monkeypatch.setattr("asynctask.pollers.inotify_writing.time.time", lambda: now)
            else:
                monkeypatch.setattr("asynctask.pollers.inotify_writing.COARSE_TICK", 0.0)
                monkeypatch.setattr("asynctask.pollers.inotify.COARSE_TICK", 0.0)
            ask_all(poller)
            assert await told(poller, root) == [("link", "created")]

    async def test_a_new_one_that_nobody_closes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is not told, however old: that it is closed would be heard."""
        monkeypatch.setattr("asynctask.pollers.inotify.COARSE_TICK", 0.0)
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w"):
                assert await told(poller, tmp_path) == []
                ask_all(poller)
                assert await told(poller, tmp_path) == []
            assert await told(poller, tmp_path) == [("a", "created")]

    @pytest.mark.one_loop
    async def test_an_old_time_does_not_make_a_file_old(self, tmp_path: Path) -> None:
        """It may have been set by who is still writing."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            fill(tmp_path, "a")
            os.utime(tmp_path / "a", (1, 1))
            inject(poller, flags.Q_OVERFLOW)
            assert await told(poller, tmp_path) == []


def ask_all(poller: INotifyPoller) -> None:
    """It is time to ask for what may be unfinished."""
    for each in poller._unfinished.values():
        each.ask_at = 0.0


class TestRootsThatAreFiles:
    """Their names are given, and not chosen."""

    async def test_a_link_to_a_file_that_is_young(self, tmp_path: Path) -> None:
        """It is the file that is asked whether it is written."""
        fill(tmp_path, "a")
        (tmp_path / "link").symlink_to("a")
        async with INotifyPoller(tmp_path / "link", existing=True) as poller:
            assert await told(poller, tmp_path) == [("link", "created")]

    async def test_a_link_to_a_file_that_is_written(self, tmp_path: Path) -> None:
        """It is told when it is closed."""
        fill(tmp_path, "a")
        (tmp_path / "link").symlink_to("a")
        async with INotifyPoller(tmp_path / "link", existing=True) as poller:
            with (tmp_path / "a").open("a"):
                assert await told(poller, tmp_path) == []
                ask_all(poller)
                assert await told(poller, tmp_path) == []
            assert await told(poller, tmp_path) == [("link", "created")]
            os.utime(tmp_path / "a", (1, 1))
            assert await told(poller, tmp_path) == [("link", "modified")]

    @pytest.mark.parametrize("choice", [{"only": "*.csv"}, {"ignore": "a"}])
    async def test_patterns(self, tmp_path: Path, choice: dict[str, str]) -> None:
        """They are for what is in directories."""
        fill(tmp_path, "a")
        async with INotifyPoller(tmp_path / "a", **choice) as poller:  # type: ignore[arg-type]
            await poller.start()
            fill(tmp_path, "a")
            assert await told(poller, tmp_path) == [("a", "modified")]


async def test_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a child takes nothing away from the parent."""
    async with INotifyPoller(tmp_path) as poller:
        await poller.start()
        with monkeypatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)
            tree_of(poller).close()
        fill(tmp_path, "a")
        async with asyncio.timeout(5):
            await tree_of(poller).changed.wait()
        assert await told(poller, tmp_path) == [("a", "created")]
