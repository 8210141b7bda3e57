"""The hosts that the user's SSH knows by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ("known_names",)

#: Bytes of a file that are read at most: this is done at each Tab.
_MOST = 1 << 22
#: How deep files may include others.
_DEPTH = 4
_PATTERN = re.compile(r"[*?!]")
_KEYWORD = re.compile(r"\s*(host|include)\s*(?:=|\s)\s*(.*)", re.IGNORECASE)
_WITH_PORT = re.compile(r"\[(.+)\]:\d+")


def known_names(home: Path, system: Path = Path("/etc/ssh")) -> Iterator[str]:
    """The names in ``known_hosts`` that are not hashed, and of ``Host`` entries that are no patterns.

    What cannot be read has none.
    """
    for path in (home / ".ssh/known_hosts", home / ".ssh/known_hosts2", system / "ssh_known_hosts"):
        yield from _in_known_hosts(_read(path))
    yield from _in_config(home / ".ssh/config", home / ".ssh", _DEPTH)
    yield from _in_config(system / "ssh_config", system, _DEPTH)


def _in_known_hosts(text: str) -> Iterator[str]:
    for line in text.splitlines():
        names, *rest = line.split(None, 1) or [""]
        if names == "@cert-authority":
            names = (rest or [""])[0].split(None, 1)[0] if rest else ""
        if names.startswith(("#", "|", "@")):  # a comment, a hash, a key that is revoked
            continue
        for name in names.split(","):
            with_port = _WITH_PORT.fullmatch(name)
            if name and not _PATTERN.search(name):
                yield with_port[1] if with_port else name


def _in_config(path: Path, directory: Path, depth: int) -> Iterator[str]:
    if not depth:
        return
    for line in _read(path).splitlines():
        found = _KEYWORD.match(line)
        if found is None:
            continue
        words = found[2].replace('"', " ").split()
        if found[1].lower() == "host":
            yield from (word for word in words if not _PATTERN.search(word))
            continue
        for word in words:
            for included in _included(word, directory):
                yield from _in_config(included, directory, depth - 1)


def _included(pattern: str, directory: Path) -> list[Path]:
    """The files that an ``Include`` means."""
    path = directory / pattern.replace("~", str(directory.parent), 1) if pattern[:1] == "~" else Path(pattern)
    if not path.is_absolute():
        path = directory / path
    try:
        return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
    except (OSError, ValueError):
        return []


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode(errors="replace")
    except OSError:
        return ""
