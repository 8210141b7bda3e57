"""Where an INotifyPoller begins and ends, and its root."""

from __future__ import annotations

import asyncio
import os
import weakref
from pathlib import Path

import pytest

from asynctask.errors import PollerError, TaskStateError
from asynctask.pollers.file import FilePoller
from asynctask.pollers.inotify import INotifyPoller
from tests.pollers.watched import descriptors, fill, told, tree_of, until


class TestRoot:
    """The root may be missing, go, come back, be another, or be a file."""

    async def test_missing(self, tmp_path: Path) -> None:
        """That is said, and can be tried again."""
        root = tmp_path / "root"
        async with INotifyPoller(root) as poller:
            with pytest.raises(PollerError, match="is not there") as caught:
                await poller.start()
            assert caught.value.temporary
            root.mkdir()
            await poller.start()
            fill(root, "a")
            assert await told(poller, root) == [("a", "created")]

    async def test_removed_and_back(self, tmp_path: Path) -> None:
        """What was in it is deleted, once."""
        root = tmp_path / "root"
        fill(root, "a")
        async with INotifyPoller(root) as poller:
            await poller.start()
            (root / "a").unlink()
            root.rmdir()
            assert await told(poller, root) == [("a", "deleted")]
            assert await told(poller, root) == []
            fill(root, "b")
            assert await told(poller, root) == [("b", "created")]
            fill(root, "c")
            assert await told(poller, root) == [("c", "created")]

    @pytest.mark.parametrize("above", [False, True])
    async def test_replaced(self, tmp_path: Path, above: bool) -> None:
        """The other one is watched: also when it is a directory above that was moved, which nobody tells."""
        root = tmp_path / "above" / "root"
        fill(root, "a", "b")
        fill(tmp_path / "other" / "root", "b", "c")
        async with INotifyPoller(root) as poller:
            await poller.start()
            old, new = (root.parent, tmp_path / "other") if above else (root, tmp_path / "other" / "root")
            old.rename(tmp_path / "old")
            new.rename(old)
            assert await told(poller, root) == [("a", "deleted"), ("b", "modified"), ("c", "created")]
            fill(root, "d")
            assert await told(poller, root) == [("d", "created")]

    async def test_a_file(self, tmp_path: Path) -> None:
        """It is watched by its directory, whose other files are of no interest."""
        fill(tmp_path, "a", "b")
        async with INotifyPoller(tmp_path / "a") as poller:
            await poller.start()
            fill(tmp_path, "a", "b")
            assert await told(poller, tmp_path) == [("a", "modified")]
            (tmp_path / "a").unlink()
            assert await told(poller, tmp_path) == [("a", "deleted")]
            fill(tmp_path, "a")
            assert await told(poller, tmp_path) == [("a", "created")]
            fill(tmp_path, "c")
            (tmp_path / "c").rename(tmp_path / "a")
            assert await told(poller, tmp_path) == [("a", "modified")]

    async def test_a_link(self, tmp_path: Path) -> None:
        """The root is followed; when it leads elsewhere, what is there is watched."""
        fill(tmp_path, "one/a", "two/b")
        root = tmp_path / "link"
        root.symlink_to("one")
        async with INotifyPoller(root) as poller:
            await poller.start()
            fill(tmp_path, "one/c")
            assert await told(poller, root) == [("c", "created")]
            root.unlink()
            root.symlink_to("two")
            assert await told(poller, root) == [("c", "deleted"), ("a", "deleted"), ("b", "created")]


class TestLife:
    """Nothing is left behind."""

    async def test_closing(self, tmp_path: Path) -> None:
        """Descriptor and reader go; a closed poller says so."""
        poller = INotifyPoller(tmp_path)
        await poller.start()
        number = tree_of(poller).watches.fd
        assert len(descriptors()) == 1
        await poller.aclose()
        assert descriptors() == []
        assert not asyncio.get_running_loop().remove_reader(number)
        with pytest.raises(TaskStateError):
            await poller.get_new_events()

    async def test_garbage(self, tmp_path: Path) -> None:
        """A poller that was forgotten takes its descriptor along."""
        poller = INotifyPoller(tmp_path)
        await poller.start()
        gone = weakref.ref(poller)
        number = tree_of(poller).watches.fd
        del poller
        # The thread that looked has to end, too; if it was the last to know the poller, the loop is told.
        await until(lambda: gone() is None and not descriptors())
        assert not asyncio.get_running_loop().remove_reader(number)

    @pytest.mark.parametrize("turns", range(0, 12, 2))
    async def test_cancelling_the_start(self, tmp_path: Path, turns: int) -> None:
        """At any moment; and it can be started again."""
        fill(tmp_path, "a/b/c")
        async with INotifyPoller(tmp_path, recurse=True, existing=True) as poller:
            starting = asyncio.create_task(poller.start())
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            await asyncio.wait([starting])
            assert [name for name, _ in await told(poller, tmp_path)] == ["a", "a/b", "a/b/c"]

    @pytest.mark.parametrize("turns", range(0, 12, 2))
    async def test_cancelling_a_look(self, tmp_path: Path, turns: int) -> None:
        """At any moment, and nothing is lost or told twice."""
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            fill(tmp_path, "a/b/c", "d")
            looking = asyncio.create_task(poller.get_new_events())
            for _ in range(turns):
                await asyncio.sleep(0)
            looking.cancel()
            await asyncio.wait([looking])
            heard = (
                []
                if looking.cancelled()
                else [os.path.relpath(each.path, tmp_path) for each in looking.result()]
            )
            assert heard + [name for name, _ in await told(poller, tmp_path)] == ["a", "a/b", "a/b/c", "d"]

    async def test_a_saved_state_serves_both_kinds(self, tmp_path: Path) -> None:
        """What one has told the other does not repeat."""
        fill(tmp_path, "a", "b")
        async with INotifyPoller(tmp_path, recurse=True) as poller:
            await poller.start()
            state = await poller.save()
        fill(tmp_path, "c", "d/e")
        async with FilePoller(tmp_path, recurse=True, state=state) as looking:
            found = await looking.get_new_events()
            state = await looking.save()
        assert [event for _, event in found] == ["created"] * 3
        (tmp_path / "a").unlink()
        async with INotifyPoller(tmp_path, recurse=True, state=state) as poller:
            assert await told(poller, tmp_path) == [("a", "deleted")]
