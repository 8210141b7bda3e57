"""What is kept of an output: all of it, or its beginning and its end, where errors are told."""

from __future__ import annotations

from collections import deque

from asynctask.cli.past.records import NO_OUTPUT, Output
from asynctask.messages import Message

__all__ = ("LIMIT", "Collector", "kept")

#: Bytes that are kept of a stream.
LIMIT = 64 * 1024


class Collector:
    """Takes a stream as it comes; holds no more than its limit and a chunk.

    Args:
        limit: in bytes, 2 or more.
    """

    __slots__ = ("_end", "_end_room", "_head", "_held", "_limit", "_room", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = limit // 2  # left for the beginning
        self._end_room = limit - limit // 2
        self._head: list[bytes] = []
        self._end: deque[bytes] = deque()
        self._held = 0  # bytes in the end
        self.size = 0

    def add(self, chunk: bytes) -> None:
        """More of it."""
        self.size += len(chunk)
        if self._room:
            self._head.append(chunk[: self._room])
            chunk = chunk[self._room :]
            self._room -= len(self._head[-1])
        if chunk:
            self._end.append(chunk)
            self._held += len(chunk)
            while self._held - len(self._end[0]) >= self._end_room:
                self._held -= len(self._end.popleft())

    def output(self) -> Output:
        """What is kept."""
        head, end = b"".join(self._head), b"".join(self._end)
        if self.size <= self._limit:
            return Output(head + end, self.size)
        return Output(head + end[-self._end_room :], self.size, len(head))


def kept(message: Message, limit: int) -> Output:
    """What is kept of an output that was gathered."""
    size = len(message)
    if not size:
        return NO_OUTPUT
    if size <= limit:
        return Output(message.raw, size)
    head = limit // 2
    return Output(_part(message, 0, head) + _part(message, size - (limit - head), size), size, head)


def _part(message: Message, start: int, stop: int) -> bytes:
    """A stretch of a long message, without making all of it."""
    return message.raw[start:stop]
