"""Lists a directory tree with what tells one state of a file from another. All of it blocks.

It goes by names, as file systems over a network do: an entry that vanishes under the hand is not there, and
a place that cannot be seen is named, not left out.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import re
import stat
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from asynctask.errors import UsageError
from asynctask.pollers.changes import Listing, Stamp

__all__ = ("Choice", "Found", "RootGoneError", "Stopped", "Walk", "names_below", "stamp_of", "walk")

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})
_FORMAT, _REGULAR = 0o170000, stat.S_IFREG
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
#: This says something of the process or the machine, and nothing of what was to be looked at.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})

_T = TypeVar("_T")

_DIRECTORY: Stamp = ("dir",)


class RootGoneError(Exception):
    """What was to be listed is not there."""


class Stopped(Exception):  # noqa: N818 - no error: it was asked for
    """Nobody wants the listing any more."""


@dataclass(slots=True)
class Found:
    """What has become of what was known below a root."""

    changed: Listing = field(default_factory=dict)
    """Entries that are new, or differ from what was known; all that there are, if nothing was known."""
    gone: list[str] = field(default_factory=list)
    """Entries that are there no more."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Entries which, or into which, could not be looked, and why. What was known of them stays."""
    there: bool = True
    """Whether the root itself is there."""


class Choice:
    """Which entries are looked at.

    Args:
        ignore: shell patterns of names: such an entry, and all below it, is as if it were not there.
        only: shell patterns of names: other entries are not reported; directories are gone into all the same.

    A name is the last part of a path. Case counts. Without patterns everything is chosen, hidden files, too.
    """

    def __init__(self, ignore: str | Iterable[str] = (), only: str | Iterable[str] = ()) -> None:
        self.ignores = _matcher("ignore", ignore)
        self.reports = _matcher("only", only)

    def sees(self, name: str) -> bool:
        """Whether a name does not match ``ignore``. Those of the directories above count, too."""
        return self.ignores is None or not self.ignores(name)

    def tells(self, name: str) -> bool:
        """Whether a name that is seen is reported."""
        return self.reports is None or bool(self.reports(name))


def _matcher(option: str, patterns: str | Iterable[str]) -> Callable[[str], object] | None:
    given = [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in given:
        if not isinstance(pattern, str) or not pattern or "/" in pattern:
            raise UsageError(f"{option}: a pattern for the last part of a path, as *.tmp, not {pattern!r}")
    if not given:
        return None
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in given)).match


def stamp_of(status: os.stat_result) -> Stamp:
    """The stamp of an entry, from its own status, not that of what a link leads to.

    Directories have no more than their kind: that something in them changed is told by what it is.
    """
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return ("file", status.st_mtime_ns, status.st_size, status.st_ino)
    if kind == stat.S_IFDIR:
        return _DIRECTORY
    if kind == stat.S_IFLNK:
        return ("link", status.st_mtime_ns, status.st_size, status.st_ino)
    return ("other", kind, status.st_ino)


def walk(
    root: str,
    known: Mapping[str, Stamp],
    *,
    recurse: bool,
    choice: Choice,
    stopped: Callable[[], bool] = lambda: False,
) -> Found:
    """List what is at ``root``: a directory's entries by their path from there, a file as ``""``.

    The root may be a link. Links below it are entries and are not followed.

    Args:
        root: a path.
        known: what there was before.
        recurse: whether to go into directories.
        choice: which entries are looked at.
        stopped: whether nobody wants to know any more; asked for each directory.

    Raises:
        RootGoneError: there is nothing at ``root``.
        OSError: the root cannot be seen, or there are no descriptors to see with.
        Stopped: ``stopped()`` was true.
    """
    try:
        status = _again(os.stat, root)
        if stat.S_ISDIR(status.st_mode):
            return Walk(root, known, choice).all(recurse, stopped)
    except OSError as exc:
        if exc.errno in _GONE:
            raise RootGoneError from exc
        raise
    stamp = stamp_of(status)
    changed = {} if known.get("") == stamp else {"": stamp}
    return Found(changed, [name for name in known if name])


