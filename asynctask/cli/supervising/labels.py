"""Who printed a line: the name of a process, in a column of its own and a colour of its template's."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from asynctask.cli.terminal import encoded, visible

if TYPE_CHECKING:
    from asynctask.manager.information import OutputLine
    from asynctask.manager.template import ProcessTemplate

__all__ = ("SYSTEM", "Prefixes", "label_of", "shown_line")

#: Who speaks when no process does.
SYSTEM = "system"
#: A column is never wider: longer names push their line to the right.
_WIDEST = 40
#: Prefixes that are kept, of processes that may be gone.
_MOST_KEPT = 10_000
#: Templates get these in turn: those that can be read on a dark and on a light background.
_COLORS = (b"36", b"33", b"32", b"35", b"34", b"96", b"93", b"92", b"95", b"94")
_RED, _BOLD, _RESET = b"31", b"1", b"\x1b[0m"
_COLOR_CHANGE = re.compile(rb"(\x1b\[[0-9;:]*m)")


def label_of(name: str, index: int | None, node: str | None, pid: int) -> str:
    """What a process is called: ``web.1``, ``web.1@n3``; ``web#17`` when it is run once."""
    place = f"{name}#{pid}" if index is None else f"{name}.{index + 1}"
    return place if node is None else f"{place}@{node}"


def shown_line(line: bytes, *, may_color: bool) -> bytes:
    """What a terminal is shown of a line: nothing in it may drive that.

    Args:
        line: what a process has printed.
        may_color: except that it may change the colour, up to its end.
    """
    if not may_color or b"\x1b[" not in line:
        return visible(line)
    parts = _COLOR_CHANGE.split(line)
    parts[::2] = map(visible, parts[::2])
    return b"".join(parts) + (_RESET if len(parts) > 1 else b"")


class Prefixes:
    """What stands in front of lines.

    Args:
        colored: whether it has colours.
        timestamps: how the time is written first, as ``time.strftime`` has it; milliseconds follow it.
            ``None``: not at all.
    """

    def __init__(self, *, colored: bool = False, timestamps: str | None = None) -> None:
        self.colored = colored
        self._timestamps = timestamps
        self._colors: dict[str, bytes] = {}
        self._width = len(SYSTEM)
        self._kept: dict[int, dict[str, bytes]] = {}  # by pid and stream
        self._second = (0, b"")  # the last one that was written

    def expect(
        self, templates: Mapping[str, ProcessTemplate], nodes: Mapping[str, Sequence[str | None]]
    ) -> None:
        """Templates that there are from now on: the column becomes as wide as their names need.

        Args:
            templates: by their names.
            nodes: those of each; ``None`` is this machine.
        """
        for name, template in templates.items():
            self._color(name)
            longest = max(nodes.get(name) or (None,), key=lambda node: len(node or ""))
            self._widen(label_of(name, max(template.numprocesses - 1, 0), longest, 0))

    def output(self, line: OutputLine) -> bytes:
        """In front of a line of a process: ``web.1  | ``; ``!`` for standard error, a name for others."""
        kept = self._kept.get(line.pid)
        prefix = None if kept is None else kept.get(line.stream)
        if prefix is None:
            prefix = self._made(line)
        return prefix if self._timestamps is None else self._time(line.time) + prefix

    def forget(self, pid: int) -> None:
        """A process is gone."""
        self._kept.pop(pid, None)

    def system(self, moment: float) -> bytes:
        """In front of what is told of processes."""
        prefix = self._in(_BOLD, SYSTEM.ljust(self._width).encode() + b" |") + b" "
        return prefix if self._timestamps is None else self._time(moment) + prefix

    def _made(self, line: OutputLine) -> bytes:
        label, color = label_of(line.name, line.index, line.node, line.pid), self._color(line.name)
        self._widen(label)
        name = self._in(color, visible(encoded(label.ljust(self._width))))
        if line.stream == "stdout":
            prefix = name + self._in(color, b" |") + b" "
        elif line.stream == "stderr":
            prefix = name + self._in(_RED, b" !") + b" "
        else:
            prefix = name + self._in(color, b" (%s)" % visible(encoded(line.stream))) + b" "
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept.setdefault(line.pid, {})[line.stream] = prefix
        return prefix

    def _in(self, color: bytes, text: bytes) -> bytes:
        return b"\x1b[%sm%s%s" % (color, text, _RESET) if self.colored else text

    def _color(self, name: str) -> bytes:
        return self._colors.setdefault(name, _COLORS[len(self._colors) % len(_COLORS)])

    def _widen(self, label: str) -> None:
        width = min(len(label), _WIDEST)
        if width > self._width:
            self._width = width
            self._kept.clear()

    def _time(self, moment: float) -> bytes:
        assert self._timestamps is not None
        second = int(moment)
        if second != self._second[0]:
            self._second = (second, time.strftime(self._timestamps, time.localtime(second)).encode())
        return b"%s.%03d " % (self._second[1], (moment - second) * 1000)
