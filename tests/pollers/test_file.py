"""Tests of asynctask.pollers.file."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import PollerError, TaskStateError, UsageError
from asynctask.pollers.base import MANY
from asynctask.pollers.changes import file_url
from asynctask.pollers.file import FilePoller, root_of
from asynctask.pollers.walk import Found, Stopped, walk
from tests.support import refused, turns

pytestmark = pytest.mark.one_loop("threads and files, whatever the loop")


async def events(poller: FilePoller) -> list[str]:
    """What has changed, as ``"created d/a"``."""
    changes = await poller.get_new_events()
    return [
        f"{event} {os.path.relpath(change.path, poller._root)}" for change in changes for event in [change[1]]
    ]


def watched(root: Path, **settings: Any) -> FilePoller:
    """A poller of a whole tree."""
    return FilePoller(root, **{"recurse": True, **settings})


async def test_the_sample_of_the_seed(tmp_path: Path) -> None:
    """Whenever an object is created inside the URL, the next call returns it."""
    poller = FilePoller(f"file://{tmp_path}")
    assert await poller.get_new_events() == []
    (tmp_path / "a").touch()
    assert await poller.get_new_events() == [(f"file://{tmp_path}/a", "created")]


@pytest.mark.parametrize("recurse", [True, False])
async def test_what_exists_is_the_baseline(tmp_path: Path, recurse: bool) -> None:
    """With and without recursion; or it is reported if somebody asks for it."""
    (tmp_path / "a").touch()
    assert await events(FilePoller(tmp_path, recurse=recurse)) == []
    assert await events(FilePoller(tmp_path, recurse=recurse, existing=True)) == ["created a"]


async def test_a_directory_is_reported_once(tmp_path: Path) -> None:
    """At the top level, with no look into it."""
    poller = FilePoller(tmp_path)
    await poller.start()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").touch()
    assert await events(poller) == ["created d"]
    (tmp_path / "d" / "b").touch()
    assert await events(poller) == []


async def test_what_is_in_a_new_directory_is_reported(tmp_path: Path) -> None:
    """Also what comes later; and when it goes, each path once."""
    poller = watched(tmp_path)
    await poller.start()
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "a").touch()
    assert await events(poller) == ["created d", "created d/a", "created d/e"]
    (tmp_path / "d" / "e" / "b").touch()
    assert await events(poller) == ["created d/e/b"]
    shutil.rmtree(tmp_path / "d")
    assert await events(poller) == ["deleted d/e/b", "deleted d/e", "deleted d/a", "deleted d"]


async def test_every_modification_is_seen(tmp_path: Path) -> None:
    """A later time, an earlier one, another size at the same time, another file at the same time and size."""
    one = tmp_path / "a"
    one.write_text("x")
    os.utime(one, ns=(10**18, 10**18))
    poller = FilePoller(tmp_path)
    await poller.start()
    os.utime(one, ns=(10**18, 10**18 + 1))
    assert await events(poller) == ["modified a"]
    os.utime(one, ns=(10**18, 10**9))
    assert await events(poller) == ["modified a"]
    one.write_text("longer")
    os.utime(one, ns=(10**18, 10**9))
    assert await events(poller) == ["modified a"]
    other = tmp_path.parent / "other"
    other.write_text("LONGER")
    os.utime(other, ns=(10**18, 10**9))
    other.replace(one)
    assert await events(poller) == ["modified a"]
    one.chmod(0)
    assert await events(poller) == []


async def test_another_kind_of_entry(tmp_path: Path) -> None:
    """It is another one: the first is deleted."""
    (tmp_path / "a").touch()
    poller = watched(tmp_path)
    await poller.start()
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").touch()
    assert await events(poller) == ["deleted a", "created a", "created a/b"]
    shutil.rmtree(tmp_path / "a")
    (tmp_path / "a").symlink_to("a")
    assert await events(poller) == ["deleted a/b", "deleted a", "created a"]


async def test_links_that_lead_nowhere_or_round(tmp_path: Path) -> None:
    """They are entries; nothing else is kept from being seen."""
    poller = watched(tmp_path)
    await poller.start()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "z").touch()
    assert await events(poller) == ["created dangling", "created loop", "created z"]
    assert await events(poller) == []


async def test_any_clock_will_do(tmp_path: Path) -> None:
    """Times are compared with what they were, never with now: the clock of the server, or ours, may jump."""
    poller = FilePoller(tmp_path)
    await poller.start()
    (tmp_path / "a").touch()
    seen = []
    for seconds in (0, 2**33, 1, -5):
        os.utime(tmp_path / "a", (seconds, seconds))
        seen.append(await events(poller))
    assert seen == [["created a"], ["modified a"], ["modified a"], ["modified a"]]
    assert await events(poller) == []


async def test_names_that_are_no_text(tmp_path: Path) -> None:
    """Their URLs lead back to the file."""
    poller = FilePoller(tmp_path)
    await poller.start()
    path = tmp_path / os.fsdecode(b"\xff #?%20\n")
    path.touch()
    ((url, event),) = await poller.get_new_events()
    assert (url, event) == (f"file://{tmp_path}/%FF%20%23%3F%2520%0A", "created")
    state = await poller.save()
    later = FilePoller(tmp_path, state=state)
    assert await later.get_new_events() == []
    path.unlink()
    (change,) = await later.get_new_events()
    assert change.path == str(path)


async def test_patterns(tmp_path: Path) -> None:
    """Some names are not looked at, others not reported."""
    poller = watched(tmp_path, ignore=["*.tmp", ".git"], only=["*.csv", "*.tmp"])
    await poller.start()
    for name in ("a.csv", "a.txt", "a.tmp", "d/a.csv", ".git/a.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert await events(poller) == ["created a.csv", "created d/a.csv"]


async def test_a_file_alone(tmp_path: Path) -> None:
    """It is the root, and may go and come."""
    root = tmp_path / "a"
    root.write_text("x")
    poller = FilePoller(root)
    assert await events(poller) == []
    root.write_text("xx")
    assert await poller.get_new_events() == [(file_url(str(root)), "modified")]
    root.unlink()
    assert await poller.get_new_events() == [(file_url(str(root)), "deleted")]
    assert await poller.get_new_events() == []
    root.touch()
    assert await poller.get_new_events() == [(file_url(str(root)), "created")]


# -- the root -------------------------------------------------------------------------------------


async def test_a_root_that_is_missing(tmp_path: Path) -> None:
    """It is an error that may pass; nothing is created."""
    poller = FilePoller(tmp_path / "inbox")
    with pytest.raises(PollerError) as caught:
        await poller.start()
    assert str(caught.value) == f"file://{tmp_path}/inbox: is not there; create it, or correct the path"
    assert caught.value.temporary
    assert not (tmp_path / "inbox").exists()


async def test_a_root_that_goes_and_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was in it is deleted, once; what is there when it comes back is created."""
    caplog.set_level(logging.INFO, "asynctask.pollers")
    root = tmp_path / "inbox"
    (root / "d").mkdir(parents=True)
    (root / "d" / "a").touch()
    poller = watched(root)
    await poller.start()
    root.rename(tmp_path / "away")
    assert await events(poller) == ["deleted d/a", "deleted d"]
    assert await events(poller) == []
    (tmp_path / "away").rename(root)
    assert await events(poller) == ["created d", "created d/a"]
    assert caplog.messages == [f"{poller.url} is gone; it may come back", f"{poller.url} is back"]


