"""``--quorum``: how many nodes have to end well, and when that is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import click

if TYPE_CHECKING:
    from asynctask.cli.control.shares import Share
    from asynctask.outcome import NodeResult

__all__ = ("Decision", "QuorumWatch")

Decision: TypeAlias = Literal["reached", "missed"]


class QuorumWatch:
    """Hears how nodes end, and tells once when the quorum is reached, or out of reach.

    Once it is reached the run is over: what still runs is stopped. Once it is out of reach the run has failed
    and no more nodes start; what runs goes on to its end, since half a change is worse than a whole one.

    Args:
        share: what the option says; a percentage is of all targets, rounded up. ``None``: there is none.
        total: how many targets the whole run has.

    Raises:
        click.UsageError: there are fewer targets than that.
    """

    def __init__(self, share: Share | None, total: int) -> None:
        self.needed = 0 if share is None else share.at_least(total)
        """How many nodes have to end well."""
        if self.needed > total:
            raise click.UsageError(f"--quorum {share}: there are only {total} nodes")
        self._share = share
        self._total = total
        self._good = self._bad = 0
        self.decision: Decision | None = None
        """What has come of it, once that is known."""

    def hear(self, result: NodeResult) -> Decision | None:
        """Take the last result of a node; what it has decided."""
        if self._share is None or self.decision is not None:
            return None
        if result.ok:
            self._good += 1
        else:
            self._bad += 1
        if self._good >= self.needed:
            self.decision = "reached"
        elif self._total - self._bad < self.needed:
            self.decision = "missed"
        return self.decision

    @property
    def reason(self) -> str | None:
        """What has come of it, in words, once that is known."""
        if self.decision == "reached":
            return f"enough: {self._good} of {self._total} nodes ended well (--quorum {self._share})"
        if self.decision == "missed":
            most = self._total - self._bad
            return f"only {most} of {self._total} nodes can still end well: --quorum {self._share}"
        return None
