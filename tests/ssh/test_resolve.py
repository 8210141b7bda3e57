"""Tests of asynctask.ssh.resolve."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from asynctask.ssh import resolve
from asynctask.ssh.resolve import Resolver

V4 = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
V6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "")


class Lookups:
    """A name service that answers when it is told to."""

    def __init__(self, answer: Any = None) -> None:
        self.asked: list[tuple[str, int, int, int]] = []
        self.answered = threading.Event()
        self._answer = answer or [(*V4, ("10.0.0.1", 22))]

    def __call__(self, host: str, port: int, family: int, kind: int) -> Any:
        self.asked.append((host, port, family, kind))
        assert self.answered.wait(10)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_is_its_own(host: str) -> None:
    """Nobody is asked."""
    lookups = Lookups()
    assert await Resolver(lookups).addresses(host, 22) == [host]
    assert lookups.asked == []


async def test_all_addresses_of_a_host_in_order() -> None:
    """Each once, and one of a link with its zone."""
    places = [(*V6, ("fe80::1", 22, 0, 3)), (*V4, ("10.0.0.1", 22)), (*V4, ("10.0.0.1", 22))]
    lookups = Lookups(places)
    lookups.answered.set()
    assert await Resolver(lookups).addresses("web1", 22) == ["fe80::1%3", "10.0.0.1"]
    assert lookups.asked == [("web1", 22, socket.AF_UNSPEC, socket.SOCK_STREAM)]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_addresses_of_one_family(family: socket.AddressFamily) -> None:
    """The system is asked for these alone."""
    lookups = Lookups()
    lookups.answered.set()
    assert await Resolver(lookups).addresses("web1", 22, family) == ["10.0.0.1"]
    assert lookups.asked == [("web1", 22, family, socket.SOCK_STREAM)]


async def test_the_real_one_and_one_family() -> None:
    """No other address is among them."""
    assert await Resolver().addresses("localhost", 22, socket.AF_INET) == ["127.0.0.1"]


async def test_the_real_one() -> None:
    """Every system knows itself."""
    found = await Resolver().addresses("localhost", 22)
    assert set(found) <= {"127.0.0.1", "::1"}
    assert found


async def test_an_unknown_host() -> None:
    """What the system says is raised."""
    lookups = Lookups(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    lookups.answered.set()
    with pytest.raises(socket.gaierror, match="Name or service not known"):
        await Resolver(lookups).addresses("nope", 22)


async def test_many_lookups_at_once_and_no_more() -> None:
    """A slow name service holds up those that come after ``MOST`` others, and nobody else."""
    lookups = Lookups()
    resolver = Resolver(lookups)
    waiting = [asyncio.create_task(resolver.addresses(f"n{n}", 22)) for n in range(resolve.MOST + 1)]
    while len(lookups.asked) < resolve.MOST:
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    lookups.answered.set()
    assert await asyncio.gather(*waiting) == [["10.0.0.1"]] * (resolve.MOST + 1)
    assert len(lookups.asked) == resolve.MOST + 1
    await _threads_gone()


async def test_cancelling_does_not_wait_for_the_answer() -> None:
    """Neither does it keep the place for ever, nor say anything when the answer comes."""
    lookups = Lookups(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    resolver = Resolver(lookups)
    waiting = asyncio.create_task(resolver.addresses("slow", 22))
    while not lookups.asked:
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    lookups.answered.set()
    await _threads_gone()
    with pytest.raises(socket.gaierror):
        await resolver.addresses("slow", 22)
    await _threads_gone()


def test_the_program_does_not_wait_for_an_answer() -> None:
    """A loop that is closed hears nothing of it."""
    lookups = Lookups()

    async def leave() -> None:
        task = asyncio.create_task(Resolver(lookups).addresses("slow", 22))
        while not lookups.asked:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave())
    threads = [thread for thread in threading.enumerate() if thread.name == "lookup of slow"]
    assert [thread.daemon for thread in threads] == [True]
    lookups.answered.set()
    for thread in threads:
        thread.join()


async def _threads_gone() -> None:
    while any(thread.name.startswith("lookup of ") for thread in threading.enumerate()):
        await asyncio.sleep(0)
