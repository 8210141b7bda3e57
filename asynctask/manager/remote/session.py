"""A session with the post of a node: what is asked, what is heard, and when it is over."""

from __future__ import annotations

import asyncio
import secrets
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, Self

import anyio

from asynctask.errors import ManagerError, NodeError
from asynctask.manager.remote.keeper import KEEPER
from asynctask.manager.remote.post import BOOTSTRAP, POST
from asynctask.manager.remote.wire import Decoder, Line, Message, order, place_of
from asynctask.settings import DEFAULT_CONNECT_TIMEOUT
from asynctask.waiting import Grace

if TYPE_CHECKING:
    from asynctask.ssh.lease import Lease
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool
    from asynctask.ssh.session import RemoteCommand

__all__ = ("BusyError", "NodeSession", "Pace", "SessionOverError")

#: Seconds in which a post has to greet; it waits a few itself for another one to go.
_GREETING_WAIT: Final = 15.0
#: Seconds that a post may take to end when its input has ended.
_END_WAIT: Final = 1.0
#: Bytes that go out in one piece.
_AT_ONCE: Final = 64 * 1024


class SessionOverError(ManagerError):
    """The session with a node has ended, or it was never there."""


class BusyError(ManagerError):
    """Another manager of the same name is connected to the node."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Numbers that a test makes smaller. Seconds and bytes."""

    beat: float = 5.0
    """Between two questions whether the node is still there, at most."""
    answer: float = 20.0
    """So long it may take to answer one."""
    window: int = 1024 * 1024
    """What a stream may send ahead of what was taken."""
    piece: int = 256 * 1024
    block: int = 16 * 1024
    """What is read at a time into files on the node..."""
    reads: int = 1024
    """...and how often, until there is a new file."""
    unread: int = 64 * 1024 * 1024
    """What is kept of a stream that nobody reads."""
    patience: float = 3.0
    """How long a post waits for another one to go."""
    retry_first: float = 1.0
    """Before the second attempt to connect..."""
    retry_most: float = 60.0
    """...and before a late one."""
    idle: float = 60.0
    """After which a session is closed that has no process."""


