"""Tests of asynctask.rules.topics."""

from __future__ import annotations

import pytest

from asynctask.rules.model import Rules, Watched
from asynctask.rules.topics import matches, never_heard
from tests.rules.support import rule

pytestmark = pytest.mark.one_loop("nothing here waits")


@pytest.mark.parametrize(
    ("pattern", "topic", "is_for"),
    [
        (".", "a.b", True),
        ("a", "a.b", True),
        ("a.b", "a.b", True),
        ("a.b", "a", False),
        ("a.b", "a.bc", False),
        ("a.*.c", "a.b.c.d", True),
        ("a.*.c", "a.b.d", False),
        ("*", "a.b", True),
    ],
)
def test_patterns(pattern: str, topic: str, is_for: bool) -> None:
    """As an emitter has them."""
    assert matches(pattern, topic) is is_for


def test_what_nothing_publishes() -> None:
    """Only pollers and rules that there are do."""
    heard = [
        "poller.inbox.created",
        "poller.*.deleted",
        "task.other.end",
        "rule.*.dead",
        ".",
        "*",
        "task",
        "*.other.end",
    ]
    wrong = ["poller.outbox", "task.x.end", "rule.rr.dead", "pollers.inbox", "x"]
    wrong += ["task.other.ended", "rule.other.failed", "poller.inbox.create", "rule.other.ok.x"]
    rules = Rules(
        pollers=(Watched(name="inbox", url="/x"),),
        rules=(
            *(rule(when=pattern) for pattern in heard + wrong),
            rule(name="other", when="poller.inbox"),
        ),
    )

    assert [pattern for _, pattern in never_heard(rules)] == wrong


def test_what_a_rule_does_itself() -> None:
    """It is not run for it."""
    alone = Rules(rules=(rule(name="a", when="rule.a.ok"), rule(name="b", when="task.b")))
    assert [pattern for _, pattern in never_heard(alone)] == ["rule.a.ok", "task.b"]
    assert [pattern for _, pattern in never_heard(Rules(rules=(rule(when="rule.*.dead"),)))] == [
        "rule.*.dead"
    ]
