"""``--batch`` and ``--canary``: the targets in parts, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from asynctask.cli.control.shares import Share

__all__ = ("plan",)


def plan(targets: Sequence[str], batch: Share | None = None, canary: int = 0) -> list[tuple[str, ...]]:
    """The batches, which together are the targets in their order; none is empty.

    Args:
        targets: all of them.
        batch: the size of each; a percentage is of all targets, rounded down. ``None``: all in one.
        canary: how many go first, in a batch of their own; 0: none do.
    """
    first, rest = tuple(targets[:canary]), tuple(targets[canary:])
    size = len(rest) if batch is None else batch.at_most(len(targets))
    batches = [rest[at : at + size] for at in range(0, len(rest), size or 1)]
    return [first, *batches] if first else batches
