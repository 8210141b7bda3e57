"""A process on a node: what is known of it, whether or not there is a connection."""

from __future__ import annotations

import asyncio
import signal
from time import monotonic
from typing import TYPE_CHECKING, Final

import anyio

from asynctask.errors import ManagerError
from asynctask.manager.launching import Exit, Usage
from asynctask.manager.remote.script import check_script
from asynctask.manager.remote.session import SessionOverError
from asynctask.manager.remote.usage import CPUMeter
from asynctask.manager.remote.wire import STREAMS

if TYPE_CHECKING:
    from asynctask.manager.launching import Ears, Order
    from asynctask.manager.remote.node import RemoteNode
    from asynctask.manager.remote.session import NodeSession

__all__ = ("RemoteRunning", "how_it_ended")

#: Seconds that what output is left may take when it is let go of.
_OUTPUT_GRACE: Final = 0.5
#: An exit is told when all output was heard that came before it: the node keeps it, so it may be much. It is
#: told sooner when none came for so many seconds, for others may hold a stream; here others of its group...
_QUIET: Final = 0.3
_QUIET_GROUP: Final = 0.1
#: ...and when there is no end of it.
_CATCHING_UP: Final = 30.0
#: Seconds in which a signal, or input, has to find a connection to its node.
_REACH_WAIT: Final = 10.0
#: Seconds that an order without an answer may wait for room.
_TELL_WAIT: Final = 1.0
#: Seconds beyond its own in which a check has to be answered.
_CHECK_WAIT: Final = 5.0
#: Bytes of input that are on their way at a time.
_PIECE: Final = 8 * 1024


def how_it_ended(code: str, expected: frozenset[int]) -> Exit:
    """What a shell's exit code means: it cannot tell a signal from 128 and its number.

    Args:
        code: as the keeper wrote it; ``"?"``: nobody knows.
        expected: these are exit codes in any case.
    """
    if not code.isdecimal():
        return Exit(None)
    number = int(code)
    if number not in expected and 128 < number < 128 + signal.NSIG:
        return Exit(None, number - 128)
    return Exit(number)


