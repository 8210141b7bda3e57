"""What hears a run: displays and records of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult

__all__ = ("View",)


class View:
    """Base of all that hears a run on the command line.

    A view is a handler of the library: what it has of ``ev_pickup``, ``ev_read``, ``ev_end`` and the others,
    and of ``_ev_lines(worker, node, sname, lines)``, is awaited for each attempt at each node; while a record
    is replayed, ``worker`` is ``None``. What it does not have costs nothing. A view has these two besides.
    """

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        """A node is over for good: once for each target, with its last attempt, counted from 1."""

    async def over(self, results: Sequence[NodeResult]) -> None:
        """All is over: the last results of all targets, in the order of the targets. Once."""
