r"""Bytes that nodes print, as JSON: exactly, and quickly where there is much of it.

A line of text stands without its end, and the end is named if it is not ``\n``; what is not UTF-8 stands
in base64.
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from json.encoder import encode_basestring, encode_basestring_ascii

from asynctask.lines import DEFAULT_LINE_LIMIT

__all__ = ("EndedLines", "dumped", "output_objects", "whole_text")

# What somebody takes for the end of a line, or a terminal for a command; and halves of characters, which
# stand for bytes of names that are not UTF-8.
_ODD = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: How many bytes of lines are encoded without giving way, about.
_SLICE = 1 << 14
#: How many bytes of a node's whole output likewise; of three bytes, base64 makes four letters.
_PIECE = 3 << 16
#: The most bytes that a character of UTF-8 has.
_CHARACTER = 4


def dumped(fields: Mapping[str, object], *, ascii_only: bool = False) -> bytes:
    """One JSON object, on one line."""
    text = json.dumps(fields, separators=(",", ":"), ensure_ascii=ascii_only)
    if not text.isascii() and _ODD.search(text):
        text = json.dumps(fields, separators=(",", ":"))
    return text.encode() + b"\n"


def _quoting(text: str, ascii_only: bool) -> Callable[[str], str]:
    """What puts a part of ``text`` into quotes."""
    if ascii_only or (not text.isascii() and _ODD.search(text)):
        return encode_basestring_ascii
    return encode_basestring


class EndedLines:
    """Cuts the chunks of a stream behind ends of lines, and loses nothing.

    Args:
        limit: of a line that is longer, in bytes, pieces are handed out before it ends.
    """

    __slots__ = ("_limit", "_tail")

    def __init__(self, limit: int = DEFAULT_LINE_LIMIT) -> None:
        self._limit = limit
        self._tail = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        """The lines that ``chunk`` completes, with their ends."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self._tail += chunk
            return b""
        lines = bytes(self._tail) + chunk[:end] if self._tail else chunk[:end]
        self._tail[:] = memoryview(chunk)[end:]
        return lines

    def piece(self) -> bytes:
        """The beginning of a line that is too long to wait for its end; else nothing.

        It is not cut within a character, nor within the end of the line, and a bit of the line is
        still to come.
        """
        if len(self._tail) <= self._limit:
            return b""
        cut = len(self._tail) - _CHARACTER
        for earlier in range(_CHARACTER):
            if self._tail[cut - earlier] & 0xC0 != 0x80:  # a character begins here
                cut -= earlier
                break
        found = bytes(self._tail[:cut])
        del self._tail[:cut]
        return found

    def flush(self) -> bytes:
        """What is left when the stream ends: a line without an end."""
        left = bytes(self._tail)
        self._tail.clear()
        return left


def output_objects(lines: bytes, *, more: bool = False, ascii_only: bool = False) -> Iterator[list[str]]:
    """Lines with their ends as the last fields of JSON objects, some at a time.

    Args:
        lines: whole lines, or a single piece of one.
        more: it is a piece, and more of the line follows.
        ascii_only: what is not ASCII is written as an escape.
    """
    if not lines.endswith(b"\n"):
        yield [_field(lines, ascii_only) + (',"end":"","partial":true' if more else ',"end":""')]
        return
    start = 0
    while start < len(lines):
        end = lines.find(b"\n", start + _SLICE) + 1 or len(lines)
        yield _fields(lines[start:end], ascii_only)
        start = end


def _fields(lines: bytes, ascii_only: bool) -> list[str]:
    """A list of lines, all of them ended."""
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        return [_ended_field(line, ascii_only) for line in lines[:-1].split(b"\n")]
    quoted = _quoting(text, ascii_only)
    windows = text.count("\r\n")
    if not windows:
        return ['"text":' + each for each in map(quoted, text[:-1].split("\n"))]
    if windows == text.count("\n"):
        return ['"text":' + each + r',"end":"\r\n"' for each in map(quoted, text[:-2].split("\r\n"))]
    return [_ended_field(line, ascii_only) for line in lines[:-1].split(b"\n")]


def _ended_field(line: bytes, ascii_only: bool) -> str:
    r"""A line without its ``\n``."""
    if line.endswith(b"\r"):
        return _field(line[:-1], ascii_only) + r',"end":"\r\n"'
    return _field(line, ascii_only)


def _field(data: bytes, ascii_only: bool) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f'"base64":"{b64encode(data).decode()}"'
    return '"text":' + _quoting(text, ascii_only)(text)


async def whole_text(name: str, data: bytes, *, ascii_only: bool = False) -> str:
    """All that a node has printed, as the field ``name``, or ``name_base64`` if it is not UTF-8.

    Gives way to others now and then.
    """
    decoder = getincrementaldecoder("utf-8")()
    parts = []
    try:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            text = decoder.decode(piece, start + _PIECE >= len(data))
            parts.append(_quoting(text, ascii_only)(text)[1:-1])
            if start:
                await asyncio.sleep(0)
    except UnicodeDecodeError:
        name += "_base64"
        parts.clear()
        for start in range(0, len(data), _PIECE):
            parts.append(b64encode(data[start : start + _PIECE]).decode())
            if start:
                await asyncio.sleep(0)
    return f'"{name}":"{"".join(parts)}"'
