"""What can be followed over HTTP: events, output, what processes take; and where a client goes on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from asynctask.emitter.topics import PatternTree, parse_topic
from asynctask.manager.web.feeds import Feed
from asynctask.manager.web.sampling import Sampler
from asynctask.manager.web.sse import Message

__all__ = ("Position", "events", "output", "samples", "until_closed")


@dataclass(slots=True)
class Position:
    """How far a client has read; what it sends back as ``Last-Event-ID``.

    Events have numbers, which begin anew with each start of the server. Output has none: its place is the
    time of the last line, and how many lines of this very time there were.
    """

    run: str
    """Of this server."""
    event: int | None = None
    """The number of the last event; ``None``: it is not known."""
    time: float = 0.0
    lines: int = 0

    @classmethod
    def of(cls, last_event_id: str | None, run: str, newest: int) -> Position:
        """Where to begin: after what the client has, if that can be told, else at ``newest``."""
        if not last_event_id:
            return cls(run, newest)
        try:
            its_run, event, moment, lines = last_event_id.split(":")
            numbers = int(event), float(moment), int(lines)
        except ValueError:
            return cls(run, None)
        known = its_run == run and 0 <= numbers[0] <= newest
        return cls(run, numbers[0] if known else None, numbers[1], numbers[2])

    def read_line(self, moment: float) -> None:
        """One line more was read."""
        if moment == self.time:
            self.lines += 1
        elif moment > self.time:
            self.time, self.lines = moment, 1

    def __str__(self) -> str:
        return f"{self.run}:{self.event or 0}:{self.time!r}:{self.lines}"


def _missed(what: str, count: int | None) -> Message:
    """Something is not there any more; how much is ``None`` when nobody knows."""
    return Message("missed", {"what": what, "count": count})


async def events(
    feed: Feed[dict[str, Any]], position: Position, pattern: tuple[str, ...]
) -> AsyncGenerator[list[Message], None]:
    """Events of a pattern (see ``parse_pattern``), from a position on; it ends when the feed is closed."""
    tree: PatternTree[None] = PatternTree()
    tree.add(pattern, None)
    bunch = []
    if position.event is None:
        position.event = feed.last
        bunch.append(_missed("events", None))
    while True:
        found, missed = feed.after(position.event)
        if missed:
            bunch.append(_missed("events", missed))
        for number, event in found:
            position.event = number
            if tree.match(parse_topic(event["topic"])):
                bunch.append(Message("event", event, str(position)))
        if bunch:
            yield bunch
        if not await feed.beyond(position.event):
            return
        bunch = []


async def until_closed(feed: Feed[Any]) -> AsyncGenerator[list[Message], None]:
    """Nothing, until a feed is closed: beside sources that do not end by themselves."""
    while await feed.beyond(feed.last):
        yield []


async def samples(sampler: Sampler, name: str | None) -> AsyncGenerator[list[Message], None]:
    """What processes take, always the newest: a slow reader gets fewer."""
    with sampler.reading() as feed:
        seen = feed.last
        while await feed.beyond(seen):
            found, _ = feed.after(feed.last - 1)
            seen, sample = found[-1]
            if name is not None:
                sample = {"templates": [each for each in sample["templates"] if each["name"] == name]}
            yield [Message("stats", sample)]


async def output(
    lines: AsyncGenerator[dict[str, Any], None], position: Position
) -> AsyncGenerator[list[Message], None]:
    """Lines of output: history first, and of that not what the client has.

    Args:
        lines: the stream ``"output"`` of the operations, with history.
        position: where the client is.
    """
    until, again = position.time, position.lines
    # What is printed from now on is new, also when the clock was set back.
    old = min(until, time.time())
    reached = not until
    async with aclosing(lines):
        async for line in lines:
            if "missed" in line:
                yield [_missed("output", line["missed"])]
                continue
            moment = line["time"]
            if moment < old or (moment == until and again):
                again -= moment == until
                reached = True
                continue
            # What is kept may begin later than where the client was.
            bunch = [] if reached else [_missed("output", None)]
            reached = True
            position.read_line(moment)
            yield [*bunch, Message("output", line, str(position))]
