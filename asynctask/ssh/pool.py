"""Connections that are shared, and kept for the next command."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self

import anyio

from asynctask.errors import (
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionLostError,
    NodeError,
    TaskStateError,
    UsageError,
)
from asynctask.ssh.connect import Connector
from asynctask.ssh.connection import CLOSE_TIMEOUT, Connection, close_connection
from asynctask.ssh.descriptors import Room
from asynctask.ssh.dialling import Dialler, about
from asynctask.ssh.held import Held
from asynctask.ssh.lease import Lease
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.throttle import AT_ONCE, Throttle
from asynctask.ssh.way import Way
from asynctask.waiting import DefaultSeconds, Patience

__all__ = ("ConnectionPool", "PoolStatistics")

#: Seconds after which a connection that nobody uses is closed.
IDLE_TIMEOUT = 60.0
#: How many connections are kept that nobody uses.
MAX_IDLE = 1024
#: Sessions on one connection: one less than OpenSSH allows (``MaxSessions 10``), for ending a command takes
#: one, too.
MAX_SESSIONS = 9
#: Seconds for which it is believed that a bastion cannot be reached: else each node behind it tries. A
#: connection that it dropped is believed for a tenth of that.
_BELIEVED = 10.0
#: How many connections are closed before others have their turn on the loop.
_BATCH = 32


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """A look at a pool."""

    open: int
    """Connections, in use or not, jump hosts' among them."""
    idle: int
    """Connections of these that nobody uses."""
    sessions: int
    """Commands and transfers that have a place on a connection, or wait for one."""
    connecting: int
    """Connections that are being made."""
    waiting: int
    """How many wait for their turn to connect, for a descriptor or for a session."""
    made: int
    """Connections that were made so far."""
    reused: int
    """Leases so far that found a connection."""
    replaced: int
    """Kept connections so far that had broken, and another was made."""
    retried: int
    """Attempts so far to connect after one that was dropped."""


class _Making:
    """A connection that is being made, for all who want it."""

    __slots__ = ("error", "over", "way")

    def __init__(self, way: Way) -> None:
        self.way = way
        self.over = asyncio.Event()
        self.error: NodeError | None = None


