"""Watching files with the kernel's help, on the kernel there is."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from pathlib import Path

import pytest
from inotify_simple import INotify, flags

from asynctask.errors import PollerError
from asynctask.pollers import inotify_hints, inotify_tree, inotify_watches
from asynctask.pollers.file import FilePoller
from asynctask.pollers.inotify import INotifyPoller
from tests.pollers.watched import fill, inject, told, tree_of, until
from tests.support import refused


class TestFiles:
    """A file is there when it is whole."""

    async def test_a_life(self, tmp_path: Path) -> None:
        """Created, modified, and deleted, each told once."""
        fill(tmp_path, "old")
        async with INotifyPoller(tmp_path) as poller:
            assert await told(poller, tmp_path) == []
            fill(tmp_path, "a")
            assert await told(poller, tmp_path) == [("a", "created")]
            fill(tmp_path, "a", "old")
            assert await told(poller, tmp_path) == [("a", "modified"), ("old", "modified")]
            (tmp_path / "a").unlink()
            assert await told(poller, tmp_path) == [("a", "deleted")]
            assert await told(poller, tmp_path) == []

    async def test_what_is_still_written_is_not_told(self, tmp_path: Path) -> None:
        """Across any number of calls; and then as created, not as modified."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w") as file:
                for _ in range(3):
                    file.write("x" * 10_000)
                    file.flush()
                    assert await told(poller, tmp_path) == []
            assert await told(poller, tmp_path) == [("a", "created")]

    async def test_a_writer_that_never_closes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its file is never told, also when it is asked for."""
        monkeypatch.setattr("asynctask.pollers.inotify_writing._ASK", 0.0)
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w"):
                for _ in range(3):
                    assert await told(poller, tmp_path) == []
                (tmp_path / "a").unlink()
            assert await told(poller, tmp_path) == []

    async def test_a_file_made_without_being_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is asked for: nobody writes it, so it is whole."""
        monkeypatch.setattr("asynctask.pollers.inotify_writing._ASK", 0.0)
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            os.mknod(tmp_path / "a", 0o600)
            os.close(os.open(tmp_path / "b", os.O_RDONLY | os.O_CREAT))
            assert await told(poller, tmp_path) == [("a", "created"), ("b", "created")]

    async def test_unfinished_files_when_asked_for(self, tmp_path: Path) -> None:
        """They are told at once, and each write to them is."""
        async with INotifyPoller(tmp_path, partial=True) as poller:
            await poller.start()
            with (tmp_path / "a").open("w") as file:
                assert await told(poller, tmp_path) == [("a", "created")]
                file.write("x")
                file.flush()
                assert await told(poller, tmp_path) == [("a", "modified")]

    async def test_renamed_while_written(self, tmp_path: Path) -> None:
        """It is not whole because it was renamed."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w"):
                (tmp_path / "a").rename(tmp_path / "b")
                assert await told(poller, tmp_path) == []
                (tmp_path / "b").rename(tmp_path / "c")
                assert await told(poller, tmp_path) == []
            assert await told(poller, tmp_path) == [("c", "created")]

    async def test_moves(self, tmp_path: Path) -> None:
        """In, within, over another, out."""
        root, outside = tmp_path / "root", tmp_path / "outside"
        fill(outside, "a", "b")
        root.mkdir()
        async with INotifyPoller(root) as poller:
            await poller.start()
            (outside / "a").rename(root / "a")
            assert await told(poller, root) == [("a", "created")]
            (root / "a").rename(root / "c")
            assert await told(poller, root) == [("a", "deleted"), ("c", "created")]
            (outside / "b").rename(root / "c")
            assert await told(poller, root) == [("c", "modified")]
            (root / "c").rename(outside / "c")
            assert await told(poller, root) == [("c", "deleted")]

    async def test_links_pipes_and_directories(self, tmp_path: Path) -> None:
        """Nobody writes them, so they are there at once."""
        fill(tmp_path, "a")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            os.link(tmp_path / "a", tmp_path / "hard")
            (tmp_path / "dangling").symlink_to("nowhere")
            (tmp_path / "loop").symlink_to(tmp_path)
            os.mkfifo(tmp_path / "pipe")
            (tmp_path / "dir").mkdir()
            names = ("dangling", "dir", "hard", "loop", "pipe")
            assert await told(poller, tmp_path) == [(name, "created") for name in names]

    async def test_a_link_to_a_file_that_is_written(self, tmp_path: Path) -> None:
        """Both names are there when it is closed."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w"):
                os.link(tmp_path / "a", tmp_path / "b")
                assert await told(poller, tmp_path) == []
            assert ("a", "created") in await told(poller, tmp_path)

    @pytest.mark.parametrize("old", [True, False])
    async def test_a_link_whose_other_name_is_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
    ) -> None:
        """As mail is delivered. It has one name, as if it were new; a young one has to be asked for."""
        monkeypatch.setattr("asynctask.pollers.inotify_writing._ASK", 60.0 if old else 0.0)
        root = tmp_path / "root"
        root.mkdir()
        fill(tmp_path, "a")
        if old:
            os.utime(tmp_path / "a", (1, 1))
        async with INotifyPoller(root) as poller:
            await poller.start()
            os.link(tmp_path / "a", root / "b")
            (tmp_path / "a").unlink()
            assert await told(poller, root) == [("b", "created")]

    async def test_written_by_another_name(self, tmp_path: Path) -> None:
        """All names of a file are told, though the kernel tells of one."""
        fill(tmp_path, "a")
        os.link(tmp_path / "a", tmp_path / "b")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            (tmp_path / "a").write_text("another")
            assert await told(poller, tmp_path) == [("a", "modified"), ("b", "modified")]

    async def test_rights_alone_are_no_change(self, tmp_path: Path) -> None:
        """Times are."""
        fill(tmp_path, "a")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            (tmp_path / "a").chmod(0o600)
            assert await told(poller, tmp_path) == []
            os.utime(tmp_path / "a", (1, 1))
            assert await told(poller, tmp_path) == [("a", "modified")]

    async def test_opened_and_not_written(self, tmp_path: Path) -> None:
        """A lock file that is opened again and again is not modified by that."""
        fill(tmp_path, "lock")
        os.utime(tmp_path / "lock")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            await asyncio.sleep(0.03)
            (tmp_path / "lock").open("a").close()
            assert await told(poller, tmp_path) == []

    async def test_patterns(self, tmp_path: Path) -> None:
        """They count for what is told as for what is looked at."""
        async with INotifyPoller(tmp_path, recurse=True, ignore="*.tmp", only="*.csv") as poller:
            await poller.start()
            fill(tmp_path, "a.csv", "b.txt", "c.tmp", "d.tmp/e.csv", "f/g.csv", "f/h.txt")
            assert await told(poller, tmp_path) == [("a.csv", "created"), ("f/g.csv", "created")]
            fill(tmp_path, "f/i.csv")
            assert await told(poller, tmp_path) == [("f/i.csv", "created")]


