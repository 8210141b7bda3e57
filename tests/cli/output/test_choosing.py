"""Which displays a command line asks for."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.output.choosing import displays
from asynctask.cli.request import Request
from tests.cli.output.displaying import fake_screen

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ({}, ["LiveView"]),
        ({"verbosity": 2}, ["LiveView"]),
        ({"gather": True}, ["GatheredView"]),
        ({"gather_both": True}, ["GatheredView"]),
        ({"outliers": "last"}, ["LiveView"]),
        ({"outliers": "last", "gather": True}, ["GatheredView"]),
        ({"gather": True, "verbosity": 2}, ["LiveView", "GatheredView"]),
        ({"by_node": True}, ["ByNodeView"]),
        ({"by_node": True, "gather": True}, ["LiveGatherView"]),
        ({"by_node": True, "gather_both": True, "verbosity": 2}, ["LiveGatherView"]),
        ({"diff": True, "gather": True}, ["DiffView"]),
        ({"similar": True, "gather": True}, ["SimilarView"]),
    ],
)
def test_displays(request_: dict[str, Any], names: list[str]) -> None:
    """What is gathered is shown at the end, with ``-v`` also as it comes."""
    request = Request(targets=("a",), **request_)

    assert [type(view).__name__ for view in displays(request, fake_screen(), ["a"])] == names
