"""Tests of asynctask.manager.local.programs."""

from __future__ import annotations

import os
import pwd
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.launching import Order
from asynctask.manager.local.accounts import Accounts, Identity
from asynctask.manager.local.limits import limits_of
from asynctask.manager.local.programs import Program, check_of, program_of
from asynctask.manager.template import LogFile, ProcessTemplate

pytestmark = pytest.mark.one_loop("nothing is run")

NOBODY = pwd.getpwnam("nobody")


async def made(extra: dict[str, str] | None = None, **fields: Any) -> Program:
    """What is executed for a template."""
    template = ProcessTemplate("web", ["serve", "$PORT"], **{"port": 8000, **fields})
    return await program_of(Order(template, 1, 2, env=extra), Accounts())


async def test_all_of_a_template() -> None:
    """Each field arrives."""
    program = await made(
        {"MORE": "3"},
        inherit_env=False,
        env={"A": "1"},
        cwd="/srv",
        umask=0o27,
        rlimits={"core": 0},
        stdin=True,
        stdout="null",
        stderr="inherit",
        custom_streams=["data"],
    )
    assert program == Program(
        argv=["serve", "8002"],
        env={"PORT": "8002", "A": "1", "MORE": "3", "ASYNCTASK_NAME": "web", "ASYNCTASK_INDEX": "2"},
        cwd="/srv",
        umask=0o27,
        limits=limits_of({"core": 0}),
        stdin=True,
        stdout="null",
        stderr="inherit",
        custom_streams=("data",),
    )


async def test_our_environment_is_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the template says that it is not."""
    monkeypatch.setenv("OURS", "1")
    assert (await made()).env["OURS"] == "1"
    assert "OURS" not in (await made(inherit_env=False)).env


async def test_log_files_are_ours_to_write() -> None:
    """So the output is heard here."""
    program = await made(stdout=LogFile(path="out"), stderr=LogFile(path="err"))
    assert (program.stdout, program.stderr) == ("pipe", "pipe")


async def test_another_user_has_its_own_home() -> None:
    """Not ours; also where nothing is inherited, and in the command."""
    env = (await made(user="nobody", inherit_env=False)).env
    assert (env["HOME"], env["USER"], env["LOGNAME"]) == (NOBODY.pw_dir, "nobody", "nobody")
    template = ProcessTemplate("web", ["serve", "$HOME"], user="nobody")
    assert (await program_of(Order(template, 1, 0), Accounts())).argv == ["serve", NOBODY.pw_dir]


async def test_the_template_knows_better() -> None:
    """What it says of HOME counts, and so does what the order says."""
    env = (await made({"USER": "who"}, user="nobody", env={"HOME": "/data"})).env
    assert (env["HOME"], env["USER"], env["LOGNAME"]) == ("/data", "who", "nobody")


async def test_what_is_wrong_is_told_before_anything_is_started() -> None:
    """Users, limits, variables."""
    with pytest.raises(LaunchError, match="there is no such user"):
        await made(user="no-such-user")
    with pytest.raises(LaunchError, match="NO_SUCH_VARIABLE"):
        await made(args=["$NO_SUCH_VARIABLE"])


def test_a_check_is_like_its_program() -> None:
    """The same user and place; no limits, and nothing to read or write."""
    who = Identity(1, 1, (1,))
    program = Program(
        argv=["serve"],
        env={"A": "1"},
        cwd="/srv",
        umask=0,
        identity=who,
        limits=limits_of({"core": 0}),
        stdin=True,
        custom_streams=("data",),
    )
    assert check_of(program, ["probe", "-q"]) == Program(
        argv=("probe", "-q"), env={"A": "1"}, cwd="/srv", umask=0, identity=who, stdout="null", stderr="null"
    )


def test_where_it_may_be() -> None:
    """A name in each directory of PATH, a path where it says."""
    assert Program(argv=["prog"], env={"PATH": "/a:/b"}).files() == ["/a/prog", "/b/prog"]
    assert Program(argv=["./prog"], env={"PATH": "/a:/b"}).files() == ["./prog"]
    assert Program(argv=["prog"], env={}).files() == [f"{each}/prog" for each in os.defpath.split(":")]


def test_no_secret_is_shown() -> None:
    """The environment may hold some."""
    assert "hunter2" not in repr(Program(argv=["serve"], env={"PASSWORD": "hunter2"}))
