"""A tree that is watched with inotify: its watches, the thread that sets them, the reader of the loop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR

import anyio.lowlevel

from asynctask.pollers.changes import Stamp
from asynctask.pollers.inotify_hints import Hints
from asynctask.pollers.inotify_watches import Watches, is_remote
from asynctask.pollers.walk import Choice, Found, RootGoneError, Stopped, Walk, walk

__all__ = ("Tree", "UntoldError")

_log = logging.getLogger(__name__)

#: Bytes that are read in one turn of the loop: some hundred events.
_SLICE = 16_384


class UntoldError(Exception):
    """The kernel does not tell; what must be done is to look."""


class Tree:
    """A watched tree: its watches, what they have told, and the reader of the loop.

    It knows nothing of its poller, so that one that nobody uses any more can go, and take this along.
    """

    def __init__(self, url: str, root: str, choice: Choice, *, recurse: bool, partial: bool) -> None:
        self._root = root
        self._choice = choice
        self._recurse = recurse
        self._partial = partial
        self._identity: object = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading = -1
        self._process = os.getpid()
        self._backlog = 0
        self.watches = Watches(url, partial=partial)
        self.hints = self._new_hints(None)
        self.changed = asyncio.Event()

    def _new_hints(self, only_entry: str | None) -> Hints:
        return Hints(
            self.watches, self._choice, recurse=self._recurse, partial=self._partial, only_entry=only_entry
        )

    # -- in a thread ------------------------------------------------------------------------------

    def open(self, known: Mapping[str, Stamp], stopped: Callable[[], bool], *, must_be_local: bool) -> Found:
        """Watch and list everything: first watch, then list, so that nothing falls between."""
        self._identity = self._identify()
        if self._identity is None:
            raise RootGoneError
        self._warn_of_remote(must_be_local)
        self.watches.open()
        if not S_ISDIR(Path(self._root).stat().st_mode):
            directory, name = os.path.split(os.path.realpath(self._root))
            self.watches.add("", directory, root=True)
            self.hints = self._new_hints(name)
            found = walk(self._root, known, recurse=False, choice=self._choice)
        else:
            found = WatchedWalk(self.watches, self._root, known, self._choice).all(self._recurse, stopped)
        self._backlog = self.watches.waiting()
        return found

    def look_into(self, names: list[str], stopped: Callable[[], bool]) -> Found:
        """Watch and list directories that are new."""
        found = WatchedWalk(self.watches, self._root, {}, self._choice).these(names, stopped)
        self._backlog = self.watches.waiting()
        return found

    def _warn_of_remote(self, must_be_local: bool) -> None:
        with suppress(OSError):
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
            kind = is_remote(os.path.realpath(self._root), mounts)
            if kind and must_be_local:
                raise UntoldError(f"on {kind} others may write without this machine being told")
            if kind:
                _log.warning("%s is on %s: what other machines write there is not told", self._root, kind)

    def _identify(self) -> object:
        try:
            status = Path(self._root).stat()
        except FileNotFoundError:
            return None
        if S_ISDIR(status.st_mode):
            return status.st_dev, status.st_ino
        return os.path.realpath(self._root)

    # -- on the loop ------------------------------------------------------------------------------

    def moved_away(self) -> bool:
        """Whether the root is another one than the one that is watched: nobody tells of what is above it."""
        try:
            now = self._identify()
        except OSError:
            return True
        return now != self._identity and not (now is None and isinstance(self._identity, str))

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take down what the kernel tells, also when nobody asks for it."""
        if self._reading < 0:
            self._loop, self._reading = loop, self.watches.fd
            loop.add_reader(self._reading, self._readable)

    def pause(self) -> None:
        """Let a thread have the watches."""
        if self._reading >= 0 and self._loop is not None:
            self._loop.remove_reader(self._reading)
            self._reading = -1

    async def drain(self) -> None:
        """Take down all that the kernel has now."""
        left = self.watches.waiting()
        while left > 0 and not self.hints.lost:
            size = self._read()
            if not size:
                break
            left -= size
            await anyio.lowlevel.checkpoint()

    def close(self) -> None:
        """Give everything back; any thread may."""
        if os.getpid() != self._process:  # a fork: the loop's selector is that of the parent, too
            return
        if self._reading >= 0 and self._loop is not None and not self._loop.is_closed():
            if _is_running_here(self._loop):
                self.pause()
            else:  # garbage that another thread has collected
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self.close)
                    return
        self.watches.close()

    def _readable(self) -> None:
        self._read()
        if self.hints.lost:
            self.pause()  # all will be looked at anyhow
        self.changed.set()

    def _read(self) -> int:
        size, events = self.watches.read(_SLICE)
        seen = self._backlog > 0
        self._backlog -= size
        self.hints.fold(events, seen=seen)
        return size


class WatchedWalk(Walk):
    """A walk that watches each directory before it lists it."""

    def __init__(self, watches: Watches, root: str, known: Mapping[str, Stamp], choice: Choice) -> None:
        super().__init__(root, known, choice)
        self._watches = watches

    def these(self, names: list[str], stopped: Callable[[], bool]) -> Found:
        """Go through some directories and all below."""
        waiting = names[::-1]
        while waiting:
            if stopped():
                raise Stopped
            name = waiting.pop()
            try:
                waiting += self.directory(name)
            except OSError as exc:
                self.lost(name, exc)
        return self.found

    def directory(self, name: str) -> list[str]:
        self._watches.add(name, f"{self._root}/{name}" if name else self._root, root=not name)
        return super().directory(name)


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return not loop.is_running()
