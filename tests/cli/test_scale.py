"""``asynctask scale``."""

from __future__ import annotations

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.controlling.supervised import Supervised, a_manager_runs, no_manager_runs

__all__ = ("a_manager_runs", "no_manager_runs")

pytestmark = pytest.mark.one_loop("a command line")


def test_more_and_fewer(asynctask: CommandLine, supervised: Supervised) -> None:
    """A number, more, fewer; the last that is said of a template counts."""
    for name in ("web", "worker1", "worker2"):
        supervised.load(name, numprocesses=2)
    done = asynctask("scale", "web=3", "worker*=+1", "worker2=-1")
    assert (done.status, done.stderr) == (0, b"")
    assert done.stdout == b"web      3 of 3 running\nworker1  3 of 3 running\nworker2  1 of 1 running\n"
    assert asynctask("scale", "web=0") == (0, b"web  0 of 0 running\n", b"")


def test_below_zero(asynctask: CommandLine, supervised: Supervised) -> None:
    """That is an error, and nothing changes."""
    supervised.load("web")
    done = asynctask("scale", "web=-2")
    assert (done.status, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"asynctask: web: cannot scale from 1 to -1")
    assert supervised.states() == {"web": ["running"]}


@pytest.mark.parametrize(
    "word", ["web", "web=", "=3", "web=x", "web=1.5", "web=--1", "web=9999999", "web=\u0663"]
)
def test_words_that_say_nothing(word: str, asynctask: CommandLine, supervised: Supervised) -> None:
    """They are wrong usage."""
    done = asynctask("scale", word)
    assert done.status == 2
    assert f"{word!r}: NAME=N is expected, as web=3, web=+1 or web=-1" in done.stderr.decode()


def test_a_template_that_does_not_exist(asynctask: CommandLine, supervised: Supervised) -> None:
    """Then none is scaled."""
    supervised.load("web")
    done = asynctask("scale", "web=2", "x=1")
    assert done == (1, b"", b"asynctask: no template 'x'; there are: web\n")
    assert supervised.states() == {"web": ["running"]}
