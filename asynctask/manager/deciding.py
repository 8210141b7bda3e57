"""What is done when a process has ended. Pure: no clock, no process, nothing that waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from asynctask.manager.launching import Exit
from asynctask.manager.states import Happening
from asynctask.manager.template import Backoff, ProcessTemplate

__all__ = ("Decision", "End", "History", "decide", "delay_of")

Chance = Callable[[], float]
"""A number from 0 to 1, as ``random.random`` gives it."""


@dataclass(frozen=True, slots=True)
class End:
    """How a process came to its end, or never to its beginning."""

    ready: bool
    """Whether it was ready before."""
    exit: Exit | None
    """How it ended; ``None``: nothing was started."""
    time: float
    """When, in seconds of a monotonic clock."""
    lived: float = 0.0
    """Seconds since it was ready."""
    reason: str = ""
    """Why the manager ended it, or could not start it."""
    temporary: bool = False
    """It could not be started, and that is not its fault: a node cannot be reached."""
    asked: bool = False
    """Somebody wanted it to be replaced: this is no failure."""


@dataclass(slots=True)
class History:
    """What is remembered of one place of a template."""

    failures: int = 0
    """Starts that failed, in a row."""
    unreachable: int = 0
    """Times in a row that its node could not be reached."""
    ends: deque[float] = field(default_factory=deque)
    """When processes ended that had been ready, as many as flapping looks at."""
    flaps: int = 0
    """How often it was found flapping, without a quiet time between."""

    def clear(self) -> None:
        """Somebody has started it by hand: what was is forgiven."""
        self.failures = self.unreachable = self.flaps = 0
        self.ends.clear()


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes next."""

    happening: Happening
    delay: float = 0.0
    """Seconds, when it is tried again later."""
    reason: str = ""
    flapping: bool = False


def decide(template: ProcessTemplate, history: History, end: End, chance: Chance) -> Decision:
    """Decide what comes after an end, and note it in the history.

    Args:
        template: whose policy counts.
        history: of this place; it is changed.
        end: what happened.
        chance: for the jitter.
    """
    if end.asked:
        return Decision(Happening.AGAIN)
    if end.temporary:
        history.unreachable += 1
        delay = delay_of(template.backoff, history.unreachable, chance)
        return Decision(Happening.LATER, delay, end.reason)
    history.unreachable = 0
    if end.exit is not None and not _wants_another(template, end):
        return Decision(Happening.DONE, reason=_told(end))
    if end.ready:
        history.failures = 0
        return _after_running(template, history, end, chance)
    return _after_failed_start(template, history, end, chance)


def delay_of(backoff: Backoff, failures: int, chance: Chance) -> float:
    """Seconds to wait after so many failures in a row."""
    try:
        delay = min(backoff.maximum, backoff.initial * backoff.factor ** (failures - 1))
    except OverflowError:
        delay = backoff.maximum
    return _jittered(delay, backoff, chance)


def _jittered(delay: float, backoff: Backoff, chance: Chance) -> float:
    return delay * (1 + backoff.jitter * (2 * chance() - 1))


def _wants_another(template: ProcessTemplate, end: End) -> bool:
    """Whether the policy has it started again, from how it ended."""
    if template.restart == "unexpected":
        assert end.exit is not None
        return bool(end.reason) or end.exit.code not in template.exit_codes
    return template.restart == "always"


def _after_running(template: ProcessTemplate, history: History, end: End, chance: Chance) -> Decision:
    limits = template.flapping
    if limits is None:
        return Decision(Happening.AGAIN, reason=_told(end))
    if end.lived > limits.window:
        history.flaps = 0
        history.ends.clear()
    history.ends.append(end.time)
    while len(history.ends) > limits.attempts:
        history.ends.popleft()
    if len(history.ends) < limits.attempts or end.time - history.ends[0] > limits.window:
        return Decision(Happening.AGAIN, reason=_told(end))
    history.flaps += 1
    history.ends.clear()
    reason = f"it ended {limits.attempts} times within {limits.window:g} s, at last: {_told(end)}"
    if limits.max_retry is not None and history.flaps > limits.max_retry:
        return Decision(Happening.GIVE_UP, reason=reason, flapping=True)
    return Decision(
        Happening.LATER, _jittered(limits.retry_in, template.backoff, chance), reason, flapping=True
    )


def _after_failed_start(template: ProcessTemplate, history: History, end: End, chance: Chance) -> Decision:
    history.failures += 1
    reason = end.reason or f"before it was ready: {_told(end)}"
    attempts = template.backoff.attempts
    if template.restart == "never" or (attempts is not None and history.failures >= attempts):
        return Decision(Happening.GIVE_UP, reason=reason)
    return Decision(Happening.LATER, delay_of(template.backoff, history.failures, chance), reason)


def _told(end: End) -> str:
    """An end in words."""
    if end.reason:
        return end.reason
    if end.exit is None or (end.exit.code is None and end.exit.signal is None):
        return "it ended, nobody knows how"
    if end.exit.signal is not None:
        return f"it was ended by signal {end.exit.signal}"
    return f"it exited with {end.exit.code}"
