"""URLs of resources: their one form, the credentials in them, where a redirect leads, which proxy is used."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from asynctask.errors import UsageError

__all__ = ("Target", "origin", "parse", "proxy_for", "redirected")

_PORTS = {"http": 80, "https": 443}
# What stays as it is in a path and a query; "%" because it is quoted already.
_KEPT = "/%:@!$&'()*+,;=~?"
_HOST = re.compile(r"[A-Za-z0-9._~-]+")


class Target(NamedTuple):
    """What a URL names, and what to show when asking for it."""

    url: str
    """In its one form, without credentials."""
    authorization: str
    """The value of the header; empty without credentials."""


def parse(url: str) -> Target:
    """Take a URL apart.

    Raises:
        UsageError: it is none of ``http:`` or ``https:``. What is wrong is said without the URL, for a part
            of it may be a password.
    """
    parts = _split(url)
    if parts is None:
        # Raised here: the error of the library has the password in it, and would be the context.
        raise UsageError(
            "this is no URL of http; in a user name or a password / ? # @ are written %2F %3F %23 %40"
        )
    if parts.scheme not in _PORTS or not parts.hostname:
        raise UsageError("a URL to watch has a scheme and a host, as https://www.example.com/news")
    return Target(_canonical(parts, parts.hostname, parts.port), _basic(parts))


def _split(url: str) -> SplitResult | None:
    try:
        url.encode()  # what stands for bytes that are no UTF-8 can neither be sent nor shown
        parts = urlsplit(url)
        _ = parts.port
    except (AttributeError, ValueError):  # it may be something else than text
        return None
    return parts


def _canonical(parts: SplitResult, host: str, port: int | None) -> str:
    place = f"[{host}]" if ":" in host else _ascii(host)
    if port not in {None, _PORTS[parts.scheme]}:
        place = f"{place}:{port}"
    query = f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
    return f"{parts.scheme}://{place}{quote(parts.path or '/', safe=_KEPT)}{query}"


def _ascii(host: str) -> str:
    try:
        name = host.encode("idna").decode()  # also refuses labels that are empty or too long
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name):
        # It is not repeated: before a / that should have been quoted it is a part of user or password.
        raise UsageError("the name of the host in the URL cannot be one")
    return name


def _basic(parts: SplitResult) -> str:
    if parts.username is None and parts.password is None:
        return ""
    pair = unquote_to_bytes(parts.username or "") + b":" + unquote_to_bytes(parts.password or "")
    return "Basic " + base64.b64encode(pair).decode()


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Who answers for a URL: scheme, host and port. What is meant for one is not for another."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def redirected(url: str, location: str) -> str:
    """Where a redirect leads; credentials in it are dropped.

    Raises:
        ValueError: to nothing that may be asked: no http, or no longer https.
    """
    target = ""
    with suppress(ValueError):  # UsageError is one
        target = parse(urljoin(url, location)).url
    if not target:
        raise ValueError("leads to something else than http")
    if url.startswith("https:") and not target.startswith("https:"):
        raise ValueError("leads away from https")
    return target


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for a URL (``https_proxy``, ``no_proxy`` …), if any."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
