"""``asynctask status``."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from asynctask._version import __version__
from asynctask.cli.status import EXIT_NOT_RUNNING
from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_all_runs(asynctask: CommandLine, supervised: Supervised) -> None:
    """The manager, and each template in a line."""
    supervised.load("web", numprocesses=2)
    done = asynctask("status")
    assert (done.status, done.stderr) == (0, b"")
    title, web = done.stdout.decode().splitlines()
    assert re.fullmatch(rf"manager m, asynctask {re.escape(__version__)}, pid {os.getpid()}, up \ds", title)
    assert web == "web: 2 of 2 running"


def test_something_does_not_run(asynctask: CommandLine, supervised: Supervised) -> None:
    """The exit status tells: of what should run, or of what was asked about."""
    supervised.load("web")
    supervised.load("db", autostart=False)
    done = asynctask("status")
    assert (done.status, done.stdout.splitlines()[1:]) == (0, [b"web: 1 of 1 running", b"db: stopped"])
    assert asynctask("status", "web", "-q") == (0, b"", b"")
    assert asynctask("status", "d*", "-q") == (EXIT_NOT_RUNNING, b"", b"")


def test_status_as_json(asynctask: CommandLine, supervised: Supervised) -> None:
    """One object with all of it."""
    supervised.load("web")
    done = asynctask("status", "--json")
    said = json.loads(done.stdout)
    assert (said["name"], said["pid"], said["templates"][0]["active"]) == ("m", os.getpid(), 1)


def test_nothing_is_asked_for_that_is_not_there(asynctask: CommandLine, supervised: Supervised) -> None:
    """That is an error, not a state."""
    assert asynctask("status", "web") == (1, b"", b"asynctask: no template 'web'; none is loaded\n")


def test_no_manager(asynctask: CommandLine, nowhere: Path) -> None:
    """Then nothing runs."""
    text = f"asynctask: no manager runs here (nobody listens at {nowhere}): start one with 'asynctask up'\n"
    assert asynctask("status") == (EXIT_NOT_RUNNING, b"", text.encode())
    assert asynctask("status", "--quiet") == (EXIT_NOT_RUNNING, b"", b"")
