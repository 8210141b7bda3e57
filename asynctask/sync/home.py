"""Where a blocking task is at home: a thread, and the asyncio loop that runs there while the task runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from asynctask.errors import TaskStateError
from asynctask.sync.objects import loop_runs_here

if TYPE_CHECKING:
    from asynctask.task import Task

__all__ = ("LOOK_AGAIN", "TASK", "AtHome", "running_here")

_log = logging.getLogger(__name__)

T = TypeVar("T")

#: The attribute of a thread that is its task.
TASK = "_asynctask_task"
#: How long, in seconds, who waits for another thread is at most without a look.
LOOK_AGAIN = 0.2


class AtHome:
    """Does things in a task's own thread, on the loop if it runs, whichever thread they come from.

    Attributes:
        thread: the task's own.
    """

    thread: threading.Thread
    _task: Task

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards what follows, and tells of each change
        self._loop: asyncio.AbstractEventLoop | None = None  # while the thread runs it
        self._waiting: deque[Callable[[], object]] = deque()  # what other threads want done on the loop
        self._news = threading.Event()  # there may be more of it, or an answer from another task

    def _is_own_thread(self) -> bool:
        return threading.current_thread() is self.thread

    def _in_a_loop(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run a loop in this thread for some work; what other threads want done is done on it meanwhile."""
        if loop_runs_here():
            raise TaskStateError("this thread runs an asyncio loop: use asynctask.Task there, and await it")

        async def working() -> T:
            with self._changed:
                self._loop = asyncio.get_running_loop()
                self._changed.notify_all()
            try:
                return await work()
            finally:
                with self._changed:
                    self._loop = None
                    self._changed.notify_all()

        try:
            # With a factory, the loop that the program may have set for this thread stays.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                return runner.run(working())
        finally:
            self._do_waiting()  # what came too late for this run is there for the next

    # -- other threads --------------------------------------------------------------------------------

    def _do(self, action: Callable[[], object]) -> None:
        """Do something where the task is at home: here if it does not run or this is its thread, else there.

        There it is done soon, in the order of the calls, and nobody waits for it.
        """
        with self._changed:
            if self._loop is None or self._is_own_thread():
                self._do_waiting()
                action()
                return
            self._ask(action)

    def _do_now(self, action: Callable[[], T]) -> T:
        """The same, and wait for what comes of it."""
        with self._changed:
            if self._loop is None or self._is_own_thread():
                self._do_waiting()
                return action()
            answer: Future[T] = Future()
            self._ask(lambda: _answer(answer, action))
        here = running_here()
        if here is not None:  # a handler: the other task may at the same moment want something of this one
            answer.add_done_callback(lambda _: here._news.set())
            while not answer.done():
                here._news.clear()
                here._do_waiting()
                if not answer.done():
                    here._news.wait()
        return answer.result()

    def _ask(self, action: Callable[[], object]) -> None:
        assert self._loop is not None
        self._waiting.append(action)
        self._news.set()
        self._loop.call_soon_threadsafe(self._do_waiting)

    def _do_waiting(self) -> None:
        with self._changed:
            while self._waiting:
                try:
                    self._waiting.popleft()()
                except Exception:  # who wanted it is in another thread, and has gone on
                    _log.exception("%s: what another thread asked for failed", self.thread.name)

    def _tell_changed(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait_while(self, condition: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait, for so many seconds at most, in a thread that is not the task's."""
        look_again = LOOK_AGAIN if seconds is None else seconds
        while condition():
            here = running_here()
            if here is not None:
                here._do_waiting()
            with self._changed:
                if condition():
                    self._changed.wait(look_again)
            if seconds is not None:
                return


def running_here() -> AtHome | None:
    """The task whose handler calls this; ``None`` if it is not called by one."""
    home: AtHome | None = getattr(threading.current_thread(), TASK, None)
    return None if home is None or home._loop is None else home


def _answer(answer: Future[T], action: Callable[[], T]) -> None:
    try:
        answer.set_result(action())
    except BaseException as exc:
        answer.set_exception(exc)
