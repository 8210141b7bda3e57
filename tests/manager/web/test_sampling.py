"""Looks at what processes take, shared by all readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from asynctask.errors import ManagerError
from asynctask.manager.web.sampling import Sampler


class Looks:
    """Looks that a test allows one by one."""

    def __init__(self) -> None:
        self.opened = 0
        self.open = 0
        self.allowed = asyncio.Semaphore(0)
        self.fails = False

    async def look(self) -> AsyncGenerator[dict[str, int], None]:
        self.opened += 1
        self.open += 1
        try:
            if self.fails:
                self.fails = False
                raise ManagerError("not now")
            while True:
                await self.allowed.acquire()
                yield {"look": self.opened}
        finally:
            self.open -= 1


async def test_there_are_looks_only_while_somebody_reads() -> None:
    """The first reader opens them, the last one closes them."""
    looks = Looks()
    sampler = Sampler(looks.look)
    running = asyncio.create_task(sampler.run())
    await asyncio.sleep(0)
    assert looks.opened == 0

    with sampler.reading() as feed, sampler.reading() as same:
        looks.allowed.release()
        await feed.beyond(0)
        assert same is feed
        assert (looks.opened, looks.open) == (1, 1)
    looks.allowed.release()
    await feed.beyond(1)
    await asyncio.sleep(0)
    assert looks.open == 0

    with sampler.reading():
        looks.allowed.release()
        await feed.beyond(2)
        assert looks.opened == 2
        running.cancel()
        await asyncio.wait([running])
    assert looks.open == 0


async def test_a_look_that_fails_is_tried_again() -> None:
    """After a pause; readers go on waiting."""
    looks = Looks()
    looks.fails = True
    sampler = Sampler(looks.look, pause=0.001)
    running = asyncio.create_task(sampler.run())

    with sampler.reading() as feed:
        looks.allowed.release()
        await feed.beyond(0)

    assert looks.opened == 2
    running.cancel()
    await asyncio.wait([running])
