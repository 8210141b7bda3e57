"""The ledger of a poller: what was told, what is so now, and what there is to tell. No I/O here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from asynctask.pollers.changes import Kind, Listing, Stamp

__all__ = ("Ledger", "differences")

#: Stands for the stamp of what was there, if no more is known of it.
_SOMETHING: Stamp = ("",)


class Ledger:
    """Keeps what was delivered apart from what is so now.

    Whatever happened between two deliveries is told as one: created and deleted is nothing, created and
    modified is created, deleted and created is modified, or both if it is another kind of entry.

    Args:
        delivered: what is taken as told already.
    """

    __slots__ = ("_before", "_now", "_touched", "news")

    def __init__(self, delivered: Mapping[str, Stamp] | None = None) -> None:
        self._now: Listing = dict(delivered or {})
        self._before: dict[str, Stamp | None] = {}  # of what has changed since: its stamp as delivered
        self._touched: set[str] = set()
        self.news = 0
        """Grows with each change that is noted."""

    @property
    def now(self) -> Listing:
        """What is so now. To be looked at only."""
        return self._now

    def __len__(self) -> int:
        return len(self._now)

    @property
    def open(self) -> int:
        """How many entries may have something to tell; 0: there is nothing."""
        return len(self._before)

    def note(self, name: str, stamp: Stamp | None, touched: bool = False) -> None:
        """Take note of one entry.

        Args:
            name: the entry.
            stamp: its stamp now; ``None``: it is not there.
            touched: it was modified, even if that does not show in the stamp.
        """
        now = self._now.get(name)
        touched = touched and stamp is not None and now is not None
        if stamp == now and not touched:
            return
        self.news += 1
        before = self._before.setdefault(name, now)
        if stamp is None:
            del self._now[name]
        else:
            self._now[name] = stamp
            if touched and before is not None:
                self._touched.add(name)
        if stamp == before and name not in self._touched:
            del self._before[name]

    def replace(self, listing: Listing) -> None:
        """Take note of everything at once. The ledger keeps the listing: do not change it any more.

        Args:
            listing: all entries that there are.
        """
        self.adopt(self.replaced(listing))

    def replaced(self, listing: Listing) -> Ledger:
        """What the ledger would be after :meth:`replace`. It stays as it is, so that a thread may do this."""
        return self._after(listing, differences(self._now, listing))

    def noted(self, changed: Mapping[str, Stamp | None]) -> Ledger:
        """What the ledger would be after :meth:`note` of many entries. It stays as it is, here too."""
        listing = dict(self._now)
        for name, stamp in changed.items():
            if stamp is None:
                listing.pop(name, None)
            else:
                listing[name] = stamp
        return self._after(listing, [name for name in changed if listing.get(name) != self._now.get(name)])

    def _after(self, listing: Listing, changed: Iterable[str]) -> Ledger:
        after = Ledger()
        after._now = listing
        after._before = before = dict(self._before)
        after._touched = touched = set(self._touched)
        after.news = self.news
        for name in changed:
            after.news += 1
            stamp = listing.get(name)
            if before.setdefault(name, self._now.get(name)) == stamp and name not in touched:
                del before[name]
        return after

    def adopt(self, other: Ledger) -> None:
        """Become what the other is; it is used no more."""
        self._now, self._before, self._touched = other._now, other._before, other._touched
        self.news = other.news

    def changes(self) -> list[tuple[str, Kind]]:
        """What there is to tell, in a fixed order.

        What lies in a directory is deleted before it, and created after it.
        """
        deleted: list[tuple[str, Kind]] = []
        others: list[tuple[str, Kind]] = []
        for name in sorted(self._before):
            before, now = self._before[name], self._now.get(name)
            if before is not None and now is not None and before[0] == now[0]:
                others.append((name, "modified"))
                continue
            if before is not None:
                deleted.append((name, "deleted"))
            if now is not None:
                others.append((name, "created"))
        deleted.reverse()
        return deleted + others

    def settle(self) -> None:
        """All of it is told."""
        self._before = {}
        self._touched = set()

    def take(self) -> list[tuple[str, Kind]]:
        """:meth:`changes`, which are delivered with that."""
        changes = self.changes()
        self.settle()
        return changes

    def untold(self, name: str, event: Kind) -> None:
        """A change that was delivered came back: it is to be told again, as one with what happened since.

        Of several that come back, the last goes first.
        """
        now = self._now.get(name)
        before: Stamp | None = None
        if event == "deleted":
            before = _SOMETHING
        elif event == "modified":
            before = (self._before.get(name) or now or _SOMETHING)[:1]  # the kind alone: nothing equals it
        self.news += 1
        if before is None and now is None:
            self._before.pop(name, None)
        else:
            self._before[name] = before

    def delivered(self) -> Listing:
        """What was told, as a listing: a ledger that begins with it goes on from here."""
        told = dict(self._now)
        for name, stamp in self._before.items():
            if stamp is None:
                del told[name]
            else:
                # What was touched may look the same for ever: a stamp that nothing has, so that it is told.
                told[name] = stamp[:1] if name in self._touched else stamp
        return told


def differences(old: Mapping[str, Stamp], new: Mapping[str, Stamp]) -> list[str]:
    """The names whose stamps differ, each once."""
    known = old.get
    changed = [name for name, stamp in new.items() if known(name) != stamp]
    changed += [name for name in old if name not in new]
    return changed
