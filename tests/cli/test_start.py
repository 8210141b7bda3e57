"""``asynctask start``."""

from __future__ import annotations

import json

import pytest

from asynctask.errors import LaunchError
from asynctask.manager import Backoff
from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_what_was_stopped_is_started(asynctask: CommandLine, supervised: Supervised) -> None:
    """Those that are named, or all; how they do is told."""
    for name in ("web", "web2", "db"):
        supervised.load(name, autostart=False)
    assert asynctask("start", "web*") == (0, b"web   1 of 1 running\nweb2  1 of 1 running\n", b"")
    assert supervised.states() == {"web": ["running"], "web2": ["running"], "db": ["stopped"]}
    assert asynctask("start").status == 0
    assert supervised.states()["db"] == ["running"]


def test_what_cannot_be_started(asynctask: CommandLine, supervised: Supervised) -> None:
    """The reason is told, and the exit status tells."""
    supervised.load("web", autostart=False, backoff=Backoff(attempts=1))
    supervised.launcher.plan.append(LaunchError("serve", "no such file"))
    done = asynctask("start", "web")
    assert (done.status, done.stderr) == (1, b"")
    assert b"web  0 of 1 running; web.1: fatal (" in done.stdout
    assert b"serve: no such file" in done.stdout


def test_a_start_that_is_not_waited_for(asynctask: CommandLine, supervised: Supervised) -> None:
    """Nobody knows then what comes of it."""
    supervised.load("web", autostart=False, backoff=Backoff(attempts=1))
    supervised.launcher.plan.append(LaunchError("serve", "no such file"))
    assert asynctask("start", "--no-wait").status == 0


def test_start_as_json(asynctask: CommandLine, supervised: Supervised) -> None:
    """The processes as they are then."""
    supervised.load("web", autostart=False)
    done = asynctask("start", "--json", "web")
    assert [each["state"] for each in json.loads(done.stdout)["processes"]] == ["running"]


def test_nothing_is_loaded(asynctask: CommandLine, supervised: Supervised) -> None:
    """Then nothing is started."""
    assert asynctask("start") == (0, b"", b"")
