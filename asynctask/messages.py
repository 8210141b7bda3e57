"""The gather tree: what nodes print, identical output stored once.

A radix tree over bytes. Each writer has a :class:`Cursor` at the end of what it has printed so
far; a chunk that repeats what another writer printed only moves the cursor along (a ``bytes``
comparison), a chunk that is new at the end of a branch extends it in place, and a branch is
split only where two writers differ. So the same output of 10 000 nodes costs the memory of
one, different output costs its bytes, and no line is looked at until somebody asks for lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from asynctask.lines import split_lines

__all__ = ("EMPTY", "Cursor", "Message", "MsgTree", "group")

K = TypeVar("K")
_NEWLINE = 0x0A
_RETURN = 0x0D


class _Branch:
    """A stretch of bytes that all writers passing through it have in common."""

    __slots__ = ("children", "data", "parent", "start")

    def __init__(self, parent: _Branch | None, start: int, data: bytearray) -> None:
        self.parent = parent
        self.start = start  # how many bytes stand before it on the way from the root
        self.data = data
        self.children: dict[int, _Branch] | None = None  # by their first byte


class Cursor:
    """A writer's place in the tree: the bytes on the way from the root are its message.

    After a split ``branch`` may lie below the cursor's place; ``_settle`` walks up.
    """

    __slots__ = ("branch", "position")

    def __init__(self, branch: _Branch) -> None:
        self.branch = branch
        self.position = 0


class Message:
    """What one writer printed, or several that printed the same.

    ``bytes(message)`` is the output without its last newline, as ClusterShell's buffers have
    it; :attr:`raw` is byte for byte. Iterating gives lines, without their ends. Nothing is
    built until asked for, and nothing is kept: a message costs a few words.
    """

    __slots__ = ("_branch", "_end")

    def __init__(self, branch: _Branch, end: int) -> None:
        self._branch = branch
        self._end = end

    @property
    def raw(self) -> bytes:
        """The output byte for byte."""
        parts: list[bytes] = []
        branch: _Branch | None = self._branch
        end = self._end
        while branch is not None:
            if end > branch.start:
                parts.append(bytes(memoryview(branch.data)[: end - branch.start]))
                end = branch.start
            branch = branch.parent
        return parts[0] if len(parts) == 1 else b"".join(reversed(parts))

    def lines(self) -> list[bytes]:
        r"""The lines, without their ends (``\n`` or ``\r\n``)."""
        return split_lines(self.raw)

    def __bytes__(self) -> bytes:
        raw = self.raw
        if raw.endswith(b"\n"):
            return raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
        return raw

    def message(self) -> bytes:
        """The same as ``bytes(message)``, by ClusterShell's name."""
        return bytes(self)

    def __str__(self) -> str:
        return bytes(self).decode(errors="replace")

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.lines())

    def __len__(self) -> int:
        """The length in bytes, the last newline included."""
        return self._end

    def __bool__(self) -> bool:
        return self._end > 0

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Message):
            same_place = self._branch is other._branch and self._end == other._end
            return same_place or bytes(self) == bytes(other)
        if isinstance(other, bytes):
            return bytes(self) == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(bytes(self))

    def _place(self) -> tuple[int, int]:
        """Where the message without its last newline ends: the same for equal messages."""
        end = self._end
        branch = _settle(self._branch, end)
        if branch.data[end - 1 - branch.start] == _NEWLINE:
            end -= 1
            branch = _settle(branch, end)
            if end and branch.data[end - 1 - branch.start] == _RETURN:
                end -= 1
                branch = _settle(branch, end)
        return id(branch), end

    def __repr__(self) -> str:
        return f"<Message of {self._end} bytes>"

    def __reduce__(self) -> tuple[object, ...]:
        return _message_from, (self.raw,)


def _message_from(raw: bytes) -> Message:
    return Message(_Branch(None, 0, bytearray(raw)), len(raw)) if raw else EMPTY


#: The message of a writer that printed nothing.
EMPTY = Message(_Branch(None, 0, bytearray()), 0)


