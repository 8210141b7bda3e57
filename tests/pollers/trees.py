"""A directory tree to which things happen, and the law that every poller of files has to keep.

The law: for any sequence of operations, the events explain the difference between two listings.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from asynctask.pollers.base import Poller
from asynctask.pollers.changes import Change, Listing, file_url

__all__ = (
    "Operation",
    "Tree",
    "check_explained",
    "check_law",
    "check_law_across_a_restart",
    "listing_of",
    "operations",
)

#: Makes the poller of a root that is to keep the law; with ``recurse=`` and ``state=``.
Maker = Callable[..., Poller]

#: Few, so that operations meet; with what has to be quoted, what is hidden, and what is no UTF-8.
NAMES = ["a", "b", "a", "b", ".h", "\u00e4 %#?", "d", "e", os.fsdecode(b"\xff")]
DIRECTORIES = ["", "d", "e", "d/e"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that happens: to ``first``, or from there to ``second``; both are paths below the root."""

    kind: str
    first: str
    second: str
    number: int


def operations(least: int = 3, most: int = 15) -> st.SearchStrategy[list[Operation]]:
    """Sequences of operations; many of one are impossible and do nothing."""
    paths = st.builds("{}/{}".format, st.sampled_from(DIRECTORIES), st.sampled_from(NAMES)).map(
        lambda path: path.lstrip("/")
    )
    kinds = st.sampled_from(sorted(_OPERATIONS))
    return st.lists(
        st.builds(Operation, kinds, paths, paths, st.integers(0, 2)), min_size=least, max_size=most
    )


class Tree:
    """A tree with something in it, and a place outside that nobody watches, on the same file system.

    Args:
        base: an empty directory.
    """

    def __init__(self, base: Path) -> None:
        self.root = base / "root"
        self.outside = base / "outside"
        self.outside.mkdir()
        for name in ("a", "d/a", "d/e/b"):
            _write(self.root / name, os.O_CREAT, b"x")
        _write(self.outside / "0", os.O_CREAT)
        (self.outside / "1" / "e").mkdir(parents=True)
        _write(self.outside / "1" / "a", os.O_CREAT)

    def apply(self, sequence: Iterable[Operation]) -> None:
        """Let things happen, as far as they can."""
        for operation in sequence:
            with suppress(OSError):
                self._apply(operation)

    def _apply(self, operation: Operation) -> None:
        first, second = self.root / operation.first, self.root / operation.second
        _OPERATIONS[operation.kind](first, second, self.outside / str(operation.number), operation.number)

    def listing(self, *, recurse: bool = True) -> Listing:
        """What there is now, as a plain look has it."""
        return listing_of(self.root, recurse=recurse)


def _write(path: Path, flags: int, content: bytes = b"") -> None:
    if flags & os.O_CREAT:
        path.parent.mkdir(parents=True, exist_ok=True)
    number = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | flags, 0o644)
    try:
        os.write(number, content)
    finally:
        os.close(number)


def _replace(path: Path, elsewhere: Path, size: int) -> None:
    _write(elsewhere, os.O_CREAT | os.O_TRUNC, b"r" * size)
    elsewhere.replace(path)


def _forbid(path: Path) -> None:
    """Files only: a directory that cannot be read is another story, and root reads it."""
    if not path.is_symlink() and path.is_file():
        path.chmod(0)


def _write_and_go_back(path: Path, number: int) -> None:
    _write(path, os.O_TRUNC, b"b" * number)
    os.utime(path, (number, number))


#: Each gets two paths inside, one outside, and a number.
_OPERATIONS: dict[str, Callable[[Path, Path, Path, int], object]] = {
    "create": lambda one, two, out, number: _write(one, os.O_CREAT | os.O_EXCL),
    "write": lambda one, two, out, number: _write(one, os.O_CREAT | os.O_TRUNC, b"w" * number),
    "append": lambda one, two, out, number: _write(one, os.O_APPEND, b"a" * number),
    "rename": lambda one, two, out, number: one.rename(two),
    "move out": lambda one, two, out, number: one.rename(out),
    "move in": lambda one, two, out, number: out.rename(one),
    "replace": lambda one, two, out, number: _replace(one, out, number),
    "delete": lambda one, two, out, number: one.unlink(),
    "mkdir": lambda one, two, out, number: one.mkdir(parents=True),
    "rmtree": lambda one, two, out, number: shutil.rmtree(one),
    "symlink": lambda one, two, out, number: one.symlink_to(two),
    "dangling": lambda one, two, out, number: one.symlink_to("nowhere"),
    "forbid": lambda one, two, out, number: _forbid(one),
    "hard link": lambda one, two, out, number: os.link(two, one, follow_symlinks=False),
    "back in time": lambda one, two, out, number: os.utime(one, (number, number), follow_symlinks=False),
    "write and go back": lambda one, two, out, number: _write_and_go_back(one, number),
}

