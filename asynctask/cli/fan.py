"""One handler for all that hear a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from asynctask.events import Hook, call, hook_of
from asynctask.outcome import NodeResult

__all__ = ("fan",)

_EVENTS = (
    "ev_start",
    "ev_pickup",
    "ev_written",
    "ev_unwritten",
    "ev_progress",
    "ev_hup",
    "ev_close",
)
#: What the library looks for in the class of a handler.
_OF_CLASS = ("_ev_lines", "_ev_chunk")

#: Told the node and how its attempt ended.
AfterEnd: TypeAlias = Callable[[str, NodeResult], Awaitable[None]]
IsHeard: TypeAlias = Callable[[str, NodeResult], bool]


class _Fan:
    """Hands each event to one hearer after the other, so that they hear of a node in the same order.

    It has a method for an event only if somebody hears it: the others then cost nothing.
    """

    def __init__(self, hearers: Sequence[object], after_end: AfterEnd, is_heard: IsHeard) -> None:
        for name in _EVENTS:
            if hooks := _hooks(hearers, name):
                setattr(self, name, _relay(hooks))
        self._ends = _hooks(hearers, "ev_end")
        self._after_end = after_end
        self._is_heard = is_heard

    async def ev_end(self, worker: Any, node: str, result: NodeResult) -> None:
        if self._is_heard(node, result):
            for hook in self._ends:
                await call(hook, worker, node, result)
        await self._after_end(node, result)


def fan(
    hearers: Sequence[object], after_end: AfterEnd, is_heard: IsHeard = lambda node, result: True
) -> object:
    """A handler that tells all of them, and then, at the end of a node, awaits ``after_end``.

    Args:
        hearers: objects with the methods of a handler, or some of them.
        after_end: awaited in any case.
        is_heard: whether they are told of an end.
    """
    found = {name: _hooks(hearers, name) for name in _OF_CLASS}
    relays = {name: staticmethod(_relay(hooks)) for name, hooks in found.items() if hooks}
    handler: type[_Fan] = type("Fan", (_Fan,), relays)
    return handler(hearers, after_end, is_heard)


def _hooks(hearers: Sequence[object], name: str) -> list[Hook]:
    return [hook for hearer in hearers if (hook := hook_of(hearer, name)) is not None]


def _relay(hooks: list[Hook]) -> Hook:
    if len(hooks) == 1:
        return hooks[0]

    async def relay(*args: object) -> None:
        for hook in hooks:
            await call(hook, *args)

    return relay
