"""A place on a connection, for one command or transfer."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeVar

import asyncssh

from asynctask.errors import ConnectionFailedError, ConnectionLostError, SpawnError
from asynctask.ssh.client import visible

if TYPE_CHECKING:
    from asynctask.ssh.answers import Answers
    from asynctask.ssh.connection import Connection
    from asynctask.ssh.held import Held
    from asynctask.ssh.pool import ConnectionPool
    from asynctask.ssh.way import Way

__all__ = ("Lease",)

T = TypeVar("T")

#: Seconds in which a connection that was used before has to open a channel, else it is taken for broken.
_KEPT_WAIT = 5.0
#: asyncssh's codes for a channel that was opened and whose request was then refused.
_AFTER_OPENING = {asyncssh.OPEN_REQUEST_SESSION_FAILED, asyncssh.OPEN_REQUEST_PTY_FAILED}


class Lease:
    """A place on a connection. Made by :meth:`ConnectionPool.lease`; whoever has it releases it."""

    def __init__(self, pool: ConnectionPool, way: Way) -> None:
        self.mark: str | None = None
        """Tells what runs here from all else on the connection; one of them at a time has none."""
        self._pool = pool
        self._way = way
        self._held: Held | None = None
        self._replaced = False

    @property
    def node(self) -> str:
        """The node that it leads to."""
        return self._way.route.node

    @property
    def connection(self) -> Connection:
        """The connection, logged in."""
        assert self._held is not None
        return self._held.connection

    @property
    def environment(self) -> Mapping[str, str]:
        """What the configuration wants to have sent (``SetEnv``, ``SendEnv``), if the server takes it."""
        return self._way.route.environment

    @property
    def answers(self) -> Answers:
        """Who is asked for passwords."""
        return self._way.connector.answers

    async def begin(self) -> None:
        """Find a connection or make one, and take a place on it."""
        while True:
            held = await self._pool.hold(self._way)
            try:
                self.mark = await held.begin_session()
            except BaseException:  # it may have been kept for us alone
                await self._pool.let_go(held)
                raise
            if held.is_usable:
                self._held = held
                return
            held.end_session(self.mark)  # it has broken while we waited
            await self._pool.let_go(held)

    async def open(self, start: Callable[[Connection], Awaitable[T]]) -> T:
        """Start something on the connection: ``start`` opens a channel and sends a request on it.

        A connection that was kept may have broken meanwhile. If that shows before anything was sent, another
        one is made and ``start`` is called again, once.

        Raises:
            SpawnError: the server refused.
            ConnectionFailedError: it took longer than what is left of the timeout of connecting.
            ConnectionLostError: the connection broke.
        """
        while True:
            held = self._held
            assert held is not None
            sent = held.connection.requests
            may_be_broken = held.used and not self._replaced
            most = min(_KEPT_WAIT, self._way.patience.left / 2) if may_be_broken else math.inf
            try:
                with self._way.patience.running(most):
                    return await start(held.connection)
            except TimeoutError as exc:
                if not may_be_broken or held.connection.requests != sent:
                    raise ConnectionFailedError(
                        self.node,
                        f"logged in, but the command did not start within {self._way.patience.given:g} s",
                    ) from exc
            except Exception as exc:  # a connection that breaks just now breaks asyncssh in many ways
                if held.connection.is_over:
                    if not may_be_broken or held.connection.requests != sent:
                        raise ConnectionLostError(
                            self.node, f"connection lost before the command ran ({visible(str(exc))})"
                        ) from exc
                elif not isinstance(exc, asyncssh.Error):
                    raise
                elif held.with_place > 1 and _is_not_opened(exc):
                    await self._wait_for_a_session(held)
                    continue
                else:
                    reason = f"the server did not run the command: {visible(str(exc))}"
                    raise SpawnError(self.node, reason) from exc
            self._replaced = True
            await self._replace()

    async def _replace(self) -> None:
        if self._held is not None:
            self._held.discard()
        await self.release()
        self._pool.replaced += 1
        await self.begin()

    async def _wait_for_a_session(self, held: Held) -> None:
        """The server takes fewer sessions on a connection than we thought: wait until one is over."""
        self._held = None
        held.refuse_session(self.mark)
        try:
            self.mark = await held.begin_session()
        except BaseException:
            await self._pool.let_go(held)
            raise
        self._held = held

    def paused(self) -> AbstractContextManager[None]:
        """Time within :meth:`open` that does not count as connecting."""
        return self._way.patience.paused()

    def discard(self) -> None:
        """Have nothing more started on the connection: what ran on it may be running still."""
        if self._held is not None:
            self._held.discarded = True

    async def release(self) -> None:
        """Give the place back. Bounded, also when cancelled; may be repeated."""
        held, self._held = self._held, None
        if held is not None:
            held.end_session(self.mark)
            await self._pool.let_go(held)


def _is_not_opened(exc: asyncssh.Error) -> bool:
    return isinstance(exc, asyncssh.ChannelOpenError) and exc.code not in _AFTER_OPENING
