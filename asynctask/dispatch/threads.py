"""Blocking calls, each in a thread of its own, which is gone when the call is awaited to its end."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any

import anyio

__all__ = ("in_thread",)

_log = logging.getLogger(__name__)

#: How long, in seconds, who is cancelled waits for a call in a thread, which nothing can cancel.
GIVE_UP = 10.0


async def in_thread(name: str, function: Callable[..., Any], *args: object) -> Any:
    """Call a plain function in a thread that does not keep the interpreter alive.

    Cancelling waits until the call is over, ten seconds at most; if it is not, that is in the log, and the
    thread is left to itself.

    Args:
        name: of the thread.
        function: what to call; the context variables of the caller hold there.
        args: its arguments.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    answer: Future[Any] = Future()
    context = copy_context()

    def work() -> None:
        try:
            outcome = context.run(function, *args)
        except BaseException as exc:
            answer.set_exception(exc)
        else:
            answer.set_result(outcome)
        with suppress(RuntimeError):  # nobody waited so long, and the loop is closed
            loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        await done.wait()
    except asyncio.CancelledError:
        with anyio.move_on_after(GIVE_UP, shield=True):
            await done.wait()
        if done.is_set():
            thread.join()
        else:
            _log.warning("%s: still running %g s after it was cancelled; left behind", name, GIVE_UP)
        raise
    thread.join()  # it has nothing left to do
    return answer.result()
