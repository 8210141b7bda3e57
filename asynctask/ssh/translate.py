"""What asyncssh and the system raise, in our words: who, what was tried, what to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import asyncssh

from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NoCapacityError,
    NodeError,
)
from asynctask.ssh.client import Client, visible
from asynctask.ssh.routes import Route

__all__ = ("is_no_room", "no_room", "translate")


#: What sshd says to a connection that is one too many, and to one from an address that it punishes.
_TOO_MANY = "Exceeded MaxStartups"
_PUNISHED = "Not allowed at this time"


def translate(
    route: Route,
    exc: Exception,
    *,
    client: Client | None = None,
    said: str = "",
    locked: Sequence[Path] = (),
) -> NodeError:
    """The error for a connection that did not come about.

    Args:
        route: how it was tried.
        exc: what was raised.
        client: what the server asked for.
        said: what the server said instead of its version.
        locked: key files that were left out because they are encrypted.
    """
    if isinstance(exc, asyncssh.ChannelOpenError) and route.via is not None:
        return _not_forwarded(route, route.via, exc)
    if isinstance(exc, asyncssh.PermissionDenied):
        return _login_refused(route, client, locked)
    if isinstance(exc, asyncssh.HostKeyNotVerifiable):
        if client is not None and client.refusal:
            return HostKeyError(route.node, client.refusal, "do not connect; ask who runs this machine")
        return _host_key_wrong(route, exc)
    if isinstance(exc, asyncssh.KeyExchangeFailed):
        if "host key" in str(exc).lower() and route.trusted is not None and any(route.trusted):
            return _host_key_wrong(route, exc)
        if "no matching" in str(exc).lower():
            return ConnectionFailedError(route.node, f"{_place(route)}: no common algorithm ({exc})")
    if isinstance(exc, asyncssh.DisconnectError) and "authentication failures" in exc.reason:
        return AuthenticationError(
            route.node,
            f"login as {route.user} refused, the server takes fewer than the {len(route.keys)} keys offered",
            "say which with IdentityFile and IdentitiesOnly",
        )
    if isinstance(exc, asyncssh.ConnectionLost | ConnectionResetError | BrokenPipeError):
        return _dropped(route, said or _reason(exc))
    if isinstance(exc, OSError) and is_no_room(exc):
        return no_room(route.node)
    if isinstance(exc, OSError) or _is_no_name(exc):
        return _network_error(route, exc)
    return ConnectionFailedError(route.node, f"{_place(route)}: the SSH handshake failed ({exc})")


def is_no_room(exc: OSError) -> bool:
    """Whether something failed for lack of descriptors."""
    return exc.errno in (errno.EMFILE, errno.ENFILE)


def no_room(node: str) -> NodeError:
    """The error for a connection that was not tried for lack of descriptors."""
    return NoCapacityError(
        node, "no descriptor left for a connection", "raise `ulimit -n` or lower the fanout"
    )


def _dropped(route: Route, reason: str) -> NodeError:
    if reason.startswith(_PUNISHED):
        return ConnectionFailedError(
            route.node,
            f"{_place(route)} takes no connection from here for now ({_PUNISHED})",
            "it punishes failed logins (PerSourcePenalties): wait some minutes, and find out what failed",
        )
    if route.proxy is not None and not reason.startswith(_TOO_MANY):
        return ConnectionDroppedError(
            route.node,
            f"the ProxyCommand ended before the login ({visible(reason)})",
            "run it by hand: it shows the server's version if it works",
        )
    error = ConnectionDroppedError(
        route.node,
        f"{_place(route)} closed the connection before the login ({visible(reason)})",
        "it may be throttling (MaxStartups): lower the fanout",
    )
    error.throttling = reason.startswith(_TOO_MANY)
    return error


def _not_forwarded(route: Route, via: Route, exc: asyncssh.ChannelOpenError) -> NodeError:
    """The last host on the way did not connect to the next."""
    if exc.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return ConnectionFailedError(
            route.node,
            f"{via.node} does not forward to {_place(route)} ({visible(exc.reason)})",
            "AllowTcpForwarding and PermitOpen of its sshd decide about it",
        )
    if "refused" in exc.reason.lower() or f"[Errno {errno.ECONNREFUSED}]" in exc.reason:
        return ConnectionRefusedByNodeError(
            route.node,
            f"{_place(route)} refused the connection from {via.node}",
            "is sshd running there, on this port?",
        )
    return ConnectionFailedError(
        route.node, f"{via.node} could not connect to {_place(route)} ({visible(exc.reason)})"
    )


def _is_no_name(exc: Exception) -> bool:
    """Whether a name was refused before it was looked up; bytes from the peer fail to decode."""
    return isinstance(exc, UnicodeError) and not isinstance(exc, UnicodeDecodeError)


def _reason(exc: Exception) -> str:
    # asyncio joins the errors of several addresses into one text without a number.
    return os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else str(exc)


def _network_error(route: Route, exc: Exception) -> NodeError:
    node = route.node
    if isinstance(exc, socket.gaierror | UnicodeError):
        reason = exc.strerror if isinstance(exc, socket.gaierror) else "no name can be like this"
        return ConnectionFailedError(
            node, f"unknown host name {route.host} ({reason})", "check its spelling, DNS or /etc/hosts"
        )
    if isinstance(exc, ConnectionRefusedError):
        return ConnectionRefusedByNodeError(
            node, f"{_place(route)} refused the connection", "is sshd running there, on this port?"
        )
    return ConnectionFailedError(node, f"{_place(route)}: {_reason(exc)}")


def _login_refused(route: Route, client: Client | None, locked: Sequence[Path]) -> AuthenticationError:
    offered = len(route.keys)
    if client is not None and client.refusal:
        return AuthenticationError(route.node, f"login as {route.user} refused: {client.refusal}")
    if client is not None and client.password_sent:
        reason = f"login as {route.user} refused: wrong password{_says(client)}"
        return AuthenticationError(route.node, reason)
    if locked:
        hint = f"{locked[0]} is encrypted and could not be used: add it with ssh-add, or give its passphrase"
    elif not offered:
        hint = "no private key was found: make one with ssh-keygen, or start ssh-agent"
    else:
        place = f"-p {route.port} {route.user}@{route.host}"
        hint = f"put one of your public keys into authorized_keys there: ssh-copy-id {place}"
    keys = "1 key" if offered == 1 else f"{offered} keys"
    said = "" if client is None else _says(client)
    return AuthenticationError(route.node, f"login as {route.user} refused, {keys} offered{said}", hint)


def _says(client: Client) -> str:
    """What the server said before the login, where it did."""
    return f" ({visible(client.banner)})" if client.banner else ""


def _host_key_wrong(route: Route, exc: Exception) -> HostKeyError:
    if "revoked" in str(exc).lower():
        return HostKeyError(route.node, "host key is revoked", "do not connect; ask who runs this machine")
    name = route.alias or (route.host if route.port == 22 else f"[{route.host}]:{route.port}")
    places = route.known_hosts.places(route.host, route.port, route.alias)
    if places:
        return HostKeyError(
            route.node,
            f"host key changed; the known one is in {', '.join(places)}",
            f"if that is right, remove it with ssh-keygen -R '{name}' -f {places[0].rsplit(' line ', 1)[0]}",
        )
    files = " or ".join(map(str, route.known_hosts.paths[:1])) or "known_hosts"
    return HostKeyError(
        route.node,
        f"host key unknown: {name} is not in {files}",
        f"connect once with ssh and compare the key: {_ssh(route)}",
    )


def _ssh(route: Route) -> str:
    """How a user connects: by the configuration's name where it gives the host another one."""
    if route.alias is not None:
        return f"ssh {route.node}"
    return f"ssh -p {route.port} {route.user}@{route.host}"


def _place(route: Route) -> str:
    return f"port {route.port} of {route.host}"
