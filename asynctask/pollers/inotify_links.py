"""Files with several names: the kernel tells of a change by the one name that it was made by."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from asynctask.pollers.changes import Stamp

__all__ = ("Links", "duplicates", "names_of")


class Links:
    """The names of each file that has, or had, several in the tree; and which of them to look at again."""

    __slots__ = ("_names", "_suspects", "new")

    def __init__(self) -> None:
        self._names: dict[int, set[str]] = {}
        self._suspects: set[int] = set()
        self.new: set[int] = set()
        """Files with several names of which not all may be known."""

    def replace(self, names: dict[int, set[str]]) -> None:
        """These are all that there are."""
        self._names, self._suspects, self.new = names, set(), set()

    def add(self, names: Mapping[int, set[str]]) -> None:
        """These are names of theirs, too."""
        for number, each in names.items():
            self._names.setdefault(number, set()).update(each)
        self.new.clear()

    def touch(self, name: str, number: int, count: int = 1) -> None:
        """Something has happened to a name.

        Args:
            name: of a file.
            number: its inode.
            count: how many names it has, as far as is known.
        """
        known = self._names.get(number)
        if count > 1 and (known is None or name not in known):
            self.new.add(number)
        if count > 1 or known is not None:
            self._suspects.add(number)

    def take_suspects(self) -> set[str]:
        """Names to look at, since something has happened to the file by one of them."""
        found = {name for number in self._suspects for name in self._names.get(number, ())}
        self._suspects.clear()
        return found


def names_of(listing: Mapping[str, Stamp], numbers: Container[int]) -> dict[int, set[str]]:
    """The names in a listing of the files with some inodes."""
    found: dict[int, set[str]] = {}
    for name, stamp in listing.items():
        if stamp[0] == "file" and stamp[-1] in numbers:
            found.setdefault(stamp[-1], set()).add(name)
    return found


def duplicates(listing: Mapping[str, Stamp]) -> dict[int, set[str]]:
    """The names of all files that have several in a listing."""
    return names_of(listing, set(_repeated(stamp[-1] for stamp in listing.values() if stamp[0] == "file")))


def _repeated(numbers: Iterable[int]) -> Iterable[int]:
    seen: set[int] = set()
    for number in numbers:
        if number in seen:
            yield number
        seen.add(number)
