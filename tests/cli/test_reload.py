"""``asynctask reload``."""

from __future__ import annotations

import json

import pytest

from asynctask.errors import LaunchError
from asynctask.manager import Backoff
from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_processes_are_replaced(asynctask: CommandLine, supervised: Supervised) -> None:
    """Of what is named."""
    supervised.load("web")
    assert asynctask("reload", "w*") == (0, b"web  1 of 1 running\n", b"")
    assert len(supervised.launcher.processes) == 2


def test_processes_that_cannot_be_replaced(asynctask: CommandLine, supervised: Supervised) -> None:
    """The old ones go on."""
    supervised.load("web", backoff=Backoff(attempts=1))
    supervised.launcher.plan.append(LaunchError("serve", "no such file"))
    done = asynctask("reload", "web")
    assert (done.status, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"asynctask: web: ")
    assert supervised.states() == {"web": ["running"]}


@pytest.mark.parametrize(
    ("read", "status", "shown"),
    [
        ({"added": [], "removed": [], "changed": [], "failed": {}}, 0, b"nothing has changed\n"),
        ({"added": ["a", "b"], "changed": ["c"], "removed": []}, 0, b"added: a, b\nchanged: c\n"),
        ({"removed": ["a"], "failed": {"b": "no"}}, 1, b"removed: a\nb: failed: no\n"),
    ],
)
def test_the_file_is_read_again(
    read: dict[str, object], status: int, shown: bytes, asynctask: CommandLine, supervised: Supervised
) -> None:
    """What was different is told, and what could not be applied."""
    supervised.reread = read
    assert asynctask("reload") == (status, shown, b"")
    assert json.loads(asynctask("reload", "--json").stdout) == read


def test_a_file_that_cannot_be_read(asynctask: CommandLine, supervised: Supervised) -> None:
    """What is wrong with it is told here."""
    assert asynctask("reload") == (1, b"", b"asynctask: Procfile: line 3: no command\n")
