"""What hears a run."""

from __future__ import annotations

import pytest

from asynctask.cli.view import View
from asynctask.events import hears_something
from asynctask.outcome import NodeResult, Outcome, Times

pytestmark = pytest.mark.one_loop("nothing happens")


async def test_a_view_hears_nothing_of_its_own() -> None:
    """What it does not have costs nothing."""
    view = View()

    await view.node_over(NodeResult("n", Outcome.OK, 0, None, None, Times(queued=0.0)), 1)
    await view.over([])

    assert not hears_something(view)
