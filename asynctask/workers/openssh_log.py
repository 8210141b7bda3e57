"""What the system's ``ssh`` says of a connection, read: how far it is, and why it failed, in our words.

Nothing here does anything. The texts are OpenSSH's own, which has no other way to tell; one that is not known
is passed on as it is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NodeError,
)
from asynctask.ssh.client import visible

__all__ = ("Place", "SSHLog", "failure", "unusable_name")

#: Bytes of a log line, and lines, that are kept.
_LINE, _LINES = 1000, 60

_DEBUG = re.compile(r"debug\d: ")
_BANNER = re.compile(r"debug1: (?:kex|ssh)_exchange_identification: (?:banner )?line \d+: (.*)")
_RESOLVE = re.compile(r"(?:ssh: )?Could not resolve hostname (\S+): (.+)")
_CONNECT = re.compile(r"ssh: connect to (?:host|address) (\S+) port (\d+): (.+)")
_DENIED = re.compile(r"(?:(.+)@(\S+): )?Permission denied(?: \((.*)\))?\.?$")
_OFFENDING = re.compile(r"Offending .*key(?: for \S+)? in (.+):(\d+)$")
_NEGOTIATE = re.compile(r"Unable to negotiate with \S+ port \d+: (.+)")
_DISCONNECT = re.compile(r"(?:Received disconnect from|Disconnecting) .*?(Too many authentication failures)")
_DROPPED = re.compile(
    r"Connection (?:closed|reset) by |"
    r"(?:(?:kex|ssh)_exchange_identification|banner exchange): .*([Cc]onnection (?:closed|reset)|Broken pipe)"
)
_NOISE = re.compile(
    r"Pseudo-terminal will not|Warning: Permanently added|\*\* WARNING|Killed by signal|Authenticated to |"
    r"Transferred: |Bytes per second: |Disconnected from "
)
#: What sshd says to a connection that is one too many, and to one from an address that it punishes.
_TOO_MANY, _PUNISHED = "Exceeded MaxStartups", "Not allowed at this time"
_VERSION = re.compile(r"debug1: Remote protocol version (\S+), remote software version (.*)")
_CHECK = "check its spelling, DNS or /etc/hosts"


class Place(NamedTuple):
    """Where a node is, by the configuration."""

    host: str
    port: int
    user: str
    alias: str | None = None
    known_hosts: str = "known_hosts"


class SSHLog:
    """Reads the log of an ``ssh`` that runs at ``LogLevel=DEBUG1``, as it comes.

    Attributes:
        logged_in: whether the login is done.
        ready: whether sessions can be opened.
        keys: how many keys were offered.
        indirect: whether a jump host or a command stands between.
        said: what the server said instead of its version.
        version: the server's, as it said it.
        lines: what it said itself that is not for debugging.
    """

    def __init__(self) -> None:
        self.logged_in = False
        self.ready = False
        self.keys = 0
        self.indirect = False
        self.said = ""
        self.version = ""
        self.lines: list[str] = []
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take a piece, cut anywhere."""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[:_LINE]
        for line in lines:
            self._line(line[:_LINE].decode(errors="replace").rstrip())

    def _line(self, line: str) -> None:
        if _DEBUG.match(line) is None:
            self.logged_in = self.logged_in or line.startswith("Authenticated to ")
            if line and _NOISE.match(line) is None and len(self.lines) < _LINES:
                self.lines.append(visible(line))
        elif line.startswith("debug1: Entering interactive session"):
            self.logged_in = self.ready = True
        elif line.startswith("debug1: Offering public key"):
            self.keys += 1
        elif line.startswith("debug1: Executing proxy "):
            self.indirect = True
        elif (match := _VERSION.match(line)) is not None:
            self.version = f"SSH-{match[1]}-{match[2]}"
        elif not self.said and (match := _BANNER.match(line)) is not None:
            self.said = visible(match[1])

    @property
    def last(self) -> str:
        """The last thing it said; empty if nothing."""
        return self.lines[-1] if self.lines else ""

    def why_lost(self) -> str:
        """Why a connection that was up broke."""
        return self.last.rstrip(".") or "ssh has ended"


def failure(node: str, place: Place, log: SSHLog, noise: str) -> NodeError:
    """The error for a connection that did not come about.

    Args:
        node: the target.
        place: where it is.
        log: what ``ssh`` said.
        noise: what its jump host or proxy command said.
    """
    if log.indirect and (not log.lines or _first(_DROPPED, log.lines) or "timed out" in log.last):
        there = _on_the_way(node, [visible(line.rstrip()) for line in noise.splitlines() if line.strip()])
        if there is not None:
            return there
    found = _by_text(node, place, log.lines, log.keys, log.said)
    if found is not None:
        return found
    reason = log.last or visible(_last(noise)) or "no reason given"
    return ConnectionFailedError(node, f"{_of(place)}: the SSH handshake failed ({reason})")


