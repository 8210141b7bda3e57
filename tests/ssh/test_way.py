"""Tests of asynctask.ssh.way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asynctask.ssh.options import SSHOptions
from asynctask.ssh.routes import Route
from asynctask.ssh.way import Way
from asynctask.waiting import Patience

NOTHING: Any = None
GATE = Route("gate", "10.0.0.1", 22, "bob", None, NOTHING, "strict", None, [], NOTHING)
INNER = replace(GATE, node="inner", host="10.0.0.2", via=GATE)
NODE = replace(GATE, node="web1", host="10.0.0.3", via=INNER)


def way(route: Route) -> Way:
    """The way along a route."""
    return Way(route, NOTHING, SSHOptions(), Patience(7))


def test_nothing_is_before_the_first() -> None:
    """It is reached directly."""
    assert way(GATE).before() is None


def test_the_hosts_before_a_node() -> None:
    """Last to first."""
    before = way(NODE).before()
    assert before is not None
    assert before.route is INNER
    first = before.before()
    assert first is not None
    assert first.route is GATE
    assert first.before() is None


def test_one_patience_for_all_of_it() -> None:
    """What the bastion takes is not there for the node."""
    whole = way(NODE)
    before = whole.before()
    assert before is not None
    assert before.patience is whole.patience
    assert (before.options, before.connector) == (whole.options, whole.connector)
