"""Tests of asynctask.rules.model."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.errors import UsageError
from asynctask.rules.model import Watched
from tests.rules.support import rule

pytestmark = pytest.mark.one_loop("nothing here waits")


def test_a_rule_that_collects_runs_once_for_a_batch() -> None:
    """Unless its command names something of one event."""
    assert rule("make", debounce=1).batches
    assert rule("echo %{count} %{rule}", debounce=1).batches
    assert not rule("cat %{path}", debounce=1).batches
    assert not rule("make").batches


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"run": " "}, "run: no command to run"),
        ({"worker": "ssh"}, "worker: ssh needs nodes"),
        ({"name": "a.b"}, "name: letters"),
        ({"concurrency": 0}, "are 1 or more"),
        ({"retries": -1}, "not below 0"),
        ({"run": "cat '%{path}'"}, "stands inside single quotes"),
        ({"run": "cat %{file}"}, "unknown placeholder"),
    ],
)
def test_what_can_never_work(settings: dict[str, Any], message: str) -> None:
    """It is refused when the rule is made."""
    with pytest.raises(UsageError, match=message):
        rule(**settings)


def test_nothing_secret_is_shown() -> None:
    """A command, its environment and a URL may hold a password."""
    shown = repr(rule("login s3cret", env={"A": "s3cret"})) + repr(Watched(name="w", url="s3://s3cret@b"))
    assert "s3cret" not in shown


def test_a_command_as_a_node_gets_it() -> None:
    """Placeholders of nodes and of data; those in data are none."""
    assert rule("cat %{path} %h %n").shown("web1", 3, {"path": "%h x"}) == "cat '%h x' web1 3"
