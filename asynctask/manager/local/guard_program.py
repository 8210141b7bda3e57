"""Ends what a manager has left behind by dying. Run apart from the package: see :mod:`.guard`.

A group that was watched is known by its number and by the moment its leader was started, since numbers come
again. Whatever else came from the manager is known by a mark in its environment: a process that was being
started when the manager died, and what has left its group since.
"""

from __future__ import annotations

import os
import sys
import time

__all__ = ("Ending", "Seen", "Watched", "main", "parse", "seen_processes")

_TERM, _KILL, _CONT = 15, 9, 18
#: Between two looks, seconds.
_PAUSE = 0.05
#: For so long it is looked at least: what was just being started has its mark a moment later.
_LEAST = 0.2
#: What lives so long after KILL is stuck in the kernel.
_STUCK = 5.0
_GRACE = 10.0
_START = 19  # in /proc/PID/stat after the name, as are the others


class Watched:
    """A group that is to be ended."""

    __slots__ = ("grace", "group", "number", "start")

    def __init__(self, group: int, start: int, number: int, grace: float) -> None:
        self.group = group
        self.start = start
        self.number = number
        self.grace = grace


class Seen:
    """A living process."""

    __slots__ = ("group", "pid", "session", "start")

    def __init__(self, pid: int, group: int, session: int, start: int) -> None:
        self.pid = pid
        self.group = group
        self.session = session
        self.start = start


def parse(text: str) -> list[Watched]:
    """The groups in what a shell's ``set`` prints: ``w<group>='<start>_<signal>_<grace>'``."""
    found = []
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name[:1] == "w" and name[1:].isdigit():
            start, number, grace = value.strip("'").split("_")
            found.append(Watched(int(name[1:]), int(start), int(number), float(grace)))
    return found


def seen_processes() -> list[Seen] | None:
    """All living processes; ``None`` where the system does not tell."""
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib takes longer to import than this to run
    except OSError:
        return None
    found = []
    for name in names:
        if name.isdigit() and (stat := _read(f"/proc/{name}/stat")):
            fields = stat[stat.rindex(b")") + 2 :].split()
            if fields[0] not in (b"Z", b"X"):
                found.append(Seen(int(name), int(fields[2]), int(fields[3]), int(fields[_START])))
    return found or None


class Ending:
    """Ends groups, and what has a mark: a signal, the grace, KILL. Bounded.

    Args:
        mark: ``NAME=value``, as it stands in the environment.
        watched: the groups.
    """

    def __init__(self, mark: bytes, watched: list[Watched]) -> None:
        self._mark = b"\0" + mark + b"\0"
        self._watched = watched
        self._first: dict[tuple[int, int], float] = {}  # when it had its first signal
        self._grace = max((each.grace for each in watched), default=_GRACE)
        self._began = time.monotonic()

    def run(self) -> None:
        """Go on until nothing is left, or until what is left cannot be ended."""
        last = self._began + self._grace + _STUCK
        quiet = 0
        while True:
            quiet = 0 if self.look() else quiet + 1
            now = time.monotonic()
            # Who executes another program just now has no environment for a moment.
            if (quiet > 1 and now - self._began >= _LEAST) or now >= last:
                return
            time.sleep(_PAUSE)

    def look(self) -> bool:
        """Signal who is due, and tell whether anybody is left."""
        seen = seen_processes()
        if seen is None:
            return sum(self._end(each.group, each, group=True) for each in self._watched) > 0
        leaders = {each.pid: each.start for each in seen}
        living: set[int] = set()
        busy = False
        for each in self._watched:
            if each.start and leaders.get(each.group, each.start) != each.start:
                continue  # another process has its number: the group has ended
            members = {m.pid for m in seen if m.group == m.session == each.group and m.start >= each.start}
            if members:
                living |= members
                busy |= self._end(each.group, each, group=True)
        for one in seen:
            if one.pid not in living and self._is_marked(one.pid):
                busy |= self._end(one.pid, Watched(one.pid, one.start, _TERM, self._grace), group=False)
        return busy

    def _is_marked(self, pid: int) -> bool:
        return self._mark in b"\0" + _read(f"/proc/{pid}/environ")

    def _end(self, pid: int, what: Watched, *, group: bool) -> bool:
        now = time.monotonic()
        first = self._first.setdefault((pid, what.start), now)
        over = now - first >= what.grace or now - self._began >= self._grace
        if over:
            return _send(pid, _KILL, group)
        if first == now:
            return _send(pid, what.number, group) and _send(pid, _CONT, group)
        return _send(pid, 0, group)


def _send(pid: int, number: int, group: bool) -> bool:
    """Send a signal, and tell whether there is somebody that can be signalled."""
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except OSError:
        return False
    return True


def _read(path: str) -> bytes:
    """What a file of /proc holds; nothing if its process is gone, or is none of ours."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(fd)


def main() -> None:
    """End what standard input names, and what has the mark that is the first argument."""
    Ending(os.fsencode(sys.argv[1]), parse(sys.stdin.read())).run()


if __name__ == "__main__":
    main()