async def test_a_root_that_is_replaced(tmp_path: Path) -> None:
    """By another directory: the difference counts. By a file: that is the only entry."""
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "a").touch()
    poller = watched(root)
    await poller.start()
    root.rename(tmp_path / "away")
    root.mkdir()
    (root / "b").touch()
    assert await events(poller) == ["deleted a", "created b"]
    shutil.rmtree(root)
    root.touch()
    assert await events(poller) == ["deleted b", "created ."]


async def test_a_root_that_is_missing_after_a_restart(tmp_path: Path) -> None:
    """It may not be mounted yet: nothing is reported as deleted."""
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "a").touch()
    poller = watched(root)
    await poller.start()
    state = await poller.save()
    root.rename(tmp_path / "away")
    later = watched(root, state=state)
    with pytest.raises(PollerError, match="is not there"):
        await later.get_new_events()
    (tmp_path / "away").rename(root)
    (root / "b").touch()
    assert await events(later) == ["created b"]


class Scans:
    """Stands for the walk: fails, or waits, as a test says."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.changed: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.threads: list[threading.Thread] = []
        self.stopped: list[bool] = []

    def __call__(self, root: str, known: Any, *, stopped: Callable[[], bool], **settings: Any) -> Found:
        self.threads.append(threading.current_thread())
        self.gate.wait()
        self.stopped.append(stopped())
        if stopped():
            raise Stopped
        if self.error is not None:
            raise self.error
        found = walk(root, known, **settings)
        found.unreadable = self.changed
        return found


@pytest.mark.parametrize("error", [errno.EACCES, errno.ESTALE, errno.EIO])
async def test_a_root_that_cannot_be_seen(tmp_path: Path, error: int) -> None:
    """It is an error; nothing is deleted, nothing lost."""
    scans = Scans()
    (tmp_path / "a").touch()
    poller = FilePoller(tmp_path, scan=scans)
    await poller.start()
    (tmp_path / "b").touch()
    scans.error = OSError(error, os.strerror(error))
    with pytest.raises(PollerError, match=f"cannot be looked at: {os.strerror(error)}") as caught:
        await poller.get_new_events()
    assert caught.value.temporary
    assert bool(caught.value.hint) is (error == errno.EACCES)
    scans.error = None
    assert await events(poller) == ["created b"]


async def test_a_directory_that_cannot_be_read_is_recorded_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As long as it is so."""
    scans = Scans()
    scans.changed = {"d": "Permission denied"}
    poller = FilePoller(tmp_path, scan=scans)
    for _ in range(3):
        await poller.get_new_events()
    assert caplog.messages == [
        f"file://{tmp_path}/d cannot be seen (Permission denied): what was known there is kept"
    ]
    assert poller.statistics().unreadable == 1


