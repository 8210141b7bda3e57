"""What a node or a jump host is called: ``host``, ``user@host:port``, ``ssh://user@host:port``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from asynctask.errors import SSHConfigError

__all__ = ("Target", "check_targets", "parse_jumps", "parse_target")

#: A name and nothing else.
_is_plain = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*").fullmatch
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]+(%[\w.-]+)?")
_BRACKETED = re.compile(r"\[([^\[\]]*)\](?::(.*))?")
_UNPRINTABLE = re.compile(r"[\s\0-\x1f\x7f-\x9f]")
#: What OpenSSH refuses, too: these names go into commands, as ``ProxyCommand``.
_NOT_IN_USER = re.compile(r"[`'\";&<>|(){}]|\\$")
_NOT_IN_HOST = re.compile(r"[`'\";&<>|(){}$\\/\[\],@]")


class Target(NamedTuple):
    """Whom to reach. What is ``None`` is up to the options and the configuration."""

    user: str | None
    host: str
    port: int | None


#: Half the time of calling ``Target``: most targets of most runs come by here.
_plain = partial(tuple.__new__, Target)


def parse_target(text: str) -> Target:
    """Take a target apart.

    It is ``host``, ``user@host``, ``host:port`` or both, where the last ``@`` ends the user; or a URL such as
    ``ssh://user@host:port``, whose user may have ``%`` escapes. An IPv6 address stands in brackets where
    a port follows; without brackets it has none.

    Raises:
        SSHConfigError: it is none of these. The message says why and what would be right.
    """
    if _is_plain(text):
        return _plain((None, text, None))
    if _UNPRINTABLE.search(text):
        raise _wrong(text, "a blank or control character in it; remove it")
    if text[:6].lower() == "ssh://":
        user, address = _url(text)
    else:
        before, at, address = text.rpartition("@")
        user = before if at else None
    host, port = _host_and_port(text, address)
    _check_host(text, host)
    if user is not None:
        _check_user(text, user)
    return Target(user, host, port)


def check_targets(targets: Iterable[str]) -> None:
    """Refuse targets that nobody could reach, at the call.

    Raises:
        SSHConfigError: one of them is none, or has a password in it, which would be shown with the results.
    """
    for target in targets:
        parse_target(target)


def parse_jumps(text: str) -> tuple[Target, ...]:
    """Take the value of a ``ProxyJump`` apart: targets with commas between, the first reached first.

    ``none`` has none.

    Raises:
        SSHConfigError: one of them is no target.
    """
    text = text.strip()
    if text.lower() == "none":
        return ()
    try:
        return tuple(map(parse_target, text.split(",")))
    except SSHConfigError as exc:
        raise SSHConfigError(f"ProxyJump: {exc}") from None


def _url(text: str) -> tuple[str | None, str]:
    before, at, address = text[6:].rpartition("@")
    if ":" in before:
        # The message must not show it.
        shown = f"ssh://{before.partition(':')[0]}:…@{address}"
        raise _wrong(shown, "a password in it; give it as the option password instead")
    address = address.removesuffix("/")
    if "/" in address:
        raise _wrong(text, "a path in it; remove what follows the host")
    return (unquote(before) if at else None), address


def _host_and_port(text: str, address: str) -> tuple[str, int | None]:
    if address.startswith("["):
        bracketed = _BRACKETED.fullmatch(address)
        if bracketed is None:
            raise _wrong(text, "brackets that do not fit; write [address]:port")
        host, port = bracketed[1], bracketed[2]
    elif address.count(":") > 1:
        if not _ADDRESS.fullmatch(address):
            raise _wrong(text, "several colons and no IPv6 address; write host:port or [address]:port")
        host, port = address, None
    else:
        host, colon, rest = address.partition(":")
        port = rest if colon else None
    return host, None if port is None else _port(text, port)


def _port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536 and len(port) < 6):
        raise _wrong(text, f"port {port!r} is no number from 1 to 65535; write host:port or host")
    return int(port)


def _check_host(text: str, host: str) -> None:
    if not host:
        raise _wrong(text, "no host; write user@host:port, of which host alone is a must")
    found = _NOT_IN_HOST.search(host)
    if found or host.startswith("-"):
        raise _wrong(text, f"no host has {found[0] if found else '-'!r} there; write user@host:port")


def _check_user(text: str, user: str) -> None:
    if not user:
        raise _wrong(text, "no user before the @; name one, or leave out the @")
    if _UNPRINTABLE.search(user):
        raise _wrong(text, "a blank or control character in the user; remove it")
    found = _NOT_IN_USER.search(user)
    if found or user.startswith("-"):
        raise _wrong(text, f"no user has {found[0] if found else '-'!r} there; write user@host:port")


def _wrong(text: str, what: str) -> SSHConfigError:
    return SSHConfigError(f"target {text!r}: {what}")
