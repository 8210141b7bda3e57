"""Reads labelled lines and keeps them by node: a few hundred nanoseconds each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from asynctask.cli.gathering.labels import Labels, Split
from asynctask.messages import Cursor, Message, MsgTree

__all__ = ("Gathered", "Unlabelled", "chunks")

#: Bytes that are read and sorted in one go: what fits into a cache of the processor.
_CHUNK = 1 << 18


class _Text:
    """What a node has printed, but for the lines of the chunk at hand."""

    __slots__ = ("cursor", "lines")

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.lines: list[bytes] = []


class Unlabelled:
    """Lines without a label.

    Attributes:
        count: how many.
        number: the number of the first one, from 1.
        line: and what it is.
    """

    def __init__(self) -> None:
        self.count = 0
        self.number = 0
        self.line = b""


class Gathered:
    """Labelled lines by node; what is the same is kept once.

    Args:
        labels: finds the nodes of a label.
        split: where labels end.

    Attributes:
        lines: how many lines were read.
        unlabelled: those that are no node's.
    """

    def __init__(self, labels: Labels, split: Split) -> None:
        self._labels = labels
        self._split = split
        self._tree = MsgTree()
        self._texts: dict[str, _Text] = {}
        self._known: dict[bytes, Callable[[bytes], object]] = {}  # what takes the lines of each label
        self.lines = 0
        self.unlabelled = Unlabelled()

    def add(self, data: bytes) -> None:
        r"""Take lines; the last one may lack its ``\n``.

        Raises:
            NodeSetError: a label must be a node set and is none.
        """
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        usual, known = self._split.usual, self._known
        for line in lines:
            label, found, text = line.partition(usual)
            if found:
                try:
                    known[label](text)
                except KeyError:
                    self._add_unusual(line, lines)
            else:
                self._add_unusual(line, lines)
        self.lines += len(lines)
        self._store()

    def messages(self) -> dict[str, Message]:
        """What each node has printed, in the order in which they came first. Each line has its newline."""
        return {name: self._tree.message(text.cursor) for name, text in self._texts.items()}

    def _add_unusual(self, line: bytes, lines: list[bytes]) -> None:
        """A line whose label comes for the first time, or has no blank after it, or that has none."""
        parts = self._split(line)
        if parts is not None:
            label, text = parts
            take = self._known.get(label) or self._learnt(label)
            if take is not None:
                take(text)
                return
        if not self.unlabelled.count:
            self.unlabelled.number = self.lines + lines.index(line) + 1
            self.unlabelled.line = line
        self.unlabelled.count += 1

    def _learnt(self, label: bytes) -> Callable[[bytes], object] | None:
        texts = [self._text(name).lines for name in self._labels.nodes(label)]
        if not texts:
            return None

        def take_for_all(text: bytes) -> None:
            for lines in texts:
                lines.append(text)

        take = self._known[label] = texts[0].append if len(texts) == 1 else take_for_all
        return take

    def _text(self, name: str) -> _Text:
        text = self._texts.get(name)
        if text is None:
            text = self._texts[name] = _Text(self._tree.cursor())
        return text

    def _store(self) -> None:
        for text in self._texts.values():
            if not text.lines:
                continue
            text.lines.append(b"")  # so that the last one has its newline, too
            self._tree.add(text.cursor, b"\n".join(text.lines))
            text.lines.clear()


def chunks(stream: BinaryIO, size: int = _CHUNK) -> Iterator[bytes]:
    """What a stream has, in pieces of whole lines."""
    rest: list[bytes] = []
    while data := stream.read(size):
        end = data.rfind(b"\n") + 1
        if not end:
            rest.append(data)
            continue
        yield b"".join((*rest, data[:end])) if rest else data[:end]
        rest = [data[end:]]
    if last := b"".join(rest):
        yield last
