"""What differs between the templates that are loaded and those that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from asynctask.manager.template import ProcessTemplate

__all__ = ("Difference", "concerns_process", "difference")

#: Fields that the manager alone goes by: a process that runs is left alone when one of them changes.
_OF_THE_MANAGER = frozenset(
    (
        "autostart",
        "backoff",
        "exit_codes",
        "flapping",
        "graceful_timeout",
        "liveness",
        "lost_timeout",
        "max_age",
        "numprocesses",
        "order",
        "readiness",
        "restart",
        "stop_signal",
    )
)
_OF_THE_PROCESS = tuple(each.name for each in fields(ProcessTemplate) if each.name not in _OF_THE_MANAGER)


@dataclass(frozen=True, slots=True)
class Difference:
    """Names of templates, in the order of the new ones, those that are removed in that of the old."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(old: Mapping[str, ProcessTemplate], new: Mapping[str, ProcessTemplate]) -> Difference:
    """What is to be loaded, unloaded and updated so that ``old`` becomes ``new``."""
    return Difference(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and new[name] != old[name]),
    )


def concerns_process(old: ProcessTemplate, new: ProcessTemplate) -> bool:
    """Whether a process of the old template is not what the new one wants, so that it has to be replaced.

    How many there are, in which order they start and what is done when one ends are the manager's business;
    ``lost_timeout`` is told to a process on a node when it is started, and counts from the next start.
    """
    return any(getattr(old, name) != getattr(new, name) for name in _OF_THE_PROCESS)
