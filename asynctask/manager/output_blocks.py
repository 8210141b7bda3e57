"""Output in blocks of whole lines, which are cut into lines only where somebody wants lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter

from asynctask.lines import PartialLine, split_lines
from asynctask.manager.information import OutputLine

__all__ = ("LINE_LIMIT", "Assembler", "Block", "History", "Printer", "last_lines")

#: A line that has no end after so many bytes is handed on in pieces.
LINE_LIMIT = 1 << 18
#: How much of a template's output is kept for who asks later: bytes, and blocks, which are lines at least.
HISTORY_BYTES, HISTORY_BLOCKS = 1 << 18, 2048


@dataclass(frozen=True, slots=True)
class Printer:
    """Who printed something."""

    name: str
    pid: int
    index: int | None
    node: str | None


class Block:
    """Some lines of one stream of a process, as they came."""

    __slots__ = ("_count", "data", "is_piece", "number", "printer", "stream", "time")

    def __init__(
        self, printer: Printer, stream: str, data: bytes, time: float, number: int, is_piece: bool = False
    ) -> None:
        self.printer = printer
        self.stream = stream
        self.data = data
        """With the line ends; only the last line of a stream may have none."""
        self.time = time
        self.number = number
        """Its place among all blocks of a hub."""
        self.is_piece = is_piece
        """It is a piece of one long line."""
        self._count = 0

    @property
    def count(self) -> int:
        """How many lines it has."""
        if self._count == 0:
            self._count = self.data.count(b"\n") + (not self.data.endswith(b"\n"))
        return self._count

    def raw_lines(self) -> list[bytes]:
        """Its lines without their ends."""
        return [PartialLine(self.data)] if self.is_piece else split_lines(self.data)

    def to_lines(self, raw: Iterable[bytes]) -> Iterator[OutputLine]:
        """Some of its lines, as they are handed out."""
        printer, stream, time = self.printer, self.stream, self.time
        for line in raw:
            yield OutputLine(printer.name, printer.pid, printer.index, printer.node, stream, line, time)


class Assembler:
    """Cuts one stream into whole lines.

    Args:
        limit: a line that has no end after so many bytes is cut.
    """

    __slots__ = ("_limit", "_tail")

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._tail = bytearray()

    def lines(self, chunk: bytes) -> bytes:
        """All whole lines that there are now, with their ends; empty, if there is none."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._tail += chunk
            return b""
        whole = chunk[:end]  # not even copied, if this is all of it
        if self._tail:
            whole = bytes(self._tail) + whole
            self._tail.clear()
        if end < len(chunk):
            self._tail += memoryview(chunk)[end:]
        return whole

    def piece(self) -> bytes:
        """What has to be cut off a line that is too long; at least one byte stays, for what ends it."""
        if len(self._tail) <= self._limit:
            return b""
        piece = bytes(self._tail[:-1])
        del self._tail[:-1]
        return piece

    def rest(self) -> bytes:
        """The stream has ended: its unfinished line, if there is one."""
        rest = bytes(self._tail)
        self._tail.clear()
        return rest


class History:
    """The last blocks of a template.

    Args:
        size: how many bytes are kept; one block is, however large.
    """

    __slots__ = ("_blocks", "_left")

    def __init__(self, size: int = HISTORY_BYTES) -> None:
        self._blocks: deque[Block] = deque(maxlen=HISTORY_BLOCKS)
        self._left = size

    def add(self, block: Block) -> None:
        """Keep a block; the oldest go."""
        blocks = self._blocks
        if len(blocks) == HISTORY_BLOCKS:
            self._left += len(blocks.popleft().data)
        blocks.append(block)
        self._left -= len(block.data)
        while self._left < 0 and len(blocks) > 1:
            self._left += len(blocks.popleft().data)

    def __reversed__(self) -> Iterator[Block]:
        return reversed(self._blocks)


def last_lines(histories: Iterable[History], n: int) -> list[OutputLine]:
    """The last lines of all of them together, in the order in which they came."""
    found: list[list[OutputLine]] = []
    for block in merge(*(reversed(each) for each in histories), key=attrgetter("number"), reverse=True):
        if n <= 0:
            break
        raw = block.raw_lines()[-n:]
        n -= len(raw)
        found.append(list(block.to_lines(raw)))
    return [line for lines in reversed(found) for line in lines]
