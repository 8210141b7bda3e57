"""Lets handlers that were written for ClusterShell hear asynctask's events.

A method may have the arguments of ClusterShell 1.8 and later, or those of before: the worker alone, whose
``current_node``, ``current_msg`` and so on say the rest. Which of them it is, is looked up once a handler.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from asynctask.events import call, hook_of

if TYPE_CHECKING:
    from asynctask.events import Progress
    from asynctask.outcome import NodeResult
    from asynctask.sync.workers import Worker

__all__ = ("Adapted", "adapted")

_Hook = Callable[..., Any]


class Adapted:
    """A handler as asynctask calls it, for one worker of the façade. It has only what the handler has."""

    def __init__(self, handler: object, worker: Worker) -> None:
        self._worker = worker
        for name, make in _ADAPTERS.items():
            hook = make(self, handler)
            if hook is not None:
                setattr(self, name, hook)

    def _start(self, handler: object) -> _Hook | None:
        return self._with_worker(hook_of(handler, "ev_start"))

    def _timeout(self, handler: object) -> _Hook | None:
        return self._with_worker(hook_of(handler, "ev_timeout"))

    def _with_worker(self, hook: _Hook | None) -> _Hook | None:
        return None if hook is None else lambda _worker: hook(self._worker)

    def _pickup(self, handler: object) -> _Hook | None:
        hook = hook_of(handler, "ev_pickup")
        if hook is None:
            return None
        old = _takes_worker_alone(hook)

        def ev_pickup(_worker: object, node: str) -> Any:
            self._worker._now(node)
            return hook(self._worker) if old else hook(self._worker, node)

        return ev_pickup

    def _read(self, handler: object) -> _Hook | None:
        read = hook_of(handler, "ev_read")
        error = hook_of(handler, "ev_error")
        if read is None and error is None:
            return None
        old = read is not None and _takes_worker_alone(read)

        async def ev_both(told: Awaitable[object], node: str, sname: str, msg: bytes) -> None:
            await told
            if read is not None and not old:
                self._worker._now(node, sname=sname, errmsg=msg)
                await call(read, self._worker, node, sname, msg)

        def ev_read(_worker: object, node: str, sname: str, msg: bytes) -> Any:
            worker = self._worker
            if sname == "stderr":
                worker._now(node, sname=sname, errmsg=msg)
                told = None if error is None else error(worker)
                if inspect.isawaitable(told):
                    return ev_both(told, node, sname, msg)
                return None if read is None or old else read(worker, node, sname, msg)
            worker._now(node, sname=sname, msg=msg)
            if read is None:
                return None
            return read(worker) if old else read(worker, node, sname, msg)

        return ev_read

    def _written(self, handler: object) -> _Hook | None:
        return self._forward(hook_of(handler, "ev_written"))

    def _unwritten(self, handler: object) -> _Hook | None:
        return self._forward(hook_of(handler, "ev_unwritten"))

    def _forward(self, hook: _Hook | None) -> _Hook | None:
        if hook is None:
            return None

        def forward(_worker: object, node: str, sname: str, size: int) -> Any:
            self._worker._now(node, sname=sname)
            return hook(self._worker, node, sname, size)

        return forward

    def _progress(self, handler: object) -> _Hook | None:
        hook = hook_of(handler, "ev_progress")
        if hook is None:
            return None

        def ev_progress(_worker: object, node: str, progress: Progress) -> Any:
            self._worker._now(node)
            return hook(self._worker, node, progress)

        return ev_progress

    def _hup(self, handler: object) -> _Hook | None:
        hook = hook_of(handler, "ev_hup")
        if hook is None:
            return None
        old = _takes_worker_alone(hook)

        def ev_hup(_worker: object, node: str, rc: int) -> Any:
            self._worker._now(node, rc=rc)
            return hook(self._worker) if old else hook(self._worker, node, rc)

        return ev_hup

    def _end(self, handler: object) -> _Hook | None:
        hook = hook_of(handler, "ev_end")
        if hook is None:
            return None

        def ev_end(_worker: object, node: str, result: NodeResult) -> Any:
            self._worker._now(node, rc=result.rc)
            return hook(self._worker, node, result)

        return ev_end

    def _close(self, handler: object) -> _Hook | None:
        hook = hook_of(handler, "ev_close")
        if hook is None:
            return None
        old = _takes_worker_alone(hook)

        def ev_close(_worker: object, timedout: bool) -> Any:
            return hook(self._worker) if old else hook(self._worker, timedout)

        return ev_close


def adapted(handler: object, worker: Worker) -> object:
    """A handler as asynctask calls it; itself if there is nothing in it to adapt."""
    found = Adapted(handler, worker)
    return found if any(hasattr(found, name) for name in _ADAPTERS) else handler


_ADAPTERS: dict[str, Callable[[Adapted, object], _Hook | None]] = {
    "ev_start": Adapted._start,
    "ev_pickup": Adapted._pickup,
    "ev_read": Adapted._read,
    "ev_written": Adapted._written,
    "ev_unwritten": Adapted._unwritten,
    "ev_progress": Adapted._progress,
    "ev_hup": Adapted._hup,
    "ev_end": Adapted._end,
    "ev_timeout": Adapted._timeout,
    "ev_close": Adapted._close,
}


def _takes_worker_alone(hook: _Hook) -> bool:
    """Whether a method has the one argument of ClusterShell before 1.8. One that takes any has the newer."""
    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):  # something built in
        return False
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in positional for each in parameters) == 1
