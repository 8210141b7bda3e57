"""Tests of asynctask.ssh.client_options."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from asynctask.errors import SSHConfigError
from asynctask.ssh.client_options import OptionSets
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.options import SSHOptions

Build = Callable[..., asyncssh.SSHClientConnectionOptions]


class Sets:
    """Option sets of a configuration."""

    def __init__(self, path: Path, text: str, options: dict[str, Any]) -> None:
        path.write_text(text)
        self._config = SSHConfig([path])
        self._sets = OptionSets(SSHOptions(config=False, **options))

    def of(self, host: str = "a", user: str = "bob") -> asyncssh.SSHClientConnectionOptions:
        """Those for a host."""
        return self._sets.for_host(self._config.lookup(host), user)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The place of a configuration file."""
    return tmp_path / "config"


@pytest.fixture
def sets(config: Path) -> Callable[..., Sets]:
    """Makes sets for a configuration and options."""

    def make(text: str = "", **options: Any) -> Sets:
        return Sets(config, text, options)

    return make


@pytest.fixture
def build(sets: Callable[..., Sets]) -> Build:
    """Builds the options for one host."""

    def make(text: str = "", **options: Any) -> asyncssh.SSHClientConnectionOptions:
        return sets(text, **options).of()

    return make


# -- one for all alike ----------------------------------------------------------------------------------


def test_options_are_shared(sets: Callable[..., Sets]) -> None:
    """They are built once for all nodes alike: that takes its time."""
    made = sets("Host d\n ServerAliveInterval 60\n")
    assert made.of("a") is made.of("b")
    assert len({id(made.of(host, user)) for host, user in (("a", "bob"), ("c", "tom"), ("d", "bob"))}) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Ciphers aes256-ctr",
        "MACs hmac-sha2-256",
        "KexAlgorithms curve25519-sha256",
        "HostKeyAlgorithms ssh-ed25519",
        "PubkeyAcceptedAlgorithms ssh-ed25519",
        "Compression yes",
        "PreferredAuthentications password",
        "PubkeyAuthentication no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "ServerAliveInterval 7",
        "ServerAliveCountMax 7",
    ],
)
def test_what_is_not_alike_is_not_shared(sets: Callable[..., Sets], text: str) -> None:
    """Each setting tells sets apart."""
    made = sets(f"Host d\n {text}\n", password="x")
    assert made.of("a") is not made.of("d")


def test_what_does_not_matter_here_is_shared(sets: Callable[..., Sets]) -> None:
    """Where a host is has no part in it."""
    made = sets("Host d\n HostName x\n Port 77\n IdentityFile /k\n")
    assert made.of("a") is made.of("d")


# -- silence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keepalive", "expected"),
    [
        ("", None, (15, 3)),
        ("", 0, (0, 3)),
        ("", 2.5, (2.5, 3)),
        ("ServerAliveInterval 1m\nServerAliveCountMax 5\n", None, (60, 5)),
        ("ServerAliveInterval 0\n", None, (0, 3)),
        ("ServerAliveInterval 60\n", 7, (7, 3)),
        ("BatchMode yes\n", None, (15, 3)),
    ],
)
def test_keepalive(build: Build, text: str, keepalive: float | None, expected: tuple[float, int]) -> None:
    """The caller, else the configuration, else 15 seconds."""
    options = build(text, keepalive=keepalive)
    assert (options.keepalive_interval, options.keepalive_count_max) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ServerAliveInterval x\n", "SSH configuration {} line 1: serveraliveinterval 'x' is no time"),
        (
            "ServerAliveCountMax x\n",
            "SSH configuration {} line 1: serveralivecountmax 'x' is no number from 0 to 2147483647",
        ),
    ],
)
def test_values_that_cannot_be(build: Build, config: Path, text: str, message: str) -> None:
    """The error has its place."""
    with pytest.raises(SSHConfigError) as raised:
        build(text)
    assert str(raised.value) == message.format(config)


def test_a_user_that_cannot_be(sets: Callable[..., Sets]) -> None:
    """asyncssh does not take every name."""
    with pytest.raises(SSHConfigError, match=r"^login as 'a\\x07': "):
        sets().of(user="a\x07")


# -- algorithms -----------------------------------------------------------------------------------------


def test_algorithms(build: Build) -> None:
    """Configured algorithms are used."""
    options = build(
        "Ciphers aes256-ctr\nMACs hmac-sha2-256\nKexAlgorithms curve25519-sha256\n"
        "HostKeyAlgorithms ssh-ed25519\nPubkeyAcceptedAlgorithms ssh-ed25519\n"
    )
    assert (options.encryption_algs, options.mac_algs, options.kex_algs, options.signature_algs) == (
        [b"aes256-ctr"],
        [b"hmac-sha2-256"],
        [b"curve25519-sha256"],
        [b"ssh-ed25519"],
    )
    assert options.server_host_key_algs == "ssh-ed25519"


