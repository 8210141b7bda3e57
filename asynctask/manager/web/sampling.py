"""What processes take, looked at once a second for all readers together, and not at all without any."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asynctask.errors import AsyncTaskError
from asynctask.manager.web.feeds import Feed

__all__ = ("Sampler",)

_log = logging.getLogger(__name__)


class Sampler:
    """Looks while somebody reads.

    Args:
        look: opens an async generator of looks; it is closed when nobody reads any more.
        pause: seconds until the next try when a look has failed.
    """

    def __init__(self, look: Callable[[], Any], pause: float = 5.0) -> None:
        self._look = look
        self._pause = pause
        self._readers = 0
        self._wanted = asyncio.Event()
        self.feed: Feed[dict[str, Any]] = Feed(2)

    @contextmanager
    def reading(self) -> Iterator[Feed[dict[str, Any]]]:
        """While this is open, there are looks."""
        self._readers += 1
        self._wanted.set()
        try:
            yield self.feed
        finally:
            self._readers -= 1
            if not self._readers:
                self._wanted.clear()

    async def run(self) -> None:
        """Look, until it is cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._sample()
            except AsyncTaskError as exc:
                _log.warning("what processes take cannot be told: %s", exc)
                await asyncio.sleep(self._pause)

    async def _sample(self) -> None:
        looks = self._look()
        try:
            async for each in looks:
                self.feed.put(each)
                if not self._readers:
                    return
        finally:
            await looks.aclose()