class ConnectionPool:
    """SSH connections that several commands share, at a time and one after the other.

    A task has one of its own unless it is given one. In an ``async with`` block of a task, or of a pool, a
    connection is kept when its command is over::

        async with asynctask.ConnectionPool() as pool:
            await asynctask.run("uptime", nodes="web[1-100]", pool=pool)
            await asynctask.run("uname -r", nodes="web[1-100]", pool=pool)  # no second login

    The SSH configuration, keys and known hosts are read once for as long as a pool lives. It belongs to the
    event loop in which it is first used.

    Args:
        idle_timeout: seconds after which a connection is closed that nobody uses.
        max_idle: how many such are kept; 0: none.
        max_sessions: commands at a time on one connection; more wait. OpenSSH takes 10, and ending a command
            needs one of them.
        handshakes: how many connections are made at a time; fewer while servers drop connections.

    Raises:
        UsageError: a value that can never work.
    """

    def __init__(
        self,
        *,
        idle_timeout: float = IDLE_TIMEOUT,
        max_idle: int = MAX_IDLE,
        max_sessions: int = MAX_SESSIONS,
        handshakes: int = AT_ONCE,
    ) -> None:
        if not idle_timeout >= 0:
            raise UsageError(f"idle_timeout={idle_timeout!r}: a number of seconds, 0 or more")
        for name, value, least in (
            ("max_idle", max_idle, 0),
            ("max_sessions", max_sessions, 1),
            ("handshakes", handshakes, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UsageError(f"{name}={value!r}: a whole number, {least} or more")
        self.replaced = 0
        self._idle_timeout = idle_timeout
        self._max_idle = max_idle
        self._max_sessions = max_sessions
        self._dialler = Dialler(Throttle(handshakes))
        self._room = Room(self._evict)
        self._connectors: dict[SSHOptions, Connector] = {}
        self._held: dict[Hashable, Held] = {}
        self._open: dict[Held, None] = {}
        self._idle: dict[Held, None] = {}  # longest first
        self._making: dict[Hashable, _Making] = {}
        self._failed: dict[Hashable, tuple[float, NodeError, float]] = {}  # bastions: when, after how long
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._made = 0
        self._reused = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        self._check()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def statistics(self) -> PoolStatistics:
        """Counters, now."""
        return PoolStatistics(
            open=len(self._open),
            idle=len(self._idle),
            sessions=sum(held.sessions for held in self._open),
            connecting=self._dialler.connecting,
            waiting=self._dialler.throttle.waiting
            + self._room.waiting
            + sum(held.waiting for held in self._open),
            made=self._made,
            reused=self._reused,
            replaced=self.replaced,
            retried=self._dialler.retried,
        )

    async def lease(self, node: str, ssh: SSHOptions, timeout: float | None) -> Lease:
        """A place on a connection to a node, which is made if there is none.

        Args:
            node: the target: ``node`` or ``user@node:port``.
            ssh: how to connect. Different options have different connections.
            timeout: seconds for connecting, logging in and starting something, without the time in which
                others keep it waiting for its turn; ``None``: no limit.

        Raises:
            NodeError: of the kind that says what went wrong.
            NoCapacityError: this process has no descriptor left.
            TaskStateError: the pool belongs to another event loop.

        Cancelling gives back what was taken.
        """
        self._check()
        connector = self._connectors.get(ssh)
        if connector is None:
            connector = self._connectors[ssh] = Connector(ssh)
        route = await connector.route(node)
        if route.connect_timeout is not None and isinstance(timeout, DefaultSeconds):
            timeout = route.connect_timeout
        lease = Lease(self, Way(route, connector, ssh, Patience(timeout)))
        await lease.begin()
        return lease

    async def aclose(self) -> None:
        """Close all connections; what still runs on one ends as lost. Bounded; may be repeated."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            for depth in sorted({held.depth for held in self._open}, reverse=True):
                await self._close_all([held for held in self._open if held.depth == depth])
            if self._closing:
                with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                    await asyncio.wait(self._closing)
        finally:
            while self._connectors:
                await self._connectors.popitem()[1].aclose()

    # -- what a lease calls -------------------------------------------------------------------

    async def hold(self, way: Way) -> Held:
        """A connection that can be used, made if there is none; whoever gets it uses it in the same turn."""
        place = way.route.place
        while True:
            if self._closed:
                raise _closed(way)
            held = self._held.get(place)
            if held is not None and held.is_usable:
                self._reused += 1
                self._idle.pop(held, None)
                return held
            if held is not None:
                del self._held[place]
                if not held.is_busy:
                    self._close_soon(held)
            making = self._making.get(place)
            if making is None:
                return await self._make(way)
            await self._wait_for(making, way)

    async def let_go(self, held: Held) -> None:
        """One of a connection's users is gone; the last one closes it, or it is kept."""
        if held.is_busy or held.closed:
            return
        keeps = held.is_usable and not self._closed and self._held.get(held.route.place) is held
        if not keeps or not (self._max_idle or held.is_bastion):
            await self._close(held)
            return
        self._idle[held] = None
        if len(self._idle) > max(self._max_idle, 1) or self._room.waiting:
            self._evict()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._idle_timeout, self._close_idle)

    # -- inside -------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._closed:
            raise TaskStateError("the connection pool is closed: make another one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise TaskStateError("the connection pool belongs to another event loop: make one for each loop")

    async def _wait_for(self, making: _Making, way: Way) -> None:
        """Wait for what another is making; until its turn has come, time does not count."""
        await making.way.begun.wait()
        way.begun.set()
        try:
            with way.patience.running():
                await making.over.wait()
        except TimeoutError as exc:
            reason = f"no login within {way.patience.given:g} s"
            raise ConnectionFailedError(way.route.node, reason, "is it up and reachable?") from exc
        if making.error is not None and not _has_longer(way, making.error, making.way.patience.given):
            raise about(making.error, way.route.node) from making.error

    async def _make(self, way: Way) -> Held:
        place = way.route.place
        making = self._making[place] = _Making(way)
        try:
            held = await self._connect(way)
            if self._closed:
                self._open[held] = None
                await self._close(held)
                raise _closed(way)
        except NodeError as exc:
            making.error = exc
            raise
        finally:
            del self._making[place]
            way.begun.set()
            making.over.set()
        self._made += 1
        self._failed.pop(place, None)
        self._held[place] = held
        self._open[held] = None
        return held

    async def _connect(self, way: Way) -> Held:
        via = await self._board(way)
        try:
            if via is None:
                await self._room.take()
            try:
                try:
                    connection = await self._dialler.dial(way.call(), lambda: self._attempt(way, via))
                finally:
                    if via is None:
                        self._room.opened()
            except BaseException:
                if via is None:
                    self._room.give()
                raise
        except BaseException:
            if via is not None:
                await self._leave(via)
            raise
        return Held(way.route, connection, via, self._max_sessions)

    async def _attempt(self, way: Way, via: Held | None) -> Connection:
        way.begun.set()
        if self._closed:
            raise _closed(way)
        through = None if via is None else via.connection
        return await way.connector.connect(way.route, through, way.patience)

    async def _board(self, way: Way) -> Held | None:
        """The connection to the last host on the way, one more going through it."""
        before = way.before()
        if before is None:
            return None
        place = before.route.place
        failed = self._failed.get(place)
        try:
            if (
                failed is not None
                and monotonic() - failed[0] < _believed(failed[1])
                and not _has_longer(way, *failed[1:])
            ):
                raise failed[1].with_traceback(None)  # else it grows with each node
            held = await self.hold(before)
        except NodeError as exc:
            if failed is None or exc is not failed[1]:
                self._failed[place] = (monotonic(), exc, way.patience.given)
            raise about(exc, way.route.node, before.route.node) from exc
        held.passengers += 1
        held.is_bastion = True
        return held

    async def _leave(self, via: Held) -> None:
        via.passengers -= 1
        via.used = True
        via.idle_since = monotonic()
        await self.let_go(via)

    # -- closing ------------------------------------------------------------------------------

    def _evict(self) -> None:
        """Close the connection that nobody has used for longest; one with a descriptor if there is one."""
        held = next((held for held in self._idle if held.via is None), next(iter(self._idle), None))
        if held is not None:
            self._close_soon(held)

    def _close_idle(self) -> None:
        self._timer = None
        now = monotonic()
        for held in list(self._idle):
            rest = held.idle_since + self._idle_timeout - now
            if rest > 0:
                self._timer = asyncio.get_running_loop().call_later(rest, self._close_idle)
                return
            self._close_soon(held)

    def _close_soon(self, held: Held) -> None:
        if held.closed:
            return
        self._forget(held)  # now: else somebody begins to use it before the task runs
        task = asyncio.get_running_loop().create_task(self._end(held))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, held: Held) -> None:
        if not held.closed:
            self._forget(held)
            await self._end(held)

    async def _end(self, held: Held) -> None:
        try:
            await close_connection(held.connection)
        finally:
            await self._gone(held)

    async def _close_all(self, connections: Iterable[Held]) -> None:
        connections = [held for held in connections if not held.closed]
        for held in connections:
            self._forget(held)
        try:
            with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
                for number, held in enumerate(connections, 1):
                    held.connection.close()
                    if number % _BATCH == 0:
                        await asyncio.sleep(0)
                for held in connections:
                    await held.connection.wait_closed()
        finally:
            for held in connections:
                held.connection.abort()  # of no effect on one that is closed
                await self._gone(held)

    def _forget(self, held: Held) -> None:
        held.closed = True
        self._idle.pop(held, None)
        if self._held.get(held.route.place) is held:
            del self._held[held.route.place]

    async def _gone(self, held: Held) -> None:
        self._open.pop(held, None)
        if held.via is None:
            self._room.give()
        else:
            await self._leave(held.via)


def _closed(way: Way) -> NodeError:
    return ConnectionLostError(way.route.node, "the connection pool was closed before the command ran")


def _believed(error: NodeError) -> float:
    """For how many seconds a bastion's failure stands for all who want to go through it."""
    return _BELIEVED / 10 if isinstance(error, ConnectionDroppedError) else _BELIEVED


def _has_longer(way: Way, error: NodeError, given: float) -> bool:
    """Whether there is more time for it than another had, who failed for lack of it."""
    cause: BaseException | None = error
    while isinstance(cause, NodeError):
        cause = cause.__cause__
    return isinstance(cause, TimeoutError) and given < way.patience.left
