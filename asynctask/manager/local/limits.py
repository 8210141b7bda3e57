"""Limits of what a process may take, by the names that ``ulimit`` and others have for them."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asynctask.errors import LaunchError

__all__ = ("Limit", "limits_of", "not_permitted", "set_limits")

_PREFIX = "RLIMIT_"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, as the system takes it."""

    name: str
    number: int
    soft: int
    hard: int

    def __str__(self) -> str:
        value = str(self.soft) if self.soft == self.hard else f"{self.soft}:{self.hard}"
        return f"limit {self.name}={value}"


def limits_of(rlimits: Mapping[str, int | tuple[int, int]]) -> tuple[Limit, ...]:
    """The limits of a template: one number is both the soft and the hard one, -1 is none.

    Raises:
        LaunchError: this system has no such limit.
    """
    return tuple(_limit(name, value) for name, value in rlimits.items())


def _limit(name: str, value: int | tuple[int, int]) -> Limit:
    number = getattr(resource, _PREFIX + name.upper().removeprefix(_PREFIX), None)
    if number is None:
        raise LaunchError(f"limit {name!r}", "there is no such limit on this system")
    soft, hard = (value, value) if isinstance(value, int) else value
    return Limit(name.lower(), number, soft, hard)


def set_limits(pid: int, limits: Sequence[Limit]) -> None:
    """Set limits of another process, on Linux.

    Raises:
        LaunchError: it may not have this one.
    """
    for limit in limits:
        try:
            resource.prlimit(pid, limit.number, (limit.soft, limit.hard))
        except (ValueError, OSError) as exc:
            raise not_permitted(limit) from exc


def not_permitted(limit: Limit) -> LaunchError:
    """Why a limit could not be set. The system does not say more."""
    if -1 != limit.hard < limit.soft or (limit.soft == -1 != limit.hard):
        return LaunchError(str(limit), "the soft limit is above the hard one")
    hard = resource.getrlimit(limit.number)[1]
    ours = "no hard limit" if hard == -1 else f"a hard limit of {hard}, which root may raise"
    return LaunchError(str(limit), f"not permitted: here is {ours}")
