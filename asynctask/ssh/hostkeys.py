"""Which host keys are trusted: ``known_hosts``, parsed once a run.

Lines are matched as OpenSSH does it, not as asyncssh does: that takes 80 ms for 5 000 lines, since it reads
each key, and 25 ms for each look-up among 5 000 hashed names.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import asyncssh

from asynctask.errors import SSHConfigError

__all__ = ("KnownHosts", "TrustedKeys", "known_as")

#: Host keys, authorities' keys and revoked keys, and four kinds of X.509, as asyncssh wants them.
TrustedKeys = tuple[Any, ...]

_DEFAULT_PORT = 22
#: A line's marker, and where its key stands in ``TrustedKeys``.
_MARKERS = {b"": 0, b"@cert-authority": 1, b"@revoked": 2}
_OWN, _AUTHORITY, _REVOKED = _MARKERS.values()
#: So many hashed names are looked through for each host; a name takes 1.5 µs, and there may be 5 000 hosts.
_MANY = 200
_SHA1_SIZE = 20


class _Line:
    """A line with a key. The key is read when somebody asks for it."""

    __slots__ = ("_key", "file", "key_text", "marker", "number")

    def __init__(self, marker: int, key_text: tuple[bytes, bytes], file: Path, number: int) -> None:
        self.marker = marker
        self.key_text = key_text
        self.file = file
        self.number = number
        self._key: asyncssh.SSHKey | Literal[False] | None = False  # until it is read

    def key(self) -> asyncssh.SSHKey | None:
        """The key, if it is one that asyncssh can use."""
        if self._key is False:
            self._key = self._read()
        return self._key

    def _read(self) -> asyncssh.SSHKey | None:
        kind, text = self.key_text
        try:
            key = asyncssh.import_public_key(kind + b" " + text)
        except ValueError:
            return None
        return key if key.algorithm == kind else None

    def public_data(self) -> bytes:
        """The key as it goes over the wire; nothing if it is broken."""
        try:
            return base64.b64decode(self.key_text[1])
        except ValueError:
            return b""


class _Hashed(NamedTuple):
    salt: bytes
    digest: bytes
    line: _Line

    def is_of(self, name: bytes) -> bool:
        return hmac.digest(self.salt, name, "sha1") == self.digest


class KnownHosts:
    """The entries of some ``known_hosts`` files; a file that does not exist has none.

    A line that cannot be parsed is left out, as in OpenSSH. To look up a host takes 1.5 µs for each hashed
    line; :attr:`is_long` says when that is too much for thousands of hosts, and :meth:`trusted` how to
    avoid it.

    Raises:
        SSHConfigError: a file cannot be read.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._exact: dict[bytes, list[_Line]] = {}
        self._patterns: list[tuple[Callable[[bytes], bool], _Line]] = []
        self._hashed: list[_Hashed] = []
        self._hashed_marked: list[_Hashed] = []
        self._found: dict[bytes, list[_Line]] = {}
        for path in self.paths:
            for number, text in enumerate(_read(path).split(b"\n"), 1):
                self._add(path, number, text)

    @property
    def is_long(self) -> bool:
        """Whether there are so many hashed names that they should not all be tried for each host."""
        return len(self._hashed) > _MANY

    @cached_property
    def hashed_kinds(self) -> tuple[bytes, ...]:
        """Kinds of the keys that are on record for hashed names, the most frequent first."""
        counts = Counter(each.line.key_text[0] for each in self._hashed)
        return tuple(kind for kind, _ in counts.most_common())

    def trusted(self, name: str, port: int, alias: str | None, *, scan: bool = True) -> TrustedKeys:
        """What is trusted for a host.

        As in OpenSSH an alias stands for itself, without a port, and a host with a port of its own that
        is not on record may be on record without it. What is revoked for either is not trusted.

        Args:
            name: its name or address.
            port: its port.
            alias: its ``HostKeyAlias``.
            scan: look through all hashed names, too. Without it hosts' own keys on hashed lines are left out:
                ask :meth:`vouches` when the host has shown its key.
        """
        keys: tuple[list[asyncssh.SSHKey], ...] = ([], [], [], [], [], [], [])
        for known in _names(name, port, alias):
            is_first = not (keys[_OWN] or keys[_AUTHORITY])
            for line in self._about(known, scan):
                key = line.key() if is_first or line.marker == _REVOKED else None
                if key is not None:
                    keys[line.marker].append(key)
        return keys

    def vouches(self, name: str, port: int, alias: str | None, key: asyncssh.SSHKey) -> bool:
        """Whether a hashed line has this key as the host's own: asks only the lines with this key.

        It does not look for revoked keys: :meth:`trusted` has them all, with or without ``scan``.
        """
        candidates = self._hashed_by_key.get(key.public_data, ())
        exact, *rest = _names(name, port, alias)
        if any(each.is_of(exact) for each in candidates):
            return True
        if not any(each.is_of(bare) for bare in rest for each in candidates):
            return False
        return not any(line.marker != _REVOKED and line.key() for line in self._about(exact, scan=True))

    def knows(self, name: str, port: int, alias: str | None) -> bool:
        """Whether anything is on record for a host, so that its key is not new.

        As in OpenSSH a host with a port of its own is not known by the bare name. What is revoked for a
        pattern (``@revoked *``) says nothing about whether its hosts are known.
        """
        known = known_as(name, port, alias).encode(errors="surrogateescape")
        named = {id(line) for line in self._exact.get(known, ())} | {id(line) for line in self._scan(known)}
        return any(
            line.key() is not None and (line.marker != _REVOKED or id(line) in named)
            for line in self._about(known, scan=True)
        )

    def places(self, name: str, port: int, alias: str | None) -> list[str]:
        """Where a host is on record, as ``file line N``; for messages."""
        found = {
            id(line): line
            for known in _names(name, port, alias)
            for line in self._about(known, scan=True)
            if line.key() is not None
        }
        order = {path: rank for rank, path in enumerate(self.paths)}
        lines = sorted(found.values(), key=lambda line: (order[line.file], line.number))
        return [f"{line.file} line {line.number}" for line in lines]

    def _add(self, file: Path, number: int, text: bytes) -> None:
        words = text.split(None, 4)
        if not words or words[0].startswith(b"#"):
            return
        marker = words.pop(0) if words[0].startswith(b"@") else b""
        if marker not in _MARKERS or len(words) < 3:
            return
        hosts, kind, key = words[:3]
        line = _Line(_MARKERS[marker], (kind, key), file, number)
        if hosts.startswith(b"|"):
            hashed = _hashed(hosts, line)
            if hashed is not None:
                (self._hashed_marked if line.marker else self._hashed).append(hashed)
        elif b"*" in hosts or b"?" in hosts or b"!" in hosts:
            self._patterns.append((_pattern(hosts), line))
        else:
            # An empty name would stand for no host that there is, and for a broken one.
            for name in dict.fromkeys(filter(None, hosts.lower().split(b","))):
                self._exact.setdefault(name, []).append(line)

    def _about(self, known: bytes, scan: bool) -> Iterator[_Line]:
        yield from self._exact.get(known, ())
        yield from (line for matches, line in self._patterns if matches(known))
        yield from (each.line for each in self._hashed_marked if each.is_of(known))
        if scan:
            yield from self._scan(known)

    def _scan(self, known: bytes) -> list[_Line]:
        found = self._found.get(known)
        if found is None:
            # Without ``is_of``, whose call takes as long as the hash.
            hash_of = hmac.digest
            found = [line for salt, digest, line in self._hashed if hash_of(salt, known, "sha1") == digest]
            self._found[known] = found
        return found

    @cached_property
    def _hashed_by_key(self) -> dict[bytes, list[_Hashed]]:
        by_key: dict[bytes, list[_Hashed]] = {}
        for each in self._hashed:
            by_key.setdefault(each.line.public_data(), []).append(each)
        return by_key


