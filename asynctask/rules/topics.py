"""Which topics a pattern is for."""

from __future__ import annotations

from collections.abc import Iterator

from asynctask.emitter.topics import parse_pattern
from asynctask.publishing import TASK_EVENTS
from asynctask.rules.model import Rule, Rules

__all__ = ("matches", "never_heard")

#: What the last word of a topic can be, by the first.
_EVENTS = {
    "poller": frozenset({"created", "modified", "deleted"}),
    "task": TASK_EVENTS,
    "rule": frozenset({"ok", "dead"}),
}


def matches(pattern: str, topic: str) -> bool:
    """Whether somebody who subscribes to ``pattern`` hears of ``topic``.

    ``a.b`` is for ``a.b`` and everything below it, ``.`` for everything; ``*`` stands for one word.
    """
    wanted, words = parse_pattern(pattern), topic.split(".")
    return len(wanted) <= len(words) and all(
        one in {"*", other} for one, other in zip(wanted, words, strict=False)
    )


def never_heard(rules: Rules) -> Iterator[tuple[Rule, str]]:
    """The patterns for which nothing comes if these rules are all that there is.

    What a rule does itself does not come to it.
    """
    pollers = {watched.name for watched in rules.pollers}
    names = {rule.name for rule in rules.rules}
    for rule in rules.rules:
        others = names - {rule.name}
        known = {"poller": pollers, "task": others, "rule": others}
        for pattern in rule.when:
            words = parse_pattern(pattern)
            head, name, event = (*words, "*", "*", "*")[:3]
            if len(words) > 3 or not any(
                head in {"*", kind} and _is_one(name, known[kind]) and _is_one(event, _EVENTS[kind])
                for kind in known
            ):
                yield rule, pattern


def _is_one(word: str, words: set[str] | frozenset[str]) -> bool:
    return word in words or (word == "*" and bool(words))