class Walk:
    """One walk through a directory.

    Entries that are as they were are only counted: with 100 000 of them, a second listing to compare with
    would take as long as a third of the walk.
    """

    def __init__(self, root: str, known: Mapping[str, Stamp], choice: Choice) -> None:
        self._root = root
        self._known = known
        self._choice = choice
        self._same: list[str] = []
        self._vanished: set[str] = set()  # of those that were the same, and some that are not reported
        self.found = Found()

    def all(self, recurse: bool, stopped: Callable[[], bool]) -> Found:
        """Go through the root, and all below if ``recurse``."""
        found = self.found
        waiting = [""]
        while waiting:
            if stopped():
                raise Stopped
            name = waiting.pop()
            try:
                below = _again(self.directory, name)
            except OSError as exc:
                if not name:
                    raise
                self.lost(name, exc)
            else:
                if recurse:
                    waiting += below
        found.gone = self._gone()
        return found

    def lost(self, name: str, error: OSError) -> None:
        """A directory that was there when its own was listed cannot be listed.

        Raises:
            OSError: neither can others: there are no descriptors, or no memory.
        """
        if error.errno in _EXHAUSTED:
            raise error
        if error.errno not in _GONE:
            self.found.unreadable[name] = _reason(error)
        elif self.found.changed.pop(name, None) is None:
            self._vanished.add(name)

    def _gone(self) -> list[str]:
        changed, unreadable = self.found.changed, self.found.unreadable
        known_and_there = len(self._same) + sum(name in self._known for name in changed)
        if known_and_there == len(self._known) and not self._vanished:
            return []
        there = {*self._same, *changed} - self._vanished
        gone = [name for name in self._known if name not in there]
        kept = set(names_below(gone, unreadable)) if unreadable else ()
        return [name for name in gone if name not in kept]

    def directory(self, name: str) -> list[str]:
        """Go through the entries of one directory, all or none; returns the directories among them."""
        path, prefix = (f"{self._root}/{name}", f"{name}/") if name else (self._root, "")
        known, ignores, reports = self._known.get, self._choice.ignores, self._choice.reports
        same: list[str] = []
        changed: Listing = {}
        below: list[str] = []
        unreadable: dict[str, str] = {}
        with _open(path, follow=not name) as number, os.scandir(number) as entries:
            for entry in entries:
                last = entry.name
                if ignores is not None and ignores(last):
                    continue
                full = prefix + last
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError as exc:
                    late = _status(f"{path}/{last}", exc)
                    if not isinstance(late, os.stat_result):
                        if late is not None:
                            unreadable[full] = late
                        continue
                    status = late
                if status.st_mode & _FORMAT == _REGULAR:  # most are; the rest is stamp_of()
                    stamp: Stamp = ("file", status.st_mtime_ns, status.st_size, status.st_ino)
                else:
                    stamp = stamp_of(status)
                    if stamp is _DIRECTORY:
                        below.append(full)
                if reports is not None and not reports(last):
                    continue
                if known(full) == stamp:
                    same.append(full)
                else:
                    changed[full] = stamp
        self._same += same
        self.found.changed.update(changed)
        self.found.unreadable.update(unreadable)
        return below


@contextmanager
def _open(path: str, *, follow: bool) -> Iterator[int]:
    """A directory, open; not through a link that has just come in its place, if it is not to be followed."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    try:
        yield number
    finally:
        os.close(number)


def _status(path: str, error: OSError) -> os.stat_result | str | None:
    """What becomes of an entry whose status could not be had: the status after all, why not, or it is gone.

    Raises:
        OSError: the whole directory forbids it.
    """
    try:
        if error.errno != errno.ESTALE:
            raise error
        return os.lstat(path)
    except OSError as exc:
        if exc.errno in _GONE:
            return None
        if exc.errno in _FORBIDDEN:
            raise
        return _reason(exc)


def _again(ask: Callable[[str], _T], name: str) -> _T:
    """Ask a second time where a server did not know any more what the system had kept."""
    try:
        return ask(name)
    except OSError as exc:
        if exc.errno != errno.ESTALE:
            raise
        return ask(name)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def names_below(names: Iterable[str], places: Container[str]) -> Iterator[str]:
    """Those names that are one of some places, or lie below one."""
    for name in names:
        above = name
        while above:
            if above in places:
                yield name
                break
            above = above.rpartition("/")[0]
