"""Counts what is transferred, and tells of it now and then."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable

from asynctask.events import Progress
from asynctask.transfer.names import shown

__all__ = ("INTERVAL", "Meter")

#: Seconds between two reports about one node, at least.
INTERVAL = 0.1


class Meter:
    """How far the transfer of one node has come: told at most every ``INTERVAL`` seconds, and at the end.

    Args:
        report: whom to tell; ``None``: nobody.
        clock: tells the time in seconds.
    """

    def __init__(
        self, report: Callable[[Progress], None] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.done = 0
        self.files = 0
        self._total: int | None = None
        self._base = 0  # of paths: what comes before the root of the tree
        self._path = b""
        self._report = report
        self._clock = clock
        self._next = clock() + INTERVAL

    def begin_file(self, source: bytes, size: int) -> None:
        """One file is copied."""
        self._path, self._total = source, size

    def begin_tree(self, source: bytes) -> None:
        """A tree is copied, and it is not known how much that is."""
        root = posixpath.basename(source.rstrip(b"/"))
        self._path = root
        self._base = len(source.rstrip(b"/")) - len(root)

    def add(self, source: bytes, size: int) -> None:
        """So many bytes of a file have arrived, or were there."""
        self.done += size
        self._path = source[self._base :]
        if self._report is not None and self._clock() >= self._next:
            self._tell(self._report)

    def complete(self, source: bytes, identical: int = 0) -> None:
        """A file or link is complete; that many bytes of it did not have to be sent."""
        self.files += 1
        self.add(source, identical)

    def finish(self) -> None:
        """The transfer is over: tell the last time, whatever the clock says."""
        if self._report is not None:
            self._tell(self._report)

    def _tell(self, report: Callable[[Progress], None]) -> None:
        self._next = self._clock() + INTERVAL
        report(Progress(shown(self._path), self.done, self._total, self.files))
