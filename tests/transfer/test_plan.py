"""Tests of asynctask.transfer.plan."""

from __future__ import annotations

import pytest

from asynctask.transfer.plan import Plan


@pytest.mark.parametrize(
    ("plan", "times"),
    [(Plan(), False), (Plan(preserve=True), True), (Plan(skip_identical=True), True)],
)
def test_times(plan: Plan, times: bool) -> None:
    """Times are kept where a later run has to compare them, too."""
    assert plan.times is times