_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}


def listing_of(root: Path, *, recurse: bool = True) -> Listing:
    """Everything below a directory, in the plainest way."""
    found: Listing = {}
    for directory, directories, files in os.walk(root):
        for name in [*directories, *files]:
            path = Path(directory, name)
            status = path.lstat()
            kind = _KINDS[stat.S_IFMT(status.st_mode)]
            rest = () if kind == "dir" else (status.st_mtime_ns, status.st_size, status.st_ino)
            found[str(path.relative_to(root))] = (kind, *rest)
        if not recurse:
            break
    return found


def check_law(
    make: Maker, sequences: Sequence[list[Operation]], *, recurse: bool = True, exact: bool = True
) -> None:
    """Check the law on a tree to which the first sequence happens before the start, then the others.

    Args:
        make: called with the root and ``recurse``.
        sequences: after each but the first the poller is asked.
        recurse: whether directories are gone into.
        exact: see :func:`check_explained`.
    """

    async def live(tree: Tree) -> None:
        async with make(tree.root, recurse=recurse) as poller:
            await poller.start()
            for sequence in sequences[1:]:
                before = tree.listing(recurse=recurse)
                tree.apply(sequence)
                after = tree.listing(recurse=recurse)
                check_explained(tree.root, before, after, await poller.get_new_events(), exact=exact)

    _with_tree(sequences[0], live)


def check_law_across_a_restart(
    make: Maker, sequences: Sequence[list[Operation]], *, exact: bool = True
) -> None:
    """Check it for a poller that is ended, and another that goes on from its state.

    The first sequence happens before the start, the second one while the first poller runs, the third one
    while none does.
    """

    async def live(tree: Tree) -> None:
        async with make(tree.root, recurse=True) as poller:
            await poller.start()
            tree.apply(sequences[1])
            await poller.get_new_events()
            state = await poller.save()
        before = tree.listing()
        tree.apply(sequences[2])
        async with make(tree.root, recurse=True, state=state) as poller:
            check_explained(tree.root, before, tree.listing(), await poller.get_new_events(), exact=exact)

    _with_tree(sequences[0], live)


def _with_tree(early: list[Operation], live: Callable[[Tree], Coroutine[None, None, None]]) -> None:
    """On a loop that nobody watches: what the tree costs is not the poller's."""
    with tempfile.TemporaryDirectory() as base:
        tree = Tree(Path(base))
        tree.apply(early)
        asyncio.run(live(tree))


def check_explained(
    root: Path, before: Listing, after: Listing, changes: Iterable[Change], *, exact: bool = True
) -> None:
    """Check that changes are what leads from one listing to the other: each once, and in a right order.

    Args:
        root: what is watched.
        before: all entries when changes were delivered last.
        after: all entries now.
        changes: what was delivered.
        exact: false: a file that looks as before may be reported as modified: somebody saw it happen.
    """
    told: dict[str, list[str]] = {}
    seen = set(before)
    for change in changes:
        name = str(Path(change.path).relative_to(root))
        assert change.url == file_url(change.path)
        told.setdefault(name, []).append(change.event)
        _check_order(name, change.event, seen)
    for name in before.keys() | after.keys():
        wanted = _wanted(before.get(name), after.get(name))
        got = told.pop(name, [])
        if not exact and not wanted and got == ["modified"] and after[name][0] != "dir":
            continue
        assert got == wanted, f"{name!r}: {got} instead of {wanted}"
    assert told == {}, "events for what was not there and is not there"
    assert seen == set(after)


def _check_order(name: str, event: str, seen: set[str]) -> None:
    parent = name.rpartition("/")[0]
    if event == "created":
        assert name not in seen
        assert parent in {"", *seen}, f"{name!r} is created before its directory"
        seen.add(name)
    else:
        assert name in seen
        if event == "deleted":
            assert not any(other.startswith(f"{name}/") for other in seen), f"{name!r} is not empty yet"
            seen.remove(name)


def _wanted(before: tuple[object, ...] | None, after: tuple[object, ...] | None) -> list[str]:
    if before is None or after is None:
        return [] if before is after else ["created"] if before is None else ["deleted"]
    if before[0] != after[0]:
        return ["deleted", "created"]
    return [] if before == after else ["modified"]
