"""Making a connection: in its turn, and again where it was dropped by a server that has too much to do."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from asynctask.errors import (
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionRefusedByNodeError,
    NodeError,
)
from asynctask.ssh.throttle import FEW, Throttle, pause_before
from asynctask.waiting import Patience

__all__ = ("Call", "Dialler", "about")

T = TypeVar("T")
E = TypeVar("E", bound=NodeError)


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be connected to."""

    node: str
    address: Hashable
    """The server; those with the same one share its places."""
    bastion: Hashable | None
    """The last host on the way, likewise."""
    patience: Patience
    """For connecting and the pauses, not for waiting for a turn."""
    retries: int
    """How often it may be tried again."""


class Dialler:
    """Makes the connections of a pool.

    Args:
        throttle: whose turn it is.
        chance: for the pauses, which differ so that not all come again at the same moment.
    """

    def __init__(self, throttle: Throttle, chance: random.Random | None = None) -> None:
        self.throttle = throttle
        self.connecting = 0
        """How many are being made."""
        self.retried = 0
        """How often one was tried again."""
        self._chance = chance or random.Random()  # noqa: S311 - no secret comes of it

    async def dial(self, call: Call, connect: Callable[[], Awaitable[T]]) -> T:
        """Connect and log in, in its turn.

        Args:
            call: to whom, and how often.
            connect: makes one attempt.

        Raises:
            NodeError: what became of the last attempt.

        Cancelling closes what was opened.
        """
        attempt = 0
        failed: NodeError | None = None  # the last attempt
        while True:
            attempt += 1
            try:
                return await self._attempt(call, connect)
            except TimeoutError as exc:
                if failed is None:
                    reason = f"no login within {call.patience.given:g} s"
                    raise ConnectionFailedError(call.node, reason, "is it up and reachable?") from exc
                raise _after(failed, attempt - 1) from exc
            except (ConnectionDroppedError, ConnectionRefusedByNodeError) as exc:
                failed = exc
                if not self._comes_again(call, exc, attempt):
                    raise _after(exc, attempt) from exc.__cause__
            self.retried += 1
            try:
                with call.patience.running():
                    await anyio.sleep(pause_before(attempt, self._chance))
            except TimeoutError as exc:
                raise _after(failed, attempt) from exc

    async def _attempt(self, call: Call, connect: Callable[[], Awaitable[T]]) -> T:
        async with self.throttle.handshake(call.address, call.bastion):
            self.connecting += 1
            try:
                with call.patience.running():
                    made = await connect()
            finally:
                self.connecting -= 1
        self.throttle.succeeded(call.address)
        return made

    def _comes_again(
        self, call: Call, exc: ConnectionDroppedError | ConnectionRefusedByNodeError, attempt: int
    ) -> bool:
        """Decide whether to try again, and note what happened."""
        if isinstance(exc, ConnectionRefusedByNodeError):
            # Nobody is there, unless it has let us in before: then it refuses a burst.
            return attempt <= call.retries and self.throttle.is_welcome(call.address)
        self.throttle.dropped(call.address)
        busy = exc.throttling or self.throttle.is_busy(call.address)
        return attempt <= (call.retries if busy else min(FEW, call.retries))


def _after(exc: NodeError, attempts: int) -> NodeError:
    """The error of the last attempt, with their number."""
    if attempts == 1:
        return exc
    return type(exc)(exc.node, f"{exc.reason}, {attempts} times", exc.hint)


def about(exc: E, node: str, through: str | None = None) -> E:
    """The same error for another node: one behind that which it befell, or the same by another name."""
    reason = exc.reason if through is None else f"through {through}: {exc.reason}"
    return type(exc)(node, reason, exc.hint)
