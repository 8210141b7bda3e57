"""URLs of resources: their one form, the credentials in them, where a redirect leads, which proxy is used."""

from __future__ import annotations

import base64
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from asynctask.errors import UsageError

__all__ = ("Target", "origin", "parse", "proxy_for", "redirected")

_PORTS = {"http": 80, "https": 443}
# What stays as it is in a path and a query; "%" because it is quoted already.
_KEPT = "/%:@!$&'()*+,;=~?"


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
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise UsageError(
            "this is no URL of http; in a user name or a password / ? # @ are written %2F %3F %23 %40"
        ) from None
    if parts.scheme not in _PORTS or not host:
        raise UsageError("a URL to watch has a scheme and a host, as https://www.example.com/news")
    return Target(_canonical(parts, host, port), _basic(parts))


def _canonical(parts: SplitResult, host: str, port: int | None) -> str:
    place = f"[{host}]" if ":" in host else _ascii(host)
    if port not in {None, _PORTS[parts.scheme]}:
        place = f"{place}:{port}"
    query = f"?{quote(parts.query, safe=_KEPT)}" if parts.query else ""
    return f"{parts.scheme}://{place}{quote(parts.path or '/', safe=_KEPT)}{query}"


def _ascii(host: str) -> str:
    if host.isascii():
        if host.isprintable() and " " not in host:
            return host
    else:
        try:
            return host.encode("idna").decode()
        except UnicodeError:
            pass
    raise UsageError(f"this cannot be the name of a host: {host!r}")


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
    try:
        target = parse(urljoin(url, location)).url
    except ValueError:  # UsageError is one
        raise ValueError("leads to something else than http") from None
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
