"""A node with all processes that a manager has there, and the one session for them."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from contextlib import suppress
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Final

import anyio

from asynctask.errors import (
    AsyncTaskError,
    ConnectionFailedError,
    ConnectionLostError,
    LaunchError,
    NoCapacityError,
)
from asynctask.manager.remote.running import RemoteRunning
from asynctask.manager.remote.script import run_script
from asynctask.manager.remote.session import BusyError, NodeSession, Pace, SessionOverError
from asynctask.manager.remote.usage import Look
from asynctask.manager.remote.wire import Line, Message, Output, place_of
from asynctask.manager.signals import signal_number

if TYPE_CHECKING:
    from asynctask.manager.launching import Ears, Order
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("RemoteNode",)

_log = logging.getLogger(__name__)

#: What may be different the next time, without anybody doing anything here.
_TEMPORARY: Final = (ConnectionFailedError, ConnectionLostError, NoCapacityError, BusyError, SessionOverError)
_JITTER: Final = 0.2
#: Seconds in which it is gathered how much output was taken, before the node is told.
_ACK_DELAY: Final = 0.02
#: Seconds for which a look at all processes is good.
_LOOK_KEPT: Final = 0.25
_LOOK_WAIT: Final = 5.0
#: Seconds that undoing a launch may take.
_UNDO_WAIT: Final = 2.0
#: Seconds for which a launch waits for one before it that is to be ended.
_CONDEMNED_WAIT: Final = 5.0
_CLOSE_WAIT: Final = 5.0
#: A beat comes so often within the time after which a process is ended that hears none.
_BEATS: Final = 4


class RemoteNode:
    """One node.

    Args:
        name: where it is.
        manager: the manager's name.
        owner: tells the manager from others of its name.
        ssh: how to connect.
        pool: whose connections to use.
        pace: how fast.
    """

    def __init__(
        self, name: str, *, manager: str, owner: str, ssh: SSHOptions, pool: ConnectionPool, pace: Pace
    ) -> None:
        self.name = name
        self.session: NodeSession | None = None
        """The session, while there is one that can be used."""
        self._manager = manager
        self._owner = owner
        self._ssh = ssh
        self._pool = pool
        self._pace = pace
        self._numbers = count(1)
        self._lives: dict[int, RemoteRunning] = {}
        self._early: dict[int, list[Message]] = {}  # what lives say before we know that they are started
        self._ended: list[RemoteRunning] = []  # what is left of them there is to be removed
        self._starting: set[str] = set()
        self._waiting: list[asyncio.Future[NodeSession]] = []
        self._is_connected = asyncio.Event()
        self._hurry = asyncio.Event()
        self._taken: dict[tuple[int, str], int] = {}
        self._has_taken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._look: Look | None = None
        self._looked = 0.0
        self._looking = asyncio.Lock()
        self._closed = False

    # -- processes ------------------------------------------------------------------------------------

    async def launch(self, order: Order, ears: Ears) -> RemoteRunning:
        """Start a process, or find it. See :class:`~asynctask.manager.launching.Launcher`."""
        script = run_script(order)
        token = secrets.token_hex(8)
        name = place_of(order.template.name)
        place = f"{name}.{order.index}" if order.index is not None else f"{name}.once-{token}"
        if place in self._starting or any(self._runs_in(life, order) for life in self._lives.values()):
            raise LaunchError(self.name, f"{place} is started, or runs, already")
        self._starting.add(place)
        tokens = [token, secrets.token_hex(8)]
        try:
            while True:
                session = await self._session_for_launch()
                await self._wait_for_the_condemned(order)
                where = (name, place, tokens.pop(0))
                try:
                    return await self._launch(session, order, ears, where, script, token)
                except SessionOverError as exc:
                    # If it was started all the same, it is found now, or the next time, or ends.
                    if not tokens:
                        reason = str(exc).removeprefix(f"{self.name}: ")
                        raise LaunchError(self.name, session.reason or reason, temporary=True) from exc
        finally:
            self._starting.discard(place)
            self._look_whether_idle()

    @staticmethod
    def _runs_in(life: RemoteRunning, order: Order) -> bool:
        return not (life.is_over or life.condemned) and _same_place(life.order, order)

    async def _wait_for_the_condemned(self, order: Order) -> None:
        with anyio.move_on_after(_CONDEMNED_WAIT):
            for life in list(self._lives.values()):
                if life.condemned and _same_place(life.order, order):
                    await life.wait()

    async def _launch(
        self,
        session: NodeSession,
        order: Order,
        ears: Ears,
        where: tuple[str, str, str],
        script: bytes,
        first: str,
    ) -> RemoteRunning:
        number = next(self._numbers)
        early = self._early[number] = []
        try:
            words = (number, *where, *_keeper_words(order, self._pace))
            answer = await session.ask("launch", *words, data=script)
            if order.template.detach and answer.words[0] != "failed":
                await session.tell("keep", number)
        except SessionOverError:
            raise
        except BaseException:
            with anyio.move_on_after(_UNDO_WAIT, shield=True), suppress(SessionOverError):
                await session.tell("drop", number)
            raise
        finally:
            del self._early[number]
        running = self._launched(session, number, order, ears, answer, first)
        for message in early:
            self._hear(message)
        return running

    def _launched(
        self, session: NodeSession, number: int, order: Order, ears: Ears, answer: Line, first: str
    ) -> RemoteRunning:
        kind, *words = answer.words
        if kind == "failed":
            reason = answer.text.removeprefix("failed ")
            temporary = reason.startswith("temporary ")
            raise LaunchError(self.name, reason.removeprefix("temporary "), temporary=temporary)
        place, pid, born, boot, *rest = words
        out, err, fed = map(int, rest[-3:])
        running = RemoteRunning(
            self,
            number,
            order,
            ears,
            place=place,
            who=(pid, born, boot),
            offsets=(out, err),
            fed=fed,
            found=kind == "found" and not place.endswith(f"/{first}"),  # else it is what we started ourselves
        )
        self._lives[number] = running
        session.hurry()
        if self.session is not session:  # it was lost in this very moment
            running.lost(session.reason)
            self._wake()
        return running

    def let_go(self, life: RemoteRunning) -> None:
        """Nobody asks for it any more."""
        self._lives.pop(life.number, None)
        self._look_whether_idle()

    def forget_later(self, life: RemoteRunning) -> None:
        """What is left of it on the node is removed when there is a session."""
        self._ended.append(life)
        self._has_taken.set()

    async def connected(self) -> NodeSession:
        """Wait for a session."""
        while (session := self._usable()) is None:
            self._wake()
            await self._is_connected.wait()
        return session

    def _usable(self) -> NodeSession | None:
        if self.session is not None and self.session.is_over:
            self.session = None
        if self.session is None:
            self._is_connected.clear()
        return self.session

    def has_taken(self, number: int, stream: str, offset: int) -> None:
        """So much of its output was taken."""
        self._taken[number, stream] = offset
        self._has_taken.set()

    async def stats(self) -> Look | None:
        """A look at all processes that are supervised; many may ask, and the node is asked once."""
        async with self._looking:
            if self._look is None or monotonic() - self._looked > _LOOK_KEPT:
                self._look = await self._look_now()
                self._looked = monotonic()
            return self._look

    async def _look_now(self) -> Look | None:
        session = self.session
        if session is None:
            return None
        with anyio.move_on_after(_LOOK_WAIT), suppress(SessionOverError):
            uptime, rows = await session.processes()
            return Look(uptime, rows, session.ticks, session.page_size)
        return None

    async def aclose(self) -> None:
        """Let go of it. Processes that are left go on. Bounded, also when cancelled."""
        self._closed = True
        task = self._task
        if task is not None:
            task.cancel()
            with anyio.move_on_after(_CLOSE_WAIT, shield=True):
                await asyncio.wait((task,))
        if self._idle is not None:
            self._idle.cancel()

    # -- what the node says ---------------------------------------------------------------------------

    def _hear(self, message: Message) -> None:
        number = message.life
        if number in self._early:
            self._early[number].append(message)
        elif number in self._lives:
            life = self._lives[number]
            if isinstance(message, Output):
                life.printed(message.stream, message.offset, message.data)
            else:
                self._told(life, message)

    def _told(self, life: RemoteRunning, message: Line) -> None:
        match message.verb, message.words[1:]:
            case "x", (code, left):
                life.exited(code, left == "left")
                if life.condemned:
                    self.let_go(life)
                    self.forget_later(life)
            case "e", (stream, offset):
                life.printed_all(stream, int(offset))
            case "n", ():
                life.group_went()
            case "f", (number,):
                life.took(int(number))
            case "c", ():
                life.stopped_reading()
            case "w", (stream,):
                life.cannot_be_written(stream)

    # -- the session ----------------------------------------------------------------------------------

    async def _session_for_launch(self) -> NodeSession:
        """The session, or one that is made now.

        Raises:
            LaunchError: it could not be made.
        """
        session = self._usable()
        if session is not None:
            return session
        waiter: asyncio.Future[NodeSession] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._hurry.set()
        self._wake()
        try:
            return await waiter
        finally:
            with suppress(ValueError):
                self._waiting.remove(waiter)

    def _wake(self) -> None:
        if self._closed:
            raise LaunchError(self.name, "the manager is closed")
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name=f"node {self.name}")
            self._task.add_done_callback(self._kept)

    def _kept(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (exc := task.exception()) is not None:
            _log.error("node %s broke off", self.name, exc_info=exc)
        elif self._is_needed and not self._closed:  # somebody came in its last turn
            self._wake()
            return
        self._refuse(LaunchError(self.name, "the session with it ended", temporary=True))

    def _refuse(self, error: LaunchError) -> None:
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)
                waiter.exception()  # its waiter may be cancelled in this turn
        self._waiting.clear()

    @property
    def _is_needed(self) -> bool:
        return bool(self._lives or self._waiting)

    async def _keep(self) -> None:
        """Connect, and again when the connection was lost, as long as there is something to connect to."""
        failures = 0
        while True:
            self._hurry.clear()
            try:
                session = await self._open()
            except AsyncTaskError as exc:
                failures += 1
                reason = str(exc).removeprefix(f"{self.name}: ")
                self._refuse(LaunchError(self.name, reason, temporary=isinstance(exc, _TEMPORARY)))
                if not self._is_needed:
                    return
                await self._pause(failures)
                continue
            try:
                if await self._attach(session):
                    failures = 0
                    await self._serve(session)
            finally:
                self.session = None
                self._is_connected.clear()
                await session.aclose()
            for life in list(self._lives.values()):
                life.lost(session.reason)
            if not self._is_needed:
                return
            if failures or self._lives:
                failures += 1
                await self._pause(failures)

    async def _open(self) -> NodeSession:
        return await NodeSession.open(
            self.name,
            manager=self._manager,
            owner=self._owner,
            ssh=self._ssh,
            pool=self._pool,
            pace=self._pace,
            hear=self._hear,
        )

    async def _pause(self, failures: int) -> None:
        pace = self._pace
        seconds = min(pace.retry_first * 2 ** min(failures - 1, 20), pace.retry_most)
        with anyio.move_on_after(seconds * random.uniform(1 - _JITTER, 1 + _JITTER)):  # noqa: S311 - no secret
            await self._hurry.wait()

    async def _attach(self, session: NodeSession) -> bool:
        """Find the processes again; false: the session was lost meanwhile."""
        try:
            with anyio.fail_after(self._pace.answer):
                for life in list(self._lives.values()):
                    await self._find_again(session, life)
        except (SessionOverError, TimeoutError) as exc:
            session.reason = session.reason or str(exc) or "it does not answer"
            return False
        return True

    async def _find_again(self, session: NodeSession, life: RemoteRunning) -> None:
        answer = await session.ask("attach", life.number, life.place, *life.offsets, *life.who)
        if answer.words == ("gone",):
            life.exited("?", left=False)
        elif answer.words == ("ok",):
            if life.owed is not None:
                await session.ask("kill", life.number, life.owed)
            life.regained()

    async def _serve(self, session: NodeSession) -> None:
        self.session = session
        self._is_connected.set()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(session)
        self._waiting.clear()
        async with anyio.create_task_group() as group:
            group.start_soon(self._acknowledge, session)
            await session.until_over(self._beat, self._pace.answer)
            group.cancel_scope.cancel()

    def _beat(self) -> float:
        limits = [life.order.template.lost_timeout / _BEATS for life in self._lives.values()]
        return max(0.05, min([self._pace.beat, *limits]))

    async def _acknowledge(self, session: NodeSession) -> None:
        with suppress(SessionOverError):
            while True:
                await self._has_taken.wait()
                self._has_taken.clear()
                while self._ended:
                    await session.tell("forget", self._ended[-1].number, self._ended[-1].place)
                    self._ended.pop()
                taken, self._taken = self._taken, {}
                for (number, stream), offset in taken.items():
                    if number in self._lives:
                        await session.tell("ack", number, stream, offset)
                await asyncio.sleep(_ACK_DELAY)

    def _look_whether_idle(self) -> None:
        if self._is_needed or self._starting or self.session is None or self._idle is not None:
            return
        self._idle = asyncio.get_running_loop().call_later(self._pace.idle, self._close_idle)

    def _close_idle(self) -> None:
        self._idle = None
        if not self._is_needed and not self._starting and self._task is not None:
            self.session = None
            self._task.cancel()


def _same_place(one: Order, other: Order) -> bool:
    return one.index is not None and (one.template.name, one.index) == (other.template.name, other.index)


def _keeper_words(order: Order, pace: Pace) -> list[object]:
    """The arguments of a keeper; see :mod:`asynctask.manager.remote.keeper`."""
    template = order.template
    sig = template.stop_signal
    return [
        round(template.lost_timeout * 100),
        sig if isinstance(sig, str) else signal_number(sig),
        round(template.graceful_timeout * 10),
        int(template.stdin),
        "null" if template.stdout == "null" else "pipe",
        {"null": "null", "stdout": "merge"}.get(template.stderr, "pipe")
        if isinstance(template.stderr, str)
        else "pipe",
        pace.block,
        pace.reads,
        pace.unread,
    ]
