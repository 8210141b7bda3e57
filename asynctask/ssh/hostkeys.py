"""Which host keys are trusted: ``known_hosts``, parsed once a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncssh

from asynctask.errors import SSHConfigError

__all__ = ("KnownHosts", "TrustedKeys")

#: Host keys, authorities' keys and revoked keys, and four kinds of X.509, as asyncssh wants them.
TrustedKeys = tuple[Any, ...]

_DEFAULT_PORT = 22


class KnownHosts:
    """The entries of some ``known_hosts`` files; a file that does not exist has none.

    Raises:
        SSHConfigError: a file cannot be read or parsed.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        texts = [_read(path) for path in paths]
        try:
            self._entries = asyncssh.import_known_hosts("\n".join(texts))
        except ValueError:
            self._entries = asyncssh.import_known_hosts("\n".join(map(_sound_lines, texts)))

    def trusted(self, name: str, port: int, alias: str | None) -> TrustedKeys:
        """What is trusted for a host; an alias stands for itself, without a port, as in OpenSSH."""
        if alias is not None:
            return self._entries.match(alias, "", None)
        return self._entries.match(name, "", None if port == _DEFAULT_PORT else port)

    def places(self, name: str, port: int, alias: str | None) -> list[str]:
        """Where a host is on record, as ``file line N``; for messages only, since it reads again."""
        found = []
        for path in self.paths:
            for number, line in enumerate(_read(path).splitlines(), 1):
                try:
                    entry = asyncssh.import_known_hosts(line)
                except ValueError:
                    continue
                if any(entry.match(alias or name, "", None if alias or port == _DEFAULT_PORT else port)):
                    found.append(f"{path} line {number}")
        return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as exc:
        raise SSHConfigError(f"known hosts {path}: {exc.strerror or exc}") from exc


def _sound_lines(text: str) -> str:
    """The lines that can be parsed: one odd line must not cost all the others, as in OpenSSH."""
    sound = []
    for line in text.splitlines():
        try:
            asyncssh.import_known_hosts(line)
        except ValueError:
            continue
        sound.append(line)
    return "\n".join(sound)
