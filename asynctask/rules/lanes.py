"""A rule at work: what it takes, its turns, what it counts, what comes of its commands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from weakref import WeakKeyDictionary

import anyio

from asynctask.emitter import EventEmitter
from asynctask.errors import AsyncTaskError
from asynctask.nodes import expand
from asynctask.outcome import NodeResult
from asynctask.pollers.changes import Change
from asynctask.rules.attempts import Carrier, Done
from asynctask.rules.happening import Happening
from asynctask.rules.inbox import Inbox
from asynctask.rules.letters import DeadLetters, Letter
from asynctask.rules.limits import TokenBucket
from asynctask.rules.model import Rule
from asynctask.rules.topics import matches
from asynctask.waiting import Places
from asynctask.workers.registry import worker_class

__all__ = ("Cause", "Lane", "RuleEnded", "RuleStatistics", "Shop")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class RuleEnded:
    """What came of a rule's command; published as ``rule.<name>.ok`` or ``rule.<name>.dead``."""

    rule: str
    changes: tuple[Change, ...]
    attempts: int
    reason: str
    failed: Sequence[NodeResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStatistics:
    """A look at a rule."""

    waiting: int
    """Events that wait for their turn."""
    running: int
    """Commands that run, or wait for another attempt."""
    ok: int
    """Runs so far that went well in the end."""
    dead: int
    """Runs so far that failed in the end."""
    attempts: int
    """Attempts so far, of runs that are over."""
    dropped: int
    """Events so far for which there was no room."""
    covered: int
    """Events so far that a later one of the same entry made superfluous."""
    loops: int
    """Events so far that the rule has itself led to, and so was not run for."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something runs."""

    chain: tuple[str, ...]
    """The rules that led to it, the last one last."""
    change: Change | None
    """What it is about, if that is one thing."""


class Shop:
    """What the rules of an engine share.

    Args:
        emitter: where it is published what they do.
        attempts: runs commands.
        letters: takes what failed in the end.
        changed: called when a rule has less to do.
    """

    def __init__(
        self, emitter: EventEmitter, attempts: Carrier, letters: DeadLetters, changed: Callable[[], object]
    ) -> None:
        self.emitter = emitter
        self.attempts = attempts
        self.letters = letters
        self.changed = changed
        self._causes: WeakKeyDictionary[object, Cause] = WeakKeyDictionary()

    def remember(self, what: object, cause: Cause) -> None:
        """Why a worker runs, or a rule's command has ended."""
        self._causes[what] = cause

    def cause_of(self, record: object) -> Cause:
        """What led to an event, as far as rules did."""
        what = getattr(record, "worker", record)
        known = self._causes.get(what) if getattr(type(what), "__weakrefoffset__", 0) else None
        return known or Cause((), None)

    def publish(self, topic: str, record: object) -> None:
        """Tell whoever listens; a full emitter counts what it does not take."""
        with suppress(AsyncTaskError):
            self.emitter.publish(topic, record)


class Lane:
    """A rule, what waits for it, and what it does.

    Args:
        rule: which.

    Raises:
        UsageError: its nodes or its worker are unknown.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.nodes = () if rule.nodes is None else expand(rule.nodes)
        if rule.worker is not None:
            worker_class(rule.worker)
        self.inbox = Inbox(rule)
        self._places = Places(rule.concurrency)
        self._bucket = TokenBucket(rule.rate)
        self._running = self._ok = self._dead = self._attempts = self._loops = 0

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._running and not len(self.inbox)

    def statistics(self) -> RuleStatistics:
        """Counters, now."""
        return RuleStatistics(
            waiting=len(self.inbox),
            running=self._running,
            ok=self._ok,
            dead=self._dead,
            attempts=self._attempts,
            dropped=self.inbox.dropped,
            covered=self.inbox.covered,
            loops=self._loops,
        )

    # -- what it takes ------------------------------------------------------------------------------------

    def wants(self, happening: Happening) -> bool:
        """Whether it is one of its files, if it is only for some."""
        only = self.rule.only
        return not only or any(fnmatchcase(happening.name, pattern) for pattern in only)

    def is_for(self, topic: str) -> bool:
        """Whether it has a pattern for a topic."""
        return any(matches(pattern, topic) for pattern in self.rule.when)

    def hear(self, shop: Shop, topic: str, record: object) -> None:
        """An event comes from the emitter."""
        cause = shop.cause_of(record)
        if self.rule.name in cause.chain:
            if not self._loops:
                _log.warning("rule %s: not run for %s, which it has itself led to", self.rule.name, topic)
            self._loops += 1
            return
        result = getattr(record, "result", record)
        happening = Happening(
            topic=topic,
            change=record if isinstance(record, Change) else cause.change,
            node=str(getattr(record, "node", "")),
            rc=getattr(result, "rc", None),
            outcome=str(getattr(result, "outcome", "")),
            chain=cause.chain,
        )
        if self.wants(happening):
            before = self.inbox.dropped
            self.inbox.offer(happening)
            if self.inbox.dropped > before == 0:
                _log.warning("rule %s: its queue is full, events are dropped and counted", self.rule.name)

    # -- what it does -------------------------------------------------------------------------------------

    async def serve(self, shop: Shop) -> None:
        """Run the command for what comes, for ever. Cancelling stops all that run, and waits for that."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._places.take()
                await self.inbox.wait()
                await self._turn()
                batch = self.inbox.take()
                self._running += 1
                group.create_task(self._handle(shop, batch), name=f"rule {self.rule.name}")

    async def _turn(self) -> None:
        """Wait until the rate allows one more."""
        while True:
            seconds = self._bucket.take()
            if not seconds:
                return
            await anyio.sleep(seconds)

    async def _handle(self, shop: Shop, batch: list[Happening]) -> None:
        name = self.rule.name
        chain = tuple(dict.fromkeys([*(rule for each in batch for rule in each.chain), name]))
        changes = tuple(each.change for each in batch if each.change is not None)
        cause = Cause(chain, changes[0] if len(changes) == 1 else None)
        try:
            done = await self._carried_out(shop, batch, cause)
            self._attempts += done.attempts
            self._ok += done.ok
            self._dead += not done.ok
            kept = done.ok or await shop.letters.add(_letter(name, batch, done))
            ended = RuleEnded(
                rule=name, changes=changes, attempts=done.attempts, reason=done.reason, failed=done.failed
            )
            shop.remember(ended, cause)
            shop.publish(f"rule.{name}.{'ok' if done.ok else 'dead'}", ended)
            if kept:  # else a restart has to meet it again
                for each in batch:
                    each.handled()
        finally:
            self._running -= 1
            self._places.give()
            shop.changed()

    async def _carried_out(self, shop: Shop, batch: list[Happening], cause: Cause) -> Done:
        try:
            return await shop.attempts.carry_out(
                self.rule, self.nodes, batch, lambda worker: shop.remember(worker, cause)
            )
        except Exception as exc:  # one rule's trouble must not end the others
            _log.exception("rule %s", self.rule.name)
            return Done(attempts=1, reason=f"{type(exc).__name__}: {exc}")


def _letter(name: str, batch: Sequence[Happening], done: Done) -> Letter:
    return Letter(
        rule=name,
        batch=batch,
        attempts=done.attempts,
        reason=done.reason,
        failed=done.failed,
        output=done.output,
    )
