"""Tests of asynctask.ssh.throttle."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from asynctask.ssh.throttle import (
    AT_ONCE,
    AT_ONE_ADDRESS,
    BEHIND_ONE_BASTION,
    Throttle,
    pause_before,
)
from tests.support import turns


class Crowd:
    """Handshakes that go on until they are told to end."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self.inside: list[Hashable] = []
        self._may_end: dict[Hashable, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self, names: list[str], bastion: Hashable | None = None, address: str = "") -> None:
        """Start a handshake for each, at an address of its own unless one is given."""
        for name in names:
            self._may_end[name] = asyncio.Event()
            self._tasks.append(asyncio.create_task(self._shake(name, address or name, bastion)))
        await turns(3)

    async def _shake(self, name: str, address: str, bastion: Hashable | None) -> None:
        async with self.throttle.handshake(address, bastion):
            self.inside.append(name)
            await self._may_end[name].wait()
        self.inside.remove(name)

    async def end(self, *names: str) -> None:
        """Let some end."""
        for name in names:
            self._may_end[name].set()
        await turns(5)

    async def leave(self) -> None:
        """Let all end."""
        await self.end(*map(str, self._may_end))
        await asyncio.gather(*self._tasks)


def names(count: int) -> list[str]:
    """So many names."""
    return [f"n{number}" for number in range(count)]


async def test_so_many_at_once() -> None:
    """The rest wait, and come in turn."""
    crowd = Crowd(Throttle(2))
    await crowd.come(names(4))
    assert (crowd.inside, crowd.throttle.waiting) == (["n0", "n1"], 2)
    await crowd.end("n0")
    assert crowd.inside == ["n1", "n2"]
    await crowd.leave()
    assert crowd.throttle.waiting == 0


async def test_so_many_at_one_address() -> None:
    """What waits for one server holds up no other."""
    crowd = Crowd(Throttle(AT_ONE_ADDRESS + 2))
    await crowd.come(names(AT_ONE_ADDRESS + 3), address="one")
    assert crowd.inside == names(AT_ONE_ADDRESS)
    await crowd.come(["other"])
    assert crowd.inside[-1] == "other"
    await crowd.leave()


async def test_so_many_behind_one_bastion() -> None:
    """Who is behind another one goes on."""
    crowd = Crowd(Throttle())
    await crowd.come(names(BEHIND_ONE_BASTION + 1), bastion="b1")
    await crowd.come(["x"], bastion="b2")
    assert crowd.inside == [*names(BEHIND_ONE_BASTION), "x"]
    await crowd.leave()


async def test_cancelled_while_waiting() -> None:
    """Nothing is held by who has gone."""
    throttle = Throttle(1)
    crowd = Crowd(throttle)
    await crowd.come(["a"])
    waiter = asyncio.create_task(crowd._shake("b", "b", "bastion"))
    await turns(2)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    assert throttle.waiting == 0
    await crowd.leave()
    async with throttle.handshake("b", "bastion"):
        pass


async def test_addresses_do_not_add_up() -> None:
    """There is one a node: what is known of one that is left is forgotten."""
    throttle = Throttle()
    for name in names(50):
        async with throttle.handshake(name, None):
            pass
    assert throttle._addresses == {}


async def test_fewer_while_servers_drop_connections() -> None:
    """A third less for each server that drops one; a server counts once until it lets somebody in."""
    throttle = Throttle(64)
    throttle.dropped("a")
    assert throttle.limit == 44
    throttle.dropped("a")
    assert throttle.limit == 44
    throttle.dropped("b")
    assert throttle.limit == 30
    throttle.succeeded("a")
    assert throttle.limit == 31
    throttle.dropped("a")
    assert throttle.limit == 21


async def test_never_fewer_than_four() -> None:
    """However many servers drop connections."""
    throttle = Throttle(8)
    for name in names(20):
        throttle.dropped(name)
    assert throttle.limit == 4


async def test_those_that_are_under_way_are_counted() -> None:
    """A place that is to go is not given to the next, and comes back with a login."""
    throttle = Throttle(8)
    crowd = Crowd(throttle)
    await crowd.come(names(10))
    throttle.dropped("n0")  # now five are allowed, and eight are in
    await crowd.end("n0", "n1", "n2")
    assert crowd.inside == ["n3", "n4", "n5", "n6", "n7"]
    throttle.succeeded("n3")
    await turns(2)
    assert crowd.inside == ["n3", "n4", "n5", "n6", "n7", "n8"]
    await crowd.leave()


def test_who_is_busy() -> None:
    """A server that has let us in before, or any if two servers drop connections."""
    throttle = Throttle()
    throttle.dropped("a")
    assert not throttle.is_busy("a")
    throttle.dropped("b")
    assert throttle.is_busy("c")
    throttle = Throttle()
    throttle.succeeded("a")
    throttle.dropped("a")
    assert (throttle.is_busy("a"), throttle.is_busy("b")) == (True, False)
    assert (throttle.is_welcome("a"), throttle.is_welcome("b")) == (True, False)


@given(st.integers(1, 10_000), st.integers())
def test_pauses(attempt: int, seed: int) -> None:
    """They double from 0.1 to 2 seconds, and are at least half as long."""
    longest = min(2.0, 0.1 * 2 ** min(attempt - 1, 20))
    assert longest / 2 <= pause_before(attempt, random.Random(seed)) <= longest


@given(st.lists(st.tuples(st.sampled_from(["take", "give", "drop", "in"]), st.integers(0, 5)), max_size=60))
def test_the_books_are_kept(steps: list[tuple[str, int]]) -> None:
    """Whatever happens, when all have left there are as many places as the limit says."""

    async def play() -> None:
        throttle = Throttle(6)
        crowd = Crowd(throttle)
        for number, (step, address) in enumerate(steps):
            if step == "take":
                await crowd.come([f"{number}"])
            elif step == "give" and crowd.inside:
                await crowd.end(str(crowd.inside[address % len(crowd.inside)]))
            elif step == "drop":
                throttle.dropped(address)
            else:
                throttle.succeeded(address)
        await crowd.leave()
        await crowd.come([f"last{number}" for number in range(10)])
        assert len(crowd.inside) == throttle.limit
        await crowd.leave()

    asyncio.run(play())


def test_what_the_figures_are() -> None:
    """They are in the guide."""
    assert (AT_ONCE, AT_ONE_ADDRESS, BEHIND_ONE_BASTION) == (64, 10, 32)
