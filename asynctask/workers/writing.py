"""What a program writes to a worker while it runs: one copy, read by every node at its own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from asynctask.errors import TaskStateError, UsageError

__all__ = ("HIGH_WATER", "Input")

#: Bytes that the slowest started node may be behind before :meth:`Input.drain` waits.
HIGH_WATER = 256 * 1024
#: How many readers are told of something new in one turn of the loop.
_WAKES_A_TURN = 64


class Input:
    """The input of a worker's nodes.

    Each node gets everything from the start, however late it starts; so what was written is kept, once for
    all of them, until every node has started, and then until the slowest has taken it.

    Args:
        units: the first node of each unit of the worker.
    """

    def __init__(self, units: Iterable[str]) -> None:
        self.ended = False
        self._late = set(units)  # that have not begun to read, and may
        self._chunks: deque[bytes] = deque()
        self._first = 0  # how many chunks were dropped before
        self._size = 0  # bytes written, ever
        self._readers: set[InputReader] = set()
        self._places: dict[int, int] = {}  # how many readers stand at each chunk
        self._waiting: deque[asyncio.Future[None]] = deque()  # readers that have taken all there is
        self._waking = False
        self._progress = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Add data for all nodes.

        Raises:
            TaskStateError: the end was written before.
            UsageError: that is no data.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise UsageError(f"input is written as bytes, not {type(data).__name__}")
        if self.ended:
            raise TaskStateError("the end of the input has been written: nothing can follow it")
        if data and (self._late or self._readers):
            chunk = bytes(data)
            self._size += len(chunk)
            self._chunks.append(chunk)
            self._tell_readers()

    def end(self) -> None:
        """There will be no more. Doing it again is fine."""
        self.ended = True
        self._tell_readers()

    async def drain(self) -> None:
        """Wait until no started node is more than ``HIGH_WATER`` bytes behind. Cancelling changes nothing."""
        while any(self._size - reader.taken > HIGH_WATER for reader in self._readers):
            self._progress.clear()
            await self._progress.wait()

    def reader(self, node: str) -> InputReader:
        """All of the input, for a node."""
        return InputReader(self, node)

    def over(self, node: str) -> None:
        """A node that will not read, or read any more."""
        self._late.discard(node)
        self._trim()

    # -- the readers' side ----------------------------------------------------------------------

    def _tell_readers(self) -> None:
        """Wake those who wait, some in each turn of the loop: each goes on to write to its node."""
        if not self._waking:
            self._wake_some()

    def _wake_some(self) -> None:
        for _ in range(min(len(self._waiting), _WAKES_A_TURN)):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
        self._waking = bool(self._waiting)
        if self._waking:
            asyncio.get_running_loop().call_soon(self._wake_some)

    async def _news(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        await waiter

    def _opened(self, reader: InputReader) -> None:
        self._readers.add(reader)
        self._stand(reader.place, 1)
        self._late.discard(reader.node)

    def _advance(self, reader: InputReader) -> None:
        self._stand(reader.place, -1)
        reader.place += 1
        self._stand(reader.place, 1)
        self._trim()

    def _closed(self, reader: InputReader) -> None:
        if reader in self._readers:
            self._readers.discard(reader)
            self._stand(reader.place, -1)
            self._trim()
            self._progress.set()

    def _stand(self, place: int, more: int) -> None:
        count = self._places.get(place, 0) + more
        if count:
            self._places[place] = count
        else:
            del self._places[place]

    def _trim(self) -> None:
        """Drop what nobody will read."""
        while self._chunks and not self._late and self._first not in self._places:
            self._chunks.popleft()
            self._first += 1

    def _at(self, place: int) -> bytes | None:
        place -= self._first
        return self._chunks[place] if place < len(self._chunks) else None


class InputReader(AsyncIterator[bytes]):
    """One node's way through the input."""

    def __init__(self, source: Input, node: str) -> None:
        self.node = node
        self.place = 0  # the chunk that comes next
        self.taken = 0  # bytes that were taken
        self._source = source
        self._given = 0
        self._open = False

    async def __anext__(self) -> bytes:
        source = self._source
        if not self._open:
            self._open = True
            source._opened(self)
        if self not in source._readers:  # closed
            raise StopAsyncIteration
        self.taken += self._given  # who asks for more has taken what was given
        self._given = 0
        source._progress.set()
        while (chunk := source._at(self.place)) is None:
            if source.ended:
                await self.aclose()
                raise StopAsyncIteration
            await source._news()
        source._advance(self)
        self._given = len(chunk)
        return chunk

    async def aclose(self) -> None:
        """Read no more."""
        self._open = True
        self._source._closed(self)
