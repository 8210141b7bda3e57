"""Requests as plain data."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from asynctask.cli.request import Copying, Request

pytestmark = pytest.mark.one_loop("no loop at all")

REQUESTS = [
    Request(targets=("n",), command="inf"),
    Request(
        targets=("n", "m"), command="x", connect_timeout=math.inf, command_timeout=5.0, deadline=math.inf
    ),
    Request(targets=("n",), copying=Copying(sources=("a", "b"), dest="/d", back=True, preserve=True)),
    Request(targets=("n",), command="x", env=(("A", "b"),), gather=True, batch="10%", history=False),
]


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_request_survives_json(request_: Request) -> None:
    """It is kept in the history as such."""
    assert Request.from_plain(json.loads(json.dumps(request_.plain()))) == request_


def test_what_is_as_always_is_left_out() -> None:
    """So a default that changes is a default for old requests, too."""
    assert Request(targets=("n",), command="x", fanout=64).plain() == {"targets": ("n",), "command": "x"}


def test_fields_of_another_version_are_left_out() -> None:
    """Rather than to fail."""
    assert Request.from_plain({"targets": ["n"], "nosuch": 1}) == Request(targets=("n",))


@pytest.mark.parametrize("field", ["gather", "gather_both", "by_node", "diff", "similar"])
def test_what_is_shown_at_the_end(field: str) -> None:
    """Output is kept for it."""
    fields: dict[str, Any] = {field: True}

    assert replace(Request(targets=("n",)), **fields).at_end
    assert not Request(targets=("n",), json=True).at_end


@pytest.mark.parametrize(
    ("shown", "gathers"),
    [({}, True), ({"diff": True}, False), ({"json": True}, False), ({"events": True}, False)],
)
def test_an_order_of_outputs_alone(shown: dict[str, Any], gathers: bool) -> None:
    """They are gathered for it, unless they are shown in another way; without one nothing changes."""
    request = replace(Request(targets=("n",)), **shown)

    assert replace(request, outliers="first").ordered().gather is gathers
    assert request.ordered() == request


@pytest.mark.parametrize(
    ("verbosity", "quiet", "verbose"), [(0, True, False), (1, False, False), (2, False, True)]
)
def test_verbosity(verbosity: int, quiet: bool, verbose: bool) -> None:
    """1 is normal."""
    request = Request(targets=("n",), verbosity=verbosity)

    assert (request.quiet, request.verbose) == (quiet, verbose)
