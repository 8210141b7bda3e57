"""Readers of output: each has a queue with a bound, and slows nobody."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator
from itertools import islice
from types import TracebackType

from asynctask.errors import UsageError
from asynctask.manager.information import OutputLine
from asynctask.manager.output_blocks import Block

__all__ = ("MOST_BYTES", "LineQueue", "OutputStream", "Readers")

#: However long lines are, no more of them wait for one reader.
MOST_BYTES = 32 << 20
#: So many lines are made at a time: between two turns of the loop, and never long before they are read.
_AT_ONCE = 256


class LineQueue:
    """Blocks that wait to be read, as lines. When there are too many, the oldest lines go, and are counted.

    Args:
        maxsize: how many lines wait.

    Raises:
        UsageError: no such number.
    """

    __slots__ = ("_blocks", "_bytes", "_maxsize", "_raw", "_skipped", "missed", "waiting")

    def __init__(self, maxsize: int) -> None:
        if not isinstance(maxsize, int) or isinstance(maxsize, bool) or maxsize < 1:
            raise UsageError(f"maxsize={maxsize!r}: how many lines it holds, 1 or more")
        self._maxsize = maxsize
        self._blocks: deque[Block] = deque()
        self._skipped = 0  # lines of the first block that are dropped
        self._raw: tuple[Block, deque[bytes]] | None = None  # the rest of a block that is being read
        self._bytes = 0
        self.waiting = 0
        """How many lines are in it; those of the block that is being read do not count."""
        self.missed = 0
        """How many lines were dropped."""

    def is_empty(self) -> bool:
        """Whether there is nothing to take."""
        return self._raw is None and not self._blocks

    def put(self, block: Block) -> None:
        """Take a block in."""
        self._blocks.append(block)
        self.waiting += block.count
        self._bytes += len(block.data)
        while self.waiting > self._maxsize:
            self._drop(self.waiting - self._maxsize)
        while self._bytes > MOST_BYTES and len(self._blocks) > 1:
            self._drop(self.waiting)

    def _drop(self, most: int) -> None:
        """Drop the oldest lines, ``most`` at most, all of one block."""
        left = self._blocks[0].count - self._skipped
        dropped = min(left, most)
        self.missed += dropped
        self.waiting -= dropped
        if dropped < left:
            self._skipped += dropped
        else:
            self._pop()

    def _pop(self) -> Block:
        self._skipped = 0
        block = self._blocks.popleft()
        self._bytes -= len(block.data)
        return block

    def take(self, most: int) -> list[OutputLine]:
        """The next lines; none, when it is empty."""
        if self._raw is None:
            if not self._blocks:
                return []
            skipped = self._skipped
            block = self._pop()
            self.waiting -= block.count - skipped
            self._raw = block, deque(islice(block.raw_lines(), skipped, None))
        block, raw = self._raw
        lines = [raw.popleft() for _ in range(min(most, len(raw)))]
        if not raw:
            self._raw = None
        return list(block.to_lines(lines))


class OutputStream(AsyncIterator[OutputLine]):
    """Lines as they come. Made by :meth:`OutputHub.open`; use it in a ``with`` block, or close it.

    Several readers share the lines: each goes to one of them. Cancelling a reader loses none. Iteration ends
    when the stream is closed, by whomever, and what came until then was read.
    """

    def __init__(self, history: list[OutputLine], maxsize: int) -> None:
        self._queue = LineQueue(maxsize)
        self._lines = deque(history, maxsize)
        self._news = asyncio.Event()
        self._closed = False

    @property
    def missed(self) -> int:
        """How many lines were dropped because they were not read in time."""
        return self._queue.missed

    @property
    def closed(self) -> bool:
        """Whether no more lines will come."""
        return self._closed

    def _take_in(self, block: Block) -> None:
        self._queue.put(block)
        self._news.set()

    def close(self) -> None:
        """Take no more lines; those that came can still be read. Again does nothing."""
        self._closed = True
        self._news.set()

    async def __anext__(self) -> OutputLine:
        while not self._lines:
            await asyncio.sleep(0)  # who reads may have no other await, and others want their turn
            if self._lines:  # another reader
                break
            self._lines.extend(self._queue.take(_AT_ONCE))
            if not self._lines:
                if self._closed:
                    raise StopAsyncIteration
                self._news.clear()
                await self._news.wait()
        return self._lines.popleft()

    def __enter__(self) -> OutputStream:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> OutputStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<OutputStream {state}, {self._queue.waiting + len(self._lines)} lines>"


class Readers:
    """The streams that get the same blocks. A stream that nobody holds any more is forgotten."""

    __slots__ = ("_streams",)

    def __init__(self) -> None:
        self._streams: list[weakref.ref[OutputStream]] = []

    def __bool__(self) -> bool:
        return bool(self._streams)

    def add(self, stream: OutputStream) -> None:
        """Give it what comes from now on, until it is closed."""
        self._streams.append(weakref.ref(stream))

    def put(self, block: Block) -> None:
        """Give a block to all."""
        ended = False
        for reference in self._streams:
            stream = reference()
            if stream is None or stream._closed:
                ended = True
            else:
                stream._take_in(block)
        if ended:
            self._streams = [
                each for each in self._streams if (one := each()) is not None and not one._closed
            ]

    def close(self) -> None:
        """Nothing more comes."""
        for reference in self._streams:
            stream = reference()
            if stream is not None:
                stream.close()
        self._streams.clear()
