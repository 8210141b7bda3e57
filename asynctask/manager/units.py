"""Times and sizes as people write them into files: ``"5m"``, ``"50MB"``."""

from __future__ import annotations

import re

from asynctask.errors import UsageError

__all__ = ("bytes_of", "seconds_of")

_TIMES = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TIME = re.compile(r"(\d{1,10}(?:\.\d{1,9})?)\s*(ms|s|m|h|d|)", re.ASCII)
_SIZE = re.compile(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)


def seconds_of(text: str) -> float:
    """A time in seconds, from ``"500ms"``, ``"10s"``, ``"1.5m"``, ``"2h"``, ``"1d"`` or ``"10"``.

    Raises:
        UsageError: it is none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError('a time is seconds, or text like "500ms", "10s", "5m", "2h"')
    return float(found[1]) * _TIMES[found[2]]


def bytes_of(text: str) -> int:
    """A size in bytes, from ``"50MB"``, ``"50 MiB"``, ``"50m"`` (all three are the same) or ``"1000"``.

    Raises:
        UsageError: it is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError('a size is bytes, or text like "500kB", "50MB", "1GB"')
    return int(found[1]) * _SIZES[found[2].lower()]
