"""``--retries``: which nodes are tried again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from asynctask.outcome import Outcome

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult

__all__ = ("RETRIED", "Retrying", "pause")

#: Which outcomes another attempt may change. Who was refused is refused again, and may be locked out; a wrong
#: host key stays wrong; what the user has stopped stays so.
RETRIED = {
    Outcome.OK: False,
    Outcome.FAILED: True,
    Outcome.SIGNALLED: True,
    Outcome.TIMED_OUT: True,
    Outcome.UNREACHABLE: True,
    Outcome.REFUSED: True,
    Outcome.AUTH_FAILED: False,
    Outcome.HOST_KEY: False,
    Outcome.SPAWN_FAILED: True,
    Outcome.ABORTED: False,
    Outcome.NEVER_STARTED: False,
}

#: Seconds before the second attempt, and the most before any.
_FIRST, _MOST = 1.0, 60.0
#: The part of a pause that is left to chance, so that nodes do not all come back at the same moment.
_CHANCE = 0.5
#: From here on doubling makes no difference.
_DOUBLINGS = 6


def pause(attempt: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait after an attempt, counted from 1: 1, 2, 4 and so on up to 60, or down to half of it.

    Args:
        attempt: the one that failed.
        draw: gives numbers from 0 to 1.
    """
    longest = min(_MOST, _FIRST * 2.0 ** min(attempt - 1, _DOUBLINGS))
    return longest * (1 - _CHANCE * draw())


class Retrying:
    """Decides for one run.

    Args:
        retries: how often a node is tried again at most.
        draw: gives numbers from 0 to 1.
    """

    def __init__(self, retries: int, draw: Callable[[], float] = random.random) -> None:
        self._retries = retries
        self._draw = draw

    def pause_after(self, result: NodeResult, attempt: int) -> float | None:
        """Seconds until the node is tried again; ``None`` if this attempt, counted from 1, was its last."""
        if attempt > self._retries or not RETRIED[result.outcome]:
            return None
        return pause(attempt, self._draw)
