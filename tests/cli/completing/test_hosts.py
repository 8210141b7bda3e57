"""The hosts that the user's SSH knows by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.completing.hosts import known_names

pytestmark = pytest.mark.one_loop("no loop is used")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with an empty .ssh in it."""
    (tmp_path / ".ssh").mkdir()
    return tmp_path


def _names(home: Path) -> list[str]:
    return list(known_names(home, home / "etc"))


def test_known_hosts(home: Path) -> None:
    """Names, not hashes, patterns, or keys that are revoked; what is odd is passed over."""
    (home / ".ssh/known_hosts").write_bytes(
        b"web1,10.0.0.1 ssh-ed25519 AAAA\n"
        b"|1|abc=|def= ssh-ed25519 AAAA\n"
        b"# gone ssh-ed25519 AAAA\n"
        b"\n"
        b"[db1]:2222,[::1]:22 ssh-rsa AAAA comment\n"
        b"@revoked bad ssh-rsa AAAA\n"
        b"@cert-authority *.site,!x.site,ca.site ssh-rsa AAAA\n"
        b"@cert-authority\n"
        b"*.wild ssh-rsa AAAA\n"
        b"odd\xff ssh-rsa AAAA\n"
    )
    (home / ".ssh/known_hosts2").write_text("old1 ssh-rsa AAAA\n")
    (home / "etc").mkdir()
    (home / "etc/ssh_known_hosts").write_text("all1 ssh-rsa AAAA\n")

    assert _names(home) == ["web1", "10.0.0.1", "db1", "::1", "ca.site", "odd\ufffd", "old1", "all1"]


def test_the_configuration(home: Path) -> None:
    """Hosts that are no patterns, in what is included, too; in all the ways to write them."""
    (home / ".ssh/config").write_text(
        'Host gate *.x !y "quoted"\n  HostName 10.1.1.1\n'
        "host=equals\n"
        "HostKeyAlias other\n"
        "Include conf.d/*.conf ~/more\n"
        f"Include {home}/third missing/*\n"
    )
    (home / ".ssh/conf.d").mkdir()
    (home / ".ssh/conf.d/b.conf").write_text("Host b1\n")
    (home / ".ssh/conf.d/a.conf").write_text("Host a1 a2\n")
    (home / "more").write_text("Host more1\n")
    (home / "third").write_text("Host third1\n")
    (home / "etc").mkdir()
    (home / "etc/ssh_config").write_text("Host all2\n")

    assert _names(home) == ["gate", "quoted", "equals", "a1", "a2", "b1", "more1", "third1", "all2"]


def test_files_that_include_themselves(home: Path) -> None:
    """A few times."""
    (home / ".ssh/config").write_text("Host me\nInclude config\n")

    assert set(_names(home)) == {"me"}


def test_nothing_there(tmp_path: Path) -> None:
    """No file, no directory, no names."""
    assert _names(tmp_path / "nowhere") == []
