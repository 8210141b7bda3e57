"""Where the control socket of a manager is: the same for who serves it and for who connects to it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from asynctask.errors import ManagerError, UsageError

__all__ = ("ENVIRONMENT_VARIABLE", "make_private", "socket_path")

ENVIRONMENT_VARIABLE = "ASYNCTASK_SOCKET"

#: What the system takes as the address of a Unix socket, bytes.
_LONGEST = 107
_READABLE = 24
_RUN_USER = Path("/run/user")
_TEMPORARY = Path("/tmp")  # noqa: S108 - not $TMPDIR, which may be another for who connects; see make_private


def socket_path(
    directory: str | os.PathLike[str] = ".",
    given: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    configured: str | os.PathLike[str] | None = None,
) -> Path:
    """The socket of the manager of a directory. Nothing is made, nor looked whether anybody listens.

    It is what was given; else ``$ASYNCTASK_SOCKET``; else what the file says; else
    ``asynctask/<directory>-<digest>.sock`` below ``$XDG_RUNTIME_DIR``, or ``/run/user/<uid>``, whichever is
    there, ours and not too long; else ``/tmp/asynctask-<uid>/<directory>-<digest>.sock``.

    Args:
        directory: of the Procfile or ``asynctask.toml``.
        given: with ``--socket``.
        environ: by default the environment of this process.
        configured: ``socket`` in ``[manager]`` of the file.

    Raises:
        UsageError: the system takes no address of this length.
    """
    environ = os.environ if environ is None else environ
    chosen = given if given is not None else environ.get(ENVIRONMENT_VARIABLE) or configured
    path = Path(chosen).absolute() if chosen else _default(_file_name(Path(directory)), environ)
    if _is_too_long(path):
        raise UsageError(
            f"{path}: a socket's path may have {_LONGEST} bytes: choose a shorter one with --socket"
        )
    return path


def make_private(path: Path) -> None:
    """Make the directory of a socket if it is missing, for us alone.

    Raises:
        ManagerError: it cannot be made; or it belongs to somebody else, who could put another socket there.
    """
    directory = path.parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        owners = {directory.lstat().st_uid, directory.stat().st_uid}
    except OSError as exc:
        raise ManagerError(f"{directory}: {exc.strerror}") from exc
    if owners - {0, os.geteuid()}:
        raise ManagerError(f"{directory}: belongs to another user: choose another place with --socket")


def _default(name: str, environ: Mapping[str, str]) -> Path:
    for directory in (Path(environ.get("XDG_RUNTIME_DIR") or "-"), _RUN_USER / str(os.geteuid())):
        path = directory / "asynctask" / name
        if directory.is_absolute() and _is_ours(directory) and not _is_too_long(path):
            return path
    return _TEMPORARY / f"asynctask-{os.geteuid()}" / name


def _is_too_long(path: Path) -> bool:
    return len(os.fsencode(path)) > _LONGEST


def _is_ours(directory: Path) -> bool:
    """Whether we may trust it: that of another user is in the environment after ``su``."""
    try:
        found = directory.stat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _file_name(directory: Path) -> str:
    """A name that can be recognised, and is another for each directory."""
    real = os.path.realpath(directory)
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", os.path.basename(real))[:_READABLE]  # noqa: PTH119
    return f"{readable or 'root'}-{digest}.sock"
