"""Tests of asynctask.manager.files.difference."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from asynctask.manager.files.difference import Difference, concerns_process, difference
from asynctask.manager.template import Backoff, Liveness, ProcessTemplate, Readiness

pytestmark = pytest.mark.one_loop("nothing here waits")

WEB = ProcessTemplate("web", "x")
OTHERS: dict[str, Any] = {
    "name": "other",
    "command": "y",
    "args": ["a"],
    "shell": True,
    "env": {"A": "1"},
    "inherit_env": False,
    "port": 1,
    "cwd": "/",
    "user": 1,
    "group": 1,
    "umask": 0,
    "rlimits": {"core": 0},
    "nodes": "n1",
    "stdout": "null",
    "stderr": "stdout",
    "stdin": True,
    "custom_streams": ["a"],
    "detach": True,
}
MANAGER: dict[str, Any] = {
    "numprocesses": 2,
    "order": 1,
    "autostart": False,
    "stop_signal": "INT",
    "graceful_timeout": 1,
    "restart": "never",
    "exit_codes": [1],
    "backoff": Backoff(factor=3),
    "flapping": None,
    "readiness": Readiness(seconds=1),
    "liveness": Liveness(tcp="1"),
    "max_age": 1,
    "lost_timeout": 1,
}


def _named(*names: str, **changes: Any) -> dict[str, ProcessTemplate]:
    return {name: replace(WEB, name=name, **changes) for name in names}


def test_the_difference() -> None:
    """What is new in the order of the new, what is gone in that of the old."""
    old = _named("d", "a", "b", "c")
    new = {**_named("f", "c"), **_named("b", order=1), **_named("e")}

    assert difference(old, new) == Difference(added=("f", "e"), removed=("d", "a"), changed=("b",))


def test_no_difference() -> None:
    """The order of a file is none."""
    found = difference(_named("a", "b"), _named("b", "a"))

    assert not found
    assert Difference(removed=("a",))


@pytest.mark.parametrize("field", sorted(OTHERS))
def test_fields_of_the_process(field: str) -> None:
    """Another value needs another process."""
    assert concerns_process(WEB, replace(WEB, **{field: OTHERS[field]}))


@pytest.mark.parametrize("field", sorted(MANAGER))
def test_fields_of_the_manager(field: str) -> None:
    """Another value leaves a process alone."""
    assert not concerns_process(WEB, replace(WEB, **{field: MANAGER[field]}))


def test_all_fields_are_one_or_the_other() -> None:
    """A new field has to be put somewhere."""
    assert {each.name for each in fields(ProcessTemplate)} == OTHERS.keys() | MANAGER.keys()
