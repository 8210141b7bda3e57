"""Watches files by being told of changes by the kernel: inotify, of Linux."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from stat import S_ISDIR, S_ISREG
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from asynctask.pollers.base import DEFAULT_TIMEOUT, MANY
from asynctask.pollers.changes import Listing, Stamp
from asynctask.pollers.file import FilePoller
from asynctask.pollers.inotify_hints import Hint
from asynctask.pollers.inotify_links import Links, duplicates, names_of
from asynctask.pollers.inotify_tree import Tree, UntoldError
from asynctask.pollers.inotify_watches import RefusedError
from asynctask.pollers.inotify_writing import COARSE_TICK, Held, Unfinished, hold_back, is_written, is_young
from asynctask.pollers.walk import Choice, Found, Stopped, names_below, stamp_of, walk

__all__ = ("INotifyPoller",)

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

#: Entries that are looked at in one turn of the loop.
_ENTRIES = 200
#: How often one look follows what comes in while it looks.
_ROUNDS = 50
#: Seconds until everything is looked at again because of a place that could not be looked into. That its
#: rights have changed is told; that its disk is well again is not.
_TRY_AGAIN = 300.0


class INotifyPoller(FilePoller):
    """Watches a directory or a file: the kernel tells what changes, within a millisecond.

    It reports what :class:`FilePoller` reports, and reads its states, but for this: a file is there when it
    is whole, that is when who writes it has closed it, or when it was moved there. A file that was written
    is modified when it is closed. Only directories are watched, of which the kernel allows so many.

    What the kernel does not tell is looked for: after an overflow of its queue, in new directories, and when
    the root has become another. It tells nothing of what other machines write: there :class:`FilePoller` is
    needed.

    Args:
        url: a path or ``file:`` URL.
        recurse: also what is in directories below.
        ignore: shell patterns for names that are not looked at, nor what is below.
        only: shell patterns for names; others are not reported.
        existing: report what is there at the start as created.
        state: what :meth:`.Poller.save` of an earlier poller returned, of this kind or a
            :class:`FilePoller`.
        timeout: seconds that a look may take.
        partial: report files as soon as they are made, and modified with each write.
        fall_back: where inotify cannot be had, or does not tell of everything, do as :class:`FilePoller`
            does, with a record in the log; else it is an error.

    Raises:
        UsageError: a value that cannot be used.
    """

    def __init__(
        self,
        url: str | os.PathLike[str],
        *,
        recurse: bool = False,
        ignore: str | Iterable[str] = (),
        only: str | Iterable[str] = (),
        existing: bool = False,
        state: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        partial: bool = False,
        fall_back: bool = False,
    ) -> None:
        me = weakref.ref(self)  # so that it can go as soon as nobody uses it

        def scan(*args: Any, **how: Any) -> Found:
            poller = me()
            if poller is None:
                raise Stopped
            return poller._scan_watching(*args, **how)

        super().__init__(
            url,
            recurse=recurse,
            ignore=ignore,
            only=only,
            existing=existing,
            state=state,
            timeout=timeout,
            scan=scan,
        )
        self._partial = partial
        self._fall_back = fall_back
        self._tree: Tree | None = None
        self._finalizer: weakref.finalize[[], INotifyPoller] | None = None
        self._unfinished: dict[str, Unfinished] = {}
        self._found_unfinished: dict[str, Unfinished] = {}  # by a look in a thread
        self._links = Links()
        self._places: dict[str, str] = {}  # that could not be looked into, and why
        self._try_again_at = 0.0
        self._told = True  # false: it has fallen back

    @property
    def is_told(self) -> bool:
        """Whether the kernel tells of changes; false after it has fallen back to looking."""
        return self._told

    # -- a look -----------------------------------------------------------------------------------

    async def _refresh(self) -> None:
        if self._told:
            try:
                with self._all_or_anew():
                    await self._follow()
            except UntoldError as exc:
                _log.warning("%s: %s; it is looked at instead", self.url, exc)
                self._told = False
                self._scan: Callable[..., Found] = walk
                self._unfinished.clear()
        if not self._told:
            await super()._refresh()

    async def _follow(self) -> None:
        if self._tree is not None:
            self._tree.changed.clear()
            if self._tree.moved_away() or (self._places and time.monotonic() >= self._try_again_at):
                self._tree.hints.lost = True
        for _ in range(_ROUNDS):
            tree = self._tree
            if tree is None or tree.hints.lost:
                await self._look_everywhere()
                if self._tree is None:
                    return
                continue
            await tree.drain()
            if not tree.hints:
                break
            if not tree.hints.lost:
                await self._follow_hints(tree)
        else:
            if self._tree is not None:
                self._tree.changed.set()
        await self._ask_again()

    @contextmanager
    def _all_or_anew(self) -> Iterator[None]:
        """What was not followed to the end is forgotten, and the next look is one at everything."""
        try:
            yield
        except BaseException as exc:
            self._drop()
            if isinstance(exc, RefusedError) and self._fall_back:
                raise UntoldError("; ".join(filter(None, (exc.reason, exc.hint)))) from exc
            raise

    def _drop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._finalizer = self._tree = None

    async def _look_everywhere(self) -> None:
        """Begin anew: watch everything, and compare everything."""
        self._drop()
        tree = Tree(self.url, self._root, self._choice, recurse=self._recurse, partial=self._partial)
        self._tree = tree
        self._finalizer = weakref.finalize(self, tree.close)
        self._found_unfinished = {}
        await super()._refresh()
        if not self._there:
            self._drop()  # what there was is deleted; it may come back
            self._unfinished.clear()
            return
        self._try_again_at = time.monotonic() + _TRY_AGAIN
        self._unfinished = self._found_unfinished
        now = self._ledger.now
        self._links.replace(await self._if_many(len(now), lambda: duplicates(now)))
        tree.hints.unfinished = self._unfinished
        tree.hints.closed_places = self._places
        tree.listen(asyncio.get_running_loop())

    def _scan_watching(
        self,
        root: str,
        known: Mapping[str, Stamp],
        *,
        recurse: bool,
        choice: Choice,
        stopped: Callable[[], bool],
    ) -> Found:
        """In a thread: what is there, and watch it."""
        tree = self._tree
        if tree is None:
            raise Stopped
        found = tree.open(known, stopped, must_be_local=self._fall_back)
        if self._started or self._existing or self._state is not None:
            self._found_unfinished = hold_back(root, found.changed, partial=self._partial).names
        return found

    # -- hints ------------------------------------------------------------------------------------

    async def _follow_hints(self, tree: Tree) -> None:
        hints = tree.hints
        moved, hints.moved = hints.moved, set()
        fresh, hints.fresh = list(hints.fresh), {}
        for count, (name, hint) in enumerate(hints.take_marks().items(), 1):
            self._follow_hint(tree, name, hint)
            if count % _ENTRIES == 0:
                await anyio.lowlevel.checkpoint()
        if moved:
            await self._forget_below(moved)
        if fresh:
            await self._look_into(tree, fresh)
        await self._follow_links()

    def _follow_hint(self, tree: Tree, name: str, hint: int) -> None:
        """Look at one entry, and take note of what is there."""
        known = self._ledger.now.get(name)
        if known is not None and known[0] == "file":
            self._links.touch(name, known[-1])
        status = self._status(tree, name)
        if status is None:
            return
        if hint & Hint.GONE and S_ISDIR(status.st_mode) and self._recurse:
            tree.hints.fresh[name] = None  # another one: two may have changed places, which is told oddly
        if not name or self._choice.tells(name.rpartition("/")[2]):
            self._note_status(name, hint, known, status)

    def _status(self, tree: Tree, name: str) -> os.stat_result | None:
        """That of an entry; ``None``, and what it is is noted, if it cannot be had."""
        try:
            return os.lstat(self._path(name))
        except OSError as exc:
            if exc.errno in {errno.ENOENT, errno.ENOTDIR}:
                self._unfinished.pop(name, None)
                self._ledger.note(name, None)
            elif not any(names_below([name], self._places)):
                tree.hints.lost = True  # a look at everything finds out which place cannot be seen
            return None

    def _note_status(self, name: str, hint: int, known: Stamp | None, status: os.stat_result) -> None:
        stamp = stamp_of(status)
        if S_ISREG(status.st_mode):
            self._links.touch(name, status.st_ino, status.st_nlink)
        if hint & Hint.GONE:
            if stamp != known:  # something else has come, which is still to be told
                self._unfinished.pop(name, None)
                self._ledger.note(name, None)
                if hint & Hint.SWAPPED:
                    self._note_if_whole(name, status)
        elif not S_ISREG(status.st_mode):
            self._unfinished.pop(name, None)
            self._ledger.note(name, stamp)
        elif hint & Hint.DONE:
            self._unfinished.pop(name, None)
            self._ledger.note(name, stamp, bool(hint & Hint.WRITTEN) and is_young(status))
        elif hint & Hint.MAKING:
            self._making(name, status, known, bool(hint & Hint.WAS_GONE))
        elif stamp != known and name not in self._unfinished and not is_written(self._path(name)):
            self._ledger.note(name, stamp)

    def _making(self, name: str, status: os.stat_result, known: Stamp | None, was_gone: bool) -> None:
        if known is not None and known[-1] == status.st_ino and not was_gone:
            return  # a look has found it already
        # A new file has one name and one time; a linked one has more, or had when it was linked.
        self._ledger.note(name, None)
        if status.st_nlink > 1 or status.st_mtime_ns != status.st_ctime_ns:
            self._note_if_whole(name, status)
        else:
            self._unfinished[name] = Unfinished()

    def _note_if_whole(self, name: str, status: os.stat_result) -> None:
        """What has come without being written here: nobody may tell when it is closed, so it is asked for."""
        if not S_ISREG(status.st_mode) or is_written(self._path(name)) is False:
            self._ledger.note(name, stamp_of(status))
        else:
            self._unfinished[name] = Unfinished(by_look=True)

    async def _forget_below(self, moved: set[str]) -> None:
        """What was in directories that were moved is not there any more."""
        now = self._ledger.now
        gone = await self._if_many(len(now), lambda: list(names_below(now, moved)))
        for name in names_below(list(self._unfinished), moved):
            del self._unfinished[name]
        await self._note_all({name: None for name in gone if name not in moved})

    async def _look_into(self, tree: Tree, names: list[str]) -> None:
        """Watch directories that have come, and take note of what is in them."""
        tree.pause()
        stopped = False
        try:
            found, held = await self._in_thread(lambda: self._look_into_all(tree, names, lambda: stopped))
        finally:
            stopped = True
        self._unfinished.update(held.names)
        self._links.new |= held.linked
        await self._note_all(found.changed)
        if found.unreadable:
            self._note_unreadable({**self._places, **found.unreadable})
            tree.hints.closed_places = self._places
        tree.listen(asyncio.get_running_loop())

    def _look_into_all(self, tree: Tree, names: list[str], stopped: Callable[[], bool]) -> tuple[Found, Held]:
        found = tree.look_into(names, stopped)
        return found, hold_back(self._root, found.changed, partial=self._partial)

    async def _follow_links(self) -> None:
        """A file that was changed by one of its names has changed by all."""
        links, now = self._links, self._ledger.now
        if links.new:
            links.add(await self._if_many(len(now), lambda: names_of(now, links.new)))
        for count, name in enumerate(sorted(links.take_suspects()), 1):
            if name in now and name not in self._unfinished:
                with suppress(OSError):  # that it is gone is told by its directory
                    stamp = stamp_of(os.lstat(self._path(name)))
                    if stamp[0] == "file":
                        self._ledger.note(name, stamp)
            if count % _ENTRIES == 0:
                await anyio.lowlevel.checkpoint()

    async def _if_many(self, size: int, work: Callable[[], _T]) -> _T:
        """Do some work, in a thread if it is much."""
        return work() if size <= MANY else await self._in_thread(work)

    async def _note_all(self, changed: Mapping[str, Stamp | None]) -> None:
        if len(changed) > MANY:
            ledger = self._ledger
            ledger.adopt(await self._in_thread(lambda: ledger.noted(changed)))
            return
        for name, stamp in changed.items():
            self._ledger.note(name, stamp)

    # -- files that are being written -------------------------------------------------------------

    async def _ask_again(self) -> None:
        """Files of which nothing was heard for long: they may have been made without being written."""
        now = time.monotonic()
        due = [name for name, each in self._unfinished.items() if each.ask_at <= now][:MANY]
        if not due:
            return
        whole = await self._in_thread(lambda: self._whole(due))
        for name in due:
            each = self._unfinished.get(name)
            if each is None:
                continue
            if name in whole:
                del self._unfinished[name]
                self._ledger.note(name, whole[name])
            else:
                each.ask_later()

    def _whole(self, names: list[str]) -> Listing:
        found: Listing = {}
        for name in names:
            with suppress(OSError):
                path = self._path(name)
                status = os.lstat(path)
                written = is_written(path)
                if written is None and self._unfinished[name].by_look:
                    written = is_young(status, COARSE_TICK)
                if S_ISREG(status.st_mode) and written is False:
                    found[name] = stamp_of(status)
        return found

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else os.path.realpath(self._root)  # which may be a link

    # -- waiting ----------------------------------------------------------------------------------

    async def _wait(self, seconds: float) -> None:
        if self._tree is None:
            await self._sleep(seconds)
            return
        with anyio.move_on_after(seconds):
            await self._tree.changed.wait()

    def _note_unreadable(self, reasons: Mapping[str, str]) -> None:
        self._places = dict(reasons)
        super()._note_unreadable(reasons)

    async def _close(self) -> None:
        self._drop()
        await super()._close()
