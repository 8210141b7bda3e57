"""Tokens as ``%h`` and homes as ``~`` in the values of OpenSSH's configuration."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

__all__ = ("expand_tokens", "expand_user", "standard_tokens")

_TOKEN = re.compile("%(.)")


def expand_tokens(text: str, tokens: Mapping[str, str]) -> str:
    """Replace ``%h``, ``%r``, … as ``tokens`` says; ``%%`` is a percent sign, another ``%`` stays."""
    return _TOKEN.sub(lambda found: "%" if found[1] == "%" else tokens.get(found[1], found[0]), text)


def expand_user(name: str) -> Path:
    """Replace ``~`` and ``~user`` at the start; that of an unknown user stays; pathlib's would raise."""
    return Path(os.path.expanduser(name))  # noqa: PTH111


def standard_tokens(
    name: str, host: str, port: int, user: str, local_user: str, alias: str | None = None, jump: str = ""
) -> dict[str, str]:
    """The tokens that paths in the configuration may hold.

    Args:
        name: how the user calls the host.
        host: where it is.
        port: its port.
        user: who logs in there.
        local_user: who runs this program.
        alias: ``HostKeyAlias``, if there is one.
        jump: ``ProxyJump``, if there is one.
    """
    local = socket.gethostname()
    about = f"{local}{host}{port}{user}{jump}".encode(errors="surrogateescape")
    return {
        "C": hashlib.sha1(about, usedforsecurity=False).hexdigest(),
        "d": str(Path.home()),
        "h": host,
        "i": str(os.getuid()),
        "j": jump,
        "k": alias or name,
        "L": local.split(".")[0],
        "l": local,
        "n": name,
        "p": str(port),
        "r": user,
        "u": local_user,
    }
