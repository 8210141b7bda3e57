"""What a test may not leave behind: descriptors, processes, threads, asyncio tasks."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ("GRACE", "KEPT_THREADS", "Snapshot", "unfinished")

# Some things legitimately end a moment after the code under test has returned: anyio's idle worker
# threads leave when the root task is done, a killed process group is reaped by init, a peer's
# session process ends when it sees its connection closed. They get this long, in seconds.
GRACE = 1.0

# How the threads of the default executor are named where a loop outlives the test.
KEPT_THREADS = "kept-loop"

_PROC = Path("/proc")


@dataclass(frozen=True)
class Snapshot:
    """The descriptors, processes and threads at one moment."""

    descriptors: frozenset[tuple[int, str]]
    processes: frozenset[int]
    threads: frozenset[threading.Thread]

    @classmethod
    def take(cls) -> Snapshot:
        """Look at the process now. Where there is no /proc, threads alone are seen."""
        return cls(_descriptors(), _process_ids(), frozenset(threading.enumerate()))

    def left_behind(self, nodeid: str, *, loop_is_kept: bool = False, grace: float = GRACE) -> list[str]:
        """Describe what is here now and was not at the snapshot, once it had ``grace`` seconds to go.

        Args:
            nodeid: the test; a process counts as its own when it is a child of this process or has
                the test's name in its environment, where pytest puts it. So orphans are seen too.
            loop_is_kept: the test's loop outlives the test, and so do the threads of the loop's
                default executor. A loop that is closed joins them, then none may be left.
            grace: how long to wait at most.
        """
        deadline = time.monotonic() + grace
        while left := self._new(nodeid, loop_is_kept):
            if time.monotonic() >= deadline:
                break
            time.sleep(0.005)
        return left

    def _new(self, nodeid: str, loop_is_kept: bool) -> list[str]:
        left = [
            f"descriptor {number} -> {target}" for number, target in sorted(_descriptors() - self.descriptors)
        ]
        for pid in sorted(_process_ids() - self.processes):
            left += _describe_process(pid, nodeid)
        for thread in set(threading.enumerate()) - self.threads:
            if not (loop_is_kept and thread.name.startswith(KEPT_THREADS)):
                left.append(f"thread {thread.name!r}{' (daemon)' if thread.daemon else ''}")
        return left


async def unfinished(before: set[asyncio.Task[object]], grace: float = GRACE) -> list[str]:
    """Describe the running loop's tasks, leaving out ``before``, that do not end in ``grace`` seconds."""
    current = asyncio.current_task()
    tasks = asyncio.all_tasks() - before - {current}
    if tasks:
        _, tasks = await asyncio.wait(tasks, timeout=grace)
    return [f"task {task.get_name()!r}: {task.get_coro()!r}" for task in tasks]


def _descriptors() -> frozenset[tuple[int, str]]:
    directory = "/proc/self/fd"
    found = set()
    for entry in _entries(Path(directory)):
        try:
            found.add((int(entry), os.readlink(f"{directory}/{entry}")))  # noqa: PTH115 - twice in each test
        except FileNotFoundError:  # the descriptor that listed the directory
            continue
    return frozenset(found)


def _process_ids() -> frozenset[int]:
    return frozenset(int(entry) for entry in _entries(_PROC) if entry.isdecimal())


def _entries(directory: Path) -> list[str]:
    return os.listdir(directory) if directory.is_dir() else []  # noqa: PTH208 - the names alone are wanted


def _describe_process(pid: int, nodeid: str) -> list[str]:
    """One line if the process belongs to the test; none if it does not, or has gone."""
    process = _PROC / str(pid)
    try:
        name, _, fields = (process / "stat").read_text().rpartition(")")
        state, parent = fields.split()[:2]
        if int(parent) != os.getpid() and not _has_mark(process, nodeid):
            return []
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return []
    return [f"process {pid} ({command.strip() or name.partition('(')[2]}), state {state}"]


def _has_mark(process: Path, nodeid: str) -> bool:
    mark = f"PYTEST_CURRENT_TEST={nodeid} (".encode()
    return any(value.startswith(mark) for value in (process / "environ").read_bytes().split(b"\0"))
