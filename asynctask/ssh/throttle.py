"""How many connections are being made at a time, and when one that was dropped is tried again.

Servers defend themselves: OpenSSH drops connections at random from the tenth on that has not logged in
(``MaxStartups 10:30:100``), firewalls refuse bursts. Who is dropped comes again later, with fewer beside it.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from asynctask.waiting import Places

__all__ = ("AT_ONCE", "AT_ONE_ADDRESS", "BEHIND_ONE_BASTION", "FEW", "Throttle", "pause_before")

#: How many handshakes go on at once: more than our own processor can work on at a time anyway.
AT_ONCE = 64
#: How many to one address; the figure from which OpenSSH begins to drop.
AT_ONE_ADDRESS = 10
#: How many through one bastion, which has work with each.
BEHIND_ONE_BASTION = 32
#: How many there are at least.
_LEAST = 4
#: What is left of them when another server drops one.
_SHRINK = 0.7
#: How often connecting is tried again where nothing tells that the server has only too much to do.
FEW = 3

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


def pause_before(attempt: int, chance: random.Random) -> float:
    """Seconds before an attempt, the first repetition being 1: longer and longer, each a little different.

    Somewhere between half of ``0.1 * 2 ** (attempt - 1)``, which is never more than 2, and all of it.
    """
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 10))
    return longest * chance.uniform(0.5, 1.0)


class Throttle:
    """Places for handshakes: in all, a server address, a bastion.

    The number in all goes down when a server drops a connection, and up with each that succeeds: by a
    third down and one up, as TCP does it. A server that drops one connection after the other counts once,
    so that one which is broken does not slow down the others.

    Args:
        at_once: the most in all.
    """

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._most = self._limit = at_once
        self._all = Places(at_once)
        self._owed = 0  # places to take away when they are given back
        self._addresses: dict[Hashable, Places] = {}
        self._bastions: dict[Hashable, Places] = {}
        self._welcome: set[Hashable] = set()  # addresses that have let us in
        self._droppers: set[Hashable] = set()  # addresses that have dropped us since then

    @property
    def limit(self) -> int:
        """How many handshakes may go on now."""
        return self._limit

    @property
    def waiting(self) -> int:
        """How many wait for their turn, those for one address or bastion among them."""
        groups = (*self._addresses.values(), *self._bastions.values())
        return self._all.waiting + sum(places.waiting for places in groups)

    @asynccontextmanager
    async def handshake(self, address: Hashable, bastion: Hashable | None) -> AsyncIterator[None]:
        """A place for connecting to ``address``, through ``bastion`` if there is one; waits for it.

        Cancelling waits for nothing.
        """
        near = [self._addresses.setdefault(address, Places(AT_ONE_ADDRESS))]
        if bastion is not None:
            near.append(self._bastions.setdefault(bastion, Places(BEHIND_ONE_BASTION)))
        taken: list[Places] = []
        try:
            for places in near:  # before a place among all, which nobody should hold while waiting
                await places.take()
                taken.append(places)
            await self._all.take()
            try:
                yield
            finally:
                self._give()
        finally:
            for places in taken:
                places.give()
            if not near[0].waiting and near[0].free == AT_ONE_ADDRESS:
                self._addresses.pop(address, None)  # one a node: they would add up

    def _give(self) -> None:
        if self._owed:
            self._owed -= 1
        else:
            self._all.give()

    def succeeded(self, address: Hashable) -> None:
        """A login at an address has come about."""
        self._welcome.add(address)
        self._droppers.discard(address)
        if self._limit < self._most:
            self._limit += 1
            if self._owed:
                self._owed -= 1
            else:
                self._all.give()

    def dropped(self, address: Hashable) -> None:
        """A server has dropped a connection before the login."""
        if address in self._droppers:
            return
        self._droppers.add(address)
        fewer = max(min(_LEAST, self._most), int(self._limit * _SHRINK))
        while self._limit > fewer:
            self._limit -= 1
            if not self._all.take_nowait():
                self._owed += 1

    def is_busy(self, address: Hashable) -> bool:
        """Whether who drops or refuses us there does so for what it has to do, as far as one can tell."""
        return self.is_welcome(address) or len(self._droppers) > 1

    def is_welcome(self, address: Hashable) -> bool:
        """Whether a server has let us in before."""
        return address in self._welcome