class MsgTree:
    r"""Gathers the output of many writers.

    ::

        tree = MsgTree()
        one, two = tree.cursor(), tree.cursor()
        tree.add(one, b"hello\n")
        tree.add(two, b"hello\n")
        group([("one", tree.message(one)), ("two", tree.message(two))])  # one message, two keys
    """

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Branch(None, 0, bytearray())

    def cursor(self) -> Cursor:
        """A place for one more writer."""
        return Cursor(self._root)

    def add(self, cursor: Cursor, chunk: bytes) -> None:
        """Append ``chunk`` to what the writer of ``cursor`` printed.

        Costs one comparison or one copy of the chunk, however many lines it holds.
        """
        branch = _settle(cursor.branch, cursor.position)
        position = cursor.position
        at, size = 0, len(chunk)
        while at < size:
            offset = position - branch.start
            known = min(len(branch.data) - offset, size - at)
            if known:
                same = _common(branch.data, offset, chunk, at, known)
                position += same
                at += same
                if same < known:
                    branch = _grow(_split(branch, offset + same), chunk[at:])
                    break
            elif branch.children and (child := branch.children.get(chunk[at])):
                branch = child
            elif branch.children is None and branch.parent is not None:
                branch.data += chunk[at:] if at else chunk
                break
            else:
                branch = _grow(branch, chunk[at:])
                break
        cursor.branch = branch
        cursor.position += size

    def message(self, cursor: Cursor) -> Message:
        """What the writer has printed so far; stays as it is while the writer goes on."""
        if not cursor.position:
            return EMPTY
        return Message(_settle(cursor.branch, cursor.position), cursor.position)


def group(messages: Iterable[tuple[K, Message]]) -> list[tuple[Message, list[K]]]:
    """Each distinct message with the keys that have it, both in the order given.

    Empty messages are left out. Output that differs only in its last newline is the same. Messages of one
    tree, such as those of one run, are compared by their places alone, those of different trees byte by byte.
    """
    groups: dict[tuple[int, int], tuple[Message, list[K]]] = {}
    for key, message in messages:
        if not message:
            continue
        place = message._place()
        entry = groups.get(place)
        if entry is None:
            groups[place] = (message, [key])
        else:
            entry[1].append(key)
    if _trees(message for message, _ in groups.values()) > 1:
        return _merged(groups.values())
    return list(groups.values())


def _trees(messages: Iterable[Message]) -> int:
    """In how many trees the messages are; looks at each branch once."""
    seen: set[int] = set()
    found = 0
    for message in messages:
        branch: _Branch | None = message._branch
        while branch is not None and id(branch) not in seen:
            seen.add(id(branch))
            found += branch.parent is None
            branch = branch.parent
    return found


def _merged(groups: Iterable[tuple[Message, list[K]]]) -> list[tuple[Message, list[K]]]:
    found: dict[bytes, tuple[Message, list[K]]] = {}
    for message, keys in groups:
        found.setdefault(bytes(message), (message, []))[1].extend(keys)
    return list(found.values())


def _settle(branch: _Branch, position: int) -> _Branch:
    """The branch in which ``position`` lies, or at whose end it is, above or at ``branch``."""
    while position <= branch.start and branch.parent is not None:
        branch = branch.parent
    return branch


def _split(branch: _Branch, offset: int) -> _Branch:
    """Cut ``branch`` in two and return the new upper half.

    The lower half keeps the object, so cursors in it need no change; cursors that are now
    above it are settled when they are next used.
    """
    upper = _Branch(branch.parent, branch.start, branch.data[:offset])
    assert branch.parent is not None  # the root is empty and is never split
    assert branch.parent.children is not None
    branch.parent.children[upper.data[0]] = upper
    del branch.data[:offset]
    branch.parent = upper
    branch.start += offset
    upper.children = {branch.data[0]: branch}
    return upper


def _grow(branch: _Branch, data: bytes) -> _Branch:
    """A new branch below the end of ``branch``."""
    child = _Branch(branch, branch.start + len(branch.data), bytearray(data))
    if branch.children is None:
        branch.children = {}
    branch.children[data[0]] = child
    return child


def _common(data: bytearray, offset: int, chunk: bytes, at: int, size: int) -> int:
    """How many of ``size`` bytes are the same in ``data`` from offset and ``chunk`` from at."""
    piece = chunk if size == len(chunk) else chunk[at : at + size]
    if data.startswith(piece, offset):
        return size
    low, high = 0, size - 1  # piece[:low] is known to be the same, piece[:high + 1] to differ
    while low < high:
        middle = (low + high + 1) // 2
        if data.startswith(piece[low:middle], offset + low):
            low = middle
        else:
            high = middle - 1
    return low