def unusable_name(node: str, name: str) -> NodeError:
    """The error for a name that is not given to ``ssh``."""
    return ConnectionFailedError(node, f"unknown host name {name} (no name can be like this)", _CHECK)


def _by_text(node: str, place: Place, lines: list[str], keys: int = 0, said: str = "") -> NodeError | None:
    if match := _first(_RESOLVE, lines):
        return ConnectionFailedError(node, f"unknown host name {match[1]} ({match[2]})", _CHECK)
    if match := _first(_CONNECT, lines):
        where = f"port {match[2]} of {match[1]}"
        if match[3] == "Connection refused":
            return ConnectionRefusedByNodeError(
                node, f"{where} refused the connection", "is sshd running there, on this port?"
            )
        return ConnectionFailedError(node, f"{where}: {match[3]}")
    if any(line.startswith("Host key verification failed") for line in lines):
        return _host_key_wrong(node, place, lines)
    if _first(_DISCONNECT, lines):
        return AuthenticationError(
            node,
            f"login as {place.user} refused, the server takes fewer than the {keys} keys offered",
            "say which with IdentityFile and IdentitiesOnly",
        )
    if match := _first(_DENIED, lines):
        return _login_refused(node, place, match, keys)
    if match := _first(_NEGOTIATE, lines):
        return ConnectionFailedError(node, f"{_of(place)}: no common algorithm ({match[1]})")
    if any(line.endswith(" timed out") or "timed out during banner" in line for line in lines):
        return ConnectionFailedError(
            node, f"{_of(place)} did not answer ({lines[0]})", "is sshd running there?"
        )
    if _first(_DROPPED, lines):
        return _dropped(node, place, said or lines[0])
    return None


def _dropped(node: str, place: Place, reason: str) -> NodeError:
    if reason.startswith(_PUNISHED):
        return ConnectionFailedError(
            node,
            f"{_of(place)} takes no connection from here for now ({_PUNISHED})",
            "it punishes failed logins (PerSourcePenalties): wait some minutes, and find out what failed",
        )
    error = ConnectionDroppedError(
        node,
        f"{_of(place)} closed the connection before the login ({reason})",
        "it may be throttling (MaxStartups): lower the fanout",
    )
    error.throttling = reason.startswith(_TOO_MANY)
    return error


def _on_the_way(node: str, noise: list[str]) -> NodeError | None:
    if not noise:
        return None
    if match := _first(_DENIED, noise):
        return AuthenticationError(node, f"login on the way there refused ({match[0].rstrip('.')})")
    if any(line.startswith("Host key verification failed") for line in noise):
        return HostKeyError(
            node,
            f"host key on the way there not trusted ({noise[0]})",
            "connect once with ssh and compare the key",
        )
    found = _by_text(node, Place("the jump host", 22, ""), noise)
    if found is None or isinstance(found, ConnectionDroppedError):
        kind = ConnectionFailedError if found is None else ConnectionDroppedError
        return kind(node, f"the way there failed ({noise[-1]})")
    return found


def _host_key_wrong(node: str, place: Place, lines: list[str]) -> HostKeyError:
    if any("REVOKED" in line or "revoked" in line for line in lines):
        return HostKeyError(node, "host key is revoked", "do not connect; ask who runs this machine")
    name = place.alias or (place.host if place.port == 22 else f"[{place.host}]:{place.port}")
    if any("IDENTIFICATION HAS CHANGED" in line or "has changed" in line for line in lines):
        if match := _first(_OFFENDING, lines):
            return HostKeyError(
                node,
                f"host key changed; the known one is in {match[1]} line {match[2]}",
                f"if that is right, remove it with ssh-keygen -R '{name}' -f {match[1]}",
            )
        return HostKeyError(node, "host key changed", "ask who runs this machine")
    return HostKeyError(
        node,
        f"host key unknown: {name} is not in {place.known_hosts}",
        f"connect once with ssh and compare the key: {_ssh(node, place)}",
    )


def _login_refused(node: str, place: Place, denied: re.Match[str], keys: int) -> AuthenticationError:
    offered = "1 key" if keys == 1 else f"{keys} keys"
    ways = f"; the server takes {denied[3]}" if denied[3] and denied[3] != "publickey" else ""
    if keys:
        where = f"-p {place.port} {place.user}@{place.host}"
        hint = f"put one of your public keys into authorized_keys there: ssh-copy-id {where}"
    else:
        hint = "no private key was found: make one with ssh-keygen, or start ssh-agent"
    return AuthenticationError(node, f"login as {place.user} refused, {offered} offered{ways}", hint)


def _ssh(node: str, place: Place) -> str:
    if place.alias is not None:
        return f"ssh {node}"
    return f"ssh -p {place.port} {place.user}@{place.host}"


def _of(place: Place) -> str:
    return f"port {place.port} of {place.host}"


def _first(pattern: re.Pattern[str], lines: list[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.match(line))), None)


def _last(noise: str) -> str:
    return next((line.strip() for line in reversed(noise.splitlines()) if line.strip()), "")
