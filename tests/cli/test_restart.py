"""``asynctask restart``."""

from __future__ import annotations

import pytest

from asynctask.errors import LaunchError
from asynctask.manager import Backoff
from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_new_processes(asynctask: CommandLine, supervised: Supervised) -> None:
    """Of those that are named, or of all."""
    supervised.load("web")
    supervised.load("db")
    assert asynctask("restart", "db") == (0, b"db  1 of 1 running\n", b"")
    assert asynctask("restart") == (0, b"web  1 of 1 running\ndb   1 of 1 running\n", b"")
    names = [process.order.template.name for process in supervised.launcher.processes]
    assert names == ["web", "db", "db", "web", "db"]


def test_a_process_that_does_not_come_back(asynctask: CommandLine, supervised: Supervised) -> None:
    """The exit status tells."""
    supervised.load("web", backoff=Backoff(attempts=1))
    supervised.launcher.plan.append(LaunchError("serve", "no such file"))
    assert asynctask("restart", "web").status == 1
