"""What processes on a node take. Pure: numbers from ``/proc`` in, usage out."""

from __future__ import annotations

from dataclasses import dataclass

from asynctask.manager.launching import Usage

__all__ = ("CPUMeter", "Look")

# Where the words of /proc/PID/stat are when the name is left out.
_PID, _GROUP, _USER, _SYSTEM, _START, _RESIDENT = 0, 3, 12, 13, 20, 22


@dataclass(frozen=True, slots=True)
class Look:
    """The processes of a node at one moment.

    Args:
        uptime: seconds since the boot.
        rows: words of ``/proc/PID/stat``, without the name.
        ticks: how many there are a second.
        page_size: bytes.
    """

    uptime: float
    rows: list[list[str]]
    ticks: int
    page_size: int


class CPUMeter:
    """Knows what the processes of a group had taken at the last look."""

    def __init__(self) -> None:
        self._at: float | None = None
        self._ticks: dict[str, int] = {}

    def usage(self, look: Look, group: int) -> Usage | None:
        """What a group took since the last look, at the first one since its start; ``None``: it is gone."""
        rows = [row for row in look.rows if len(row) > _RESIDENT and row[_GROUP] == str(group)]
        if not rows:
            return None
        ticks = {row[_PID]: int(row[_USER]) + int(row[_SYSTEM]) for row in rows}
        began = self._at
        if began is None:
            began = min(int(row[_START]) for row in rows) / look.ticks
        taken = sum(max(0, now - self._ticks.get(pid, 0)) for pid, now in ticks.items()) / look.ticks
        seconds = look.uptime - began
        self._at, self._ticks = look.uptime, ticks
        memory = sum(int(row[_RESIDENT]) for row in rows) * look.page_size
        return Usage(100 * taken / seconds if seconds > 0 else 0.0, memory, len(rows))
