"""Which of the processes on record still live. Everything here blocks, and belongs into a thread."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from asynctask.errors import ManagerError
from asynctask.manager.local.adopted import group_left
from asynctask.manager.local.identity import ProcessIdentity, boot_id
from asynctask.manager.local.statefile import Record, StateDirectory, leaders_with
from asynctask.manager.template import ProcessTemplate

__all__ = ("candidates", "known", "surplus")

#: Who was being started when its manager died has its mark a moment later: looks, and seconds between them.
_LOOKS, _BETWEEN = 4, 0.1


def candidates(
    directory: StateDirectory, template: ProcessTemplate, index: int | None, taken: frozenset[str]
) -> list[Record]:
    """Who may be the process of a place, the likeliest first; each with its identity."""

    def fits(record: Record) -> bool:
        mine = record.index == index or record.index >= template.numprocesses
        return record.name == template.name and mine and record.token not in taken

    return sorted(
        known(directory, fits), key=lambda record: (record.index != index, record.index, -record.start)
    )


def known(directory: StateDirectory, fits: Callable[[Record], bool]) -> list[Record]:
    """The records that fit, each with its identity. Those that cannot have a process any more are removed."""
    try:
        records = list(directory.records(fits))
    except OSError as exc:
        raise ManagerError(f"records of detached processes cannot be read: {exc}") from exc
    found: dict[str, ProcessIdentity] = {}
    for look in range(_LOOKS):
        missing = [record.token for record in records if _is_missing(record) and record.token not in found]
        if not missing:
            break
        if look:
            time.sleep(_BETWEEN)
        found |= leaders_with(missing)
    found_here = []
    for record in records:
        if record.token in found:
            identity = found[record.token]
            record = replace(record, pid=identity.pid, start=identity.start, boot=identity.boot)  # noqa: PLW2901
            directory.write(record)
        if record.identity is not None and (record.identity.is_alive() or group_left(record.identity)):
            found_here.append(record)
        else:
            directory.remove(record)
    return found_here


def surplus(records: Iterable[Record], kept: Mapping[str, int], claimed: Iterable[Record]) -> list[Record]:
    """Those that no place will take.

    Args:
        records: that none has taken yet.
        kept: how many places there are, by the name of their template.
        claimed: those that were taken.
    """
    free = Counter(kept)
    free.subtract(record.name for record in claimed)
    found = []
    for record in sorted(records, key=lambda record: (record.name, record.index, -record.start)):
        if free[record.name] > 0:
            free[record.name] -= 1
        else:
            found.append(record)
    return found


def _is_missing(record: Record) -> bool:
    return record.identity is None and record.boot in ("", boot_id())
