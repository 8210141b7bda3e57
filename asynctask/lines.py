r"""Byte-exact line splitting with a bound.

A line ends with ``\n`` or ``\r\n``; a lone ``\r`` belongs to its line. A line that grows
beyond the limit is delivered in pieces of :class:`PartialLine`, so nothing is dropped and
memory stays bounded.
"""

from __future__ import annotations

__all__ = ("DEFAULT_LINE_LIMIT", "LineSplitter", "PartialLine", "split_lines")

#: The longest line that is delivered in one piece, in bytes.
DEFAULT_LINE_LIMIT = 1 << 20


class PartialLine(bytes):
    """A piece of a line longer than the limit: the rest of that line follows.

    The last piece is plain ``bytes``, so joining pieces up to and including the first that
    is no ``PartialLine`` gives the line back.
    """

    __slots__ = ()


class LineSplitter:
    """Turns chunks of bytes, cut anywhere, into lines.

    Args:
        limit: the longest line delivered in one piece, in bytes.
    """

    __slots__ = ("_limit", "_tail")

    def __init__(self, limit: int = DEFAULT_LINE_LIMIT) -> None:
        if limit < 2:
            raise ValueError(f"line limit {limit} is too small: at least 2 bytes")
        self._limit = limit
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that ``chunk`` completes, without their ends; the rest is kept."""
        tail = self._tail
        end = chunk.rfind(b"\n")
        if end < 0:
            tail += chunk
            return self._cut_long_tail() if len(tail) > self._limit else []
        may_be_long = len(tail) + len(chunk) > self._limit
        lines = chunk[:end].split(b"\n")
        if tail:
            tail += lines[0]
            lines[0] = bytes(tail)
            tail.clear()
        tail += memoryview(chunk)[end + 1 :]
        if b"\r" in chunk or lines[0].endswith(b"\r"):
            lines = [line[:-1] if line.endswith(b"\r") else line for line in lines]
        return self._cut_long_lines(lines) if may_be_long else lines

    def flush(self) -> list[bytes]:
        """What is left when the stream ends: the unfinished last line, if there is one."""
        if not self._tail:
            return []
        lines = [bytes(self._tail)]
        self._tail.clear()
        return lines

    def _cut_long_lines(self, lines: list[bytes]) -> list[bytes]:
        cut: list[bytes] = []
        for line in lines:
            start, limit = 0, self._limit
            while len(line) - start > limit:
                cut.append(PartialLine(line[start : start + limit]))
                start += limit
            cut.append(line[start:] if start else line)
        if len(self._tail) > self._limit:
            cut += self._cut_long_tail()
        return cut

    def _cut_long_tail(self) -> list[bytes]:
        """Pieces of an unfinished line; at least one byte stays, so that a plain piece ends it."""
        tail, limit = self._tail, self._limit
        pieces: list[bytes] = []
        start = 0
        while len(tail) - start > limit:
            pieces.append(PartialLine(tail[start : start + limit]))
            start += limit
        del tail[:start]
        return pieces


def split_lines(data: bytes) -> list[bytes]:
    """The lines of a whole buffer, split by the same rule and without a limit."""
    if not data:
        return []
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
        last = len(lines)
    else:
        last = len(lines) - 1  # no newline after it: a final "\r" is part of the line
    if b"\r" in data:
        lines[:last] = [line[:-1] if line.endswith(b"\r") else line for line in lines[:last]]
    return lines
