"""What a manager tells, as data."""

from __future__ import annotations

import pytest

from asynctask.manager.information import ProcessStats, TemplateStats
from asynctask.manager.launching import Usage

pytestmark = pytest.mark.one_loop("data")


def test_a_template_takes_what_its_processes_take() -> None:
    """All together."""
    stats = TemplateStats(
        "web",
        tuple(
            ProcessStats("web", pid, None, pid, None, Usage(cpu, memory))
            for pid, cpu, memory in ((1, 0.5, 100), (2, 99.5, 900))
        ),
    )
    assert (stats.cpu, stats.memory) == (100.0, 1000)


def test_a_template_without_processes_takes_nothing() -> None:
    """Numbers all the same."""
    assert (TemplateStats("web", ()).cpu, TemplateStats("web", ()).memory) == (0, 0)
