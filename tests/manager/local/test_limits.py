"""Tests of asynctask.manager.local.limits."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.local.limits import Limit, limits_of, set_limits

NOFILE = resource.RLIMIT_NOFILE
#: More descriptors than a system grants to anybody.
TOO_MANY = 1 << 40


@pytest.fixture
def child() -> Iterator[int]:
    """A process that sleeps."""
    with subprocess.Popen(["/bin/sleep", "60"]) as popen:
        yield popen.pid
        popen.kill()


@pytest.mark.parametrize("name", ["nofile", "NOFILE", "RLIMIT_NOFILE"])
def test_one_number_is_both(name: str) -> None:
    """The soft limit and the hard one; the name may be written in several ways."""
    (found,) = limits_of({name: 100})
    assert (found.number, found.soft, found.hard) == (NOFILE, 100, 100)


def test_soft_and_hard() -> None:
    """Two numbers, in their order; -1 is none."""
    assert limits_of({"core": (0, -1), "nofile": (10, 20)}) == (
        Limit("core", resource.RLIMIT_CORE, 0, resource.RLIM_INFINITY),
        Limit("nofile", NOFILE, 10, 20),
    )


def test_an_unknown_name() -> None:
    """It is an error before anything is started."""
    with pytest.raises(LaunchError, match=r"^limit 'nofiles': there is no such limit on this system$"):
        limits_of({"nofiles": 1})


def test_limits_of_another_process(child: int) -> None:
    """They are in force there, and not here."""
    before = resource.getrlimit(NOFILE)
    set_limits(child, limits_of({"nofile": (50, 60), "core": 0}))
    assert resource.prlimit(child, NOFILE) == (50, 60)
    assert resource.prlimit(child, resource.RLIMIT_CORE) == (0, 0)
    assert resource.getrlimit(NOFILE) == before


def test_what_is_not_permitted(child: int) -> None:
    """The message has what is permitted."""
    hard = resource.getrlimit(NOFILE)[1]
    with pytest.raises(LaunchError) as caught:
        set_limits(child, limits_of({"nofile": TOO_MANY}))
    here = f"here is a hard limit of {hard}, which root may raise"
    assert str(caught.value) == f"limit nofile={TOO_MANY}: not permitted: {here}"


def test_a_soft_limit_above_the_hard_one(child: int) -> None:
    """The message says so."""
    with pytest.raises(LaunchError, match=r"^limit nofile=60:50: the soft limit is above the hard one$"):
        set_limits(child, limits_of({"nofile": (60, 50)}))
    with pytest.raises(LaunchError, match=r"^limit nofile=-1:50: the soft limit is above the hard one$"):
        set_limits(child, limits_of({"nofile": (-1, 50)}))


def test_a_process_that_has_gone() -> None:
    """That is an error as well."""
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    with pytest.raises(LaunchError):
        set_limits(gone.pid, limits_of({"core": 0}))
