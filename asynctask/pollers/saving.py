"""The state of a poller as bytes: what was delivered, so that another process goes on from there.

JSON, a line for each thousand entries: what reads or writes one very long text holds up the loop even from
another thread.
"""

from __future__ import annotations

import json
import zlib
from itertools import islice
from typing import Any

from asynctask.errors import UsageError
from asynctask.pollers.changes import Listing

__all__ = ("check", "pack", "unpack")

VERSION = 1
_A_LINE = 1000


def pack(url: str, listing: Listing) -> bytes:
    """The state of a poller of ``url`` that has delivered what is in ``listing``."""
    entries = iter(listing.items())
    lines = []
    while part := dict(islice(entries, _A_LINE)):
        lines.append(_line(part))
    body = b"".join(lines)
    head = {"asynctask poller": VERSION, "url": url, "lines": len(lines), "crc": zlib.crc32(body)}
    return _line(head) + body


def check(url: str, state: bytes) -> None:
    """Make sure that a state is one of a poller of ``url``, and seems to be all of it. Takes no time.

    Raises:
        UsageError: it is not.
    """
    head = _head(url, state)
    if head.get("asynctask poller") != VERSION:
        raise UsageError(f"{url}: the state is of another version of asynctask: start without it")
    if head.get("url") != url:
        raise UsageError(f"{url}: the state is one of {head.get('url')}")
    if state.count(b"\n") - 1 != head.get("lines"):
        raise UsageError(f"{url}: a part of the state is missing: start without it")


def unpack(url: str, state: bytes) -> Listing:
    """The listing in a state.

    Raises:
        UsageError: the state is damaged, or of another poller.
    """
    check(url, state)
    body = state.partition(b"\n")[2]
    if zlib.crc32(body) != _head(url, state).get("crc"):
        raise UsageError(f"{url}: the state is damaged: start without it")
    listing: Listing = {}
    for line in body.splitlines():
        listing.update((name, tuple(stamp)) for name, stamp in json.loads(line).items())
    return listing


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _head(url: str, state: bytes) -> dict[str, Any]:
    try:
        head = json.loads(state.partition(b"\n")[0])
    except (TypeError, ValueError, RecursionError, AttributeError) as exc:
        raise UsageError(f"{url}: this is no state of a poller") from exc
    if not isinstance(head, dict) or "asynctask poller" not in head:
        raise UsageError(f"{url}: this is no state of a poller")
    return head
