"""``asynctask ps``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asynctask.manager import Backoff
from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_the_processes_in_columns(asynctask: CommandLine, supervised: Supervised) -> None:
    """Each with its state, and what it takes."""
    supervised.load("web", numprocesses=2)
    supervised.load("db", autostart=False)
    done = asynctask("ps")
    assert (done.status, done.stderr) == (0, b"")
    assert [line.split() for line in done.stdout.decode().splitlines()] == [
        ["NAME", "STATE", "PID", "UPTIME", "RESTARTS", "CPU", "MEMORY"],
        ["web.1", "running", "1001", "0s", "0", "1.5%", "1000", "B"],
        ["web.2", "running", "1002", "0s", "0", "1.5%", "1000", "B"],
        ["db.1", "stopped", "-", "-", "0", "-", "-"],
    ]


def test_some_of_them_as_json(asynctask: CommandLine, supervised: Supervised) -> None:
    """An object for each."""
    supervised.load("web", numprocesses=2)
    supervised.load("db")
    done = asynctask("ps", "--json", "w*")
    assert done.status == 0
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(each["name"], each["index"], each["pid"], each["os_pid"]) for each in objects] == [
        ("web", 0, 1, 1001),
        ("web", 1, 2, 1002),
    ]


def test_a_name_that_means_nothing(asynctask: CommandLine, supervised: Supervised) -> None:
    """It is an error that has those that do."""
    supervised.load("web", backoff=Backoff())
    assert asynctask("ps", "x*") == (1, b"", b"asynctask: no template 'x*'; there are: web\n")


def test_nothing_is_loaded(asynctask: CommandLine, supervised: Supervised) -> None:
    """The table is empty."""
    assert asynctask("ps").stdout.split()[0] == b"NAME"
    assert asynctask("ps", "--json") == (0, b"", b"")


def test_no_manager(asynctask: CommandLine, nowhere: Path) -> None:
    """The message says what to do."""
    text = f"asynctask: no manager runs here (nobody listens at {nowhere}): start one with 'asynctask up'\n"
    assert asynctask("ps") == (1, b"", text.encode())
