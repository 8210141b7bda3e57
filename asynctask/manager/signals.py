"""Signals by name and number."""

from __future__ import annotations

import signal

from asynctask.errors import UsageError

__all__ = ("signal_number",)


def signal_number(which: str | int) -> int:
    """The number of a signal: ``"TERM"``, ``"SIGTERM"``, ``"term"``, ``15`` and ``"15"`` are the same.

    Raises:
        UsageError: there is no such signal.
    """
    if isinstance(which, str) and not which.isdecimal():
        name = which.upper().removeprefix("SIG")
        if hasattr(signal.Signals, f"SIG{name}"):
            return signal.Signals[f"SIG{name}"].value
        raise UsageError(f"signal {which!r}: there is none of this name; kill -l lists them")
    number = int(which)
    if isinstance(which, bool) or not 0 < number < signal.NSIG:
        raise UsageError(f"signal {which!r}: a name, or a number from 1 to {signal.NSIG - 1}")
    return number
