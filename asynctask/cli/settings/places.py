"""Where configuration files are looked for, and what is in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from asynctask.errors import UsageError

__all__ = ("NOT_THERE", "READ", "File", "clush_files", "look", "own_files", "short")

_ETC = Path("/etc")
#: Bytes of a file; what has more is no configuration.
_MOST = 1 << 20

READ = "read"
NOT_THERE = "not there"


class File(NamedTuple):
    """A file that was looked for.

    Args:
        path: where.
        state: :data:`READ`, :data:`NOT_THERE`, or why it was not read.
        data: what is in it, if it was read.
        warning: what is wrong with it, though it does not matter now.
    """

    path: Path
    state: str
    data: bytes | None = None
    warning: str = ""


def own_files() -> list[Path]:
    """Our own configuration files, the most important last."""
    return [base / "asynctask" / "config.toml" for base in (_ETC, *_user_configuration())]


def clush_files() -> list[Path]:
    """ClusterShell's places for clush.conf, the most important last.

    But not the one in the Python installation: what a package has put there are examples, and with it comes a
    ``connect_timeout`` that nobody at the site has asked for.
    """
    home = _home()
    bases = [_ETC, *([home / ".local" / "etc"] if home else []), *_user_configuration()]
    directories = [base / "clustershell" for base in bases]
    if chosen := os.environ.get("CLUSTERSHELL_CFGDIR"):
        directories.append(Path(chosen))
    return list(dict.fromkeys(directory / "clush.conf" for directory in directories))


def _user_configuration() -> list[Path]:
    """``XDG_CONFIG_HOME``, where only absolute paths count; nothing for a user without a home."""
    chosen = os.environ.get("XDG_CONFIG_HOME", "")
    if chosen.startswith("/"):
        return [Path(chosen)]
    home = _home()
    return [home / ".config"] if home else []


def _home() -> Path | None:
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises for a user without a home
    return Path(home) if home.startswith("/") else None


def short(path: Path) -> str:
    """A path as people write it."""
    home = _home()
    if home is not None and len(home.parts) > 1 and path.is_relative_to(home):
        return str("~" / path.relative_to(home))
    return str(path)


def look(path: Path, *, needed: bool = False, foreign: bool = False) -> File:
    """Read a file, if it is there.

    Args:
        path: where.
        needed: it was asked for by its name.
        foreign: it is not ours: if it cannot be read, it is not read.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except (FileNotFoundError, NotADirectoryError) as exc:
        if needed:
            raise UsageError(f"configuration {short(path)}: {exc.strerror}") from exc
        return File(path, NOT_THERE)
    except OSError as exc:
        reason = exc.strerror or str(exc)
        if foreign and not needed:
            return File(path, reason)
        if not needed and not _can_be_seen(path):  # nobody knows whether it is there
            return File(path, reason, warning=f"configuration {short(path)} is left out: {reason}")
        raise UsageError(f"configuration {short(path)}: {reason}") from exc
    if len(data) > _MOST:
        raise UsageError(f"configuration {short(path)}: larger than 1 MiB, so this is something else")
    if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        return File(path, READ, data, f"configuration {short(path)}: everybody can write to it; chmod o-w")
    return File(path, READ, data)


def _can_be_seen(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True
