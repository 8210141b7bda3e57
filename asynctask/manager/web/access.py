"""Who may use the HTTP interface: the token, the names that it answers to, where a page may come from."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from asynctask.errors import ManagerError, UsageError

__all__ = ("SECURITY_HEADERS", "Token", "host_is_known", "is_loopback", "origin_is_ours", "token_in_file")

#: A token that is shorter could be guessed.
_SHORTEST = 16
_LONGEST = 1024

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"

#: Sent with everything. The page has its style and its script in files, and talks to nobody else.
SECURITY_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Token:
    """A secret that a caller has to know. It is in no ``repr``, and compared in constant time.

    Args:
        text: 16 characters or more, of those that a header can carry.

    Raises:
        UsageError: it is too short, or cannot be sent in a header.
    """

    __slots__ = ("_digest", "_text")

    def __init__(self, text: str) -> None:
        if not text.isascii() or not text.isprintable() or " " in text:
            raise UsageError("the token for HTTP may have letters, digits and punctuation of ASCII alone")
        if not _SHORTEST <= len(text) <= _LONGEST:
            raise UsageError(f"the token for HTTP needs {_SHORTEST} to {_LONGEST} characters")
        self._text = text
        self._digest = _digest(text.encode())

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def is_in(self, authorization: str | None) -> bool:
        """Whether a header ``Authorization: Bearer ...`` has it."""
        scheme, _, given = (authorization or "").partition(" ")
        same = hmac.compare_digest(self._digest, _digest(given.strip().encode("utf-8", "replace")))
        return same and scheme.lower() == "bearer"

    def __repr__(self) -> str:
        return "<Token>"


def _digest(text: bytes) -> bytes:
    """All of one length: how long the token is does not show in the time of a comparison."""
    return hashlib.sha256(text).digest()


def token_in_file(path: Path) -> Token:
    """The token in a file; one is made up, and written for the owner alone, when there is no such file.

    Raises:
        ManagerError: it cannot be read or written, or others may read it.
        UsageError: what is in it is no token.
    """
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            return _read(path)
        token = Token(secrets.token_urlsafe(32))
        with os.fdopen(descriptor, "w") as file:
            file.write(token.reveal() + "\n")
    except OSError as exc:
        raise ManagerError(f"{path}: {exc.strerror}") from exc
    return token


def _read(path: Path) -> Token:
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ManagerError(f"{path}: no regular file")
        if found.st_mode & 0o077 or found.st_uid not in {os.geteuid(), 0}:
            raise ManagerError(
                f"{path}: others may read it: make it yours alone (chmod 600), with a new token"
            )
        text = file.read(2 * _LONGEST)
    try:
        return Token(text.decode("ascii", "replace").strip())
    except UsageError as exc:
        raise UsageError(f"{path}: {exc}") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    address = _address(host)
    return address.is_loopback if address is not None else host.rstrip(".").lower() == "localhost"


def host_is_known(header: str | None, known: Collection[str]) -> bool:
    """Whether a ``Host`` header names us, and not a name that somebody let point to this machine.

    Addresses are always right: a page can only come from a name that was made to point here (DNS
    rebinding) when it asks for that name.

    Args:
        header: as it was sent; any port is right, for ports get forwarded.
        known: names besides ``localhost``, in lower case.
    """
    name = _without_port(header or "").rstrip(".").lower()
    if name.startswith("["):
        return name.endswith("]") and _address(name[1:-1]) is not None
    return name == "localhost" or name in known or _address(name) is not None


def origin_is_ours(origin: str | None, host: str | None, fetch_site: str | None = None) -> bool:
    """Whether a request that changes something comes from our own page, or from no page at all.

    Args:
        origin: the ``Origin`` header; browsers send it with every such request.
        host: the ``Host`` header.
        fetch_site: the ``Sec-Fetch-Site`` header.
    """
    if fetch_site not in {None, "same-origin", "none"}:
        return False
    if origin is None:
        return True
    scheme, _, name = origin.partition("://")
    return scheme in {"http", "https"} and name != "" and name.lower() == (host or "").lower()


def _without_port(header: str) -> str:
    name, colon, port = header.rpartition(":")
    return name if colon and port.isdigit() else header


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
