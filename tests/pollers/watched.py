"""What tests of pollers that are told by the kernel have in common."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from inotify_simple import Event

from asynctask.pollers.file import FilePoller
from asynctask.pollers.inotify import INotifyPoller
from asynctask.pollers.inotify_tree import Tree

__all__ = ("Told", "descriptors", "fill", "inject", "told", "tree_of", "until")

Told = list[tuple[str, str]]


async def told(poller: FilePoller, root: Path) -> Told:
    """What there is to tell now, as paths below the root."""
    found = await poller.get_new_events()
    return [(os.path.relpath(change.path, root), change.event) for change in found]


async def until(condition: Callable[[], bool]) -> None:
    """Give way to the loop until something is so."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def fill(root: Path, *names: str) -> None:
    """Make files, and the directories that they lie in."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def tree_of(poller: INotifyPoller) -> Tree:
    """What is watched."""
    assert poller._tree is not None
    return poller._tree


def inject(poller: INotifyPoller, mask: int, number: int = -1, name: str = "") -> None:
    """Let the kernel seem to tell something."""
    tree_of(poller).hints.fold([Event(number, mask, 0, name)])


def descriptors() -> list[str]:
    """What the inotify descriptors of this process are called."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            continue
    return [each for each in found if "inotify" in each]