class _Stream:
    """How far an output is read."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.held: list[bytes] = []
        self.end: int | None = None
        self.complained = False

    @property
    def is_over(self) -> bool:
        return self.end is not None and self.at >= self.end and not self.held


class RemoteRunning:
    """A process on a node. See :class:`~asynctask.manager.launching.Running`.

    Args:
        node: where.
        number: tells it from others there.
        order: what it was started for.
        ears: hear it.
        place: its directory on the node.
        who: process, start time and boot.
        offsets: how much of each stream was taken.
        fed: the number of the last piece of its input.
        found: it was not started now.
    """

    def __init__(
        self,
        node: RemoteNode,
        number: int,
        order: Order,
        ears: Ears,
        *,
        place: str,
        who: tuple[str, ...],
        offsets: tuple[int, int],
        fed: int,
        found: bool,
    ) -> None:
        self.number = number
        self.order = order
        self.place = place
        self.who = who
        self.found = found
        self.condemned = False
        """Whether it is to be ended as soon as its node is there again, and nobody waits for that."""
        self._node = node
        self._ears: Ears | None = ears
        self._streams = dict(zip(STREAMS, map(_Stream, offsets), strict=True))
        template = order.template
        wanted = {"o": template.stdout, "e": template.stderr}
        self._open = [name for name, where in wanted.items() if where not in ("null", "stdout")]
        self._connected = True
        self._paused = False
        self._how: Exit | None = None
        self._exit = asyncio.Event()
        self._group = True
        self._gone = asyncio.Event()
        self._quiet = False  # since the exit was last looked at
        self._tell_by = 0.0
        self._changed = asyncio.Event()
        self._owed: int | None = None  # a signal that did not get there
        self._writing = asyncio.Lock()
        self._put = self._fed = fed
        self._reads_no_more = not template.stdin
        self._meter = CPUMeter()

    @property
    def os_pid(self) -> int | None:
        """The number that it has on its node."""
        return int(self.who[0])

    @property
    def offsets(self) -> tuple[int, int]:
        """How much of its output was had, held back or not."""
        return self._streams["o"].at, self._streams["e"].at

    @property
    def is_over(self) -> bool:
        """Whether its exit is known."""
        return self._how is not None

    # -- what the node tells: nothing here waits ----------------------------------------------------------

    def lost(self, reason: str) -> None:
        """The connection broke."""
        if self._connected:
            self._connected = False
            if self._ears is not None and not self.is_over:
                self._ears.lost(reason)
        self._pulse()

    def regained(self) -> None:
        """It is connected again, and runs."""
        if not self._connected:
            self._connected = True
            if self._ears is not None:
                self._ears.found()
        self._pulse()

    def printed(self, name: str, offset: int, data: bytes) -> None:
        """A piece of output came."""
        stream = self._streams[name]
        if offset > stream.at:
            self._warn(f"{offset - stream.at} bytes of its {STREAMS[name]} are lost: nobody had read them")
            stream.at = offset
        data = data[stream.at - offset :]  # what came twice
        if not data:
            return
        stream.at += len(data)
        self._quiet = False
        if self._paused:
            stream.held.append(data)
        else:
            self._deliver(name, data)
            self._node.has_taken(self.number, name, stream.at)

    def printed_all(self, name: str, end: int) -> None:
        """There is no more output than this."""
        self._streams[name].end = end
        self._look()

    def exited(self, code: str, left: bool) -> None:
        """It ended."""
        if self._how is not None:
            return
        self._how = how_it_ended(code, self.order.template.exit_codes)
        self._group = left
        if not left:
            self._gone.set()
        if self.condemned or self._how == Exit(None):
            self._exit.set()
        else:
            self._tell_by = asyncio.get_running_loop().time() + (_OUTPUT_GRACE if left else _CATCHING_UP)
            self._wait_for_quiet()
        self._look()

    def _wait_for_quiet(self) -> None:
        """Tell of the exit, unless there is output that still comes."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._tell_by or (self._quiet and self._connected):
            self._exit.set()
        if not self._exit.is_set():
            self._quiet = True
            quiet = _QUIET_GROUP if self._group else _QUIET
            loop.call_at(min(loop.time() + quiet, self._tell_by), self._wait_for_quiet)

    def group_went(self) -> None:
        """Nobody is left of its group."""
        self._group = False
        self._gone.set()

    def took(self, number: int) -> None:
        """It was written so many pieces of input."""
        self._fed = max(self._fed, number)
        self._put = max(self._put, number)
        self._pulse()

    def stopped_reading(self) -> None:
        """It has closed its input."""
        self._reads_no_more = True
        self._pulse()

    def cannot_be_written(self, name: str) -> None:
        """Its output cannot be kept on its node."""
        stream = self._streams[name]
        if not stream.complained:
            stream.complained = True
            what = f"its {STREAMS[name]} cannot be kept on {self._node.name}, and is dropped"
            self._warn(f"{what}: is the disk full?")

    def _look(self) -> None:
        """Whether there is nothing more to come."""
        if self._how is not None and all(self._streams[name].is_over for name in self._open):
            self._exit.set()
        self._pulse()

    def _pulse(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _warn(self, text: str) -> None:
        if self._ears is not None:
            self._ears.warn(text)

    def _deliver(self, name: str, data: bytes) -> None:
        if self._ears is not None:
            self._ears.output(STREAMS[name], data)
        if self._how is not None:
            self._look()

    # -- its exit, and that of its group ------------------------------------------------------------------

    async def wait(self) -> Exit:
        await self._exit.wait()
        assert self._how is not None
        return self._how

    def has_group(self) -> bool:
        return self._exit.is_set() and self._group

    async def group_gone(self) -> None:
        await self.wait()
        await self._gone.wait()

    async def signal(self, number: int) -> bool:
        """Send a signal to its whole group; without a connection, when there is one, within 10 s.

        One that did not get there is sent as soon as the node is there again, if it is KILL.
        """
        arrived = False
        try:
            with anyio.move_on_after(_REACH_WAIT):
                while self._how is None or self._group:
                    session = await self._node.connected()
                    try:
                        answer = await session.ask("kill", self.number, number)
                    except SessionOverError:
                        continue
                    arrived = True
                    return answer.words == ("1",)
                arrived = True  # there is nobody
            return False
        finally:
            self._owed = None if arrived else number

    @property
    def owed(self) -> int | None:
        """The signal that did not get there, if it is one that cannot come too late."""
        return self._owed if self._owed == signal.SIGKILL else None

    # -- input and output ---------------------------------------------------------------------------------

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        self._check_input(stream)
        async with self._writing:
            for start in range(0, len(data), _PIECE):
                self._put += 1
                await self._put_piece(self._put, data[start : start + _PIECE])

    async def _put_piece(self, number: int, data: bytes) -> None:
        """Written once, whatever becomes of the connection: the node knows the numbers of those it had."""
        sent_in: object = None
        while self._fed < number:
            if sent_in is not None and self._how is not None:
                return  # as with a pipe: it may have read it before it ended, or not
            self._check_input("stdin")
            session = await self._reach()
            changed = self._changed
            if session is not sent_in:
                sent_in = session
                try:
                    await session.tell("in", self.number, number, data=data)
                except SessionOverError:
                    continue
            if self._fed < number and not self._reads_no_more and self._how is None:
                await changed.wait()

    async def _reach(self) -> NodeSession:
        with anyio.move_on_after(_REACH_WAIT):
            return await self._node.connected()
        raise SessionOverError(f"{self._node.name}: not connected, and input does not reach it")

    def _check_input(self, stream: str) -> None:
        if stream != "stdin" or not self.order.template.stdin:
            raise ManagerError(f"{self.order.template.name}: it has no input {stream!r}")
        if self._reads_no_more or self._how is not None:
            raise ManagerError(f"{self.order.template.name}: it reads no more")

    async def close_input(self, stream: str = "stdin") -> None:
        if stream != "stdin" or not self.order.template.stdin:
            raise ManagerError(f"{self.order.template.name}: it has no input {stream!r}")
        async with self._writing:
            while not self._reads_no_more and self._how is None:
                session = await self._reach()
                try:
                    await session.tell("eof", self.number)
                except SessionOverError:
                    continue
                self._reads_no_more = True

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        for name, stream in self._streams.items():
            if not stream.held:
                continue
            while stream.held and not self._paused:
                self._deliver(name, stream.held.pop(0))
            if not stream.held:
                self._node.has_taken(self.number, name, stream.at)
        self._look()

    # -- looks --------------------------------------------------------------------------------------------

    async def usage(self) -> Usage | None:
        looked = await self._node.stats()
        if looked is None or self._how is not None:
            return None
        return self._meter.usage(looked, int(self.who[0]))

    async def check(self, command: list[str], timeout: float) -> bool:
        """Run a command on its node.

        Raises:
            ManagerError: the node is out of reach.
        """
        session = self._node.session
        if session is None:
            raise SessionOverError(f"{self._node.name}: not connected")
        with anyio.move_on_after(timeout + _CHECK_WAIT):
            script = check_script(self.order, command)
            answer = await session.ask("check", f"{timeout:.3f}", data=script)
            return answer.words == ("0",)
        return False

    # -- the end ------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        if self._how is not None:
            await self._take_the_rest()
            self._tell_what_is_left()
            verb = "forget"
        elif self.owed is not None and not self.order.template.detach:
            self._ears = None
            self.condemned = True
            return
        else:
            verb = "leave"
        self._ears = None
        self._node.let_go(self)
        session = self._node.session
        if session is not None:
            with anyio.move_on_after(_TELL_WAIT, shield=True):
                try:
                    await session.tell(verb, self.number, self.place)
                except SessionOverError:
                    self._node.forget_later(self)
        elif verb == "forget":
            self._node.forget_later(self)

    def _tell_what_is_left(self) -> None:
        for name, stream in self._streams.items():
            if stream.end is not None and stream.at < stream.end:
                left = stream.end - stream.at
                self._warn(f"{left} bytes of its {STREAMS[name]} are lost: nobody took them in time")

    async def _take_the_rest(self) -> None:
        until = monotonic() + _OUTPUT_GRACE
        self.resume_reading()
        with anyio.move_on_after(_OUTPUT_GRACE):
            while self._connected and not all(self._streams[name].is_over for name in self._open):
                changed = self._changed
                with anyio.move_on_after(until - monotonic()):
                    await changed.wait()
                if monotonic() >= until:
                    return
