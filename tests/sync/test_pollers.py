"""Tests of asynctask.sync.pollers."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from asynctask.errors import PollerError, TaskStateError, UsageError
from asynctask.sync.pollers import Poller, make_poller, register_poller
from tests.pollers.fakes import FakePoller


def files(root: Path) -> Poller:
    """A poller of files that looks."""
    return make_poller(root, inotify=False)


def started(poller: FakePoller) -> Poller:
    """A blocking one of it that has been used."""
    blocking = Poller(poller)
    blocking.start()
    return blocking


def test_a_script_without_asyncio(tmp_path: Path) -> None:
    """The sample of the seed: make one, ask it now and then."""
    poller = files(tmp_path)
    assert poller.get_new_events() == []
    (tmp_path / "a").touch()
    for url, event in poller.get_new_events():
        assert (url, event) == (f"file://{tmp_path}/a", "created")
    assert poller.statistics().delivered["created"] == 1
    assert (poller.url, poller.closed) == (f"file://{tmp_path}", False)
    poller.close()


def test_batches(tmp_path: Path) -> None:
    """They come as things change; the loop ends when the poller is closed."""
    with files(tmp_path) as poller:
        poller.start()
        (tmp_path / "a").touch()
        batches = []
        for changes in poller.watch(interval=0.01):
            batches.append([Path(change.path).name for change in changes])
            poller.close()
    assert batches == [["a"]]


def test_a_state(tmp_path: Path) -> None:
    """Another process goes on from there."""
    with files(tmp_path) as poller:
        poller.start()
        state = poller.save()
    (tmp_path / "a").touch()
    with make_poller(tmp_path, inotify=False, state=state) as poller:
        assert [event for _, event in poller.get_new_events()] == ["created"]


def test_errors_are_those_of_the_poller(tmp_path: Path) -> None:
    """They come out of the call."""
    with files(tmp_path / "missing") as poller, pytest.raises(PollerError, match="is not there"):
        poller.get_new_events()
    with pytest.raises(UsageError, match="interval"):
        files(tmp_path).watch(interval=0)


def test_a_closed_poller(tmp_path: Path) -> None:
    """It does nothing any more; closing again does nothing either."""
    poller = files(tmp_path)
    poller.close()
    poller.close()
    assert poller.closed
    assert repr(poller) == f"<FilePoller file://{tmp_path} closed>"
    with pytest.raises(TaskStateError, match="the poller is closed"):
        poller.get_new_events()


def test_a_poller_that_nobody_closes(tmp_path: Path) -> None:
    """It is closed with the object: no warning, nothing left behind."""
    fake = FakePoller()
    poller = started(fake)
    del poller
    gc.collect()
    assert fake.ended == 1


async def test_a_poller_that_nobody_closes_where_a_loop_runs() -> None:
    """The garbage collector may come then."""
    fake = FakePoller()
    poller = await asyncio.to_thread(started, fake)
    del poller
    gc.collect()
    async with asyncio.timeout(5):
        while not fake.ended:
            await asyncio.sleep(0.001)


def test_several_threads(tmp_path: Path) -> None:
    """They are served one after the other; each change goes to one of them."""
    with files(tmp_path) as poller:
        poller.start()
        for number in range(20):
            (tmp_path / f"{number}").touch()
        found: list[str] = []
        threads = [
            threading.Thread(target=lambda: found.extend(url for url, _ in poller.get_new_events()))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == len(set(found)) == 20


def waiting_for(fake: FakePoller, call: Callable[[Poller], object]) -> tuple[Poller, list[object]]:
    """A poller that another thread is waiting for when it is closed, and what becomes of the call."""
    poller, outcome, asked = Poller(fake), list[object](), threading.Event()

    class Gate(asyncio.Event):
        async def wait(self) -> bool:  # type: ignore[override]
            asked.set()
            return bool(await super().wait())

    def in_thread() -> None:
        try:
            outcome.append(call(poller))
        except TaskStateError as exc:
            outcome.append(str(exc))

    fake.gate = Gate()
    thread = threading.Thread(target=in_thread)
    thread.start()
    assert asked.wait(10)
    poller.close()
    thread.join(10)
    return poller, outcome


def test_closing_what_another_thread_waits_for() -> None:
    """A watch ends, a call says that it was closed."""
    poller, outcome = waiting_for(FakePoller(), lambda poller: list(poller.watch()))
    assert (poller.closed, outcome) == (True, [[]])
    poller, outcome = waiting_for(FakePoller(), Poller.get_new_events)
    assert (poller.closed, outcome) == (True, ["test://host: the poller was closed"])


def test_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child leaves to the parent what is the parent's."""
    fake = FakePoller()
    with monkeypatch.context() as patch:
        poller = started(fake)
        patch.setattr(os, "getpid", lambda: -1)
        finish = poller._finish.peek()
        assert finish is not None
        finish[1](*finish[2])
    assert not fake.closed
    poller.close()
    assert fake.ended == 1


async def test_where_a_loop_runs(tmp_path: Path) -> None:
    """It would stand still."""
    poller = files(tmp_path)
    for call in (poller.start, poller.get_new_events, poller.save, poller.close):
        with pytest.raises(TaskStateError, match=r"use asynctask\.pollers there"):
            call()


def test_registering() -> None:
    """It is the same register."""
    register_poller("syncfake")(FakePoller)
    with make_poller("syncfake://host") as poller:
        assert poller.get_new_events() == []