class TestDirectories:
    """The watches follow the directories."""

    async def test_new_ones(self, tmp_path: Path) -> None:
        """With what is in them before they are watched, each once, and what comes later."""
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            fill(tmp_path, "a/b/c/d", "a/e")
            assert await told(poller, tmp_path) == [
                (name, "created") for name in ("a", "a/b", "a/b/c", "a/b/c/d", "a/e")
            ]
            fill(tmp_path, "a/b/c/f", "a/b/c/d")
            assert await told(poller, tmp_path) == [("a/b/c/d", "modified"), ("a/b/c/f", "created")]
            assert await told(poller, tmp_path) == []

    async def test_half_written_in_a_new_one(self, tmp_path: Path) -> None:
        """The look into it finds the file, and that somebody writes it."""
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            (tmp_path / "a").mkdir()
            with (tmp_path / "a" / "b").open("w"):
                assert await told(poller, tmp_path) == [("a", "created")]
            assert await told(poller, tmp_path) == [("a/b", "created")]

    async def test_moved_within(self, tmp_path: Path) -> None:
        """All in them is elsewhere, and is watched there."""
        fill(tmp_path, "a/b/c", "x")
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            (tmp_path / "a").rename(tmp_path / "d")
            assert await told(poller, tmp_path) == [
                *((name, "deleted") for name in ("a/b/c", "a/b", "a")),
                *((name, "created") for name in ("d", "d/b", "d/b/c")),
            ]
            fill(tmp_path, "d/b/e")
            assert await told(poller, tmp_path) == [("d/b/e", "created")]
            assert len(tree_of(poller).watches) == 3

    async def test_moved_in_and_out(self, tmp_path: Path) -> None:
        """What is outside is not watched any more."""
        root, outside = tmp_path / "root", tmp_path / "outside"
        fill(outside, "a/b")
        root.mkdir()
        async with INotifyPoller(root, recurse=True) as poller:
            await poller.start()
            (outside / "a").rename(root / "a")
            assert await told(poller, root) == [("a", "created"), ("a/b", "created")]
            (root / "a").rename(outside / "a")
            assert await told(poller, root) == [("a/b", "deleted"), ("a", "deleted")]
            fill(outside, "a/c")
            assert await told(poller, root) == []
            assert len(tree_of(poller).watches) == 1

    async def test_written_in_a_moved_one(self, tmp_path: Path) -> None:
        """A file that is being written stays so when its directory moves."""
        (tmp_path / "a").mkdir()
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            with (tmp_path / "a" / "b").open("w"):
                assert await told(poller, tmp_path) == []
                (tmp_path / "a").rename(tmp_path / "c")
                assert await told(poller, tmp_path) == [("a", "deleted"), ("c", "created")]
            assert await told(poller, tmp_path) == [("c/b", "created")]

    async def test_removed_and_made_again(self, tmp_path: Path) -> None:
        """The new one is watched."""
        fill(tmp_path, "a/b")
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            (tmp_path / "a" / "b").unlink()
            (tmp_path / "a").rmdir()
            fill(tmp_path, "a/c")
            assert await told(poller, tmp_path) == [("a/b", "deleted"), ("a/c", "created")]
            fill(tmp_path, "a/d")
            assert await told(poller, tmp_path) == [("a/d", "created")]

    async def test_without_recursion(self, tmp_path: Path) -> None:
        """A directory is an entry, and nothing more."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            fill(tmp_path, "a/b")
            assert await told(poller, tmp_path) == [("a", "created")]
            assert len(tree_of(poller).watches) == 1


class TestLost:
    """What the kernel has not told is found."""

    async def test_overflow(self, tmp_path: Path) -> None:
        """The tree is looked at, and the difference told."""
        fill(tmp_path, "a/a", "b")
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            fill(tmp_path, "a/c", "b", "d/e")
            inject(poller, flags.Q_OVERFLOW)
            assert await told(poller, tmp_path) == [
                ("a/c", "created"),
                ("b", "modified"),
                ("d", "created"),
                ("d/e", "created"),
            ]
            fill(tmp_path, "d/f")
            assert await told(poller, tmp_path) == [("d/f", "created")]

    @pytest.mark.one_loop
    async def test_overflow_of_the_real_queue(self, tmp_path: Path) -> None:
        """More than the queue of the kernel holds, while nobody reads it."""
        most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
        assert most < 200_000
        fill(tmp_path, "a", "b")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            tree_of(poller).pause()

            def overflow() -> None:
                for _ in range(most // 2 + 10):  # alternating: equal neighbours are one
                    (tmp_path / "a").chmod(0o600)
                    (tmp_path / "b").chmod(0o600)

            await asyncio.to_thread(overflow)
            fill(tmp_path, "a", "c")
            assert await told(poller, tmp_path) == [("a", "modified"), ("c", "created")]
            fill(tmp_path, "d")
            assert await told(poller, tmp_path) == [("d", "created")]

    async def test_a_file_that_is_written_during_an_overflow(self, tmp_path: Path) -> None:
        """The look at the tree finds out that it is, and its old state stays."""
        fill(tmp_path, "a")
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            with (tmp_path / "a").open("w") as old, (tmp_path / "b").open("w") as new:
                for file in (old, new):
                    file.write("half")
                    file.flush()
                inject(poller, flags.Q_OVERFLOW)
                assert await told(poller, tmp_path) == []
            assert await told(poller, tmp_path) == [("a", "modified"), ("b", "created")]

    @pytest.mark.parametrize("mask", [flags.IGNORED, flags.UNMOUNT, flags.DELETE_SELF, flags.MOVE_SELF])
    async def test_the_watch_of_the_root(self, tmp_path: Path, mask: int) -> None:
        """Given up by the kernel, it is set again."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            number = next(iter(tree_of(poller).watches._names))
            inject(poller, mask, number)
            fill(tmp_path, "a")
            assert await told(poller, tmp_path) == [("a", "created")]
            fill(tmp_path, "b")
            assert await told(poller, tmp_path) == [("b", "created")]

    async def test_events_of_unknown_watches(self, tmp_path: Path) -> None:
        """They are of directories that are of no interest any more."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            inject(poller, flags.CREATE, 12345, "ghost")
            assert await told(poller, tmp_path) == []

    async def test_more_names_than_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory is bounded: then the tree is looked at."""
        monkeypatch.setattr(inotify_hints, "_MOST", 10)
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            names = [f"{number:02}" for number in range(20)]
            fill(tmp_path, *names)
            await until(lambda: tree_of(poller).hints.lost)
            assert not tree_of(poller).hints.marks
            assert await told(poller, tmp_path) == [(name, "created") for name in names]


