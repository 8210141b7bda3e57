"""Tests of asynctask.manager.local.failures."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.local.accounts import Identity
from asynctask.manager.local.failures import cannot_become, check_program, explained
from asynctask.manager.local.programs import Program

JOE = Identity(1000, 1000, (1000,), "joe", "/home/joe")


def program(name: str, **fields: Any) -> Program:
    """A program of this name."""
    return Program(argv=[name], env={"PATH": "/nowhere"}, **fields)


def of_exec(number: int, name: str, **fields: Any) -> str:
    """What is said when a program cannot be executed."""
    return str(explained(OSError(number, "", name), program(name, **fields)))


def test_nothing_of_this_name() -> None:
    """A name is looked for in PATH, a path is not."""
    assert of_exec(errno.ENOENT, "prog") == "prog: not found in PATH"
    assert of_exec(errno.ENOENT, "/no/prog") == "/no/prog: no such file"
    assert of_exec(errno.ENOTDIR, "/no/prog") == "/no/prog: no such file"


def test_a_script_without_its_interpreter(tmp_path: Path) -> None:
    """The file is there, so that is not what is missing; it is looked for where the program would run."""
    (tmp_path / "script").write_text("#!/no/such/interpreter\n")
    expected = "./script: the interpreter that it names is not found"
    assert of_exec(errno.ENOENT, "./script", cwd=str(tmp_path)) == expected


def test_what_is_no_program(tmp_path: Path) -> None:
    """A directory, a file without the right to be executed, and one that is nothing of that kind."""
    assert of_exec(errno.EACCES, str(tmp_path)) == f"{tmp_path}: it is a directory"
    assert of_exec(errno.EACCES, "/etc/passwd") == "/etc/passwd: not executable"
    expected = "prog: neither a program for this machine nor a script that begins with #!"
    assert of_exec(errno.ENOEXEC, "prog") == expected


def test_another_reason() -> None:
    """It is the system's."""
    assert of_exec(errno.E2BIG, "prog") == "prog: argument list too long"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOENT, "no such directory"),
        (errno.ENOTDIR, "not a directory"),
        (errno.EACCES, "permission denied"),
    ],
)
def test_the_directory(number: int, reason: str) -> None:
    """It is named, for the program is not to blame."""
    error = explained(OSError(number, "", "/dir"), program("prog", cwd="/dir"))
    assert str(error) == f"cwd '/dir': {reason}"


def test_the_user() -> None:
    """Also where there is a directory, which could be the reason."""
    reason = "not permitted: only root may run processes as somebody else"
    for cwd in (None, "/dir"):
        error = explained(OSError(errno.EPERM, "", cwd), program("prog", cwd=cwd, identity=JOE))
        assert str(error) == f"user joe and group 1000: {reason}"
    error = explained(OSError(errno.EPERM, "", None), program("prog", identity=Identity(gid=7)))
    assert str(error) == f"group 7: {reason}"
    assert str(cannot_become(errno.EINVAL, program("prog", identity=JOE))).endswith(": invalid argument")


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EMFILE, "no file descriptor is left for it (ulimit -n)"),
        (errno.ENFILE, "no file descriptor is left for it (ulimit -n)"),
        (errno.EAGAIN, "no process is left for its user (ulimit -u)"),
        (errno.ENOMEM, "cannot allocate memory"),
        (errno.ETXTBSY, "text file busy"),
    ],
)
def test_what_is_short_may_be_there_later(number: int, reason: str) -> None:
    """Such a start is tried again and again."""
    for name in ("prog", None):
        error = explained(OSError(number, "", name), program("prog"))
        assert (str(error), error.temporary) == (f"prog: {reason}", True)


def test_what_no_system_takes() -> None:
    """As subprocess says it."""
    assert str(explained(ValueError("embedded null byte"), program("prog"))) == "prog: embedded null byte"


# -- looking beforehand -------------------------------------------------------------------------


def check(name: str, **fields: Any) -> str:
    """What is said beforehand."""
    with pytest.raises(LaunchError) as caught:
        check_program(program(name, **fields))
    return str(caught.value)


def test_what_can_be_executed(tmp_path: Path) -> None:
    """By its path, by a path from its directory, and in PATH, where the first that is executable counts."""
    good = tmp_path / "good"
    good.mkdir()
    (good / "prog").write_text("")
    (good / "prog").chmod(0o755)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "prog").write_text("")
    check_program(program(str(good / "prog")))
    check_program(program("good/prog", cwd=str(tmp_path)))
    check_program(Program(argv=["prog"], env={"PATH": f"/nowhere:{bad}:{good}"}))
    assert check(str(bad / "prog")) == f"{bad}/prog: not executable"


def test_what_cannot_be_executed(tmp_path: Path) -> None:
    """The same words as afterwards."""
    assert check("prog") == "prog: not found in PATH"
    assert check("/no/prog") == "/no/prog: no such file"
    assert check(str(tmp_path)) == f"{tmp_path}: it is a directory"


def test_the_rights_of_others_are_not_known(tmp_path: Path) -> None:
    """A program that somebody may execute may be executed by another user."""
    (tmp_path / "prog").write_text("")
    (tmp_path / "prog").chmod(0o001)
    check_program(program(str(tmp_path / "prog"), identity=JOE))
