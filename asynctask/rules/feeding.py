"""What a poller finds goes to the rules, and its state to a file when they are done with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import anyio

from asynctask.errors import PollerError
from asynctask.pollers.aside import Aside
from asynctask.pollers.base import Poller
from asynctask.pollers.changes import Change
from asynctask.rules.happening import Happening
from asynctask.rules.keeping import write_state
from asynctask.rules.lanes import Lane, Shop
from asynctask.rules.model import Watched
from asynctask.rules.tracking import Deliveries

__all__ = ("Feed",)

_log = logging.getLogger(__name__)

#: How many changes of a batch are handed on in one turn of the loop.
_A_TURN = 200
#: How many seconds writing a state may take.
_PATIENCE = 5.0


class Feed:
    """A poller, and the rules that may want what it finds.

    Changes go to the rules directly, for an emitter may have to drop some; to others by the emitter.

    Attributes:
        brought: how many batches have come.
        broken: why it can never see what it should, if it cannot.
    """

    def __init__(self, watched: Watched, poller: Poller, lanes: Sequence[Lane], shop: Shop) -> None:
        self._watched = watched
        self._poller = poller
        self._lanes = lanes
        self._shop = shop
        self._deliveries = Deliveries()
        self._aside = Aside(f"state of the poller {watched.name}")
        self._complained = False
        self.brought = 0
        self.broken: PollerError | None = None

    @property
    def name(self) -> str:
        """What the poller is called."""
        return self._watched.name

    async def watch(self) -> None:
        """Hand on what comes, for ever; rules that have no room are waited for."""
        watched, poller = self._watched, self._poller
        try:
            if watched.state is not None:
                await self._keep_baseline()
            async for changes in poller.watch(interval=watched.interval, debounce=watched.debounce):
                state = b"" if watched.state is None else await poller.save()
                await self._hand_on(changes, state)
                self.brought += 1
                self._shop.changed()
        except PollerError as exc:  # the others go on
            self.broken = exc

    async def _keep_baseline(self) -> None:
        """So that what happens before the first change is handled is not taken for the baseline later."""
        with suppress(PollerError):  # the watch will tell, and try again
            await self._poller.start()
            self._deliveries.open(await self._poller.save()).release()

    async def _hand_on(self, changes: Sequence[Change], state: bytes) -> None:
        delivery = self._deliveries.open(state)
        for number, change in enumerate(changes, 1):
            topic = f"poller.{self._watched.name}.{change.event}"
            self._shop.publish(topic, change)
            happening = Happening(topic=topic, change=change, delivery=delivery)
            for lane in self._lanes:
                if lane.is_for(topic) and lane.wants(happening):
                    await lane.inbox.put(happening)
                    delivery.hold()
            if number % _A_TURN == 0:
                await asyncio.sleep(0)
        delivery.release()

    # -- its state ----------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Write each state when its time has come, for ever; at the end the last one."""
        path = self._watched.state
        if path is None:
            return
        try:
            while True:
                await self._deliveries.due.wait()
                await self._write(path)
        finally:
            await self._write(path)

    async def _write(self, path: Path) -> None:
        state = self._deliveries.take()
        if state is None:
            return
        error: object = f"not within {_PATIENCE:g} s"
        with anyio.move_on_after(_PATIENCE, shield=True):
            try:
                await self._aside.do(lambda: write_state(path, state))
            except OSError as exc:
                error = exc.strerror or exc
            else:
                self._complained = False
                return
        if not self._complained:  # once, until it is well again
            self._complained = True
            _log.error("state %s cannot be written: %s", path, error)