class TestLimits:
    """Where inotify cannot be had."""

    @pytest.mark.parametrize(
        ("call", "number", "sysctl"),
        [("add_watch", errno.ENOSPC, "max_user_watches"), ("__init__", errno.EMFILE, "max_user_instances")],
    )
    async def test_an_error_that_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, sysctl: str
    ) -> None:
        """It names the limit, and can be tried again."""
        with monkeypatch.context() as patch:
            _refuse(patch, call, number)
            async with INotifyPoller(tmp_path) as poller:
                with pytest.raises(PollerError, match=f"raise fs.inotify.{sysctl} with sysctl") as caught:
                    await poller.start()
                assert caught.value.temporary
                patch.undo()
                await poller.start()
                assert poller.is_told

    async def test_falling_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It looks instead, and says why in the log."""
        _refuse(monkeypatch, "add_watch", errno.ENOSPC)
        async with INotifyPoller(tmp_path, recurse=True, fall_back=True) as poller:
            assert await told(poller, tmp_path) == []
            assert not poller.is_told
            fill(tmp_path, "a/b")
            assert await told(poller, tmp_path) == [("a", "created"), ("a/b", "created")]
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert "no more directories can be watched" in record.message
        assert "it is looked at instead" in record.message

    async def test_falling_back_later(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A directory too many: nothing is lost by it."""
        async with INotifyPoller(tmp_path, recurse=True, fall_back=True) as poller:
            await poller.start()
            _refuse(monkeypatch, "add_watch", errno.ENOSPC)
            fill(tmp_path, "a/b", "c")
            assert await told(poller, tmp_path) == [("a", "created"), ("a/b", "created"), ("c", "created")]
            assert not poller.is_told

    @pytest.mark.parametrize("fall_back", [False, True])
    async def test_on_a_network(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        fall_back: bool,
    ) -> None:
        """Where others write unheard, it falls back, or says so."""
        monkeypatch.setattr(inotify_tree, "is_remote", lambda path, mounts: "nfs4")
        async with INotifyPoller(tmp_path, fall_back=fall_back) as poller:
            await poller.start()
            assert poller.is_told is not fall_back
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "nfs4" in caplog.text

    async def test_a_place_that_tells_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As NFS when another machine writes: who is told hears nothing, who looks sees it."""
        monkeypatch.setattr(inotify_watches, "mask_for", lambda **how: int(flags.DELETE_SELF))
        async with INotifyPoller(tmp_path) as deaf, FilePoller(tmp_path) as looking:
            await deaf.start()
            await looking.start()
            fill(tmp_path, "a")
            assert await deaf.get_new_events() == []
            assert [event for _, event in await looking.get_new_events()] == ["created"]


def _refuse(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    def refuse(*args: object, **how: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(INotify if call == "add_watch" else inotify_watches, _NAMES[call], refuse)


_NAMES = {"add_watch": "add_watch", "__init__": "INotify"}


class TestWatch:
    """Waiting for what happens."""

    async def test_it_is_told_at_once(self, tmp_path: Path) -> None:
        """Not after the interval."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()
            watch = poller.watch(interval=60)
            asyncio.get_running_loop().call_later(0.02, fill, tmp_path, "a")
            async with asyncio.timeout(5):
                ((url, event),) = await anext(watch)
            assert (url, event) == ((tmp_path / "a").as_uri(), "created")

    @pytest.mark.one_loop
    async def test_a_burst(self, tmp_path: Path) -> None:
        """Of more events than names: each name once, and the loop is not held up."""
        async with INotifyPoller(tmp_path) as poller:
            await poller.start()

            for _ in range(80):
                for number in range(50):
                    with (tmp_path / str(number)).open("ab") as file:  # it is slow to write anew on a disk
                        file.write(b"x")
                await asyncio.sleep(0)
            found = await told(poller, tmp_path)
            assert sorted(found) == sorted((str(number), "created") for number in range(50))


def test_what_cannot_be_used(tmp_path: Path) -> None:
    """It is refused at the call."""
    from asynctask.errors import UsageError

    refused(UsageError, "no path: ''", lambda: INotifyPoller(""))
