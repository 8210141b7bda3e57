"""Tests of asynctask.manager.local.identity."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from asynctask.manager.local.identity import ProcessIdentity, boot_id, start_time

pytestmark = pytest.mark.one_loop("it has none")


@pytest.fixture
def ended() -> Iterator[int]:
    """A process that has ended, and that nobody has waited for."""
    popen = subprocess.Popen(["true"])
    os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    yield popen.pid
    popen.wait()


def _me() -> ProcessIdentity:
    start = start_time(os.getpid())
    assert start is not None
    return ProcessIdentity(os.getpid(), start, boot_id())


def test_a_living_process_is_itself() -> None:
    """Number, time and machine fit."""
    assert _me().is_alive()
    assert _me().has_number()


def test_another_process_of_the_same_number_is_not_it() -> None:
    """Numbers come again; the time of the start does not."""
    other = replace(_me(), start=_me().start - 1)
    assert not other.is_alive()
    assert not other.has_number()


def test_a_process_of_an_earlier_start_of_the_machine_is_gone() -> None:
    """The times begin anew with each."""
    earlier = replace(_me(), boot="another")
    assert not earlier.is_alive()
    assert not earlier.has_number()


def test_a_number_that_nobody_has_may_be_that_of_its_group() -> None:
    """A group outlives its leader, and keeps the number from others."""
    with subprocess.Popen(["true"]) as popen:
        pass
    gone = ProcessIdentity(popen.pid, 1, boot_id())
    assert not gone.is_alive()
    assert gone.has_number()


def test_who_was_not_waited_for_is_dead_and_has_its_number(ended: int) -> None:
    """A zombie's entry is still there."""
    start = start_time(ended)
    assert start is not None
    assert start_time(ended, living=True) is None
    assert not ProcessIdentity(ended, start, boot_id()).is_alive()
    assert ProcessIdentity(ended, start, boot_id()).has_number()


def test_there_is_no_process_of_that_number() -> None:
    """Then there is no time."""
    assert start_time(1 << 30) is None
