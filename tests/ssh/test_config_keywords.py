"""Tests of asynctask.ssh.config_keywords."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from asynctask.ssh.config_keywords import ALIASES, LISTS, RAW, REPORTED, SILENT, SINGLE, is_reported
from tests.testing.clients import needs_ssh


def _ours() -> frozenset[str]:
    return SILENT | REPORTED.keys()


@needs_ssh
def test_every_keyword_of_ssh_is_known() -> None:
    """Nothing that ``ssh -G`` prints is unknown here; ``host`` is the name that was asked for."""
    ssh = shutil.which("ssh")
    assert ssh is not None
    shown = subprocess.run(
        [ssh, "-F", "/dev/null", "-G", "x"],
        capture_output=True,
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    keywords = {line.split(" ")[0].lower() for line in shown.stdout.splitlines()}
    assert len(keywords) > 50
    assert keywords - _ours() == {"host"}


def test_one_thing_becomes_of_a_keyword() -> None:
    """It is silent or reported; old names stand for known ones."""
    assert SILENT & REPORTED.keys() == set()
    assert ALIASES.keys() & _ours() == set()
    assert set(ALIASES.values()) | LISTS | RAW | SINGLE <= _ours()


@needs_ssh
@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_old_names_are_names_of_ssh(old: str, new: str) -> None:
    """OpenSSH takes what we take for a name."""
    ssh = shutil.which("ssh")
    assert ssh is not None
    value = {"hostbasedkeytypes": "ssh-rsa", "pubkeyacceptedkeytypes": "ssh-rsa"}.get(old, "no")
    shown = subprocess.run(
        [ssh, "-F", "/dev/null", "-o", f"{old}={value}", "-G", "x"],
        capture_output=True,
        check=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    said = {"pubkeyauthentication": "false"}.get(new, value)
    assert f"{new} {said}" in shown.stdout.splitlines()


@pytest.mark.parametrize(
    ("keyword", "value", "file", "name"),
    [
        ("port", "22", "/home/me/.ssh/config", None),
        ("loglevel", "DEBUG", "/home/me/.ssh/config", None),
        ("tunnel", "yes", "/home/me/.ssh/config", "Tunnel"),
        ("tunnel", "NO", "/home/me/.ssh/config", None),
        ("tunnel", "yes", "/etc/ssh/ssh_config", "Tunnel"),
        ("UseKeychain", "yes", "/home/me/.ssh/config", "UseKeychain"),
        ("gssapiauthentication", "yes", "/home/me/.ssh/config", "GSSAPIAuthentication"),
        ("gssapiauthentication", "yes", "/etc/ssh/ssh_config", None),
        ("gssapiauthentication", "yes", "/etc/ssh/ssh_config.d/50-redhat.conf", None),
        ("requiredrsasize", "2048", "/etc/crypto-policies/back-ends/openssh.config", None),
        ("requiredrsasize", "2048", "/home/me/.ssh/config", "RequiredRSASize"),
        ("gssapiauthentication", "yes", "/usr/etc/ssh/ssh_config", None),
    ],
)
def test_what_is_reported(keyword: str, value: str, file: str, name: str | None) -> None:
    """What matters and is set to something, but not what a distribution sets for everybody."""
    assert is_reported(keyword, value, file) == name
