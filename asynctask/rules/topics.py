"""Which topics a pattern is for."""

from __future__ import annotations

from collections.abc import Iterator

from asynctask.emitter.topics import parse_pattern
from asynctask.rules.model import Rule, Rules

__all__ = ("matches", "never_heard")


def matches(pattern: str, topic: str) -> bool:
    """Whether somebody who subscribes to ``pattern`` hears of ``topic``.

    ``a.b`` is for ``a.b`` and everything below it, ``.`` for everything; ``*`` stands for one word.
    """
    wanted, words = parse_pattern(pattern), topic.split(".")
    return len(wanted) <= len(words) and all(
        one in {"*", other} for one, other in zip(wanted, words, strict=False)
    )


def never_heard(rules: Rules) -> Iterator[tuple[Rule, str]]:
    """The patterns for which nothing comes if these rules are all that there is."""
    known = {"poller": {watched.name for watched in rules.pollers}}
    known["task"] = known["rule"] = {rule.name for rule in rules.rules}
    for rule in rules.rules:
        for pattern in rule.when:
            head, name = (*parse_pattern(pattern), "*", "*")[:2]
            names = set().union(*known.values()) if head == "*" else known.get(head, set())
            if not names or name not in {"*", *names}:
                yield rule, pattern
