"""``--halt``: when a run is stopped early, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from asynctask.cli.control.shares import Share
from asynctask.errors import UsageError
from asynctask.outcome import Outcome

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult

__all__ = ("Halt", "HaltWatch", "How", "is_failure")

How: TypeAlias = Literal["now", "soon"]

_FORM = re.compile(r"(now|soon),(fail|timeout)=(.*)", re.DOTALL)
_FORMS = "never, or now|soon,fail|timeout=N|N%, such as now,fail=1 or soon,timeout=10%"

#: What becomes of a node when a run is ended from outside: it says nothing about the node.
_OURS = frozenset({Outcome.ABORTED, Outcome.NEVER_STARTED})


def is_failure(result: NodeResult) -> bool:
    """Whether a node has not ended well, and not only because the run was stopped."""
    return not result.ok and not (result.outcome in _OURS and result.error is None)


def _is_timeout(result: NodeResult) -> bool:
    return result.outcome is Outcome.TIMED_OUT


_CAUSES: dict[str, tuple[str, Callable[[NodeResult], bool]]] = {
    "fail": ("failed", is_failure),
    "timeout": ("timed out", _is_timeout),
}


@dataclass(frozen=True, slots=True)
class Halt:
    """What the option says."""

    how: How
    """``now``: what runs is stopped. ``soon``: no more nodes start, what runs goes on to its end."""
    cause: str
    """What is counted: ``fail`` or ``timeout``."""
    share: Share
    """How many of them it takes; a percentage is of all targets."""

    @classmethod
    def parse(cls, text: str) -> Halt | None:
        """Read the value of the option; ``None`` for ``never``.

        Raises:
            UsageError: it has none of the forms.
        """
        compact = "".join(text.split()).lower()
        if compact == "never":
            return None
        form = _FORM.fullmatch(compact)
        if form is None:
            raise UsageError(f"{text!r}: {_FORMS}")
        try:
            share = Share.parse(form[3])
        except UsageError:
            raise UsageError(
                f"{text!r}: {form[3]!r} is neither a number of nodes nor a percentage; {_FORMS}"
            ) from None
        return cls(cast("How", form[1]), form[2], share)

    def __str__(self) -> str:
        return f"{self.how},{self.cause}={self.share}"


class HaltWatch:
    """Hears how nodes end, and tells once when it is enough.

    Args:
        halt: ``None``: it is never enough.
        total: how many targets the whole run has.
    """

    def __init__(self, halt: Halt | None, total: int) -> None:
        self._halt = halt
        self._total = total
        self._counted = 0
        self.reason: str | None = None
        """Why the run was stopped, in words, once it was."""

    def hear(self, result: NodeResult) -> How | None:
        """Take the last result of a node; how the run is to be stopped, if this was one too many."""
        halt = self._halt
        if halt is None or self.reason is not None:
            return None
        words, counts = _CAUSES[halt.cause]
        self._counted += counts(result)
        if self._counted < halt.share.at_least(self._total):
            return None
        self.reason = f"{self._counted} of {self._total} nodes {words}: --halt {halt}"
        return halt.how
