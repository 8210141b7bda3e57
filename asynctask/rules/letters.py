"""Dead letters: what failed in the end, so that somebody can see to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from asynctask.outcome import NodeResult
from asynctask.pollers.aside import Aside
from asynctask.rules.happening import Happening
from asynctask.rules.keeping import append_line

__all__ = ("DeadLetters", "Letter")

_log = logging.getLogger(__name__)

#: How many events of a batch a letter names.
_MOST_EVENTS = 1000
#: How many seconds writing one may take, also when all is being stopped.
_PATIENCE = 5.0


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What failed in the end. Neither the command nor its variables are in it: they may hold a secret."""

    rule: str
    batch: Sequence[Happening]
    attempts: int
    reason: str
    """In words."""
    failed: Sequence[NodeResult] = ()
    output: Mapping[str, bytes] | None = None
    """The last of what each node printed."""

    @property
    def about(self) -> str:
        """What it is about, in a word."""
        first = self.batch[0]
        return first.url or first.topic if len(self.batch) == 1 else f"{len(self.batch)} events"

    def line(self, now: datetime) -> bytes:
        """One line of JSON."""
        shown = self.batch[:_MOST_EVENTS]
        record: dict[str, Any] = {
            "time": now.isoformat(timespec="milliseconds"),
            "rule": self.rule,
            "events": [{"topic": each.topic, "event": each.event, "url": each.url} for each in shown],
            "more_events": len(self.batch) - len(shown),
            "attempts": self.attempts,
            "reason": self.reason,
            "nodes": {each.node: self._node(each) for each in self.failed},
        }
        return json.dumps(record).encode() + b"\n"

    def _node(self, result: NodeResult) -> dict[str, object]:
        last = (self.output or {}).get(result.node, b"")
        return {
            "outcome": str(result.outcome),
            "rc": result.rc,
            "error": "" if result.error is None else result.error.reason,
            "output": last.decode(errors="replace"),
        }


class DeadLetters:
    """Where letters go.

    Args:
        path: a file, to which they are added; ``None``: the log has to do.

    Attributes:
        written: how many are in the file.
        lost: how many could not be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._complained = False
        self._aside = Aside("dead letters")
        self.written = 0
        self.lost = 0

    async def add(self, letter: Letter) -> bool:
        """Write a letter, and wait until it is on the disk; 5 seconds at most, cancelled or not.

        Returns:
            Whether it is where it should be.
        """
        _log.warning("rule %s: gave up on %s: %s", letter.rule, letter.about, letter.reason)
        path = self._path
        if path is None:
            return True
        line = letter.line(datetime.now(UTC))
        error: object = f"not within {_PATIENCE:g} s"
        with anyio.move_on_after(_PATIENCE, shield=True):
            try:
                await self._aside.do(lambda: append_line(path, line))
            except OSError as exc:
                error = exc.strerror or exc
            else:
                self.written += 1
                self._complained = False
                return True
        self.lost += 1
        if not self._complained:  # once, until it is well again
            self._complained = True
            _log.error(
                "dead letters: %s cannot be written: %s; what failed does not count as handled", path, error
            )
        return False