def known_as(name: str, port: int, alias: str | None) -> str:
    """Under which name a host is recorded."""
    return _names(name, port, alias)[0].decode(errors="surrogateescape")


def _names(name: str, port: int, alias: str | None) -> Sequence[bytes]:
    """Under which names a host may be on record, the most exact first."""
    # In bytes: only ASCII letters have no case.
    plain = (name if alias is None else alias).encode(errors="surrogateescape").lower()
    if alias is not None or port == _DEFAULT_PORT:
        return (plain,)
    return (b"[%b]:%d" % (plain, port), plain)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as exc:
        raise SSHConfigError(f"known hosts {path}: {exc.strerror or exc}") from exc


def _hashed(hosts: bytes, line: _Line) -> _Hashed | None:
    try:
        nothing, version, salt, digest = hosts.split(b"|")
        hashed = _Hashed(_decoded(salt), _decoded(digest), line)
    except ValueError:
        return None
    good = (nothing, version, len(hashed.salt), len(hashed.digest)) == (b"", b"1", _SHA1_SIZE, _SHA1_SIZE)
    return hashed if good else None


def _decoded(text: bytes) -> bytes:
    return base64.b64decode(text, validate=True)


def _pattern(hosts: bytes) -> Callable[[bytes], bool]:
    """Whether a name matches one of some patterns and none of those that begin with ``!``."""
    names = [name for name in hosts.lower().split(b",") if name]
    wanted = _any_of(name for name in names if not name.startswith(b"!"))
    excluded = _any_of(name[1:] for name in names if name.startswith(b"!"))
    return lambda known: wanted(known) is not None and excluded(known) is None


def _any_of(patterns: Iterator[bytes]) -> Callable[[bytes], re.Match[bytes] | None]:
    translated = (re.escape(each).replace(rb"\*", b".*").replace(rb"\?", b".") for each in patterns)
    # What no name can be, where there is no pattern.
    return re.compile(b"|".join(translated) or rb"(?!)", re.DOTALL).fullmatch
