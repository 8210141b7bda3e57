"""Tests of asynctask.testing.environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from asynctask.testing.environment import is_accepted, login_environment, write_scripts

NAMES = ("LANG", "LC_ALL", "LC_", "LCX", "XLANG", "lang", "FOO")


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (("LANG", "LC_*"), {"LANG", "LC_ALL", "LC_"}),
        ((), set()),
        (("*",), set(NAMES)),
        (("LC?",), {"LC_", "LCX"}),
    ],
)
def test_is_accepted(patterns: tuple[str, ...], names: set[str]) -> None:
    """What matches one of the patterns, case and all."""
    assert {name for name in NAMES if is_accepted(name, patterns)} == names


def test_the_scripts_tell_the_node_and_nothing_else(tmp_path: Path) -> None:
    """``hostname`` and ``uname -n`` are the node's; what else uname tells is the machine's."""
    scripts = write_scripts(tmp_path / "bin")
    environment = {**login_environment("me", scripts), "ASYNCTASK_NODE": "n7"}
    command = "hostname; uname -n; uname -s"
    done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["n7", "n7", os.uname().sysname]


def test_the_environment_of_a_login(tmp_path: Path) -> None:
    """The user's name, a shell, and programs that are found."""
    environment = login_environment("me", tmp_path)
    assert set(environment) == {"PATH", "USER", "LOGNAME", "SHELL"}
    assert environment["PATH"].split(os.pathsep)[0] == str(tmp_path)
