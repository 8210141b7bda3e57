"""A manager is ended, and whoever waits for that is told for whom he waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import anyio

from asynctask.cli.supervising.labels import label_of
from asynctask.manager.information import ProcessInfo, TemplateInfo
from asynctask.manager.states import ACTIVE

__all__ = ("Stoppable", "end_manager", "left_running", "names_text", "still_there")

#: Seconds until it is told for the first time who is still stopping, and then each time.
_FIRST, _EVERY = 2.0, 5.0
#: So many names are told one by one.
_MOST_NAMES = 12


class Stoppable(Protocol):
    """The part of a manager that this needs."""

    def list(self) -> list[str]:
        """The names of its templates."""

    def info(self, name: str) -> TemplateInfo:
        """One of them."""

    async def aclose(self) -> None:
        """Stop all but what is detached."""


async def end_manager(manager: Stoppable, say: Callable[[str], None]) -> None:
    """Stop all processes but those that outlive the manager, in order; each has the bounds of its template.

    Args:
        manager: whose processes these are.
        say: tells every few seconds who is still there.

    Cancelling kills them.
    """
    async with anyio.create_task_group() as helpers:
        helpers.start_soon(_tell_who, manager, say)
        await manager.aclose()
        helpers.cancel_scope.cancel()


async def _tell_who(manager: Stoppable, say: Callable[[str], None]) -> None:
    await anyio.sleep(_FIRST)
    while True:
        if there := list(still_there(manager)):
            say(f"still stopping: {names_text(there)}")
        await anyio.sleep(_EVERY)


def still_there(manager: Stoppable) -> Iterator[str]:
    """The processes that are still to be stopped."""
    for info in map(manager.info, manager.list()):
        if not info.template.detach:
            for each in info.processes:
                if each.state in ACTIVE and each.pid is not None:
                    yield _label(each)


def left_running(manager: Stoppable) -> Iterator[str]:
    """The processes that outlive the manager."""
    for info in map(manager.info, manager.list()):
        if info.template.detach:
            for each in info.processes:
                if each.pid is not None:
                    pid = "" if each.os_pid is None else f" (pid {each.os_pid})"
                    yield f"{_label(each)}{pid}"


def names_text(names: Sequence[str]) -> str:
    """Names, the first of them if they are many."""
    more = len(names) - _MOST_NAMES
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown


def _label(process: ProcessInfo) -> str:
    return label_of(process.name, process.index, process.node, process.pid or 0)