class NodeSession:
    """A post that runs, and the way to it. Made by :meth:`open`.

    Args:
        node: where.
        lease: the place on a connection.
        hear: called with all that is no answer to a question.
    """

    page_size = 4096
    ticks = 100
    _command: RemoteCommand

    def __init__(self, node: str, lease: Lease, hear: Callable[[Message], None]) -> None:
        self.node = node
        self.is_over = False
        self.reason = ""
        """Why it is over."""
        self._lease = lease
        self._hear = hear
        self._nonce = secrets.token_hex(8)
        self._decoder = Decoder(self._nonce)
        self._hello: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        self._asked: dict[str, asyncio.Future[Line]] = {}
        self._numbers = count(1)
        self._beats = 0
        self._answered = asyncio.Event()
        self._closing = False
        self._hurry = asyncio.Event()
        self._turn = asyncio.Lock()
        self._putting: set[asyncio.Task[None]] = set()
        self._rows: list[str] = []
        self._said = b""

    @classmethod
    async def open(
        cls,
        node: str,
        *,
        manager: str,
        owner: str,
        ssh: SSHOptions,
        pool: ConnectionPool,
        pace: Pace,
        hear: Callable[[Message], None],
    ) -> Self:
        """Connect, and start the post.

        Args:
            node: where.
            manager: the name of the manager.
            owner: tells this manager from others of that name.
            ssh: how to connect.
            pool: whose connection to use.
            pace: how fast.
            hear: see :class:`NodeSession`.

        Raises:
            NodeError: the node cannot be reached.
            BusyError: it has another post.
            ManagerError: it can have none.

        Cancelling leaves nothing there.
        """
        lease = await pool.lease(node, ssh, DEFAULT_CONNECT_TIMEOUT)
        session = cls(node, lease, hear)
        try:
            await session._start(manager, owner, pace)
        except BaseException:
            await session.aclose()
            raise
        return session

    async def _start(self, manager: str, owner: str, pace: Pace) -> None:
        from asynctask.ssh.session import start

        lease = self._lease
        try:
            self._command = await lease.open(
                lambda connection: start(
                    connection,
                    BOOTSTRAP,
                    self._receive,
                    separate_stderr=True,
                    wished=lease.environment,
                    mark=lease.mark,
                )
            )
        except NodeError:
            raise
        except BaseException:  # something may have been started
            lease.discard()
            raise
        settings = {
            "manager": shlex.quote(place_of(manager)),
            "node": shlex.quote(place_of(self.node)),
            "owner": owner,
            "nonce": self._nonce,
            "window": pace.window,
            "piece": pace.piece,
            "stale": round(3 * pace.beat * 100),
            "patience": round(pace.patience * 10),
            "keeper": shlex.quote(KEEPER),
        }
        program = "\n".join([*(f"{name}={value}" for name, value in settings.items()), POST, ".", ""])
        over = asyncio.ensure_future(self._command.wait())
        try:
            with anyio.fail_after(_GREETING_WAIT):
                await self._write(program.encode())
                await asyncio.wait((over, self._hello), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise SessionOverError(
                f"{self.node}: its shell did not answer within {_GREETING_WAIT:g} s"
            ) from None
        finally:
            over.cancel()
        if not self._hello.done():
            raise SessionOverError(f"{self.node}: {self._why()}")
        self._greet(self._hello.result())

    def _greet(self, hello: Line) -> None:
        kind, *words = hello.words or ("",)
        if kind == "no" and words[:1] == ["busy"]:
            raise BusyError(
                f"{self.node}: another manager of this name is connected to it: give this one another"
            )
        if kind != "ok" or len(words) != 2:
            raise ManagerError(f"{self.node}: {hello.text.removeprefix('no unfit ')}")
        self.page_size, self.ticks = map(int, words)

    # -- what comes -----------------------------------------------------------------------------------

    def _receive(self, stream: str, data: bytes) -> None:
        if stream != "stdout":
            self._said = (self._said + data)[-200:]
            return
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        except ManagerError as exc:
            self.reason = str(exc)
            self._command.close()

    def _take(self, message: Message) -> None:
        if not isinstance(message, Line):
            self._hear(message)
        elif message.verb == "hello":
            if not self._hello.done():
                self._hello.set_result(message)
        elif message.verb == "r":
            number, _, text = message.text.partition(" ")
            asked = self._asked.pop(number, None)
            if asked is not None and not asked.done():
                asked.set_result(Line("r", message.words[1:], text))
        elif message.verb == "b":
            self._answered.set()
        elif message.verb == "u":
            self._rows.append(message.text)
        else:
            self._hear(message)

    # -- what goes ------------------------------------------------------------------------------------

    async def _write(self, data: bytes) -> None:
        if len(data) <= _AT_ONCE:
            await self._put(data)
        else:  # half a line would spoil the next one: who is cancelled lets it go on
            task = asyncio.get_running_loop().create_task(self._put(data))
            self._putting.add(task)
            task.add_done_callback(self._has_put)
            await asyncio.shield(task)

    async def _put(self, data: bytes) -> None:
        async with self._turn:
            try:
                await self._command.write(data)
            except BrokenPipeError:
                self.is_over = True
                raise SessionOverError(f"{self.node}: {self._why()}") from None

    def _has_put(self, task: asyncio.Task[None]) -> None:
        self._putting.discard(task)
        if not task.cancelled():
            task.exception()

    async def tell(self, verb: str, *words: object, data: bytes | None = None) -> None:
        """Give an order that is not answered.

        Raises:
            SessionOverError: the session is over.
        """
        await self._write(order(verb, *words, data=data))

    async def ask(self, verb: str, *words: object, data: bytes | None = None) -> Line:
        """Give an order, and wait for the answer.

        Raises:
            SessionOverError: the session was over before there was one; the order may have been obeyed.
        """
        number = str(next(self._numbers))
        answer: asyncio.Future[Line] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            await self._write(order(verb, number, *words, data=data))
            return await answer
        finally:
            self._asked.pop(number, None)

    async def processes(self) -> tuple[float, list[list[str]]]:
        """The processes of all groups that are supervised. One at a time may ask.

        Returns:
            Seconds since the boot, and the words of ``/proc/*/stat`` of each, without its name.
        """
        self._rows = []
        answer = await self.ask("stats")
        return int(answer.words[0]) / 100, [row.split() for row in self._rows]

    # -- the end --------------------------------------------------------------------------------------

    async def until_over(self, beat: Callable[[], float], answer: float) -> None:
        """Keep it alive, and wait until it is over; then :attr:`reason` says why.

        Args:
            beat: seconds until the node is asked whether it is there.
            answer: seconds that it may take to say so.
        """
        over = asyncio.ensure_future(self._command.wait())
        try:
            while not over.done():
                self._answered.clear()
                self._beats += 1
                with anyio.move_on_after(answer) as scope:
                    await self._beat(over)
                if scope.cancelled_caught:
                    self.reason = f"it has not answered for {answer:g} s"
                    return
                self._hurry.clear()
                with anyio.move_on_after(beat()):
                    await self._first(over, self._hurry)
        finally:
            over.cancel()
            self.reason = self.reason or self._why()
            self._fail()

    def hurry(self) -> None:
        """Ask whether it is there now, for the next time may be sooner than it was thought."""
        self._hurry.set()

    async def _beat(self, over: asyncio.Future[None]) -> None:
        with suppress(SessionOverError):
            await self.tell("beat", self._beats)
            await self._first(over, self._answered)

    @staticmethod
    async def _first(over: asyncio.Future[None], event: asyncio.Event) -> None:
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((over, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    def _fail(self) -> None:
        self.is_over = True
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(SessionOverError(f"{self.node}: {self.reason}"))
                answer.exception()  # who asked may be cancelled in this turn
        self._asked.clear()

    def _why(self) -> str:
        command = self._command
        if command.lost is not None:
            detail = str(command.lost)
            return "connection lost" if detail in ("", "Connection lost") else f"connection lost ({detail})"
        said = self._said.decode(errors="replace").strip().split("\n")[-1]
        if command.has_exited:
            return f"its shell ended{f': {said}' if said else ''}"
        return self.reason or ("the session was closed" if self._closing else "connection lost")

    async def aclose(self) -> None:
        """End the post. Processes go on. Bounded, also when cancelled; may be repeated."""
        self._closing = True
        command: RemoteCommand | None = getattr(self, "_command", None)
        try:
            if command is not None:
                command.close()
                with anyio.move_on_after(_END_WAIT, shield=True) as scope:
                    await command.wait()
                if scope.cancelled_caught:
                    with anyio.move_on_after(_END_WAIT, shield=True):
                        await command.end(Grace(0))
                if not command.gone:
                    self._lease.discard()
                if self._putting:
                    with anyio.move_on_after(_END_WAIT, shield=True):
                        await asyncio.wait(self._putting)
        finally:
            self.reason = self.reason or "the session was closed"
            self._fail()
            await self._lease.release()
