"""Ports: bounded mailboxes through which tasks, and whoever else, send each other messages.

asyncio's own ``Queue`` cannot be closed before Python 3.13: whoever waits in it would wait for ever. So a
port has places for messages and places for receivers, whose waiters are served in order and lose nothing
when they are cancelled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from asynctask.errors import PortClosedError, PortFullError, TaskStateError, UsageError
from asynctask.waiting import Places

__all__ = ("DEFAULT_QLIMIT", "Port", "PortStatistics")

#: How many messages a port holds unless told otherwise; ClusterShell's documented figure.
DEFAULT_QLIMIT = 32


@dataclass(frozen=True, slots=True)
class PortStatistics:
    """A look at a port."""

    qlimit: int
    """How many messages it holds at most."""
    waiting: int
    """Messages that were sent and not yet received."""
    sent: int
    """Messages that were taken in, ever."""
    received: int
    """Messages that were handed out, ever."""
    senders: int
    """How many senders wait for room."""
    receivers: int
    """How many receivers wait for a message."""


class Port(AsyncIterator[Any]):
    """A bounded mailbox. Made by :meth:`asynctask.Task.port`.

    Messages come out in the order in which they went in, each once. Who sends to a full port waits. After
    :meth:`close` nothing more goes in; what is in can still be received. With a handler, the task receives
    the messages, while it runs, and awaits ``ev_msg(port, msg)`` for one after the other; else
    :meth:`msg_recv` or ``async for message in port`` does.

    Args:
        qlimit: how many messages it holds, 1 or more.
        handler: an object with ``ev_msg``, and perhaps ``ev_port_start(port)``.
        autoclose: with a handler: it does not keep the task's run going, and is closed at the end of it.
    """

    def __init__(self, qlimit: int = DEFAULT_QLIMIT, handler: object = None, autoclose: bool = False) -> None:
        check_qlimit(qlimit)
        if handler is not None and not callable(getattr(handler, "ev_msg", None)):
            raise UsageError(f"the handler of a port needs a method ev_msg: {type(handler).__name__}")
        self.handler = handler
        self.autoclose = autoclose
        self._qlimit = qlimit
        self._messages: deque[Any] = deque()
        self._room = Places(qlimit)
        self._ready = Places(0)  # one for each message
        self._closed = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._announced = False  # whether its handler has heard ev_port_start
        self._sent = 0
        self._received = 0

    # -- sending --------------------------------------------------------------------------------

    async def msg_send(self, msg: Any) -> None:
        """Send a message; while the port is full, wait. Cancelling sends nothing.

        Raises:
            PortClosedError: the port is closed, or was closed while this waited; the message is not sent.
        """
        self._check_open()
        await self._room.take()
        if self._closed.is_set():
            self._room.give()  # to the next one who waits, to hear the same
            raise PortClosedError("the port was closed: the message is not sent")
        self._put(msg)

    def msg_send_nowait(self, msg: Any) -> None:
        """Send a message if there is room.

        Raises:
            PortFullError: there is none; the message is not sent.
            PortClosedError: the port is closed.
        """
        self._check_open()
        if not self._room.take_nowait():
            raise PortFullError(f"the port is full ({self._qlimit} messages): the message is not sent")
        self._put(msg)

    def msg_send_threadsafe(self, msg: Any) -> Future[None]:
        """Send from another thread. ``.result()`` of what is returned waits until the message is in the port.

        Raises:
            PortClosedError: nothing has used the port in a loop yet, so there is no loop to send to; or its
                loop is closed.
        """
        if self._loop is None:
            raise PortClosedError("the port belongs to no running loop yet: the message is not sent")
        sending = self.msg_send(msg)
        try:
            return asyncio.run_coroutine_threadsafe(sending, self._loop)
        except RuntimeError as exc:
            sending.close()
            raise PortClosedError("the loop of the port is closed: the message is not sent") from exc

    # -- receiving ------------------------------------------------------------------------------

    async def msg_recv(self) -> Any:
        """Receive the next message; wait for one. Cancelling loses none.

        Raises:
            PortClosedError: the port is closed and empty.
            UsageError: the port has a handler, which gets the messages.
        """
        if self.handler is not None:
            raise UsageError("a port with a handler gives its messages to ev_msg, and to nobody else")
        return await self._receive()

    async def __anext__(self) -> Any:
        try:
            return await self.msg_recv()
        except PortClosedError:
            raise StopAsyncIteration from None

    async def _receive(self) -> Any:
        self._bind()
        await self._ready.take()
        if not self._messages:  # closed
            self._ready.give()
            raise PortClosedError("the port is closed and empty")
        self._received += 1
        msg = self._messages.popleft()
        self._room.give()
        return msg

    # -- its end --------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more messages. Who waits for room, or for a message that will not come, is told.

        Messages that are in the port can still be received. Closing again does nothing.
        """
        if not self._closed.is_set():
            self._closed.set()
            # One more than there are messages: who finds nothing puts it back for the next.
            self._room.give()
            self._ready.give()

    @property
    def closed(self) -> bool:
        """Whether it takes no more messages."""
        return self._closed.is_set()

    async def wait_closed(self) -> None:
        """Wait until somebody closes it."""
        await self._closed.wait()

    def statistics(self) -> PortStatistics:
        """Counters, now."""
        return PortStatistics(
            qlimit=self._qlimit,
            waiting=len(self._messages),
            sent=self._sent,
            received=self._received,
            senders=self._room.waiting,
            receivers=self._ready.waiting,
        )

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"<Port {state}, {len(self._messages)} of {self._qlimit} messages>"

    # -- inside ---------------------------------------------------------------------------------

    def _bind(self) -> None:
        """Remember the loop, for other threads."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # no loop runs: there is no other thread to serve
        if loop is not self._loop and self._loop is not None and self._loop.is_running():
            raise TaskStateError("the port is used in another event loop: use msg_send_threadsafe()")
        self._loop = loop

    def _check_open(self) -> None:
        self._bind()
        if self._closed.is_set():
            raise PortClosedError("the port is closed: the message is not sent")

    def _put(self, msg: Any) -> None:
        self._messages.append(msg)
        self._sent += 1
        self._ready.give()


def check_qlimit(qlimit: int) -> None:
    """Refuse a port that holds nothing, at the call."""
    if not isinstance(qlimit, int) or isinstance(qlimit, bool) or qlimit < 1:
        raise UsageError(f"port_qlimit={qlimit!r}: how many messages a port holds, 1 or more")
