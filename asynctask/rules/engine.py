"""The engine: pollers and topics on one side, rules on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from asynctask.emitter import EventEmitter
from asynctask.errors import AsyncTaskError, PollerError, TaskStateError, UsageError
from asynctask.pollers.aside import Aside
from asynctask.pollers.base import Poller
from asynctask.pollers.registry import make_poller
from asynctask.rules.attempts import Attempts, Carrier
from asynctask.rules.checking import check_files, poller_of
from asynctask.rules.feeding import Feed
from asynctask.rules.keeping import read_state
from asynctask.rules.lanes import Lane, RuleEnded, RuleStatistics, Shop
from asynctask.rules.letters import DeadLetters
from asynctask.rules.model import Rule, Rules, Watched
from asynctask.rules.topics import matches
from asynctask.workers.registry import worker_class

if TYPE_CHECKING:
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("RuleEnded", "RuleEngine", "RuleStatistics", "run_rules")

_log = logging.getLogger(__name__)

#: How many turns of the loop nothing must happen until all that was published is known to have arrived.
_QUIET = 3


class RuleEngine:
    """Runs rules until it is stopped or cancelled. It runs once.

    A poller is not asked for more while rules have no room, and its state is kept when all that came
    before is handled: what is stopped or dies meets some changes again, and misses none.

    Args:
        rules: what to do.
        emitter: where topics come from, and where changes and what the rules' tasks do are published.
            Default: one of its own.
        pool: whose connections are used. Default: one of its own.
        ssh: how to connect.
        handler: hears of all commands, as the handler of a task.
        maker: makes the pollers.
        sleep: waits between attempts.
        carrier: runs the commands, or tells what it would run. Default: they are run.

    Raises:
        UsageError: something in the rules can never work: an unknown worker, an unknown or empty group.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        emitter: EventEmitter | None = None,
        pool: ConnectionPool | None = None,
        ssh: SSHOptions | None = None,
        handler: object = None,
        maker: Callable[..., Poller] = make_poller,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
        carrier: Carrier | None = None,
    ) -> None:
        self._rules = rules
        self._carrier = carrier
        self._emitter = emitter
        self._pool = pool
        self._ssh = ssh
        self._handler = handler
        self._maker = maker
        self._sleep = sleep
        self._lanes = [_lane(rule) for rule in rules.rules]
        self._letters = DeadLetters(rules.dead_letters)
        self._attempts: Carrier | None = None
        self._changed = asyncio.Event()
        self._fatal: PollerError | None = None
        self._stopped = False
        self._begun = False

    # -- what users call ----------------------------------------------------------------------------------

    async def run(self, *, once: bool = False) -> None:
        """Watch, and run what there is to run.

        Args:
            once: end when the first batch of changes was handled, and all that followed from it.

        Raises:
            UsageError: a poller cannot be made, its state is of something else or cannot be read, or
                what is to be written cannot be, or is watched itself.
            PollerError: none of the pollers can ever see what it should.
            TaskStateError: it has been run before.

        Cancelling, and :meth:`stop`, stop all commands and wait until they are gone.
        """
        if self._begun:
            raise TaskStateError("an engine runs once")
        self._begun = True
        await Aside("files of rules").do(lambda: check_files(self._rules))
        async with AsyncExitStack() as stack:
            emitter = self._emitter
            if emitter is None:
                emitter = await stack.enter_async_context(EventEmitter())
            attempts = self._carrier
            if attempts is None:
                pool = self._pool or await self._own_pool(stack)
                attempts = Attempts(emitter, pool, self._ssh, self._handler, self._sleep)
            self._attempts = attempts
            shop = Shop(emitter, attempts, self._letters, self._changed.set)
            feeds = [
                Feed(watched, await self._poller(watched, stack), self._lanes, shop)
                for watched in self._rules.pollers
            ]
            self._subscribe(shop, stack)
            try:
                await self._go(feeds, shop, once)
            except ExceptionGroup as group:
                raise group.exceptions[0] from None

    def stop(self) -> None:
        """End it: what runs is stopped, what waits is not begun and counts as not handled."""
        self._stopped = True
        self._changed.set()

    def kill(self) -> None:
        """What is being stopped gets no more grace."""
        if self._attempts is not None:
            self._attempts.kill()

    def active_nodes(self) -> list[str]:
        """Where commands run now; one that runs here has the name of its rule."""
        return [] if self._attempts is None else self._attempts.active_nodes()

    def statistics(self) -> Mapping[str, RuleStatistics]:
        """Counters of each rule, by its name."""
        return {lane.rule.name: lane.statistics() for lane in self._lanes}

    # -- its parts ----------------------------------------------------------------------------------------

    async def _poller(self, watched: Watched, stack: AsyncExitStack) -> Poller:
        extra: dict[str, object] = {}
        path = watched.state
        if path is not None:
            extra["state"] = await Aside("states of pollers").do(lambda: read_state(path))
        try:
            poller = poller_of(watched, self._maker, **extra)
        except UsageError as exc:
            raise UsageError(f"[pollers.{watched.name}]: {exc}") from exc
        return await stack.enter_async_context(poller)

    async def _own_pool(self, stack: AsyncExitStack) -> ConnectionPool | None:
        remote = (lane.rule.worker or "ssh" for lane in self._lanes if lane.rule.nodes is not None)
        if not any(worker_class(name).remote for name in remote):
            return None
        from asynctask.ssh.pool import ConnectionPool

        return await stack.enter_async_context(ConnectionPool())

    def _subscribe(self, shop: Shop, stack: AsyncExitStack) -> None:
        for lane in self._lanes:
            for place, pattern in enumerate(lane.rule.when):
                listener = self._listener(shop, lane, lane.rule.when[:place])
                stack.enter_context(shop.emitter.subscribe(pattern, listener))

    def _listener(self, shop: Shop, lane: Lane, before: tuple[str, ...]) -> Callable[..., None]:
        """What hears of one pattern of a rule.

        Args:
            shop: what the rules share.
            lane: the rule.
            before: the rule's patterns before it: what they are for, it has heard.
        """
        own = tuple(f"poller.{watched.name}" for watched in self._rules.pollers)  # these come directly

        def hear(topic: str, *args: object, **_: object) -> None:
            if not any(matches(pattern, topic) for pattern in (*own, *before)):
                lane.hear(shop, topic, args[0] if args else None)

        return hear

    async def _go(self, feeds: Sequence[Feed], shop: Shop, once: bool) -> None:
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(lane.serve(shop)) for lane in self._lanes]
            serving += [group.create_task(feed.keep()) for feed in feeds]
            watching = [group.create_task(feed.watch()) for feed in feeds]
            for task, feed in zip(watching, feeds, strict=True):
                task.add_done_callback(partial(self._note_end, feed, feeds))
            while not self._stopped and not self._has_enough(feeds, watching, once):
                await self._next_change()
            for task in watching:
                task.cancel()
            await self._nothing_left()
            for task in serving:
                task.cancel()
        if self._fatal is not None:
            raise self._fatal

    def _note_end(self, feed: Feed, feeds: Sequence[Feed], _: object) -> None:
        """The last poller that can never see what it should ends the run; of others it is told."""
        self._changed.set()
        if feed.broken is None:
            return
        if all(each.broken is not None for each in feeds):
            self._fatal = feed.broken
        else:
            _log.error("poller %s: %s", feed.name, feed.broken)

    @staticmethod
    def _has_enough(feeds: Sequence[Feed], watching: Sequence[asyncio.Task[None]], once: bool) -> bool:
        """Whether nothing more will come, or is wanted. Rules without pollers wait for topics for ever."""
        if once and any(feed.brought for feed in feeds):
            return True
        return bool(watching) and all(task.done() for task in watching)

    async def _nothing_left(self) -> None:
        """Wait until all that came, and all that followed from it, is done; unless it is to stop."""
        quiet = 0
        while quiet < _QUIET and not self._stopped:
            if all(lane.idle for lane in self._lanes):
                quiet += 1
                await asyncio.sleep(0)
            else:
                quiet = 0
                await self._next_change()

    async def _next_change(self) -> None:
        await self._changed.wait()
        self._changed.clear()


def _lane(rule: Rule) -> Lane:
    try:
        return Lane(rule)
    except AsyncTaskError as exc:
        raise UsageError(f"rule {rule.name!r}: {exc}") from exc


async def run_rules(rules: Rules, **settings: Any) -> None:
    """Run rules until cancelled; see :class:`RuleEngine` for the settings, and what is raised."""
    await RuleEngine(rules, **settings).run()
