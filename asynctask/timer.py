"""Timers of a task: when they are due, decided without a clock of their own.

The run that a timer belongs to looks at the loop's clock, which is monotonic, and tells the timer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from asynctask.errors import TaskStateError, UsageError

__all__ = ("Timer",)

#: Intervals up to this length, in seconds, are none; ClusterShell's figure.
EPSILON = 0.001

_ONCE = -1


class Timer:
    """Fires once or again and again while its task runs. Made by :meth:`asynctask.Task.timer`.

    The handler's ``ev_timer(timer)`` is awaited; the next firing waits for it. Repeating does not drift: the
    dates lie an interval apart, counted from the first. Where dates were missed (a handler that took long, a
    run that was suspended or had not begun), it fires once for all of them, at once.

    Args:
        fire: seconds until it fires first, 0 or more, from now.
        handler: an object with ``ev_timer``.
        interval: seconds between firings; -1, or anything up to a millisecond: it fires once.
        autoclose: it does not keep the task's run going, and is invalidated at the end of it.
        now: the loop's clock.
        changed: called when the timer is due at another time, or is invalid.
    """

    def __init__(
        self,
        fire: float,
        handler: object,
        interval: float = _ONCE,
        autoclose: bool = False,
        *,
        now: Callable[[], float],
        changed: Callable[[Timer], None],
    ) -> None:
        if not callable(getattr(handler, "ev_timer", None)):
            raise UsageError(f"the handler of a timer needs a method ev_timer: {type(handler).__name__}")
        self.handler = handler
        self.autoclose = autoclose
        self.now = now
        self._changed = changed
        self._valid = True
        self._set(fire, interval)

    def _set(self, fire: float, interval: float) -> None:
        _check("fire", fire)
        if interval != _ONCE:
            _check("interval", interval)
        self._interval = interval if interval > EPSILON else 0.0
        self._due: float | None = self.now() + fire

    def is_valid(self) -> bool:
        """Whether it may still fire: false once it was invalidated, or has fired its only time.

        While its handler runs for the only time, it is valid: the handler may call :meth:`set_nextfire`.
        """
        return self._valid

    def invalidate(self) -> None:
        """Fire no more. Doing it again, or in the handler, is fine."""
        if self._valid:
            self._valid = False
            self._due = None
            self._changed(self)

    def set_nextfire(self, fire_delay: float, interval: float = _ONCE) -> None:
        """Fire ``fire_delay`` seconds from now, and not when it would have.

        Args:
            fire_delay: seconds, 0 or more.
            interval: seconds between the firings that follow; left out, it fires once.

        Raises:
            TaskStateError: the timer is not valid any more; make a new one.
        """
        if not self._valid:
            raise TaskStateError("the timer is not valid any more: make a new one")
        self._set(fire_delay, interval)
        self._changed(self)

    def __repr__(self) -> str:
        if not self._valid:
            return "<Timer invalid>"
        return f"<Timer every {self._interval:g} s>" if self._interval else "<Timer once>"

    # -- what the run asks and tells ------------------------------------------------------------

    @property
    def due(self) -> float | None:
        """When it fires next, on the loop's clock; ``None`` if never, or not before its handler is done."""
        return self._due

    def strike(self, now: float) -> None:
        """It fires: dates up to ``now`` are over."""
        assert self._due is not None
        if self._interval:
            missed = math.floor((now - self._due) / self._interval)
            self._due += self._interval * (max(missed, 0) + 1)
            if self._due <= now:  # rounding
                self._due += self._interval
        else:
            self._due = None

    def fired(self) -> None:
        """The handler is done: one that fires once, and was not set again, is over."""
        if self._due is None:
            self.invalidate()


def _check(name: str, seconds: float) -> None:
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < math.inf:
        raise UsageError(f"timer: {name}={seconds!r}: a number of seconds, 0 or more")
