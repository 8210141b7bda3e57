"""What the kernel tells of a tree, folded to one hint a name. No I/O but to give up watches.

A hint says what to look for, not what is there: by the time it is followed the file may be another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from enum import IntFlag
from typing import Protocol

from inotify_simple import Event, flags

from asynctask.pollers.walk import Choice

__all__ = ("Hint", "Hints", "Names")

_OVERFLOW, _UNMOUNT, _IGNORED = int(flags.Q_OVERFLOW), int(flags.UNMOUNT), int(flags.IGNORED)
_SELF = int(flags.DELETE_SELF | flags.MOVE_SELF)
_ISDIR, _CREATE, _ATTRIB = int(flags.ISDIR), int(flags.CREATE), int(flags.ATTRIB)
_CLOSE_WRITE, _MODIFY = int(flags.CLOSE_WRITE), int(flags.MODIFY)
_MOVED_FROM, _MOVED_TO = int(flags.MOVED_FROM), int(flags.MOVED_TO)
_GONE = int(flags.DELETE | flags.MOVED_FROM)

#: With hints of more names than this the whole tree is looked at, which then costs no more.
_MOST = 100_000
#: So many unfinished files may be between two directories at once.
_TRAVELLING = 32


class Hint(IntFlag):
    """What has happened to a name since it was looked at."""

    GONE = 1
    """It was taken away, and nothing has come in its place."""
    MAKING = 2
    """It was made, and may still be being written."""
    DONE = 4
    """It is there, as a whole."""
    WRITTEN = 8
    """It was written, even if that does not show."""
    WAS_GONE = 16
    """What was there before was taken away first."""
    STATUS = 32
    """Times or rights were set."""
    SWAPPED = 64
    """It came by a move and went by one: perhaps two have changed places, and the other is there."""


# As plain numbers: there may be 100 000 a second.
_H_GONE, _H_MAKING, _H_DONE = int(Hint.GONE), int(Hint.MAKING), int(Hint.DONE)
_H_WRITTEN, _H_WAS_GONE, _H_STATUS = int(Hint.WRITTEN), int(Hint.WAS_GONE), int(Hint.STATUS)
_H_SWAPPED = int(Hint.SWAPPED)


class Names(Protocol):
    """What is needed of :class:`asynctask.pollers.inotify_watches.Watches`."""

    def name_of(self, number: int) -> str | None:
        """The directory of a watch."""

    def forget(self, name: str) -> None:
        """Give up a directory and all below."""

    def ended(self, number: int) -> None:
        """The kernel has given up a watch."""


class Hints:
    """Collects hints.

    Args:
        watches: of the tree.
        choice: which entries are looked at.
        recurse: whether directories below are watched.
        partial: whether a file counts before it is whole.
        only_entry: the one name of the watched directory that counts, and is then called ``""``.
    """

    def __init__(
        self, watches: Names, choice: Choice, *, recurse: bool, partial: bool, only_entry: str | None = None
    ) -> None:
        self._watches = watches
        self._choice = choice
        self._recurse = recurse
        self._partial = partial
        self._only_entry = only_entry
        # The cookies of unfinished files that were moved away; moves in two directories may interleave.
        self._travelling: deque[int] = deque(maxlen=_TRAVELLING)
        self._arrived: set[str] = set()  # by a move, since hints were taken
        self.marks: dict[str, int] = {}
        """The :class:`Hint` of each name."""
        self.fresh: dict[str, None] = {}
        """Directories to be watched and looked into, in the order in which they came."""
        self.moved: set[str] = set()
        """Directories that are elsewhere now, with all that was in them."""
        self.unfinished: Collection[str] = ()
        """Names of which is known that they are being written."""
        self.closed_places: Collection[str] = ()
        """Directories that could not be looked into."""
        self.lost = False
        """Whether something was not told: the whole tree has to be looked at."""

    def __bool__(self) -> bool:
        return bool(self.marks or self.fresh or self.moved or self.lost)

    def take_marks(self) -> dict[str, int]:
        """The hints so far, which are forgotten."""
        marks, self.marks = self.marks, {}
        self._arrived.clear()
        return marks

    def fold(self, events: Iterable[Event], *, seen: bool = False) -> None:
        """Take note of events.

        Args:
            events: from the kernel, in order.
            seen: they came before a look was over, so that what it has found may be what they tell.
        """
        for number, mask, cookie, name in events:
            if mask & (_OVERFLOW | _UNMOUNT):
                self.lost = True
                continue
            where = self._watches.name_of(number)
            if mask & _IGNORED:
                self.lost = self.lost or where == ""
                self._watches.ended(number)
            elif where is None:
                continue
            elif mask & _SELF:
                self.lost = True
            elif name and self._is_of_interest(name):
                full = "" if self._only_entry is not None else f"{where}/{name}" if where else name
                if mask & _ISDIR:
                    self._directory(full, mask)
                else:
                    self._file(full, mask, cookie, seen)
        if len(self.marks) > _MOST:
            self.lost = True
        if self.lost:
            self.marks.clear()
            self.fresh.clear()
            self.moved.clear()
            self._arrived.clear()

    def _is_of_interest(self, name: str) -> bool:
        return self._choice.sees(name) if self._only_entry is None else name == self._only_entry

    def _directory(self, full: str, mask: int) -> None:
        if self._only_entry is not None:
            self.lost = True  # a directory where there was a file
        elif mask & _GONE:
            self.fresh.pop(full, None)
            self._watches.forget(full)
            self.marks[full] = self._gone(full, mask)
            if mask & _MOVED_FROM:
                self.moved.add(full)
            if full in self.closed_places:
                self.lost = True
        elif mask & (_CREATE | _MOVED_TO):
            self.marks[full] = _H_DONE
            if mask & _MOVED_TO:
                self._arrived.add(full)
            if self._recurse:
                self.fresh[full] = None
        elif full in self.closed_places:
            self.lost = True

    def _gone(self, full: str, mask: int) -> int:
        return _H_GONE | _H_SWAPPED if mask & _MOVED_FROM and full in self._arrived else _H_GONE

    def _file(self, full: str, mask: int, cookie: int, seen: bool) -> None:
        before = self.marks.get(full, 0)
        if mask & _GONE:
            unfinished = before & _H_MAKING or (full in self.unfinished and not before)
            if mask & _MOVED_FROM and unfinished:
                self._travelling.append(cookie)
            self.marks[full] = self._gone(full, mask)
            return
        was_gone = _H_WAS_GONE if before & (_H_GONE | _H_WAS_GONE) else 0
        if mask & _CREATE:
            self.marks[full] = (_H_DONE if self._partial else _H_MAKING) | was_gone
        elif mask & _MOVED_TO:
            travelling = cookie in self._travelling and not self._partial
            self._arrived.add(full)
            self.marks[full] = (_H_MAKING | _H_WAS_GONE) if travelling else _H_DONE
        elif mask & (_CLOSE_WRITE | _MODIFY):
            self.marks[full] = _H_DONE | (0 if seen else _H_WRITTEN) | was_gone
        elif mask & _ATTRIB:
            self.marks[full] = before | _H_STATUS
