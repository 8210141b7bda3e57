"""Standard input for all nodes: read once, as far as somebody wants it, given to each from its start.

What is at standard input decides what becomes of it:

- nothing, a terminal, a device as ``/dev/null``: it is left alone;
- a file: each node reads it from where it stands, and its place stays as it is;
- a pipe or socket that is ours alone, as in ``tar c . | asynctask run ...``: it is read;
- one that we share with the program that called us, as in a loop of a shell: it is looked at, not taken; see
  :mod:`asynctask.cli.stdin_looking`.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Literal

from asynctask.cli.stdin_keeping import MOST_IN_MEMORY, Kept, read_at
from asynctask.cli.stdin_looking import Looked, is_shared
from asynctask.cli.terminal import is_terminal
from asynctask.errors import UsageError

__all__ = ("PasswordFirst", "SharedInput", "piped", "script_command", "source_of_commands")

_CHUNK = 65536


def piped(fd: int = 0) -> bool:
    """Whether something other than a person or nothing is at standard input."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def source_of_commands(command: str, nostdin: bool, fd: int = 0) -> Literal["words", "terminal", "input"]:
    """Where the command comes from: the command line, a person who types, or standard input.

    Raises:
        UsageError: from nowhere.
    """
    if command.strip():
        return "words"
    if is_terminal(fd):
        if nostdin:
            raise UsageError("-n: without a command you type commands, which are read from standard input")
        return "terminal"
    if piped(fd) and not nostdin:
        return "input"
    raise UsageError("no command to run")


def script_command(prefix: str = "") -> str:
    """The command by which a node's login shell reads its commands from standard input.

    Args:
        prefix: the words that a mode puts in front of commands; a shell's own ``exec`` cannot stand there.
    """
    return '"$SHELL" -l' if prefix else 'exec "$SHELL" -l'


class SharedInput:
    """A descriptor that many read, each from the beginning.

    It is read only when the reader that is furthest needs more, so a slow network slows the
    source down. What came through a pipe is kept, for nodes that start later, and for those that are tried
    again: 64 MiB of it in memory, the rest in a temporary file without a name. A file stays where it is.

    Args:
        fd: the descriptor.
        readers: how many will read it, if that is known: when all have begun, what all have had is not kept.
            ``None``: any number.
        shared: whether it is looked at, not taken; ``None``: if it is the standard input of the program that
            called us, too.
        most_in_memory: bytes.
    """

    def __init__(
        self,
        fd: int = 0,
        *,
        readers: int | None = None,
        shared: bool | None = None,
        most_in_memory: int = MOST_IN_MEMORY,
    ) -> None:
        self._fd = fd
        self._readers = readers
        self._begun = 0
        self._places: dict[object, int] = {}
        self._kept = Kept(most_in_memory)
        self._ended = False
        self._failure: Exception | None = None
        self._reading = asyncio.Lock()
        self._file_start: int | None = None
        self._looked: Looked | None = None
        if stat.S_ISREG(os.fstat(fd).st_mode):
            self._file_start = os.lseek(fd, 0, os.SEEK_CUR)
        elif is_shared(fd) if shared is None else shared:
            self._looked = Looked(fd)
        self._blocking = os.get_blocking(fd)

    def close(self) -> None:
        """Leave the descriptor as it was for others who have it, too: event loops make it non-blocking."""
        self._kept.close()
        if self._looked is not None:
            self._looked.close()
        if os.get_blocking(self._fd) is not self._blocking:
            os.set_blocking(self._fd, self._blocking)

    def __aiter__(self) -> AsyncGenerator[bytes, None]:
        return self._read_kept() if self._file_start is None else self._read_file(self._file_start)

    async def _read_file(self, place: int) -> AsyncGenerator[bytes, None]:
        while chunk := await read_at(self._fd, _CHUNK, place):
            yield chunk
            place += len(chunk)

    async def _read_kept(self) -> AsyncGenerator[bytes, None]:
        reader = object()
        self._begun += 1
        self._places[reader] = place = 0
        try:
            while True:
                if place == len(self._kept):
                    await self._read_beyond(place)
                if place == len(self._kept):
                    return
                chunk = await self._kept.get(place)
                place += 1
                self._places[reader] = place
                self._forget()
                yield chunk
        finally:
            del self._places[reader]
            self._forget()

    def _forget(self) -> None:
        if self._readers is not None and self._begun >= self._readers:
            self._kept.forget(min(self._places.values(), default=len(self._kept)))

    async def _read_beyond(self, place: int) -> None:
        async with self._reading:
            while not self._ended and place == len(self._kept):
                if self._failure is not None:
                    raise self._failure
                chunk = await self._more()
                if chunk is None:
                    continue
                if not chunk:
                    self._ended = True
                    return
                try:
                    await self._kept.add(chunk)
                except UsageError as exc:  # a gap in the input would be worse
                    self._failure = exc

    async def _more(self) -> bytes | None:
        """The next piece; empty at the end, ``None`` if there is none yet."""
        if self._looked is not None:
            seen = await self._looked.more()
            if seen is None:
                self._looked.close()
                self._looked = None
            return seen
        await self._readable()
        try:
            return os.read(self._fd, _CHUNK)
        except BlockingIOError:  # somebody else was faster
            return None

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._fd)


class PasswordFirst:
    """Input of commands that read a password first: it is the first line, then comes the rest, if any.

    Its ``repr`` does not show the password.

    Args:
        password: without a line end.
        rest: what comes after it.

    Raises:
        UsageError: it cannot be a line.
    """

    __slots__ = ("_line", "_rest")

    def __init__(self, password: str, rest: AsyncIterable[bytes] | None = None) -> None:
        if "\n" in password or "\0" in password:
            raise UsageError("the password cannot be a line: it has a line break or a NUL character in it")
        self._line = password.encode(errors="surrogateescape") + b"\n"
        self._rest = rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._line
        if self._rest is not None:
            async for chunk in self._rest:
                yield chunk