# -- the thread -----------------------------------------------------------------------------------


async def test_the_look_is_in_a_thread(tmp_path: Path) -> None:
    """Never in that of the loop."""
    scans = Scans()
    await FilePoller(tmp_path, scan=scans).start()
    (thread,) = scans.threads
    assert thread is not threading.current_thread()
    assert thread.daemon


async def test_a_look_that_hangs(tmp_path: Path) -> None:
    """It fails when its time is over; there is none besides, and what it finds in the end is not used."""
    scans = Scans()
    (tmp_path / "a").touch()
    poller = FilePoller(tmp_path, scan=scans, timeout=0.05)
    await poller.start()
    scans.gate.clear()
    (tmp_path / "b").touch()
    for _ in range(2):
        with pytest.raises(PollerError, match=r"no answer within 0\.05 s"):
            await poller.get_new_events()
    assert len(scans.threads) == 2
    scans.gate.set()
    poller._timeout = 30.0
    assert await events(poller) == ["created b"]
    assert scans.stopped == [False, True, False]


async def test_closing_while_a_look_hangs(tmp_path: Path) -> None:
    """Nobody waits for it."""
    scans = Scans()
    poller = FilePoller(tmp_path, scan=scans)
    await poller.start()
    scans.gate.clear()
    call = asyncio.create_task(poller.get_new_events())
    await turns(3)
    async with asyncio.timeout(2):
        await poller.aclose()
    with pytest.raises(TaskStateError):
        await call
    scans.gate.set()


async def test_a_cancelled_look_is_told(tmp_path: Path) -> None:
    """It ends early; the next one sees everything."""
    scans = Scans()
    poller = FilePoller(tmp_path, scan=scans)
    await poller.start()
    (tmp_path / "a").touch()
    scans.gate.clear()
    call = asyncio.create_task(poller.get_new_events())
    await turns(3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    scans.gate.set()
    assert await events(poller) == ["created a"]
    assert scans.stopped == [False, True, False]


async def test_many_entries(tmp_path: Path) -> None:
    """They do not hold up the loop, whether they come, stay or go: the detector of the tests sees it."""
    count = 5 * MANY
    there = {f"d/name {number:06}": ("file", number, 0, number) for number in range(count)}

    def scan(root: str, known: Any, **settings: Any) -> Found:
        return Found({name: stamp for name, stamp in there.items() if known.get(name) != stamp}, gone)

    gone: list[str] = []
    poller = FilePoller(tmp_path, scan=scan, existing=True)
    assert len(await poller.get_new_events()) == count
    assert await poller.get_new_events() == []
    state = await poller.save()
    later = FilePoller(tmp_path, scan=scan, state=state)
    assert await later.get_new_events() == []
    gone += list(there)
    there.clear()
    assert len(await later.get_new_events()) == count
    assert later.statistics().entries == 0


async def test_watching(tmp_path: Path) -> None:
    """A root that is missing is waited for; then changes come in batches."""
    root = tmp_path / "inbox"
    poller = FilePoller(root)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            root.mkdir()
        else:
            (root / f"a{len(slept)}").touch()

    poller._sleep = sleep  # type: ignore[method-assign]
    batches = []
    async for changes in poller.watch(interval=0.5):
        batches.append([Path(change.path).name for change in changes])
        if len(batches) == 2:
            break
    assert batches == [["a2"], ["a3"]]


# -- what it is made of ---------------------------------------------------------------------------


def test_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One form of it, whatever was given."""
    monkeypatch.chdir(tmp_path)
    for given in (tmp_path, f"{tmp_path}/", f"file://{tmp_path}/", ".", f"file:{tmp_path}"):
        assert FilePoller(given).url == f"file://{tmp_path}"
    assert FilePoller("a b").url == f"file://{tmp_path}/a%20b"
    assert FilePoller("/").url == "file:///"
    assert FilePoller("/")._subject("a/b") == "file:///a/b"
    assert FilePoller("/").recurse is False


@pytest.mark.parametrize("url", ["", "a\0b", "file:///a%00b"])
def test_what_is_no_path(url: str) -> None:
    """It is refused when the poller is made."""
    refused(UsageError, f"no path: {url!r}", lambda: root_of(url))


def test_a_path_of_bytes() -> None:
    """There is one way to write it."""
    message = "a path is given as text, see os.fsdecode: b'/srv'"
    refused(UsageError, message, lambda: root_of(b"/srv"))  # type: ignore[arg-type]


def test_the_pauses_of_a_poller_of_files() -> None:
    """To see whether a directory has come costs nothing: a missing one is noticed within 10 seconds."""
    assert FilePoller.longest_pause == 10.0
