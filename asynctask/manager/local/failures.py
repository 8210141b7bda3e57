"""Why a program could not be started, in words."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from asynctask.errors import LaunchError

if TYPE_CHECKING:
    from asynctask.manager.local.programs import Program

__all__ = ("cannot_become", "cannot_enter", "cannot_execute", "check_program", "explained")

#: Others have taken what there is of something, or write to the file just now: later it may do.
_SHORTAGES = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY}


def explained(exc: Exception, program: Program) -> LaunchError:
    """What ``subprocess`` raised, in words."""
    if not isinstance(exc, OSError):
        return LaunchError(program.name, str(exc))
    number = exc.errno or 0
    if number in _SHORTAGES:
        return _shortage(number, program)
    if exc.filename == program.argv[0] and program.argv[0] != program.cwd:
        return cannot_execute(number, program)
    if number == errno.EPERM and program.identity.uid is not None:
        return cannot_become(number, program)
    if program.cwd is not None and exc.filename == program.cwd:
        return cannot_enter(number, program.cwd)
    if program.identity.gid is not None:
        return cannot_become(number, program)
    return LaunchError(program.name, os.strerror(number))


def cannot_execute(number: int, program: Program) -> LaunchError:
    """Its file is the problem."""
    if number in _SHORTAGES:
        return _shortage(number, program)
    return LaunchError(program.name, _of_the_file(number, program))


def _shortage(number: int, program: Program) -> LaunchError:
    reason = os.strerror(number).lower()
    if number in (errno.EMFILE, errno.ENFILE):
        reason = "no file descriptor is left for it (ulimit -n)"
    elif number == errno.EAGAIN:
        reason = "no process is left for its user (ulimit -u)"
    return LaunchError(program.name, reason, temporary=True)


def _of_the_file(number: int, program: Program) -> str:
    name = program.name
    path = Path(program.cwd or "") / name
    if number in (errno.ENOENT, errno.ENOTDIR):
        if "/" not in name:
            return "not found in PATH"
        return "the interpreter that it names is not found" if _is_file(path) else "no such file"
    if number == errno.EACCES:
        return "it is a directory" if "/" in name and path.is_dir() else "not executable"
    if number == errno.ENOEXEC:
        return "neither a program for this machine nor a script that begins with #!"
    return os.strerror(number).lower()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def cannot_enter(number: int, cwd: str) -> LaunchError:
    """Its directory is the problem."""
    reasons = {
        errno.ENOENT: "no such directory",
        errno.ENOTDIR: "not a directory",
        errno.EACCES: "permission denied",
    }
    return LaunchError(f"cwd {cwd!r}", reasons.get(number, os.strerror(number).lower()))


def cannot_become(number: int, program: Program) -> LaunchError:
    """Its user is the problem."""
    reason = os.strerror(number).lower()
    if number == errno.EPERM:
        reason = "not permitted: only root may run processes as somebody else"
    return LaunchError(str(program.identity), reason)


def check_program(program: Program) -> None:
    """Look whether there is something to execute, as well as that can be told beforehand.

    Raises:
        LaunchError: there is not.
    """
    base = Path(program.cwd or "")
    number = errno.ENOENT
    for place in (base / each for each in program.files()):
        try:
            mode = place.stat().st_mode
        except OSError as exc:
            if exc.errno not in (errno.ENOENT, errno.ENOTDIR):
                number = exc.errno or number
            continue
        if (
            stat.S_ISREG(mode)
            and mode & 0o111
            and (program.identity.uid is not None or os.access(place, os.X_OK))
        ):
            return
        number = errno.EACCES
    raise cannot_execute(number, program)
