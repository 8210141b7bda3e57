"""Lines on their way to the screen: many at once, in their order, and never more than there is room for."""

from __future__ import annotations

import asyncio

from asynctask.cli.screen import Screen
from asynctask.cli.terminal import STDERR

__all__ = ("Printer",)

#: Bytes that wait for the screen before who has output has to wait, too.
_ROOM = 1 << 18
#: Bytes above which nothing is taken, whoever brings it.
_FULL = 4 * _ROOM


class Printer:
    """Collects lines, and hands them to the screen when the loop has nothing more urgent to do.

    Args:
        screen: where they are shown.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._waiting: list[tuple[int, bytes]] = []
        self._size = 0
        self._some = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self.dropped = 0
        """How many were dropped, since nobody has read for so long."""

    def put(self, fd: int, text: bytes) -> None:
        """Show lines, after those before; never waits. What there is no room for is counted."""
        if self._size >= _FULL:
            self.dropped += 1
            return
        self._waiting.append((fd, text))
        self._size += len(text)
        self._idle.clear()
        self._some.set()
        if self._size >= _ROOM:
            self._room.clear()

    async def room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    async def idle(self) -> None:
        """Wait until all that was put is with the screen."""
        await self._idle.wait()

    async def run(self) -> None:
        """Show what is put, until it is cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            waiting, self._waiting, self._size = self._waiting, [], 0
            self._room.set()
            for fd, text in _joined(waiting):
                await self._screen.write(fd, text)
            if self.dropped:
                self._tell_dropped()
            if not self._waiting:
                self._idle.set()

    def _tell_dropped(self) -> None:
        dropped, self.dropped = self.dropped, 0
        self._waiting.append((STDERR, b"asynctask: %d lines are not shown: nobody has read them\n" % dropped))
        self._some.set()


def _joined(lines: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbours that go to the same stream, in one piece."""
    pieces: list[tuple[int, list[bytes]]] = []
    for fd, text in lines:
        if not pieces or pieces[-1][0] != fd:
            pieces.append((fd, []))
        pieces[-1][1].append(text)
    return [(fd, b"".join(texts)) for fd, texts in pieces]
