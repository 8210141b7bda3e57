"""The lines between the manager and its post on a node. Pure: bytes in, messages out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from asynctask.errors import ManagerError

__all__ = ("STREAMS", "Decoder", "Line", "Output", "order", "payload", "place_of")

#: The streams of a process, as a post calls them.
STREAMS: Final = {"o": "stdout", "e": "stderr"}

#: Bytes that a line may have before it is no line of a post.
_MOST_LINE: Final = 64 * 1024
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./_= ,:+")
_ESCAPED: Final = [chr(byte) if byte in _PLAIN and byte != 0x20 else f"\\{byte:03o}" for byte in range(256)]
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Line:
    """An answer, or something that has happened."""

    verb: str
    words: tuple[str, ...]
    text: str
    """All behind the verb."""

    @property
    def life(self) -> int:
        """Whom it is about; 0: nobody."""
        return int(self.words[0]) if self.words and self.words[0].isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of the output of a process."""

    life: int
    stream: str
    """As :data:`STREAMS` has it."""
    offset: int
    """How much came before it."""
    data: bytes


Message: TypeAlias = Line | Output


class Decoder:
    """Reads what a post says. What comes before its greeting is not from it, and is skipped.

    Args:
        nonce: begins its greeting.
    """

    def __init__(self, nonce: str) -> None:
        self._greeting = f"asynctask-node {nonce} ".encode()
        self._greeted = False
        self._rest = b""
        self._left = 0  # of a piece of output
        self._piece = (0, "", 0)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are complete with these bytes; output is not waited for.

        Raises:
            ManagerError: this is no post.
        """
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                life, stream, offset = self._piece
                at += len(piece)
                self._left -= len(piece)
                self._piece = life, stream, offset + len(piece)
                yield Output(life, stream, offset, piece)
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._keep(data[at:])
                return
            line, at = data[at:end], end + 1
            if not self._greeted:
                start = line.find(self._greeting)
                if start < 0:
                    continue
                self._greeted = True
                line = b"hello " + line[start + len(self._greeting) :]
            message = self._line(line)
            if message is not None:
                yield message

    def _keep(self, rest: bytes) -> None:
        if len(rest) > _MOST_LINE:
            if self._greeted:
                raise ManagerError("a line from the node has no end")
            rest = rest[-_MOST_LINE // 2 :]
        self._rest = rest

    def _line(self, line: bytes) -> Line | None:
        verb, _, text = line.decode(errors="replace").partition(" ")
        words = tuple(text.split())
        if verb != "o":
            return Line(verb, words, text)
        try:
            life, stream, offset, self._left = int(words[0]), words[1], int(words[2]), int(words[3])
        except (ValueError, IndexError):
            raise ManagerError(f"not understood from the node: {line[:80]!r}") from None
        self._piece = life, stream, offset
        return None


def payload(data: bytes) -> str:
    """Bytes as ``printf`` makes them again."""
    return "".join([_ESCAPED[byte] for byte in data])


def order(*words: object, data: bytes | None = None) -> bytes:
    """An order as a line, or two: a shell would take its time to find the end of its words in a long one."""
    line = " ".join(map(str, words))
    return f"{line}\n".encode() if data is None else f"{line} @\n{payload(data)}\n".encode()


def place_of(name: str) -> str:
    """A name as one of a directory that needs no quotes: other bytes become ``%`` and hex digits."""
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], name.encode(errors="surrogateescape")).decode()
