"""What a process goes through before it becomes its program, when ``subprocess`` alone will not do.

Limits can be set from outside alone, and not before there is a process. So a shell is started, which waits;
the limits are set, and then it executes the program. That costs a millisecond.

A shell cannot place descriptors at 3 and up, and forgets variables whose names it could not use itself; and
the limits of another user's process are not always ours to set. There a bare Python does all that is to be
done, and tells exactly what failed. That costs ten.
"""

from __future__ import annotations

import marshal
import os
import re
import resource
import sys
from collections.abc import Sequence
from typing import Final

from asynctask.errors import LaunchError
from asynctask.manager.local.failures import cannot_become, cannot_execute
from asynctask.manager.local.limits import not_permitted
from asynctask.manager.local.programs import Program

__all__ = ("check_report", "needs_python", "needs_shell", "order_for_python", "python_argv", "shell_argv")

_SHELL = "/bin/sh"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

#: The variable is none that anybody has, so it is not exported.
_OPEN_WITH_STDIN = 'read -r ASYNCTASK_GATE && exec "$@"'
_OPEN = 'read -r ASYNCTASK_GATE && exec "$@" </dev/null'

#: The last word of that Python before it executes the program.
_ABOUT_TO = b"+"
#: It has no modules of ours, and next to none of its own. First all that needs descriptors, then the limits,
#: which may forbid those; rights go last, and nothing is imported after that, for its user may not be let to
#: the files of this Python. Signals that Python ignores would stay ignored.
_PYTHON: Final = """\
import errno, marshal, os, sys, _signal
order, report = int(sys.argv[1]), int(sys.argv[2])
what = b"start"
try:
    with open(order, "rb") as file:
        files, argv, env, streams, limits, uid, gid, groups = marshal.loads(file.read())
    top = max(report, 2 + len(streams), *streams, 0) + 1
    for place, fd in enumerate([report, *streams]):
        os.dup2(fd, top + place, False)
        os.close(fd)
    report = top
    for place in range(len(streams)):
        os.dup2(top + 1 + place, 3 + place)
    if limits:
        import resource
    for place, (number, soft, hard) in enumerate(limits):
        what = b"limit%d" % place
        resource.setrlimit(number, (soft, hard))
    what = b"user"
    if groups is not None:
        os.setgroups(groups)
    if gid is not None:
        os.setregid(gid, gid)
    if uid is not None:
        os.setreuid(uid, uid)
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(_signal, name):
            _signal.signal(getattr(_signal, name), _signal.SIG_DFL)
    what = b"exec"
    os.write(report, b"+")
    first = errno.ENOENT
    for file in files:
        try:
            os.execve(file, argv, env)
        except OSError as exc:
            if first == errno.ENOENT and exc.errno != errno.ENOTDIR:
                first = exc.errno
    raise OSError(first, "")
except BaseException as exc:
    os.write(report, b"%s %d" % (what, getattr(exc, "errno", None) or 0))
os._exit(127)
"""


def shell_argv(program: Program) -> list[str]:
    """A shell that becomes the program when it has read an empty line from its standard input."""
    return [_SHELL, "-c", _OPEN_WITH_STDIN if program.stdin else _OPEN, "sh", *program.argv]


def needs_shell(program: Program) -> bool:
    """Whether ``subprocess`` will not do, but a shell."""
    return bool(program.limits) and not needs_python(program)


def needs_python(program: Program) -> bool:
    """Whether neither will do."""
    if program.custom_streams:
        return True
    other = program.identity.uid is not None or program.identity.gid is not None
    from_outside = hasattr(resource, "prlimit") and not other  # Linux alone has it
    return bool(program.limits) and not (from_outside and all(map(_VARIABLE.fullmatch, program.env)))


def python_argv(order: int, report: int) -> list[str]:
    """A Python that reads its order from one descriptor, and tells on the other what failed.

    Raises:
        LaunchError: this program is not run by a Python that it knows of.
    """
    if not sys.executable:
        raise LaunchError("custom_streams", "they need a Python interpreter, and sys.executable names none")
    return [sys.executable, "-I", "-S", "-c", _PYTHON, str(order), str(report)]


def order_for_python(program: Program, streams: Sequence[int]) -> bytes:
    """What that Python is to do; ``streams`` are the descriptors that become 3 and up."""
    who = program.identity
    return marshal.dumps(
        (
            [os.fsencode(each) for each in program.files()],
            [os.fsencode(each) for each in program.argv],
            {os.fsencode(name): os.fsencode(value) for name, value in program.env.items()},
            list(streams),
            [(limit.number, limit.soft, limit.hard) for limit in program.limits],
            who.uid,
            who.gid,
            None if who.groups is None else list(who.groups),
        )
    )


def check_report(report: bytes, program: Program) -> None:
    """Look at what that Python has told.

    Raises:
        LaunchError: it did not become the program.
    """
    if report == _ABOUT_TO:
        return
    what, _, number = report.removeprefix(_ABOUT_TO).decode().partition(" ")
    if what == "exec":
        raise cannot_execute(int(number), program)
    if what == "user":
        raise cannot_become(int(number), program)
    if what.startswith("limit"):
        raise not_permitted(program.limits[int(what.removeprefix("limit"))])
    raise LaunchError(program.name, "the Python that was to place its descriptors has failed")
