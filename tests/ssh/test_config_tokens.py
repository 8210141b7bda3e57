"""Tests of asynctask.ssh.config_tokens; test_config_openssh compares with OpenSSH."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

from asynctask.ssh.config_tokens import expand_tokens, expand_user, standard_tokens


def test_tokens() -> None:
    """Tokens are replaced once; an unknown one stays."""
    assert expand_tokens("%h %%h %x %p%", {"h": "%p", "p": "22"}) == "%p %h %x 22%"


def test_nobodys_home() -> None:
    """The home of a user that does not exist stays as it is."""
    assert expand_user("~no-such-user/x") == Path("~no-such-user/x")


def test_own_home(home: Path) -> None:
    """A ``~`` is the home of whoever runs this."""
    assert expand_user("~/x") == home / "x"


def test_what_paths_may_hold(home: Path) -> None:
    """All tokens that OpenSSH has for files are there."""
    local = socket.gethostname()
    about = hashlib.sha1(f"{local}web1.example22bobjump".encode()).hexdigest()
    tokens = standard_tokens("web1", "web1.example", 22, "bob", "me", alias="web", jump="jump")
    assert expand_tokens("%C %d %h %i %j %k %L %l %n %p %r %u", tokens) == (
        f"{about} {home} web1.example {os.getuid()} jump web {local.split('.')[0]} {local} web1 22 bob me"
    )


def test_without_an_alias() -> None:
    """The key of a host is then known by the name that the user calls it."""
    assert standard_tokens("web1", "web1.example", 22, "bob", "me")["k"] == "web1"