def test_unknown_algorithms(sets: Callable[..., Sets], caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody here knows one of them it costs a warning, once, and not the connection."""
    made = sets("Host x\n Ciphers bogus\n")
    for _ in range(2):
        assert made.of("x").encryption_algs == made.of("plain").encryption_algs
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (
            logging.WARNING,
            "SSH configuration: none of bogus is known; using the default algorithms instead",
        )
    ]


def test_unknown_ones_among_others(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    """They are left out without a word: distributions list some for the whole system."""
    options = build(
        "Ciphers bogus,aes256-ctr,other,aes128-ctr\nMACs x,hmac-sha2-256\n"
        "KexAlgorithms sntrup-next,curve25519-sha256\nPubkeyAcceptedAlgorithms ssh-ed25519,ssh-next\n"
    )
    assert (options.encryption_algs, options.mac_algs, options.kex_algs, options.signature_algs) == (
        [b"aes256-ctr", b"aes128-ctr"],
        [b"hmac-sha2-256"],
        [b"curve25519-sha256"],
        [b"ssh-ed25519"],
    )
    assert caplog.records == []


def test_algorithms_that_are_added(build: Build) -> None:
    """``+``: behind the default ones."""
    kex = build("KexAlgorithms +bogus,diffie-hellman-group1-sha1\n").kex_algs
    assert kex == [*build().kex_algs, b"diffie-hellman-group1-sha1"]


def test_algorithms_that_are_removed(build: Build) -> None:
    """``-``: all others stay."""
    plain = build().mac_algs
    assert build("MACs -hmac-sha1,bogus\n").mac_algs == [name for name in plain if name != b"hmac-sha1"]


def test_algorithms_that_come_first(build: Build) -> None:
    """``^``: before the default ones."""
    plain = build().mac_algs
    first = b"hmac-sha1"
    assert build("MACs ^hmac-sha1\n").mac_algs == [first, *(name for name in plain if name != first)]


@pytest.mark.parametrize("sign", ["+", "-", "^"])
def test_signs_before_nothing_that_is_known(
    build: Build, caplog: pytest.LogCaptureFixture, sign: str
) -> None:
    """The default ones, with a warning."""
    assert build(f"MACs {sign}bogus\n").mac_algs == build().mac_algs
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_algorithms_by_pattern(build: Build) -> None:
    """Those that fit."""
    ciphers = build("Ciphers aes*-ctr\n").encryption_algs
    assert sorted(ciphers) == [b"aes128-ctr", b"aes192-ctr", b"aes256-ctr"]


def test_ciphers_by_default(build: Build) -> None:
    """Those that cost least come first, and no CBC is among them."""
    ciphers = build().encryption_algs
    assert ciphers[0] == b"aes128-gcm@openssh.com"
    assert not [name for name in ciphers if b"cbc" in name]


@pytest.mark.parametrize(
    ("text", "algorithms"),
    [
        ("", [b"none", b"zlib@openssh.com"]),
        ("Compression no\n", [b"none", b"zlib@openssh.com"]),
        ("Compression yes\n", [b"zlib@openssh.com", b"none"]),
    ],
)
def test_compression(build: Build, text: str, algorithms: list[bytes]) -> None:
    """First when asked for, else only where the server has nothing else; never before the login."""
    assert build(text).compression_algs == algorithms


# -- ways to log in ---------------------------------------------------------------------------------------


def _ways(options: asyncssh.SSHClientConnectionOptions) -> str:
    """The ways that are open."""
    ways = {
        "key": options.public_key_auth,
        "password": options.password_auth,
        "questions": options.kbdint_auth,
    }
    return " ".join(name for name, is_open in ways.items() if is_open)


@pytest.mark.parametrize(
    ("text", "given", "ways"),
    [
        ("", {}, "key"),
        ("", {"password": "x"}, "key password questions"),
        ("", {"prompt": lambda question: "x"}, "key password questions"),
        ("PasswordAuthentication yes\n", {}, "key"),
        ("PasswordAuthentication no\n", {"password": "x"}, "key questions"),
        ("KbdInteractiveAuthentication no\n", {"password": "x"}, "key password"),
        ("PubkeyAuthentication no\n", {"password": "x"}, "password questions"),
        ("PubkeyAuthentication no\n", {}, ""),
        ("", {"password": ""}, "key password questions"),
        ("", {"passphrase": "x"}, "key"),
        ("BatchMode yes\n", {}, "key"),
        ("BatchMode yes\n", {"password": "x"}, "key password questions"),
    ],
)
def test_ways_to_log_in(build: Build, text: str, given: dict[str, Any], ways: str) -> None:
    """A password only where there can be one, and nothing that the configuration rules out."""
    assert _ways(build(text, **given)) == ways


def test_the_order_of_the_ways(build: Build) -> None:
    """As configured; else that of asyncssh, in which keys come first."""
    options = build("PreferredAuthentications password,publickey\n")
    assert list(options.preferred_auth) == ["password", "publickey"]
    assert not build().preferred_auth


def test_nothing_is_asked_of_the_environment(build: Build) -> None:
    """asyncssh itself reads no configuration, no key, and asks no agent."""
    options = build()
    assert (options.client_keys, options.agent_path, options.gss_host, options.tunnel) == (None,) * 4
    assert (options.username, options.encoding, options.login_timeout) == ("bob", None, 0)
