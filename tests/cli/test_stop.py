"""``asynctask stop``."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_templates_are_stopped(asynctask: CommandLine, supervised: Supervised) -> None:
    """Those that are named, or all."""
    for name in ("web", "web2", "db"):
        supervised.load(name)
    assert asynctask("stop", "web*") == (0, b"web   stopped\nweb2  stopped\n", b"")
    assert supervised.states() == {"web": ["stopped"], "web2": ["stopped"], "db": ["running"]}
    assert asynctask("stop").status == 0
    assert supervised.states()["db"] == ["stopped"]


def test_one_process_is_stopped(asynctask: CommandLine, supervised: Supervised) -> None:
    """The others of its template go on; a template may be named beside it."""
    supervised.load("web", numprocesses=3)
    supervised.load("db")
    done = asynctask("stop", "web.2", "db")
    assert done == (0, b"web  2 of 3 running; web.2: stopped\ndb   stopped\n", b"")
    assert supervised.states() == {"web": ["running", "stopped", "running"], "db": ["stopped"]}


def test_a_process_that_is_not_there(asynctask: CommandLine, supervised: Supervised) -> None:
    """Nor is what has such a name a template."""
    supervised.load("web")
    message = b"asynctask: web.2: no such process runs; 'asynctask ps' lists them\n"
    assert asynctask("stop", "web.2") == (1, b"", message)
    assert asynctask("stop", "a.2") == (1, b"", b"asynctask: no template 'a.2'; there are: web\n")
    assert supervised.states() == {"web": ["running"]}
