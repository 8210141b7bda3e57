"""Tests of asynctask.ssh.translate: who, what was tried, what to do."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NoCapacityError,
    NodeError,
)
from asynctask.ssh.hostkeys import KnownHosts
from asynctask.ssh.routes import Route
from asynctask.ssh.translate import translate
from asynctask.testing.clientfiles import generate_key

KEY = generate_key("")
TEXT = KEY.export_public_key("openssh").decode().strip()

MakeRoute = Callable[..., Route]


@pytest.fixture
def route(tmp_path: Path) -> MakeRoute:
    """Makes a route to ``web1``; ``known`` are the lines of its ``known_hosts``."""

    def make(
        *,
        host: str = "web1.example",
        port: int = 22,
        alias: str | None = None,
        known: str = "",
        keys: int = 1,
    ) -> Route:
        (tmp_path / "known_hosts").write_text(known)
        known_hosts = KnownHosts([tmp_path / "known_hosts", Path("/etc/ssh/ssh_known_hosts")])
        pairs: Sequence[Any] = [object()] * keys
        trusted = known_hosts.trusted(host, port, alias)
        options: Any = None
        return Route("web1", host, port, "bob", alias, known_hosts, "strict", trusted, pairs, options)

    return make


def _check(error: NodeError, kind: type[NodeError], text: str) -> None:
    """The error is of this kind, no more and no less, and reads like this."""
    assert type(error) is kind
    assert error.node == "web1"
    assert str(error) == text


CHECK = "check its spelling, DNS or /etc/hosts"
THROTTLED = "it may be throttling (MaxStartups): lower the fanout"


@pytest.mark.parametrize(
    ("exc", "kind", "text"),
    [
        (
            ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 22)"),
            ConnectionRefusedByNodeError,
            "port 22 of web1.example refused the connection; is sshd running there, on this port?",
        ),
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            ConnectionFailedError,
            (
                "unknown host name web1.example (Name or service not known);"
                " check its spelling, DNS or /etc/hosts"
            ),
        ),
        (
            UnicodeError("encoding with 'idna' codec failed (UnicodeError: label too long)"),
            ConnectionFailedError,
            f"unknown host name web1.example (no name can be like this); {CHECK}",
        ),
        (
            OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
            NoCapacityError,
            "no descriptor left for a connection; raise `ulimit -n` or lower the fanout",
        ),
        (
            OSError(errno.ENFILE, os.strerror(errno.ENFILE)),
            NoCapacityError,
            "no descriptor left for a connection; raise `ulimit -n` or lower the fanout",
        ),
        (
            OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 22)"),
            ConnectionFailedError,
            "port 22 of web1.example: No route to host",
        ),
        (
            TimeoutError(errno.ETIMEDOUT, "Connect call failed ('10.0.0.1', 22)"),
            ConnectionFailedError,
            "port 22 of web1.example: Connection timed out",
        ),
        (
            OSError("Multiple exceptions: one, two"),
            ConnectionFailedError,
            "port 22 of web1.example: Multiple exceptions: one, two",
        ),
        (
            asyncssh.ConnectionLost("Connection lost"),
            ConnectionDroppedError,
            f"port 22 of web1.example closed the connection before the login (Connection lost); {THROTTLED}",
        ),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            ConnectionDroppedError,
            (
                "port 22 of web1.example closed the connection before the login (Connection reset by peer);"
                f" {THROTTLED}"
            ),
        ),
        (
            asyncssh.ProtocolNotSupported("Unsupported SSH version"),
            ConnectionFailedError,
            "port 22 of web1.example: the SSH handshake failed (Unsupported SSH version)",
        ),
        (
            UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range(128)"),
            ConnectionFailedError,
            (
                "port 22 of web1.example: the SSH handshake failed"
                " ('ascii' codec can't decode byte 0xff in position 0: ordinal not in range(128))"
            ),
        ),
        (
            asyncssh.KeyExchangeFailed("No matching encryption algorithm found"),
            ConnectionFailedError,
            "port 22 of web1.example: no common algorithm (No matching encryption algorithm found)",
        ),
        (
            asyncssh.KeyExchangeFailed("Key exchange hash mismatch"),
            ConnectionFailedError,
            "port 22 of web1.example: the SSH handshake failed (Key exchange hash mismatch)",
        ),
        (
            asyncssh.DisconnectError(2, "Too many authentication failures"),
            AuthenticationError,
            (
                "login as bob refused, the server takes fewer than the 1 keys offered;"
                " say which with IdentityFile and IdentitiesOnly"
            ),
        ),
    ],
)
def test_what_goes_wrong(route: MakeRoute, exc: Exception, kind: type[NodeError], text: str) -> None:
    """Each cause is told in words that say what to do, where there is something to do."""
    _check(translate(route(), exc), kind, f"web1: {text}")


@pytest.mark.parametrize(
    ("keys", "locked", "text"),
    [
        (
            1,
            [],
            (
                "login as bob refused, 1 key offered; put one of your public keys into authorized_keys there:"
                " ssh-copy-id -p 22 bob@web1.example"
            ),
        ),
        (
            3,
            [],
            (
                "login as bob refused, 3 keys offered; put one of your public keys into authorized_keys"
                " there: ssh-copy-id -p 22 bob@web1.example"
            ),
        ),
        (
            0,
            [],
            (
                "login as bob refused, 0 keys offered; no private key was found: make one with ssh-keygen,"
                " or start ssh-agent"
            ),
        ),
        (
            1,
            [Path("/k/id"), Path("/k/other")],
            (
                "login as bob refused, 1 key offered; /k/id is encrypted and could not be used:"
                " add it with ssh-add, or give its passphrase"
            ),
        ),
    ],
)
def test_login_refused(route: MakeRoute, keys: int, locked: list[Path], text: str) -> None:
    """What was offered is counted, and what is missing named."""
    exc = asyncssh.PermissionDenied("Permission denied for user bob on host web1.example")
    _check(translate(route(keys=keys), exc, locked=locked), AuthenticationError, f"web1: {text}")


NOT_TRUSTED = asyncssh.HostKeyNotVerifiable("Host key is not trusted for host web1.example")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ({}, "web1.example"),
        ({"port": 2222}, "[web1.example]:2222"),
        ({"port": 2222, "alias": "web"}, "web"),
    ],
)
def test_unknown_host_key(route: MakeRoute, tmp_path: Path, where: dict[str, Any], name: str) -> None:
    """It is said under which name it was looked for, where, and how to compare: by a way that leads there."""
    ssh = "ssh web1" if "alias" in where else f"ssh -p {where.get('port', 22)} bob@web1.example"
    _check(
        translate(route(**where), NOT_TRUSTED),
        HostKeyError,
        f"web1: host key unknown: {name} is not in {tmp_path}/known_hosts;"
        f" connect once with ssh and compare the key: {ssh}",
    )


@pytest.mark.parametrize(
    ("where", "known", "lines", "name"),
    [
        ({}, f"web1.example {TEXT}\n", [1], "web1.example"),
        ({}, f"other {TEXT}\nweb1.example {TEXT}\n*.example {TEXT}\n", [2, 3], "web1.example"),
        ({"port": 2222}, f"[web1.example]:2222 {TEXT}\n", [1], "[web1.example]:2222"),
        ({"alias": "web"}, f"web {TEXT}\n", [1], "web"),
    ],
)
@pytest.mark.parametrize(
    "exc",
    [NOT_TRUSTED, asyncssh.KeyExchangeFailed("No matching host key algorithm found")],
    ids=["key", "kind"],
)
def test_changed_host_key(
    route: MakeRoute,
    tmp_path: Path,
    exc: Exception,
    where: dict[str, Any],
    known: str,
    lines: list[int],
    name: str,
) -> None:
    """It is said where the known key is and how to remove it."""
    file = tmp_path / "known_hosts"
    places = ", ".join(f"{file} line {line}" for line in lines)
    _check(
        translate(route(known=known, **where), exc),
        HostKeyError,
        f"web1: host key changed; the known one is in {places};"
        f" if that is right, remove it with ssh-keygen -R '{name}' -f {file}",
    )


def test_revoked_host_key(route: MakeRoute) -> None:
    """There is nothing that a user could do about it."""
    exc = asyncssh.HostKeyNotVerifiable("Host key is revoked for host web1.example")
    _check(
        translate(route(known=f"@revoked * {TEXT}\n"), exc),
        HostKeyError,
        "web1: host key is revoked; do not connect; ask who runs this machine",
    )


# -- who hangs up, and bastions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kind", "throttling", "text"),
    [
        (
            "Exceeded MaxStartups",
            ConnectionDroppedError,
            True,
            (
                "port 22 of web1.example closed the connection before the login (Exceeded MaxStartups);"
                f" {THROTTLED}"
            ),
        ),
        (
            "Not allowed at this time",
            ConnectionFailedError,
            False,
            (
                "port 22 of web1.example takes no connection from here for now (Not allowed at this time);"
                " it punishes failed logins (PerSourcePenalties): wait some minutes, and find out what failed"
            ),
        ),
        (
            "\x1b[31mgo\x1b[0m away",
            ConnectionDroppedError,
            False,
            (
                "port 22 of web1.example closed the connection before the login"
                rf" (\x1b[31mgo\x1b[0m away); {THROTTLED}"
            ),
        ),
    ],
)
def test_what_a_server_says_when_it_hangs_up(
    route: MakeRoute, said: str, kind: type[NodeError], throttling: bool, text: str
) -> None:
    """Its words are the reason, with nothing in them that a terminal would act on."""
    error = translate(route(), asyncssh.ConnectionLost("Connection lost"), said=said)
    _check(error, kind, f"web1: {text}")
    assert getattr(error, "throttling", False) is throttling


@pytest.mark.parametrize(
    ("code", "reason", "kind", "text"),
    [
        (
            asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED,
            "open failed",
            ConnectionFailedError,
            (
                "bastion.example does not forward to port 22 of web1.example (open failed);"
                " AllowTcpForwarding and PermitOpen of its sshd decide about it"
            ),
        ),
        (
            asyncssh.OPEN_CONNECT_FAILED,
            "Connection refused",
            ConnectionRefusedByNodeError,
            (
                "port 22 of web1.example refused the connection from bastion.example;"
                " is sshd running there, on this port?"
            ),
        ),
        (
            asyncssh.OPEN_CONNECT_FAILED,
            "No route to host",
            ConnectionFailedError,
            "bastion.example could not connect to port 22 of web1.example (No route to host)",
        ),
    ],
)
def test_what_a_bastion_cannot_do(
    route: MakeRoute, code: int, reason: str, kind: type[NodeError], text: str
) -> None:
    """The error names both hosts, and whose refusal it is."""
    behind = replace(route(), via=replace(route(host="10.0.0.9"), node="bastion.example"))
    _check(translate(behind, asyncssh.ChannelOpenError(code, reason)), kind, f"web1: {text}")
