"""Timers and ports of a blocking task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from asynctask.errors import PortClosedError, PortFullError, TaskStateError
from asynctask.events import hook_of
from asynctask.port import Port, PortStatistics
from asynctask.sync.errors import EngineIllegalOperationError
from asynctask.timer import Timer

if TYPE_CHECKING:
    from asynctask.sync.tasks import Task

__all__ = ("EnginePort", "EngineTimer", "loop_runs_here")

#: How long, in seconds, who waits at a port is at most without a look, should nobody have woken it.
_LOOK_AGAIN = 0.05


class EngineTimer:
    """A timer. Made by :meth:`Task.timer`; any thread may use it."""

    def __init__(
        self, task: Task, fire: float, handler: object, interval: float = -1, autoclose: bool = False
    ) -> None:
        self._task = task
        self.eh = handler
        self.autoclose = autoclose
        adapted = _forwarding(handler, "ev_timer", self._fire)
        self._timer: Timer

        def make() -> None:  # on the loop: it may fire before this thread goes on
            self._timer = task._task.timer(fire, adapted, interval, autoclose)

        task._do_now(make)

    def _fire(self, _timer: Timer) -> Any:
        hook: Callable[[EngineTimer], Any] = self.eh.ev_timer  # type: ignore[attr-defined]
        return hook(self)

    def invalidate(self) -> None:
        """Fire no more. Doing it again is fine."""
        self._task._do_now(self._timer.invalidate)

    def is_valid(self) -> bool:
        """Whether it may still fire."""
        return self._timer.is_valid()

    def set_nextfire(self, fire_delay: float, interval: float = -1) -> None:
        """Fire ``fire_delay`` seconds from now; once, unless an interval is given.

        Raises:
            EngineIllegalOperationError: the timer is not valid any more.
        """
        try:
            self._task._do_now(lambda: self._timer.set_nextfire(fire_delay, interval))
        except TaskStateError as exc:
            raise EngineIllegalOperationError(str(exc)) from exc


class EnginePort:
    """A mailbox. Made by :meth:`Task.port`; any thread may send to it.

    With a handler its task delivers the messages, while it runs; else :meth:`msg_recv` waits for one.
    """

    def __init__(self, task: Task, handler: object = None, autoclose: bool = False) -> None:
        self._task = task
        self.eh = handler
        self.autoclose = autoclose
        adapted = None if handler is None else _forwarding(handler, "ev_msg", self._message)
        start = hook_of(handler, "ev_port_start")
        if isinstance(adapted, SimpleNamespace) and start is not None:
            adapted.ev_port_start = lambda _port: start(self)
        self._port: Port

        def make() -> None:  # on the loop: it may start before this thread goes on
            self._port = task._task.port(adapted, autoclose)

        task._do_now(make)

    def _message(self, _port: Port, message: _Message) -> Any:
        self._took(message)
        hook: Callable[[EnginePort, Any], Any] = self.eh.ev_msg  # type: ignore[attr-defined]
        return hook(self, message.content)

    def msg(self, send_msg: Any, send_once: bool = False) -> bool:
        """Send a message, and wait until the other side takes it; false if the port is closed.

        Args:
            send_msg: any object.
            send_once: do not wait for it to be taken, as :meth:`msg_send` does not.

        Raises:
            TaskStateError: the task's own thread sends and would have to take it.
        """
        message = _Message(send_msg)
        if not send_once and self._task._is_own_thread():
            raise TaskStateError("a task's own thread would wait for itself: use msg_send()")
        if not self._send(message):
            return False
        if not send_once:
            self._task._wait_while(lambda: not message.taken and not self._is_over())
        return send_once or message.taken

    def msg_send(self, send_msg: Any) -> bool:
        """Send a message; wait for room if the port is full. False if the port is closed.

        Raises:
            PortFullError: the port is full, and the task's own thread, which would have to make room, sends.
        """
        return self._send(_Message(send_msg))

    def _send(self, message: _Message) -> bool:
        while True:
            try:
                self._task._do_now(lambda: self._port.msg_send_nowait(message))
            except PortClosedError:
                return False
            except PortFullError:
                if self._task._is_own_thread():
                    raise
                self._task._wait_while(self._is_full, _LOOK_AGAIN)
            else:
                self._task._tell_changed()
                return True

    def msg_recv(self) -> Any:
        """Receive the next message, on a port without a handler; wait for one.

        Raises:
            PortClosedError: the port is closed and empty.
            UsageError: the port has a handler, which gets the messages.
            TaskStateError: there is none, and this is called by a handler, or in an asyncio loop.
        """
        while (message := self._task._do_now(self._receive)) is None:
            if loop_runs_here():
                raise TaskStateError("a loop runs in this thread, and would stand still: receive in another")
            self._task._wait_while(self._is_empty, _LOOK_AGAIN)
        self._took(message)
        return message.content

    def _receive(self) -> _Message | None:
        """The next message, if there is one."""
        if self.eh is None and self._is_empty():
            return None
        receiving = self._port.msg_recv()  # it does not wait
        try:
            receiving.send(None)
        except StopIteration as received:
            message: _Message = received.value
            return message
        raise AssertionError

    def _took(self, message: _Message) -> None:
        message.taken = True
        self._task._tell_changed()

    def _is_empty(self) -> bool:
        return not self._port.closed and not self._port.statistics().waiting

    def _is_full(self) -> bool:
        look = self._port.statistics()
        return not self._port.closed and look.waiting >= look.qlimit

    def _is_over(self) -> bool:
        return self._port.closed and not self._task.running()

    def close(self) -> None:
        """Take no more messages; those that are in the port are still delivered."""
        self._task._do_now(self._port.close)
        self._task._tell_changed()

    def statistics(self) -> PortStatistics:
        """Counters, now."""
        return self._port.statistics()


class _Message:
    """A message on its way, and whether it has been taken."""

    def __init__(self, content: Any) -> None:
        self.content = content
        self.taken = False


def _forwarding(handler: object, name: str, method: Callable[..., Any]) -> object:
    """A handler with one method; ``handler`` itself, for the error that it will raise, if it lacks it."""
    if not callable(getattr(handler, name, None)):
        return handler
    return SimpleNamespace(**{name: method})


def loop_runs_here() -> bool:
    """Whether an asyncio loop runs in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
