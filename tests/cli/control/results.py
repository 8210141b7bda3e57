"""Results of nodes for the tests of run control."""

from __future__ import annotations

from asynctask.errors import NodeError
from asynctask.outcome import NodeResult, Outcome
from tests.support import node_result

__all__ = ("ended",)

_RC = {Outcome.OK: 0, Outcome.FAILED: 3, Outcome.SIGNALLED: 137}


def ended(outcome: Outcome, error: str | None = None) -> NodeResult:
    """How some node ended."""
    return node_result(
        "n1", outcome, _RC.get(outcome), error=None if error is None else NodeError("n1", error)
    )
