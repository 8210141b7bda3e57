"""Tests of asynctask.manager.arguments."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.arguments import argv_of, environment_of, port_of, shell_text_of
from asynctask.manager.template import ProcessTemplate
from tests.support import refused

pytestmark = pytest.mark.one_loop("nothing here waits")


def _template(command: Any = "true", **fields: Any) -> ProcessTemplate:
    return ProcessTemplate("web", command, **fields)


# -- environment ----------------------------------------------------------------------------------------


def test_the_own_environment_goes_before_what_is_inherited() -> None:
    """And what is given for one process before that."""
    template = _template(env={"A": "own", "B": "own"})

    assert environment_of(template, {"A": "os", "B": "os", "C": "os"}, {"B": "once"}, index=3) == {
        "A": "own",
        "B": "once",
        "C": "os",
        "ASYNCTASK_NAME": "web",
        "ASYNCTASK_INDEX": "3",
    }


def test_nothing_is_inherited_where_the_template_says_so() -> None:
    """Only its own variables are left, and ours."""
    template = _template(env={"A": "own"}, inherit_env=False)

    assert environment_of(template, {"B": "os"}) == {"A": "own", "ASYNCTASK_NAME": "web"}


def test_what_the_manager_was_told_is_not_handed_on() -> None:
    """A child could tell systemd that it is ready in the manager's name; a template may set it."""
    told = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "1", "LISTEN_FDS": "1", "ASYNCTASK_INDEX": "7"}

    assert environment_of(_template(), told) == {"ASYNCTASK_NAME": "web"}
    assert environment_of(_template(env={"LISTEN_FDS": "2"}), told)["LISTEN_FDS"] == "2"


def test_nobody_takes_the_name_of_another() -> None:
    """What the manager sets goes before all."""
    assert environment_of(_template(), {}, {"ASYNCTASK_NAME": "x"}) == {"ASYNCTASK_NAME": "web"}


@pytest.mark.parametrize(("index", "port"), [(0, 8000), (2, 8002), (None, 8000)])
def test_each_process_has_a_port_of_its_own(index: int | None, port: int) -> None:
    """It is the template's and the index."""
    template = _template(port=8000)

    assert port_of(template, index) == port
    assert environment_of(template, {"PORT": "80"}, index=index)["PORT"] == str(port)


def test_without_a_port_none_is_set() -> None:
    """That of the environment stays."""
    assert port_of(_template(), 1) is None
    assert environment_of(_template(), {"PORT": "80"})["PORT"] == "80"


# -- arguments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "argv"),
    [
        ({"command": "a 'b c' $A '$A'"}, ["a", "b c", "x y", "$A"]),
        ({"command": "a", "args": ["b c", "${A}z", "$$A", ""]}, ["a", "b c", "x yz", "$A", ""]),
        ({"command": ["a b", "$A", "|"]}, ["a b", "x y", "|"]),
        ({"command": "$A"}, ["x y"]),
        ({"command": "a | $B", "shell": True}, ["/bin/sh", "-c", "a | $B", "web"]),
        (
            {"command": 'echo "$1"', "shell": True, "args": ["$A", "b"]},
            ["/bin/sh", "-c", 'echo "$1"', "web", "x y", "b"],
        ),
    ],
)
def test_arguments(fields: dict[str, Any], argv: list[str]) -> None:
    """A value is one argument, or a part of one; a shell gets its command as it is written."""
    assert argv_of(_template(**fields), {"A": "x y"}) == argv


@pytest.mark.parametrize("fields", [{"command": "a $A"}, {"args": ["$A"]}, {"shell": True, "args": ["$A"]}])
def test_a_variable_that_is_not_set(fields: dict[str, Any]) -> None:
    """An empty argument in its place would do something else."""
    refused(
        LaunchError,
        "web: $A is in its command, and is not set: set it in env, or write $$ for a $",
        lambda: argv_of(_template(**fields), {}),
    )


def test_a_program_without_a_name() -> None:
    """It can come out of a variable."""
    refused(
        LaunchError, "web: the name of its program is empty", lambda: argv_of(_template("$A b"), {"A": ""})
    )


# -- for a shell on a node ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"command": "printf '%s|' 'b c' \"$A\" '$A' \"x${A}y\" \\'"},
        {"command": ["printf", "%s|", "$A", "a'b\"c", "*", "~"], "args": ["; exit 3", "$$A"]},
        {"command": 'printf \'%s|\' "$0" "$@" $A', "shell": True, "args": ["a b", "$A"]},
    ],
)
def test_a_shell_makes_the_same_of_it(fields: dict[str, Any]) -> None:
    """It replaces the variables, and nothing else."""
    template, env = _template(**fields), {"A": "x ' \" $B *", "PATH": "/usr/bin:/bin"}
    by_us = subprocess.run(argv_of(template, env), env=env, capture_output=True, check=True)
    by_shell = subprocess.run(
        ["/bin/sh", "-c", f"exec {shell_text_of(template)}"], env=env, capture_output=True, check=True
    )

    assert by_shell.stdout == by_us.stdout
    assert b"x ' \" $B *" in by_us.stdout or b"x|" in by_us.stdout


def test_a_shell_ends_where_a_variable_is_not_set() -> None:
    """It says which."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{shell_text_of(_template('echo $A_A'))}"],
        capture_output=True,
        check=False,
        env={},
    )

    assert done.returncode != 0
    assert b"A_A: is not set" in done.stderr
    assert done.stdout == b""
