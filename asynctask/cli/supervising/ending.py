"""When ``asynctask up`` has nothing left to do, and the exit status that it ends with. Nothing here waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from asynctask.cli.signals import EXIT_SIGNAL
from asynctask.manager.information import ProcessInfo, TemplateInfo
from asynctask.manager.launching import Exit
from asynctask.manager.states import ProcessState

__all__ = ("EXIT_FAILED", "Ending", "all_over", "first_end", "status_of")

#: Something was given up, or ended as it should not have.
EXIT_FAILED = 1
_OVER = frozenset({ProcessState.EXITED, ProcessState.FATAL})


@dataclass(frozen=True, slots=True)
class Ending:
    """Why it ends."""

    reason: str
    status: int


def all_over(templates: Iterable[TemplateInfo]) -> Ending | None:
    """Whether all has ended that was started, and nothing of it is started again by itself.

    What somebody has stopped by hand may be started again: that keeps it going. Templates that are not
    started by themselves, and were not, do not.
    """
    ended: list[ProcessInfo] = []
    failed = False
    for info in templates:
        if not info.wanted:
            if info.template.autostart:
                return None
            continue
        if any(each.state not in _OVER for each in info.processes):
            return None
        ended += info.processes
        failed |= any(not _is_well(each, info.template.exit_codes) for each in info.processes)
    if not ended:
        return None
    return Ending("all processes have ended", EXIT_FAILED if failed else 0)


def first_end(templates: Iterable[TemplateInfo], names: Collection[str]) -> Ending | None:
    """Whether a process of one of these templates has ended for good, and how."""
    for info in templates:
        if info.name not in names:
            continue
        for each in info.processes:
            if each.state is ProcessState.FATAL:
                return Ending(f"a process of {info.name} was given up", EXIT_FAILED)
            if each.state is ProcessState.EXITED:
                return Ending(f"a process of {info.name} has ended", status_of(each.last_exit))
    return None


def status_of(exit_: Exit | None) -> int:
    """The exit status of a process as a shell tells it; of one of which nobody knows it, 1."""
    if exit_ is None or (exit_.code is None and exit_.signal is None):
        return EXIT_FAILED
    return EXIT_SIGNAL + exit_.signal if exit_.signal is not None else exit_.code or 0


def _is_well(process: ProcessInfo, expected: Collection[int]) -> bool:
    exit_ = process.last_exit
    return process.state is ProcessState.EXITED and exit_ is not None and exit_.code in expected
