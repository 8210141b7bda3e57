"""Watches files by looking at them: works on any file system, also where nobody tells what others change."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar

from asynctask.errors import PollerError, UsageError
from asynctask.pollers.aside import Aside
from asynctask.pollers.base import DEFAULT_TIMEOUT, MANY, Poller
from asynctask.pollers.changes import file_path, file_url
from asynctask.pollers.ledger import Ledger
from asynctask.pollers.walk import Choice, Found, RootGoneError, walk

__all__ = ("FilePoller", "root_of")

_log = logging.getLogger(__name__)


class FilePoller(Poller):
    """Watches a directory or a file by looking at it: at names, times, sizes and inode numbers.

    Files, directories, links, also hidden ones, are reported as created and deleted; files and links as
    modified as well, when their time of modification, in either direction, their size or the inode has
    changed. Links are not followed. A directory that cannot be read is recorded in the log, and what was
    known there stays. When the root itself goes, all in it is deleted; it may come back.

    Args:
        url: a path or ``file:`` URL.
        recurse: also what is in directories below.
        ignore: shell patterns for names that are not looked at, nor what is below: ``ignore=["*.tmp"]``.
        only: shell patterns for names; others are not reported.
        existing: report what is there at the start as created.
        state: what :meth:`.Poller.save` of an earlier poller returned. Give it the same patterns.
        timeout: seconds that a look may take. One that hangs is left alone, and there is none besides.
        scan: ``asynctask.pollers.walk.walk``, or what stands for it; called in a thread.

    Raises:
        UsageError: a value that cannot be used.
    """

    # It costs nothing to see that a directory is still missing.
    longest_pause: ClassVar[float] = 10.0

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
        scan: Callable[..., Found] = walk,
    ) -> None:
        self._root = root_of(url)
        super().__init__(file_url(self._root), existing=existing, state=state, timeout=timeout)
        self._recurse = recurse
        self._choice = Choice(ignore, only)
        self._scan = scan
        self._scanning = Aside(f"look at {self.url}")  # one look at a time, however long it hangs
        self._there = True

    @property
    def recurse(self) -> bool:
        """Whether directories below are watched, too."""
        return self._recurse

    async def _refresh(self) -> None:
        unwanted = threading.Event()
        try:
            found, after = await self._scanning.do(lambda: self._look_round(unwanted.is_set))
        except RootGoneError as exc:
            raise PollerError(self.url, "is not there", "create it, or correct the path") from exc
        except OSError as exc:
            raise self._cannot_look(exc) from exc
        finally:
            unwanted.set()
        self._note_there(found.there)
        self._note_unreadable(found.unreadable)
        if after is not None:
            self._ledger.adopt(after)
            return
        for name in found.gone:
            self._ledger.note(name, None)
        for name, stamp in found.changed.items():
            self._ledger.note(name, stamp)

    def _look_round(self, stopped: Callable[[], bool]) -> tuple[Found, Ledger | None]:
        """In a thread: what has changed and, where that is much, the ledger after it."""
        known = self._ledger.now
        try:
            found = self._scan(self._root, known, recurse=self._recurse, choice=self._choice, stopped=stopped)
        except RootGoneError:
            if not self._started:
                raise
            found = Found(gone=list(known), there=False)
        if len(found.changed) + len(found.gone) <= MANY:
            return found, None
        return found, self._ledger.noted({**dict.fromkeys(found.gone), **found.changed})

    def _note_there(self, there: bool) -> None:
        if self._there and not there:
            _log.warning("%s is gone; it may come back", self.url)
        elif there and not self._there:
            _log.info("%s is back", self.url)
        self._there = there

    def _subject(self, name: str) -> str:
        return file_url(f"{self._root.rstrip('/')}/{name}") if name else self.url


def root_of(url: str | os.PathLike[str]) -> str:
    """The absolute path that a ``file:`` URL, or a path, names.

    Raises:
        UsageError: it names none.
    """
    given = os.fspath(url)
    if not isinstance(given, str):
        raise UsageError(f"a path is given as text, see os.fsdecode: {given!r}")
    path = file_path(given)
    if not path or "\0" in path:
        raise UsageError(f"no path: {given!r}")
    return str(Path(path).absolute())
