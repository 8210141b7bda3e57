"""What a poller reports, and what it goes by."""

from __future__ import annotations

import os
import re
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

from asynctask.errors import UsageError

__all__ = ("Change", "Kind", "Listing", "Stamp", "file_path", "file_url", "scheme_of")

Kind = Literal["created", "modified", "deleted"]

#: What tells one state of an entry from another: values that JSON has, the kind of the entry first. Two that
#: are equal mean that nothing has changed; with another kind it is another entry of the same name.
Stamp = tuple[Any, ...]

#: Everything at a URL: the name of each entry, relative to the URL, and its stamp. ``""`` is what the URL
#: itself names.
Listing = dict[str, Stamp]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class Change(NamedTuple):
    """Something has happened at a URL. It is the pair ``(url, event)``."""

    url: str
    """What it happened to; quoted, and without credentials."""
    event: Kind
    """``"created"``, ``"modified"`` or ``"deleted"``."""

    @property
    def path(self) -> str:
        """The local path of a ``file:`` URL, as :mod:`os` takes it, also where it is no UTF-8.

        Raises:
            UsageError: it is the URL of something else.
        """
        return file_path(self.url)


def scheme_of(url: str) -> str:
    """The scheme of a URL, in lower case; ``"file"`` for a plain path."""
    if url[:5].lower() == "file:":
        return "file"
    found = _SCHEME.match(url)
    return found[1].lower() if found else "file"


def file_url(path: str) -> str:
    """The URL of an absolute path."""
    return "file://" + quote(os.fsencode(path))


def file_path(url: str) -> str:
    """The local path that a ``file:`` URL names; a plain path is its own.

    Raises:
        UsageError: it names nothing here.
    """
    if scheme_of(url) != "file":
        raise UsageError(f"no file: URL: {url}")
    if url[:5].lower() != "file:":
        return url
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise UsageError(f"a file: URL has an absolute path on this machine, as file:///srv/inbox: {url}")
    if parts.query or parts.fragment:
        raise UsageError(f"in a file: URL ? is written %3F and # is written %23: {url}")
    return os.fsdecode(unquote_to_bytes(parts.path))
