"""Which host keys are trusted: ``known_hosts``, parsed once a run."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh

from asynctask.errors import SSHConfigError

__all__ = ("KnownHosts", "TrustedKeys")

#: Host keys, authorities' keys and revoked keys, and four kinds of X.509, as asyncssh wants them.
TrustedKeys = tuple[Any, ...]

_TRUST, _REVOKED = (0, 1, 3, 5), (2, 4, 6)
_DEFAULT_PORT = 22
#: The hosts of a line, unless they are hashed.
_HOSTS = re.compile(r"^[ \t]*(?:@\S+[ \t]+)?([^\s|@#]\S*)", re.MULTILINE)


class KnownHosts:
    """The entries of some ``known_hosts`` files; a file that does not exist has none.

    A line that cannot be parsed is left out, as in OpenSSH.

    Raises:
        SSHConfigError: a file cannot be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        texts = [_read(path) for path in paths]
        try:
            self._entries = asyncssh.import_known_hosts("\n".join(texts))
        except ValueError:
            self._entries = asyncssh.import_known_hosts("\n".join(map(_sound_lines, texts)))

    def trusted(self, name: str, port: int, alias: str | None) -> TrustedKeys:
        """What is trusted for a host.

        As in OpenSSH an alias stands for itself, without a port, and a host with a port of its own that
        is not on record may be on record without it. What is revoked for either is not trusted.
        """
        keys: TrustedKeys = ((),) * 7
        for known_as in _names(name, port, alias):
            found = self._entries.match(known_as, "", None)
            keys = tuple(
                [*keys[kind], *found[kind]] if kind in _REVOKED else found[kind] for kind in range(len(keys))
            )
            if any(keys[kind] for kind in _TRUST):
                break
        return keys

    def places(self, name: str, port: int, alias: str | None) -> list[str]:
        """Where a host is on record, as ``file line N``; for messages only, since it reads again."""
        names = _names(name, port, alias)
        return [
            f"{path} line {number}"
            for path in self.paths
            for number, line in enumerate(_read(path).split("\n"), 1)
            if any(_is_about(line, known_as) for known_as in names)
        ]


def _names(name: str, port: int, alias: str | None) -> Sequence[str]:
    """Under which names a host may be on record, the most exact first."""
    name = name.lower()
    if alias is not None:
        return (alias.lower(),)
    return (name,) if port == _DEFAULT_PORT else (f"[{name}]:{port}", name)


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii", errors="backslashreplace")  # asyncssh takes nothing else
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise SSHConfigError(f"known hosts {path}: {exc.strerror or exc}") from exc
    return _HOSTS.sub(_plain_names, text)


def _plain_names(hosts: re.Match[str]) -> str:
    """Names in lower case, and none that is empty: asyncssh would let that one stand for any host."""
    start = hosts[0].removesuffix(hosts[1])
    return start + ",".join(name for name in hosts[1].lower().split(",") if name)


def _sound_lines(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if _entry(line) is not None)


def _entry(line: str) -> asyncssh.SSHKnownHosts | None:
    try:
        return asyncssh.import_known_hosts(line)
    except ValueError:
        return None


def _is_about(line: str, name: str) -> bool:
    """Whether a line has a key for a name; most lines are told from their first words alone."""
    words = line.split(None, 2)
    hosts = words[1] if len(words) > 1 and line.lstrip().startswith("@") else words[0] if words else ""
    if hosts.startswith("|"):
        likely = _is_hash_of(hosts, name)
    else:
        likely = name in hosts.split(",") or any(char in hosts for char in "*?")
    entry = _entry(line) if likely else None
    return entry is not None and any(entry.match(name, "", None))


def _is_hash_of(hashed: str, name: str) -> bool:
    try:
        _, _, salt, digest = hashed.split("|")
        return hmac.digest(base64.b64decode(salt), name.encode(), "sha1") == base64.b64decode(digest)
    except ValueError:
        return False
