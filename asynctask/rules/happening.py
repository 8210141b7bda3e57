"""What has happened, and what commands get of it: placeholders, variables, standard input."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from asynctask.errors import UsageError
from asynctask.pollers.changes import Change
from asynctask.rules.model import OF_ONE, Rule

if TYPE_CHECKING:
    from asynctask.rules.tracking import Delivery

__all__ = ("Happening", "UnfitError", "coalesced", "environment", "portions", "stdin_of", "values")

#: The most bytes of URLs in a variable. A system takes a word of 128 KiB, and on the way to a node all
#: variables are in one, where a byte may need four.
MOST_URLS = 16384


class UnfitError(UsageError):
    """An event lacks what the command names."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Happening:
    """Something that a rule may react to."""

    topic: str
    change: Change | None = None
    """What a poller has found; of what a task does, that which the task was run for."""
    node: str = ""
    rc: int | None = None
    outcome: str = ""
    chain: tuple[str, ...] = ()
    """The rules that led to it, the last one last."""
    delivery: Delivery | None = field(default=None, repr=False)
    """What has to know when it was handled."""

    @property
    def event(self) -> str:
        """``created``, ``end``: the last word of its topic."""
        return self.topic.rpartition(".")[2]

    @property
    def url(self) -> str:
        """What it happened to, or nothing."""
        return self.change.url if self.change else ""

    @property
    def path(self) -> str:
        """The local path; empty for what is no file."""
        try:
            return self.change.path if self.change else ""
        except UsageError:
            return ""

    @property
    def name(self) -> str:
        """The last part of its path, as it is, not quoted."""
        path = os.fsencode(self.path) or unquote_to_bytes(urlsplit(self.url).path)
        return os.fsdecode(path.rstrip(b"/").rpartition(b"/")[2])

    def handled(self) -> None:
        """Nothing more will come of it."""
        if self.delivery is not None:
            self.delivery.release()


# -- for one command ----------------------------------------------------------------------------------


def values(rule: Rule, batch: Sequence[Happening]) -> dict[str, str]:
    """What the placeholders in the rule's command stand for.

    Raises:
        UnfitError: the command names something that the event does not have.
    """
    found = {"rule": rule.name, "count": str(len(batch))}
    for name in sorted(rule.placeholders & OF_ONE):
        text: str = getattr(batch[0], name)
        if not text:  # `rm -r %{path}/old` must not become `rm -r /old`
            raise UnfitError(f"the event has no {name}, and the command names %{{{name}}}")
        if "\0" in text:
            raise UnfitError(f"the {name} has a NUL character, which no command can be given")
        found[name] = text
    return found


def environment(rule: Rule, batch: Sequence[Happening]) -> dict[str, str]:
    """The variables of the event, besides the rule's own. What there is none of is empty."""
    one = batch[0] if len(batch) == 1 else None
    topics = {each.topic for each in batch}
    data = {
        "RULE": rule.name,
        "COUNT": str(len(batch)),
        "TOPIC": batch[0].topic if len(topics) == 1 else "",
        "EVENT": batch[0].event if len({each.event for each in batch}) == 1 else "",
        "URL": one.url if one else "",
        "PATH": one.path if one else "",
        "NAME": one.name if one else "",
        "URLS": "\n".join(each.url for each in batch if each.url),
        "NODE": one.node if one else "",
        "RC": str(one.rc) if one and one.rc is not None else "",
        "OUTCOME": one.outcome if one else "",
    }
    for name, text in data.items():
        if "\0" in text:
            raise UnfitError(f"the {name.lower()} has a NUL character, which no command can be given")
    return {**rule.env, **{f"ASYNCTASK_{name}": text for name, text in data.items()}}


def stdin_of(rule: Rule, batch: Sequence[Happening]) -> bytes | None:
    """What the command reads."""
    if rule.stdin == "urls":
        return b"".join(each.url.encode() + b"\n" for each in batch if each.url)
    if rule.stdin == "paths":
        return b"".join(os.fsencode(each.path) + b"\0" for each in batch if each.path)
    if rule.stdin == "json":
        return b"".join(
            json.dumps({"topic": each.topic, "event": each.event, "url": each.url}).encode() + b"\n"
            for each in batch
        )
    return None


# -- of many ------------------------------------------------------------------------------------------


def coalesced(happenings: Sequence[Happening]) -> tuple[list[Happening], list[Happening]]:
    """What is left to do of them, each URL once in the order of its last event; and what that covers.

    A file that was created and modified is created; one that was created and deleted is nothing any more.
    """
    latest: dict[object, Happening] = {}
    covered: list[Happening] = []
    for each in happenings:
        key = (each.url, each.topic.rpartition(".")[0]) if each.change else each
        before = latest.pop(key, None)
        if before is None:
            latest[key] = each
        elif (before.event, each.event) == ("created", "modified"):
            latest[key] = before
            covered.append(each)
        elif (before.event, each.event) == ("created", "deleted"):
            covered += [before, each]
        else:
            latest[key] = each
            covered.append(before)
    return list(latest.values()), covered


def portions(happenings: Sequence[Happening]) -> Iterator[list[Happening]]:
    """A batch in parts whose URLs fit into a variable."""
    portion: list[Happening] = []
    size = 0
    for each in happenings:
        length = len(each.url) + 1
        if portion and size + length > MOST_URLS:
            yield portion
            portion, size = [], 0
        portion.append(each)
        size += length
    if portion:
        yield portion
