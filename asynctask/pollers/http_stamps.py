"""What an answer of a web server says about a resource. No I/O here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from asynctask.pollers.changes import Stamp

__all__ = ("LONGEST_WAIT", "Validators", "fault", "retry_after")

#: The most seconds that a server can make a poller wait.
LONGEST_WAIT = 300.0

_LATER = frozenset({408, 425, 429})
_HINTS = {
    401: "user and password may stand in the URL, a token in headers=",
    403: "the credentials do not allow it",
    407: "the credentials of the proxy belong into its URL",
}


@dataclass(frozen=True, slots=True)
class Validators:
    """By what one state of a resource is told from another: the first of these that a server sends."""

    etag: str = ""
    """As sent, with ``W/`` if it is a weak one."""
    modified: str = ""
    """The value of Last-Modified, as sent."""
    digest: str = ""
    """Of the body; only where neither of the others was sent."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        """Those in the headers, whose names are in lower case."""
        return cls(headers.get("etag", ""), headers.get("last-modified", ""))

    def __bool__(self) -> bool:
        return bool(self.etag or self.modified or self.digest)

    @property
    def stamp(self) -> Stamp:
        """Equal for equal states."""
        if self.etag:
            return "resource", "etag", _opaque(self.etag)
        if self.modified:
            return "resource", "last-modified", self.modified
        return "resource", "digest", self.digest

    def same(self, other: Validators) -> bool:
        """Whether both are of one state, going by the best that both have.

        One of several servers behind an address may send no ETag.
        """
        if self.etag and other.etag:
            return _opaque(self.etag) == _opaque(other.etag)
        if self.modified and other.modified:
            return self.modified == other.modified
        return self.digest == other.digest and bool(self.digest)


def _opaque(etag: str) -> str:
    """A weak ETag names the same state as the strong one: a proxy that compresses makes it weak."""
    return etag.removeprefix("W/")


def fault(status: int, reason: str) -> tuple[str, str, bool]:
    """What to say about an answer that is neither the resource nor its absence.

    Returns:
        What happened, what to do about it, and whether trying again can help.
    """
    text = f"the server answers {status}"
    if printable := "".join(letter for letter in reason[:60] if letter.isprintable()):
        text += f" {printable}"
    return text, _HINTS.get(status, ""), status >= 500 or status in _LATER


def retry_after(value: str, now: datetime) -> float:
    """Seconds that a Retry-After header asks for, 5 minutes at most; 0 if it says nothing.

    Args:
        value: of the header; seconds or a date.
        now: the time of day, for a date.
    """
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(LONGEST_WAIT, seconds) if seconds > 0 and not math.isnan(seconds) else 0.0
